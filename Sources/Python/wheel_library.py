"""Puts libmultipoint.so into the wheel; run by hatchling.

The library is built beforehand, by CMake (see the README at the root of the repository), and taken from

1. the path in the environment variable MULTIPOINT_LIBRARY; `none` makes a wheel without a library, for machines where the loader
   finds one (the Debian package libmultipoint0, or a prefix that ldconfig knows);
2. else `build/lib/libmultipoint.so.0` at the root of the repository, where `cmake -S . -B build` leaves it.

The wheel is tagged `py3-none-linux_x86_64`: any Python 3, since ctypes loads the library, but only machines whose C library is as
new as the builder's, and which have GNU OpenMP and the oneDNN that the library was built for. A manylinux tag would promise that it
needs none of these. Bundling them would keep the promise, and give the process a second OpenMP runtime beside that of the host's
other libraries, and a oneDNN that the distribution's fixes do not reach.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ADVICE = """
Build it first, at the root of the repository:
    cmake -S . -B build && cmake --build build
or name it: MULTIPOINT_LIBRARY=/path/to/libmultipoint.so.0 (MULTIPOINT_LIBRARY=none: a wheel without it, for machines where the \
loader finds one)."""


class WheelLibrary(BuildHookInterface[Any]):
    """The build hook."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the library, except to an editable installation, which is for those who set MULTIPOINT_LIBRARY."""
        if version == "editable":
            return
        library = self._library()
        if library is None:
            return
        with open(library, "rb") as file:
            # e_machine 62 is x86-64.
            header = file.read(20)
        if header[:5] != b"\x7fELF\x02" or header[18:20] != b"\x3e\x00":
            raise SystemExit(f"{library} is no shared library for x86-64")
        build_data["force_include"][str(library)] = "multipoint/libmultipoint.so.0"
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-linux_x86_64"

    def _library(self) -> Path | None:
        named = os.environ.get("MULTIPOINT_LIBRARY")
        if named == "none":
            return None
        source = Path(self.root).parents[1]
        library = Path(named) if named else source / "build" / "lib" / "libmultipoint.so.0"
        # An unpacked source distribution has no build of ours two folders above.
        if not named and not (source / "include" / "multipoint.h").is_file():
            raise SystemExit(f"No library to put into the wheel: {self.root} is not in Multipoint's source tree.{ADVICE}")
        if not library.is_file():
            raise SystemExit(f"No library to put into the wheel: there is no {library}.{ADVICE}")
        return library.resolve()
