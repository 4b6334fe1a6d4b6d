"""Making packed files: `quantize` drives the `multipoint` command, which holds the quantizer."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Optional, Union

from ._tensors import AnyArray, is_array
from .errors import CancelledError, CommandError, LibraryNotFoundError

PathLike = Union[str, "os.PathLike[str]"]
#: Called with what is being done, such as "calibrating", and its fraction done, 0 to 1; a true result cancels.
Progress = Callable[[str, float], Any]
Option = Union[str, int, float, bool, Sequence[float], Sequence[str], None]


def quantize(
    model: PathLike,
    output: PathLike,
    *,
    calibration: Union[PathLike, AnyArray, Sequence[Union[PathLike, AnyArray]]] = (),
    scale: Optional[float] = None,
    mean: Union[float, Sequence[float], None] = None,
    std: Union[float, Sequence[float], None] = None,
    layout: Optional[Literal["nhwc", "nchw"]] = None,
    method: Optional[str] = None,
    budget: Optional[float] = None,
    size: Union[int, str, None] = None,
    max_drop: Optional[float] = None,
    threads: Optional[int] = None,
    progress: Union[Progress, bool, None] = None,
    **options: Option,
) -> dict[str, Any]:
    """Packs the weights of an ONNX network: `multipoint quantize`, whose --help is the manual of all options.

    The command is looked for where the environment variable MULTIPOINT_COMMAND says (then nowhere else), beside the shared
    library (in its folder and the `bin` of its prefix), and in PATH.

    Args:
        model: the trained network, an .onnx file.
        output: the packed file to write. It appears when it is complete; a failure leaves what was there.
        calibration: a few hundred images as the network sees them in use: a .npy file or an array, [N, H, W, C] of uint8 or
            [N, C, H, W] of float32 (see `layout`). A sequence of them for a network of several inputs.
        scale, mean, std: what makes the network's input of the stored numbers: (number * scale - mean) / std; mean and std one
            number, or one per channel.
        layout: order of four dimensions in `calibration`. Without it: "nhwc" for uint8, "nchw" for float32.
        method: "ladder" (the default), "greedy", "single", "float", "nearest", "w8a8" or "subset".
        budget: of a ladder, bits per weight of all packed layers.
        size: instead of it, bytes of the packed file at most, or a text such as "800kB".
        max_drop: instead of it, how often the largest output may be another than the float network's, such as 0.005.
        threads: 0 is OMP_NUM_THREADS, or one per core.
        progress: a function that is called with the stage and its fraction done, and cancels with a true result; or True for a
            line on standard error, if that is a terminal.
        **options: the command's others, with underscores: `bits=3`, `record=True`, `bias_correction=False`. One
            that may be repeated takes a sequence of texts: `float_layer=["/head/*", "fc"]`.

    Returns:
        What the command prints with --json: the file's size and bits per weight, and what every layer became.

    Raises:
        CommandError: with the command's message; also if there is no command.
        CancelledError: `progress` asked to stop. Exceptions of `progress` end the command and are raised again.
    """
    with tempfile.TemporaryDirectory(prefix="multipoint-") as folder:
        images = [os.fspath(path) for path in _saved(calibration, Path(folder))]
        arguments = [_command(), "quantize", f"--output={os.fspath(output)}", "--json", "--progress=lines"]
        arguments += [f"--calibration={path}" for path in images]
        named: dict[str, Option] = {
            "scale": scale, "mean": mean, "std": std, "layout": layout, "method": method, "budget": budget, "size": size,
            "max_drop": max_drop, "threads": threads,
        }  # fmt: skip
        for name, value in {**named, **options}.items():
            arguments += _option(name, value)
        arguments += ["--", os.fspath(model)]
        return _run(arguments, _TerminalLine() if progress is True else progress or None, Path(folder) / "summary.json")


def _command() -> str:
    """The path of the command.

    Raises:
        CommandError: with the places that were tried.
    """
    explicit = os.environ.get("MULTIPOINT_COMMAND")
    if explicit:
        return explicit
    tried = [str(path) for path in _beside_the_library()]
    for path in tried:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    found = shutil.which("multipoint")
    if found is None:
        places = ", ".join([*tried, "PATH"])
        raise CommandError(
            f"no `multipoint` command found ({places}); install it, or set MULTIPOINT_COMMAND to its path"
        )
    return found


def _beside_the_library() -> Iterable[Path]:
    """In the library's folder, and in PREFIX/bin for a library in PREFIX/lib or PREFIX/lib/ARCHITECTURE."""
    from . import _library

    try:
        folder = Path(_library.path()).parent
    except LibraryNotFoundError:
        return []
    prefixes = [parent.parent for parent in (folder, folder.parent) if parent.name in ("lib", "lib64")]
    return [folder / "multipoint", *(prefix / "bin" / "multipoint" for prefix in prefixes)]


