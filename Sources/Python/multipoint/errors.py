"""Exceptions: one class per status code of the library, all of them `MultipointError`.

Where Python has an exception of the same meaning (ValueError, OSError, LookupError, MemoryError), the class is that too,
so that callers may catch either.
"""

from __future__ import annotations


class MultipointError(Exception):
    """Something that the library refused. The message says what was wrong, where, what was expected and what was found."""

    #: The number of the status in multipoint.h; 0 where the library was not asked.
    status: int = 0


class InvalidArgumentError(MultipointError, ValueError):
    """An argument is out of range, of the wrong shape or dtype, or contradicts another."""

    status = 1


class FileError(MultipointError, OSError):
    """A file cannot be opened or read; the message has the system's reason."""

    status = 2


class BadFormatError(MultipointError, ValueError):
    """A packed file is damaged or contradicts itself."""

    status = 3


class UnsupportedError(MultipointError):
    """Well-formed, but this version cannot do it: an operator, a format version, a layer that is too large."""

    status = 4


class NotFoundError(MultipointError, LookupError):
    """No layer or value has that name or index."""

    status = 5


class OutOfMemoryError(MultipointError, MemoryError):
    """Memory could not be had."""

    status = 6


class CancelledError(MultipointError):
    """The progress callback asked to stop."""

    status = 7


class ForkedError(MultipointError):
    """The process was forked after a run with several threads; only objects made with one thread can run in the child."""

    status = 8


class UnsupportedMachineError(MultipointError):
    """This CPU lacks SSE4.1."""

    status = 9


class InternalError(MultipointError):
    """oneDNN refused something that it should accept. Please report it."""

    status = 10


class LimitExceededError(MultipointError):
    """The file or network asks for more than a limit allows; the message names the limit."""

    status = 11


class LibraryNotFoundError(MultipointError, ImportError):
    """The shared library libmultipoint.so could not be loaded; the message lists what was tried."""


class ClosedError(MultipointError, ValueError):
    """The object was used after `close()`."""


class CommandError(MultipointError):
    """The `multipoint` command failed; the message is what it said."""

    #: Its exit status; negative for the number of the signal that ended it, 0 if it could not be started.
    returncode: int = 0


_BY_STATUS: dict[int, type[MultipointError]] = {
    kind.status: kind
    for kind in (
        InvalidArgumentError,
        FileError,
        BadFormatError,
        UnsupportedError,
        NotFoundError,
        OutOfMemoryError,
        CancelledError,
        ForkedError,
        UnsupportedMachineError,
        InternalError,
        LimitExceededError,
    )
}


def error_for(status: int, message: str) -> MultipointError:
    """The exception for a status of the library; a status that this package does not know becomes a plain MultipointError."""
    kind = _BY_STATUS.get(status, MultipointError)
    error = kind(message)
    error.status = status
    return error
