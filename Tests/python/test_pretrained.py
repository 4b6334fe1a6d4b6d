"""Trained networks out of packages on PyPI (Examples/pretrained), as their exporters wrote them: float results with ONNX Runtime's,
and a packed one that still does its work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pretrained
import pytest

import multipoint
from networks import run_reference


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where packages and networks go."""
    return tmp_path_factory.mktemp("pretrained")


@dataclass(frozen=True)
class Written:
    path: Path
    images: np.ndarray
    truths: list[object]


@pytest.fixture(params=pretrained.NETWORKS)
def written(request: pytest.FixtureRequest, folder: Path) -> Written:
    return write(request.param, folder, 2)


def write(name: str, folder: Path, count: int) -> Written:
    path = folder / f"{pretrained.file_name(name)}.onnx"
    if not path.exists():
        pretrained.write(name, str(path), str(folder))
    return Written(path, *pretrained.NETWORKS[name].samples(count, 3, str(folder)))


def test_float_equals_onnxruntime(written: Written, command, tmp_path) -> None:
    packed = tmp_path / "network.multipoint"
    command("quantize", written.path, "--method", "float", "-o", packed)
    with multipoint.Model(packed) as model, model.session() as session:
        for image in written.images:
            found = session.run(image[None])
            expected = run_reference(str(written.path), image[None])
            for ours, theirs in zip(found if isinstance(found, tuple) else (found,), expected, strict=True):
                assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("options", [["--budget", "5"], ["--method", "w8a8"]], ids=["ladder", "w8a8"])
def test_packed_pages_are_turned_right(options: list[str], folder: Path, command, tmp_path) -> None:
    network = write("PP-LCNet-orientation", folder, 24)
    calibration, packed = tmp_path / "images.npy", tmp_path / "network.multipoint"
    np.save(calibration, pretrained.NETWORKS["PP-LCNet-orientation"].samples(12, 4, str(folder))[0])
    command("quantize", network.path, "--calibration", calibration, *options, "-o", packed)
    with multipoint.Model(packed) as model, model.session(maximum_batch=len(network.images)) as session:
        answers = session.run(network.images)
        found = [session.run(image[None]).argmax() for image in network.images]
    assert answers.argmax(-1).tolist() == found == network.truths
