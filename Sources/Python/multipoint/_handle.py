"""Ownership of the library's objects."""

from __future__ import annotations

import weakref
from ctypes import byref, c_void_p
from types import TracebackType
from typing import Any, Optional, TypeVar

from . import _library
from .errors import ClosedError


class Handle:
    """One object of the library, destroyed when the last reference to this goes.

    A call in progress holds a reference, so that `close()` on one thread never destroys what another thread is using.
    """

    __slots__ = ("pointer", "__weakref__")

    def __init__(self, create: str, destroy: str, *arguments: Any) -> None:
        """Calls the library's function `create` with these arguments and the place for the new object."""
        pointer = c_void_p()
        _library.call(create, *arguments, byref(pointer))
        self.pointer = pointer
        finalizer = weakref.finalize(self, getattr(_library.library(), destroy), pointer)
        # At exit the process's memory goes anyway, and a daemon thread may still be using the object.
        finalizer.atexit = False


Self = TypeVar("Self", bound="Closeable")


class Closeable:
    """A Python object over a `Handle`: closes by `close()`, by leaving a `with` block, or when it is garbage."""

    __slots__ = ("_handle", "__weakref__")
    _handle: Optional[Handle]

    @property
    def closed(self) -> bool:
        """True after `close()`."""
        return getattr(self, "_handle", None) is None

    def close(self) -> None:
        """Gives the object back. Closing twice is allowed; calls in progress on other threads finish first."""
        self._handle = None

    def _open_handle(self) -> Handle:
        """The handle. Keep it in a variable during a call: that is what keeps the object alive.

        Raises:
            ClosedError: after `close()`.
        """
        handle: Optional[Handle] = getattr(self, "_handle", None)
        if handle is None:
            raise ClosedError(f"this {type(self).__name__} is closed")
        return handle

    def __enter__(self: Self) -> Self:
        self._open_handle()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()
