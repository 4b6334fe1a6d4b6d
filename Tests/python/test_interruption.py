"""Signals while the command works, and what it shows on a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from networks import Network

OLD = b"what was here before"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that takes seconds to quantize, and one whose file takes a while to write."""
    folder = tmp_path_factory.mktemp("interruption")
    rng = np.random.default_rng(5)
    network = Network(rng, 17, shape=(16, 24, 24))
    x = "x"
    for _ in range(4):
        x = network.add("Relu", network.convolution(x, 16 if x == "x" else 64, 64, pads=[1, 1, 1, 1]))
    flat = network.add("Flatten", network.add("GlobalAveragePool", x))
    onnx.save(network.model(network.add("Gemm", flat, network.normal(10, 64), transB=1)), folder / "slow.onnx")
    np.save(folder / "samples.npy", rng.normal(0, 1, (400, 16, 24, 24)).astype(np.float32))
    large = Network(rng, 17, shape=(5000,))
    onnx.save(large.model(large.add("Gemm", "x", large.normal(5000, 5000), transB=1)), folder / "large.onnx")
    return folder


QUANTIZE_SLOWLY = ["quantize", "slow.onnx", "--calibration", "samples.npy", "--threads", "1", "-o", "work/out.multipoint"]
WRITE_MUCH = ["quantize", "large.onnx", "--method", "float", "-o", "work/out.multipoint"]


def start(folder: Path, arguments: list[str], **options) -> subprocess.Popen:
    """With a fresh folder `work` that holds an older output."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    for path in work.iterdir():
        path.unlink()
    (work / "out.multipoint").write_bytes(OLD)
    # A shell that started the tests in the background has it ignored.
    options.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    return subprocess.Popen([os.environ["MULTIPOINT_COMMAND"], *arguments], cwd=folder, **options)


def assert_untouched(folder: Path) -> None:
    assert [path.name for path in (folder / "work").iterdir()] == ["out.multipoint"]
    assert (folder / "work" / "out.multipoint").read_bytes() == OLD


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_in_the_middle_of_quantizing(folder: Path, number: signal.Signals, status: int) -> None:
    for delay in (0.6, 0.8, 1.0, 1.2):
        process = start(folder, QUANTIZE_SLOWLY, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(delay)
        assert process.poll() is None, "too fast to be interrupted"
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
        assert process.returncode == status
        assert (output, errors) == (b"", b"")
        assert_untouched(folder)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_in_the_middle_of_writing(folder: Path, number: signal.Signals, status: int) -> None:
    """Stopped as soon as the temporary file appears, so that the signal finds it there."""
    caught = 0
    for _ in range(10):
        process = start(folder, WRITE_MUCH, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while process.poll() is None and not list((folder / "work").glob("*.part")):
            time.sleep(0.0005)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        was_writing = bool(list((folder / "work").glob("*.part")))
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        _, errors = process.communicate(timeout=60)
        assert not list((folder / "work").glob("*.part"))
        if process.returncode == status:
            assert errors == b""
            # Between the last byte and the end of the process the new name may be there already: then it has all of the file.
            if (folder / "work" / "out.multipoint").stat().st_size < 100_000_000:
                assert_untouched(folder)
                caught += was_writing
        else:
            assert process.returncode == 0, "the file was complete before the signal came"
        if caught == 2:
            return
    pytest.fail(f"{caught} of 10 runs were interrupted while they wrote; 2 are wanted")


def test_an_ignored_signal_stays_ignored(folder: Path) -> None:
    """As a background job of a script has it."""
    process = start(
        folder, WRITE_MUCH, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert process.returncode == 0
    assert (folder / "work" / "out.multipoint").stat().st_size > 100_000_000


# What a terminal shows


def on_a_terminal(folder: Path, arguments: list[str], *, interrupt_at: bytes | None = None) -> tuple[int, str]:
    """Exit status, and everything written to standard error, which is a terminal; interrupted as soon as that shows some text."""
    controller, terminal = pty.openpty()
    process = start(folder, arguments, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    written = b""
    while True:
        if interrupt_at is not None and interrupt_at in written:
            process.send_signal(signal.SIGINT)
            interrupt_at = None
        if not select.select([controller], [], [], 0.1)[0]:
            continue
        try:
            written += os.read(controller, 65536)
        except OSError:  # closed at the other end
            break
    os.close(controller)
    return process.wait(timeout=20), written.decode()


@pytest.fixture(scope="module")
def terminal_output(folder: Path) -> tuple[int, str]:
    return on_a_terminal(folder, QUANTIZE_SLOWLY)


def test_progress_on_a_terminal(terminal_output: tuple[int, str]) -> None:
    status, text = terminal_output
    assert status == 0
    lines = [line for line in text.split("\r\x1b[K") if line]
    pattern = re.compile(r"(calibrating|packing|probing|rounding|correcting biases) (\d+) %(, (\d+ h )?(\d+ min )?(\d+ s )?left)?")
    assert all(pattern.fullmatch(line) for line in lines), lines
    stages = list(dict.fromkeys(pattern.fullmatch(line)[1] for line in lines))
    assert stages == ["calibrating", "packing", "probing", "rounding", "correcting biases"]
    for stage in stages:
        fractions = [int(pattern.fullmatch(line)[2]) for line in lines if line.startswith(stage)]
        assert fractions == sorted(fractions)
    assert any("left" in line for line in lines)
    # In the end the line is empty again.
    assert text.endswith("\r\x1b[K")


def test_nothing_is_shown_elsewhere(folder: Path) -> None:
    process = start(folder, [*QUANTIZE_SLOWLY, "--limit", "16"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert errors == b"" and b"\x1b" not in output and b"\r" not in output


def test_progress_as_lines(folder: Path) -> None:
    """For programs: to a pipe, without anything that only a terminal understands."""
    process = start(
        folder, [*QUANTIZE_SLOWLY, "--limit", "16", "--progress", "lines"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and b"one convolution" in output
    lines = errors.decode().splitlines()
    assert all(re.fullmatch(r"(calibrating|packing|probing|rounding|correcting biases) \d+ %", line) for line in lines), lines
    assert lines[0].startswith("calibrating ") and lines[-1] == "correcting biases 100 %"
    process = start(folder, [*QUANTIZE_SLOWLY, "--progress", "loudly"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 64 and b"loudly" in errors


def test_an_interrupted_line_is_cleared(folder: Path) -> None:
    status, text = on_a_terminal(folder, QUANTIZE_SLOWLY, interrupt_at=b"calibrating")
    assert status == 130
    assert "calibrating" in text and text.endswith("\r\x1b[K")
    assert_untouched(folder)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "slow.onnx", "--input", "samples.npy", "--output", "work/y.npy"],
        ["evaluate", "slow.onnx", "slow.onnx", "--images", "samples.npy"],
        ["compare", "slow.onnx", "--calibration", "samples.npy", "--images", "samples.npy", "--entry", "w8a8"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_other_commands_show_progress(folder: Path, arguments: list[str]) -> None:
    status, text = on_a_terminal(folder, arguments)
    assert status == 0, text
    assert re.search(r" \d+ %", text), text
    assert text.endswith("\r\x1b[K")
