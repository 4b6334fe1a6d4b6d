"""Disks that fail while the command and the library read and write: an error with the path and the reason, what was there before intact,
nothing left behind.

`disk_faults.c`, loaded before the program, makes single calls fail. The rest is the system's own: limits, full and read-only file systems,
files that are none.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

import multipoint
from networks import Network

OLD = b"what was here before"
NOBODY = 65534


@pytest.fixture(scope="module")
def interposer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("interposer") / "disk_faults.so"
    source = Path(__file__).with_name("disk_faults.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", source, "-o", library, "-ldl"], check=True)
    return library


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Inputs for all commands, where any user may read them, and the command itself."""
    path = Path(tempfile.mkdtemp(prefix="multipoint-faults-"))
    path.chmod(0o755)
    rng = np.random.default_rng(3)
    network = Network(rng, 17, shape=(3, 8, 8))
    hidden = network.add("Relu", network.convolution("x", 3, 16, pads=[1, 1, 1, 1]))
    flat = network.add("Flatten", network.add("GlobalAveragePool", hidden))
    onnx.save(network.model(network.add("Gemm", flat, network.normal(10, 16), transB=1)), path / "net.onnx")
    np.save(path / "images.npy", rng.normal(0, 1, (16, 3, 8, 8)).astype(np.float32))
    np.save(path / "labels.npy", rng.integers(0, 10, 16))
    shutil.copy(os.environ["MULTIPOINT_COMMAND"], path / "multipoint")
    (path / "multipoint").chmod(0o755)
    result = run(path, [*QUANTIZE, "-o", "net.multipoint"])
    assert result.returncode == 0, result.stderr
    for file in path.iterdir():
        file.chmod(0o755 if file.name == "multipoint" else 0o644)
    yield path
    shutil.rmtree(path)


QUANTIZE = ["quantize", "net.onnx", "--calibration", "images.npy", "--method", "nearest", "--threads", "1"]
WRITERS = {
    "quantize": [*QUANTIZE, "-o"],
    "run": ["run", "net.multipoint", "--input", "images.npy", "--threads", "1", "-o"],
    "export": ["export", "net.multipoint", "-o"],
    "export-layers": ["export", "--granularity", "layer", "net.multipoint", "net.onnx", "-o"],
    "report": ["report", "net.multipoint", "--original", "net.onnx", "-o"],
}
PRINTERS = {
    "inspect": ["inspect", "net.multipoint"],
    "doctor": ["doctor", "net.onnx"],
    "evaluate": ["evaluate", "net.multipoint", "--images", "images.npy", "--labels", "labels.npy"],
    "compare": ["compare", "net.onnx", "--calibration", "images.npy", "--images", "images.npy", "--entry", "w8a8"],
    "bench": ["bench", "net.multipoint", "--seconds", "0.01"],
}


def run(folder: Path, arguments: list, *, fault: str = "", path: str = "", interposer: Path | None = None, **options):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if interposer is not None:
        environment |= {"LD_PRELOAD": str(interposer), "DISK_FAULT_PATH": path}
        environment |= {"DISK_FAULT": fault} if fault else {"DISK_FAULT_COUNT": str(folder / "counts")}
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run(
        [folder / "multipoint", *arguments], cwd=folder, env=environment, stderr=subprocess.PIPE, timeout=120, **options
    )


