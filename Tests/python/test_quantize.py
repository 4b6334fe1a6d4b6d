"""multipoint.quantize: the same file as the command's own, progress, errors, cancelling, and where the command is found."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import multipoint
from multipoint import quantization

COMMAND = os.environ["MULTIPOINT_COMMAND"]


@pytest.fixture(scope="module")
def images(digits: Path) -> Path:
    return digits / "calibration_images.npy"


def quantize(digits: Path, output: Path, calibration: object, **options: object) -> dict:
    return multipoint.quantize(digits / "digits.onnx", output, calibration=calibration, scale=0.0625, limit=64, **options)


def test_the_same_file_as_the_commands(command, digits, images, tmp_path):
    command(
        "quantize", digits / "digits.onnx", "--calibration", images, "--scale", 0.0625, "--limit", 64, "--bits", 3,
        "--method", "greedy", "--no-bias-correction", "--max-points", 2, "--output", tmp_path / "a",
    )  # fmt: skip
    options = {"method": "greedy", "bits": 3, "bias_correction": False, "max_points": 2}
    from_path = quantize(digits, tmp_path / "b", images, **options)
    from_array = quantize(digits, tmp_path / "c", np.load(images), **options)
    from_list = quantize(digits, tmp_path / "d", [np.load(images)[:, ::-1][:, ::-1]], **options)
    expected = (tmp_path / "a").read_bytes()
    for name in "bcd":
        assert (tmp_path / name).read_bytes() == expected
    assert from_path["totals"] == from_array["totals"] == from_list["totals"]
    assert from_path["totals"]["file_bytes"] == len(expected)
    with multipoint.Model(tmp_path / "b") as model:
        assert [layer["name"] for layer in from_path["layers"]] == [layer.name for layer in model.layers]


def test_mean_and_deviation_of_several_channels(command, tmp_path, digits, images):
    """A sequence becomes one word with commas; negative numbers are no options."""
    options = ["--mean=-0.5", "--std=0.25", "--method=w8a8", "--limit=64"]
    command("quantize", digits / "digits.onnx", "--calibration", images, *options, "-o", tmp_path / "a")
    multipoint.quantize(
        digits / "digits.onnx", tmp_path / "b", calibration=images, mean=[-0.5], std=np.float64(0.25), method="w8a8", limit=64
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_layers_in_float(command, digits, images, tmp_path):
    names = [layer["name"] for layer in quantize(digits, tmp_path / "all", images, method="w8a8")["layers"]]
    for chosen in ([names[0]], names[1:]):
        found = quantize(digits, tmp_path / "some", images, method="w8a8", float_layer=chosen)
        assert [layer["name"] for layer in found["layers"] if layer["is_float"]] == chosen
    command(
        "quantize", digits / "digits.onnx", "--calibration", images, "--scale", 0.0625, "--limit", 64, "--method", "w8a8",
        *(f"--float-layer={name}" for name in names[1:]), "--output", tmp_path / "a",
    )  # fmt: skip
    assert (tmp_path / "a").read_bytes() == (tmp_path / "some").read_bytes()
    with pytest.raises(multipoint.CommandError, match="no layer is called `nowhere`"):
        quantize(digits, tmp_path / "none", images, float_layer="nowhere")


def test_progress(digits, images, tmp_path):
    calls = []
    quantize(digits, tmp_path / "out", images, progress=lambda stage, fraction: calls.append((stage, fraction)))
    stages = list(dict.fromkeys(stage for stage, _ in calls))
    assert stages[0] == "calibrating" and "rounding" in stages
    for stage in stages:
        fractions = [fraction for name, fraction in calls if name == stage]
        assert all(0 <= fraction <= 1 for fraction in fractions) and fractions == sorted(fractions)


def test_progress_on_standard_error(digits, images, tmp_path, capfd):
    quantize(digits, tmp_path / "out", images, progress=True)
    quantize(digits, tmp_path / "out", images)
    assert capfd.readouterr() == ("", "")  # no terminal
    program = (
        "import multipoint, sys\n"
        "multipoint.quantize(sys.argv[1], sys.argv[2], calibration=sys.argv[3], scale=0.0625, limit=64, progress=True)\n"
    )
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program, digits / "digits.onnx", tmp_path / "out", images], stdout=subprocess.PIPE, stderr=terminal
    )
    os.close(terminal)
    said = b""
    while True:
        try:
            said += os.read(controller, 4096)
        except OSError:  # closed at the other end
            break
    os.close(controller)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and output == b""
    assert b"\r\x1b[Kcalibrating " in said and said.endswith(b"\r\x1b[K")


def test_cancelling(digits, images, tmp_path):
    output = tmp_path / "out"
    output.write_bytes(b"before")
    with pytest.raises(multipoint.CancelledError):
        quantize(digits, output, images, progress=lambda stage, fraction: True)

    class Stop(Exception):
        pass

    def stop(stage: str, fraction: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        quantize(digits, output, images, progress=stop)
    assert output.read_bytes() == b"before" and list(tmp_path.iterdir()) == [output]


def test_errors_are_the_commands(digits, images, tmp_path):
    with pytest.raises(multipoint.CommandError, match="nowhere.onnx") as caught:
        multipoint.quantize(tmp_path / "nowhere.onnx", tmp_path / "out", calibration=images)
    assert caught.value.returncode == 1 and "Error:" not in str(caught.value)
    with pytest.raises(multipoint.CommandError, match="bits: 1 to 8 expected, found 77") as caught:
        quantize(digits, tmp_path / "out", images, bits=77, method="greedy")
    assert caught.value.returncode == 64 and "Usage" not in str(caught.value)
    with pytest.raises(multipoint.CommandError, match="no-such-option"):
        quantize(digits, tmp_path / "out", images, no_such_option=1)
    with pytest.raises(multipoint.CommandError, match="calibration"):
        multipoint.quantize(digits / "digits.onnx", tmp_path / "out")
    with pytest.raises(multipoint.CommandError):
        quantize(digits, tmp_path / "out", np.zeros((4, 5, 5, 1), np.uint8))
    with pytest.raises(TypeError, match="json"):
        quantize(digits, tmp_path / "out", images, json=True)
    assert not list(tmp_path.iterdir())
    # Names that look like options, and that hold spaces.
    with pytest.raises(multipoint.CommandError, match="--help"):
        multipoint.quantize("--help", tmp_path / "out", calibration="-x y.npy")


def test_a_command_that_dies_is_an_error(digits, images, tmp_path, monkeypatch):
    script = tmp_path / "multipoint"
    script.write_text("#!/bin/sh\nkill -9 $$\n")
    script.chmod(0o755)
    monkeypatch.setenv("MULTIPOINT_COMMAND", str(script))
    with pytest.raises(multipoint.CommandError, match="signal 9") as caught:
        quantize(digits, tmp_path / "out", images)
    assert caught.value.returncode == -9
    monkeypatch.setenv("MULTIPOINT_COMMAND", str(tmp_path / "nowhere"))
    with pytest.raises(multipoint.CommandError, match="nowhere"):
        quantize(digits, tmp_path / "out", images)


def test_a_summary_larger_than_a_pipe(tmp_path, monkeypatch):
    """It is written while nobody reads it."""
    script = tmp_path / "multipoint"
    script.write_text('#!/bin/sh\nhead -c 1000000 /dev/zero | tr "\\0" " "\necho "{}"\necho "packing 50 %" >&2\n')
    script.chmod(0o755)
    monkeypatch.setenv("MULTIPOINT_COMMAND", str(script))
    assert multipoint.quantize("a", "b", calibration="c") == {}


def test_where_the_command_is_found(tmp_path, monkeypatch):
    assert quantization._command() == COMMAND
    monkeypatch.delenv("MULTIPOINT_COMMAND")
    # Beside the library of an installed prefix; the library stays the one that is loaded.
    for places, library in (
        ("bin", "lib/libmultipoint.so"),
        ("bin", "lib/x86_64-linux-gnu/libmultipoint.so"),
        ("release", "release/libmultipoint.so"),
    ):
        prefix = tmp_path / library.replace("/", "-")
        (prefix / places).mkdir(parents=True)
        shutil.copy(COMMAND, prefix / places / "multipoint")
        monkeypatch.setattr("multipoint._library.path", lambda prefix=prefix, library=library: str(prefix / library))
        assert Path(quantization._command()) == prefix / places / "multipoint"
    monkeypatch.setattr("multipoint._library.path", lambda: "/nowhere/lib/libmultipoint.so")
    monkeypatch.setenv("PATH", str(tmp_path / "lib-libmultipoint.so" / "bin"))
    assert Path(quantization._command()) == tmp_path / "lib-libmultipoint.so" / "bin" / "multipoint"
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(multipoint.CommandError, match="/nowhere/bin/multipoint.*MULTIPOINT_COMMAND"):
        quantization._command()


def test_several_at_once(digits, images, tmp_path):
    """From threads: each drives a command of its own."""
    errors = []

    def work(number: int) -> None:
        try:
            quantize(digits, tmp_path / str(number), images, method="w8a8", threads=1)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