def _saved(calibration: Any, folder: Path) -> Iterable[PathLike]:
    """Paths as they are; arrays as files in `folder`."""
    given = [calibration] if isinstance(calibration, (str, os.PathLike)) or is_array(calibration) else list(calibration)
    for index, value in enumerate(given):
        if not is_array(value):
            yield value
            continue
        import numpy as np

        path = folder / f"calibration-{index}.npy"
        np.save(path, np.ascontiguousarray(value if isinstance(value, np.ndarray) else np.from_dlpack(value)))
        yield path


def _option(name: str, value: Option) -> list[str]:
    """As words of the command line. One word each, so that a negative number is not taken for an option."""
    word = "--" + name.replace("_", "-")
    if name in ("json", "progress", "output", "help", "version"):
        raise TypeError(f"quantize() takes no option {name!r}")
    if value is None:
        return []
    if value is True:
        return [word]
    if value is False:
        return ["--no-" + word[2:]]
    if isinstance(value, str):
        return [f"{word}={value}"]
    numbers = list(value) if isinstance(value, Iterable) else [value]
    if numbers and all(isinstance(number, str) for number in numbers):
        return [f"{word}={text}" for text in numbers]
    return [f"{word}={','.join(str(number) for number in numbers)}"]


_PROGRESS = re.compile(r"(.+) (\d+) %")


def _run(arguments: list[str], progress: Optional[Progress], summary: Path) -> dict[str, Any]:
    """Runs the command to its end, whatever happens here."""
    messages: list[str] = []
    # To a file: a pipe that nobody reads yet would hold the command up.
    with open(summary, "wb") as output:
        try:
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
            )
        except OSError as error:
            raise CommandError(f"{arguments[0]}: {error.strerror or error}") from error
    assert process.stderr is not None
    try:
        _follow(process.stderr, progress, messages)
        returncode = process.wait()
    finally:
        _end(process)
        if isinstance(progress, _TerminalLine):
            progress.clear()
    if returncode != 0:
        raise _failure(returncode, messages)
    parsed: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    return parsed


def _follow(stderr: IO[str], progress: Optional[Progress], messages: list[str]) -> None:
    for line in stderr:
        line = line.rstrip("\n")
        match = _PROGRESS.fullmatch(line)
        if match is None:
            messages.append(line)
        elif progress is not None and progress(match[1], int(match[2]) / 100):
            raise CancelledError("the progress callback asked to stop")


def _end(process: subprocess.Popen[str]) -> None:
    """Ends a command that still runs; it removes what it has not finished."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stderr is not None:
        process.stderr.close()


def _failure(returncode: int, messages: list[str]) -> CommandError:
    said = "\n".join(messages).split("\nUsage: ")[0].strip()
    if said.startswith("Error: "):
        said = said[len("Error: ") :]
    how = f"exit status {returncode}" if returncode > 0 else f"signal {-returncode}"
    error = CommandError(said or f"the multipoint command ended with {how} and said nothing")
    error.returncode = returncode
    return error


class _TerminalLine:
    """One changing line on standard error; nothing if that is not a terminal."""

    def __init__(self) -> None:
        self._shown = False

    def __call__(self, stage: str, fraction: float) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{stage} {fraction:.0%}")
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