def fresh_work(folder: Path) -> Path:
    """A folder of its own for the output, where an older one is."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    (work / "out").write_bytes(OLD)
    return work


def counted(folder: Path, arguments: list, path: str, interposer: Path) -> tuple[dict[str, int], bytes]:
    """How often each call concerns the path, and the output of a run without faults."""
    work = fresh_work(folder)
    result = run(folder, arguments, path=path, interposer=interposer)
    assert result.returncode == 0, result.stderr
    counts = (folder / "counts").read_text().split()
    (folder / "counts").unlink()
    return {name: int(number) for name, number in zip(counts[::2], counts[1::2])}, (work / "out").read_bytes()


def assert_refused(result: subprocess.CompletedProcess, path: str, reason: int | str) -> None:
    words = reason if isinstance(reason, str) else os.strerror(reason)
    message = result.stderr.decode()
    assert result.returncode == 1, message
    assert path in message and words in message, message


def assert_untouched(work: Path) -> None:
    assert [file.name for file in work.iterdir()] == ["out"]
    assert (work / "out").read_bytes() == OLD


# ----------------------------------------------------------------------------------------------------------------------
# Writing


@pytest.mark.parametrize("name", WRITERS)
def test_every_call_that_writes_fails(folder: Path, interposer: Path, name: str) -> None:
    arguments = [*WRITERS[name], "work/out"]
    counts, _ = counted(folder, arguments, "/out", interposer)
    assert counts["write"] >= 1 and counts["fsync"] == 1 and counts["rename"] == 1 and counts["open"] == 1
    for call, reasons in {
        "write": [errno.ENOSPC, errno.EIO, errno.EDQUOT], "fsync": [errno.EIO, errno.ENOSPC],
        "rename": [errno.EACCES, errno.ENOSPC], "open": [errno.EACCES, errno.EROFS],
    }.items():  # fmt: skip
        for number in range(1, counts[call] + 1):
            for reason in reasons:
                work = fresh_work(folder)
                # The part file's name contains the output's. "run" reads a file whose path has no /out.
                result = run(folder, arguments, fault=f"{call}:{number}:{reason}", path="/out", interposer=interposer)
                assert_refused(result, "work/out", reason)
                assert result.stdout == b""
                assert_untouched(work)


@pytest.mark.parametrize("name", WRITERS)
def test_interrupted_and_short_writes(folder: Path, interposer: Path, name: str) -> None:
    arguments = [*WRITERS[name], "work/out"]
    _, expected = counted(folder, arguments, "/out", interposer)
    for what in ("short", "interrupted"):
        work = fresh_work(folder)
        result = run(folder, arguments, fault=f"write:1:{what}", path="/out", interposer=interposer)
        assert result.returncode == 0, result.stderr
        assert (work / "out").read_bytes() == expected and len(list(work.iterdir())) == 1


@pytest.mark.parametrize("name", WRITERS)
def test_killed_at_every_call(folder: Path, interposer: Path, name: str) -> None:
    """The old content or all of the new; at most one file that says by its name that it is a part."""
    arguments = [*WRITERS[name], "work/out"]
    counts, expected = counted(folder, arguments, "/out", interposer)
    for call in ("open", "write", "fsync", "rename", "close"):
        for number in range(1, counts[call] + 1):
            work = fresh_work(folder)
            result = run(folder, arguments, fault=f"{call}:{number}:kill", path="/out", interposer=interposer)
            assert result.returncode == -signal.SIGKILL
            assert (work / "out").read_bytes() in (OLD, expected)
            others = [file.name for file in work.iterdir() if file.name != "out"]
            assert len(others) <= 1 and all(other.endswith(".part") for other in others)
            if call in ("open", "write", "fsync", "rename"):
                assert (work / "out").read_bytes() == OLD


@pytest.mark.parametrize("name", WRITERS)
def test_file_size_limit(folder: Path, name: str) -> None:
    """RLIMIT_FSIZE sends SIGXFSZ, which would end the process with the part left behind."""
    work = fresh_work(folder)
    result = run(folder, [*WRITERS[name], "work/out"], preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
    assert_refused(result, "work/out", errno.EFBIG)
    assert_untouched(work)


@pytest.fixture
def full_disk(folder: Path) -> Iterator[Path]:
    """A file system of 16 kB, full but for 1 kB; where none can be mounted, nothing."""
    work = fresh_work(folder)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=0777", "none", work], capture_output=True).returncode == 0
    if mounted:
        (work / "out").write_bytes(OLD)
        with open(work / "filler", "wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 512) == 512:
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC
    yield work
    if mounted:
        subprocess.run(["umount", work], check=True)


@pytest.mark.parametrize("name", WRITERS)
def test_full_disk(folder: Path, full_disk: Path, interposer: Path, name: str) -> None:
    if os.path.ismount(full_disk):
        result = run(folder, [*WRITERS[name], "work/out"])
        (full_disk / "filler").unlink()
    else:
        result = run(folder, [*WRITERS[name], "work/out"], fault=f"write:1:{errno.ENOSPC}", path="/out", interposer=interposer)
    assert_refused(result, "work/out", errno.ENOSPC)
    assert_untouched(full_disk)


def as_nobody() -> None:
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@pytest.mark.parametrize("name", WRITERS)
def test_read_only_folder(folder: Path, name: str) -> None:
    work = fresh_work(folder)
    work.chmod(0o555)
    try:
        result = run(folder, [*WRITERS[name], "work/out"], preexec_fn=as_nobody)
    finally:
        work.chmod(0o755)
    assert_refused(result, "work/out", errno.EACCES)
    assert_untouched(work)


@pytest.mark.parametrize("name", WRITERS)
def test_outputs_that_are_no_place(folder: Path, name: str) -> None:
    fresh_work(folder)
    (folder / "work" / "dangling").symlink_to("nowhere/at/all")
    for path, reason in {
        "nowhere/out": errno.ENOENT, "work": "not a regular file", "net.onnx/out": errno.ENOTDIR, "": "not a path",
        "/dev/null": "not a regular file", "work/" + "n" * 300: errno.ENAMETOOLONG,
    }.items():  # fmt: skip
        assert_refused(run(folder, [*WRITERS[name], path]), path, reason)
    assert sorted(file.name for file in (folder / "work").iterdir()) == ["dangling", "out"]


@pytest.mark.parametrize("name", WRITERS)
def test_output_that_is_an_input(folder: Path, name: str) -> None:
    inputs = [argument for argument in WRITERS[name] if (folder / argument).is_file()]
    (folder / "link").unlink(missing_ok=True)
    for file in inputs:
        content = (folder / file).read_bytes()
        os.link(folder / file, folder / "link")
        for path in (file, f"./{file}", str(folder / file), "link"):
            assert_refused(run(folder, [*WRITERS[name], path]), path, "it is the input")
            assert (folder / file).read_bytes() == content
        (folder / "link").unlink()


# ----------------------------------------------------------------------------------------------------------------------
# Reading

READERS = {
    "quantize": ([*QUANTIZE, "-o"], ["net.onnx", "images.npy"]),
    "run": (WRITERS["run"], ["net.multipoint", "images.npy"]),
    "export": (WRITERS["export"], ["net.multipoint"]),
    "export-layers": (WRITERS["export-layers"], ["net.multipoint", "net.onnx"]),
    "report": (WRITERS["report"], ["net.multipoint", "net.onnx"]),
}


@pytest.mark.parametrize("name", READERS)
def test_every_read_fails(folder: Path, interposer: Path, name: str) -> None:
    arguments, inputs = READERS[name]
    arguments = [*arguments, "work/out"]
    for file in inputs:
        content = (folder / file).read_bytes()
        counts, expected = counted(folder, arguments, file, interposer)
        assert counts["read"] >= 1
        for number in range(1, counts["read"] + 1):
            work = fresh_work(folder)
            result = run(folder, arguments, fault=f"read:{number}:{errno.EIO}", path=file, interposer=interposer)
            assert_refused(result, file, errno.EIO)
            assert_untouched(work)
            for what in ("short", "interrupted"):
                work = fresh_work(folder)
                result = run(folder, arguments, fault=f"read:{number}:{what}", path=file, interposer=interposer)
                assert result.returncode == 0 and (work / "out").read_bytes() == expected, result.stderr
            # While it is read: an error, or, where another one takes its name, the whole content of one of the two.
            for what in ("truncate", "grow", "replace"):
                work = fresh_work(folder)
                result = run(folder, arguments, fault=f"read:{number}:{what}", path=file, interposer=interposer)
                (folder / file).unlink()
                (folder / file).write_bytes(content)
                if what == "replace" and result.returncode == 0:
                    assert (work / "out").read_bytes() == expected
                else:
                    assert_refused(result, file, "")
                    assert_untouched(work)
        for call in ("open",):
            work = fresh_work(folder)
            result = run(folder, arguments, fault=f"{call}:1:{errno.EMFILE}", path=file, interposer=interposer)
            assert_refused(result, file, errno.EMFILE)
            assert_untouched(work)


@pytest.fixture
def odd_files(folder: Path) -> Iterator[dict[str, int | str]]:
    """Paths that are no readable file, and what is said of them."""
    odd = folder / "odd"
    shutil.rmtree(odd, ignore_errors=True)
    odd.mkdir()
    os.mkfifo(odd / "fifo")
    (odd / "dangling").symlink_to("nowhere")
    (odd / "loop").symlink_to("loop")
    (odd / "private").write_bytes((folder / "net.multipoint").read_bytes())
    (odd / "private").chmod(0)
    yield {
        "odd": "regular file", "odd/fifo": "regular file", "/dev/zero": "regular file", "/dev/null": "regular file",
        "odd/dangling": errno.ENOENT, "odd/loop": errno.ELOOP, "odd/private": errno.EACCES, "net.onnx/x": errno.ENOTDIR,
    }  # fmt: skip
    shutil.rmtree(odd)


@pytest.mark.parametrize("name", READERS)
def test_inputs_that_are_no_file(folder: Path, odd_files: dict[str, int | str], name: str) -> None:
    arguments, inputs = READERS[name]
    for file in inputs:
        for path, reason in odd_files.items():
            work = fresh_work(folder)
            work.chmod(0o777)
            given = [path if argument == file else argument for argument in arguments]
            assert_refused(run(folder, [*given, "work/out"], preexec_fn=as_nobody), path, reason)
            assert_untouched(work)


LIBRARY_SCRIPT = """
import os, sys
import multipoint

def descriptors():
    return len(os.listdir("/proc/self/fd"))

for path in sys.argv[1:]:
    before = descriptors()
    for _ in range(20):
        try:
            multipoint.Model(path).close()
            print("opened")
        except OSError as error:
            print(type(error).__name__, error)
        except multipoint.MultipointError as error:
            print(type(error).__name__, error)
    assert descriptors() == before, (path, before, descriptors())
"""


def open_in_library(folder: Path, paths: list[str], fault: str = "", interposer: Path | None = None) -> list[str]:
    """What the library says of files in 20 attempts each. The calls that fail are the first attempt's."""
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(sys.path)}
    if interposer is not None:
        environment |= {"LD_PRELOAD": str(interposer), "DISK_FAULT_PATH": paths[0], "DISK_FAULT": fault}
    result = subprocess.run(
        [sys.executable, "-c", LIBRARY_SCRIPT, *paths], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_the_library_and_files_that_are_none(folder: Path, odd_files: dict[str, int | str]) -> None:
    for path, reason in odd_files.items():
        if path == "odd/private" and os.getuid() == 0:  # root may; the command's test is run as nobody
            continue
        lines = open_in_library(folder, [path])
        assert len(lines) == 20
        for line in lines:
            assert line.startswith("FileError") and path in line
            assert (reason if isinstance(reason, str) else os.strerror(reason)) in line


@pytest.mark.parametrize("what", [str(errno.EIO), "short", "interrupted", "truncate", "grow", "replace"])
def test_the_library_and_reads_that_fail(folder: Path, interposer: Path, what: str) -> None:
    content = (folder / "net.multipoint").read_bytes()
    for number in (1, 2):  # the first bytes, then the rest
        lines = open_in_library(folder, ["net.multipoint"], f"read:{number}:{what}", interposer)
        is_changed = (folder / "net.multipoint").read_bytes() != content
        (folder / "net.multipoint").unlink()
        (folder / "net.multipoint").write_bytes(content)
        if what in ("short", "interrupted"):
            assert lines == ["opened"] * 20
        elif what == "replace":  # the first one read all of what was there
            assert is_changed and lines[0] == "opened" and all("BadFormat" in line for line in lines[1:])
        else:
            assert "net.multipoint" in lines[0] and lines[0].startswith("FileError")
            assert is_changed == (what in ("truncate", "grow"))
            if not is_changed:
                assert os.strerror(errno.EIO) in lines[0] and lines[1:] == ["opened"] * 19


# ----------------------------------------------------------------------------------------------------------------------
# Standard output


def printing(folder: Path) -> Iterator[tuple[list[str], Path | None]]:
    """Every command, with a table and with JSON, and the file that it writes."""
    for name, arguments in WRITERS.items():
        for more in ([], ["--json"]) if name != "report" else ([],):
            yield [*more_after(arguments, more), "work/out"], folder / "work" / "out"
    for arguments in PRINTERS.values():
        for more in ([], ["--json"]):
            yield [*arguments, *more], None
    yield ["--help"], None
    yield ["quantize", "--help"], None
    yield ["--version"], None


def more_after(arguments: list[str], more: list[str]) -> list[str]:
    return [*arguments[:-1], *more, arguments[-1]]


def test_standard_output_is_full(folder: Path) -> None:
    for arguments, output in printing(folder):
        fresh_work(folder)
        with open("/dev/full", "wb") as full:
            result = run(folder, arguments, stdout=full)
        assert_refused(result, "standard output", errno.ENOSPC)
        # What could be written is complete.
        assert output is None or (output.read_bytes() != OLD and len(list(output.parent.iterdir())) == 1)


def test_standard_output_is_closed(folder: Path) -> None:
    """Its number must not become that of a file that the command opens."""
    for arguments, output in printing(folder):
        expected = None
        if output is not None:
            fresh_work(folder)
            assert run(folder, arguments).returncode == 0
            expected = output.read_bytes()
        for closed in ([1], [0, 1], [0, 1, 2]):
            fresh_work(folder)
            result = run(folder, arguments, stdout=None, preexec_fn=lambda: [os.close(number) for number in closed])
            assert result.returncode == 1, (arguments, closed, result.stderr)
            if 2 not in closed:
                assert_refused(result, "standard output", errno.EBADF)
            assert expected is None or output.read_bytes() == expected


def test_nobody_reads_standard_output(folder: Path) -> None:
    """A broken pipe ends the command by SIGPIPE, or, where that is ignored, with the reason."""
    for ignored in (False, True):
        for arguments, output in printing(folder):
            fresh_work(folder)
            reading, writing = os.pipe()
            os.close(reading)
            number = signal.SIG_IGN if ignored else signal.SIG_DFL
            result = run(folder, arguments, stdout=writing, preexec_fn=lambda: signal.signal(signal.SIGPIPE, number))
            os.close(writing)
            if ignored:
                assert_refused(result, "standard output", errno.EPIPE)
            else:
                assert result.returncode == -signal.SIGPIPE, (arguments, result.stderr)
            assert output is None or [file.name for file in output.parent.iterdir()] == ["out"]
