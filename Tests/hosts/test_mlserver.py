"""A real MLServer with our runtime: answers, refusals, several models, and requests that share a run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import multipoint
import numpy as np
import pytest

from clients import client_of, tensor
from conftest import REPOSITORY
from packed_networks import two_branches
from servers import Server, answer, free_ports


def model(folder: Path, name: str, packed: bytes, **extra: object) -> None:
    folder = folder / name
    folder.mkdir()
    (folder / "model.multipoint").write_bytes(packed)
    settings = {
        "name": name,
        "implementation": "multipoint.mlserver.MultipointRuntime",
        "parameters": {"uri": ".", "version": "7", "extra": extra},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))


class MLServer(Server):
    """`mlserver start FOLDER`, with the example's settings but for the ports and the workers."""

    def __init__(self, folder: Path, log: Path, workers: int = 0, ready: str = "/v2/health/ready") -> None:
        settings = json.loads((REPOSITORY / "Examples" / "mlserver" / "settings.json").read_text())
        self.http_port, self.grpc_port, metrics = free_ports(3)
        settings |= {"http_port": self.http_port, "grpc_port": self.grpc_port, "metrics_port": metrics, "parallel_workers": workers}
        (folder / "settings.json").write_text(json.dumps(settings))
        program = Path(sys.executable).parent / "mlserver"
        super().__init__([program, "start", folder], log, self.http_port, ready, folder=folder)

    def infer(self, name: str, inputs: list[dict], **more: object) -> tuple[int, dict]:
        body = json.dumps({"inputs": inputs, **more}).encode()
        status, text = answer(f"{self.address}/v2/models/{name}/infer", body, {"Content-Type": "application/json"})
        return status, json.loads(text)


def given(name: str, array: np.ndarray, datatype: str = "FP32") -> dict:
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": array.ravel().tolist()}


def array_of(response: dict, name: str = "logits") -> np.ndarray:
    (output,) = [output for output in response["outputs"] if output["name"] == name]
    assert output["datatype"] == "FP32"
    return np.array(output["data"], np.float32).reshape(output["shape"])


@pytest.fixture(scope="module", params=[0, 1], ids=["own process", "worker process"])
def server(request, tmp_path_factory, packed_digits, packed_branches):
    folder = tmp_path_factory.mktemp("mlserver")
    shutil.copytree(REPOSITORY / "Examples" / "mlserver" / "digits", folder / "digits")
    (folder / "digits" / "digits.multipoint").write_bytes(packed_digits)
    # No limit, and one that it keeps.
    limits = {"maximum_nodes": 2**64 - 1, "maximum_run_bytes": 1 << 20, "maximum_work": 0}
    model(folder, "branches", packed_branches, maximum_batch=4, threads=1, **limits)
    model(folder, "fixed", two_branches(2))
    with MLServer(folder, folder / "log", request.param) as server:
        yield server
        assert server.stop() == 0, server.output()


def test_answers(server, images, logits):
    for first, batch in ((0, 1), (1, 2), (3, 7), (10, 16)):
        status, response = server.infer("digits", [given("image", images[first : first + batch])], id="some id")
        assert status == 200, response
        assert array_of(response).tobytes() == logits[first : first + batch].tobytes()
        assert (response["model_name"], response["model_version"], response["id"]) == ("digits", "1", "some id")


def test_grpc(server, images, logits):
    with client_of(server, "grpc") as client:
        result = client.infer("digits", [tensor("grpc", "image", images[:5])])
        assert result.as_numpy("logits").tobytes() == logits[:5].tobytes()


def test_metadata(server):
    status, body = answer(f"{server.address}/v2/models/branches")
    metadata = json.loads(body)
    assert status == 200
    assert [(value["name"], value["shape"]) for value in metadata["inputs"]] == [("left", [-1, 2, 4, 5]), ("right", [-1, 2, 4, 5])]
    assert [(value["name"], value["shape"]) for value in metadata["outputs"]] == [("mixed", [-1, 3, 4, 5]), ("average", [-1, 3])]


@pytest.mark.parametrize("names", [["average"], ["mixed", "average"], None])
def test_several_inputs_and_some_outputs(server, packed_branches, rng, names):
    left, right = (rng.normal(size=(3, 2, 4, 5)).astype(np.float32) for _ in range(2))
    with multipoint.Model.from_bytes(packed_branches) as packed, packed.session(maximum_batch=3, threads=1) as session:
        expected = dict(zip(["mixed", "average"], session.run(left, right)))
    outputs = None if names is None else [{"name": name} for name in names]
    status, response = server.infer("branches", [given("right", right), given("left", left)], outputs=outputs)
    assert status == 200, response
    assert {output["name"] for output in response["outputs"]} == set(names or expected)
    for name in names or expected:
        assert array_of(response, name).tobytes() == expected[name].tobytes()


def test_fixed_batch(server, rng):
    array = rng.normal(size=(2, 2, 4, 5)).astype(np.float32)
    status, response = server.infer("fixed", [given("left", array), given("right", array)])
    assert status == 200 and array_of(response, "average").shape == (2, 3), response
    status, response = server.infer("fixed", [given("left", array[:1]), given("right", array[:1])])
    assert status == 400 and "shape [2, 2, 4, 5] is expected" in response["error"]


SHAPE = "input `image`: shape [-1, 1, 8, 8] is expected (-1: the batch)"
IMAGE, LEFT = np.zeros((1, 1, 8, 8), np.float32), np.zeros((2, 2, 4, 5), np.float32)


@pytest.mark.parametrize(
    ("name", "inputs", "expected"),
    [
        ("digits", [given("image", np.zeros((1, 1, 8, 9)))], f"{SHAPE}, found [1, 1, 8, 9]"),
        ("digits", [given("image", np.zeros((8, 8)))], f"{SHAPE}, found [8, 8]"),
        ("digits", [given("image", np.zeros((17, 1, 8, 8)))], "a batch of 1 to 16 is expected, found shape [17, 1, 8, 8]"),
        ("digits", [given("image", np.zeros((0, 1, 8, 8)))], "a batch of 1 to 16 is expected, found shape [0, 1, 8, 8]"),
        ("digits", [given("image", IMAGE, "INT32")], "input `image`: datatype FP32 is expected, found INT32"),
        ("digits", [given("picture", IMAGE)], "input `picture`: the network has no such input"),
        ("digits", [given("image", IMAGE)] * 2, "an input is given twice"),
        ("digits", [given("image", IMAGE) | {"data": [0.0] * 63}], "input `image`: numbers for shape [1, 1, 8, 8] are expected"),
        ("digits", [given("image", IMAGE) | {"data": ["a"] * 64}], "input `image`: numbers for shape [1, 1, 8, 8] are expected"),
        ("digits", [], "input `image` is missing"),
        ("branches", [given("left", LEFT)], "input `right` is missing"),
        ("branches", [given("left", LEFT), given("right", LEFT[:1])], "input `right`: a batch of 2 is expected, as before it, found"),
    ],
)  # fmt: skip
def test_wrong_requests(server, name, inputs, expected):
    status, response = server.infer(name, inputs)
    assert status == 400, response
    assert expected in response["error"]


def test_unknown_output(server):
    status, response = server.infer("digits", [given("image", IMAGE)], outputs=[{"name": "scores"}])
    assert status == 400 and "output `scores`: the network has no such output" in response["error"]


def test_requests_at_once(server, images, logits):
    """Right and wrong ones together: each gets its own answer."""

    def ask(index: int) -> None:
        first, batch = index % 400, 1 + index % 3
        if index % 10 == 9:
            status, response = server.infer("digits", [given("image", images[first].reshape(1, 1, 4, 16))])
            assert status == 400 and "found [1, 1, 4, 16]" in response["error"]
        else:
            status, response = server.infer("digits", [given("image", images[first : first + batch])])
            assert status == 200, response
            assert array_of(response).tobytes() == logits[first : first + batch].tobytes()

    with ThreadPoolExecutor(8) as clients:
        assert len(list(clients.map(ask, range(400)))) == 400


@pytest.mark.parametrize("name", ["requests_around_unloading", "unloading_what_did_not_load"])
def test_the_runtime_alone(tmp_path, packed_digits, images, logits, name):
    model(tmp_path, "digits", packed_digits, threads=1)
    np.save(tmp_path / "images.npy", images[:20])
    np.save(tmp_path / "logits.npy", logits[:20])
    program = Path(__file__).with_name("mlserver_runtime.py")
    result = subprocess.run([sys.executable, program, name, tmp_path], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


def test_models_that_do_not_load(tmp_path, packed_digits):
    """Each says why in the log. MLServer itself reports the first of them and ends."""
    wrong = {
        "batching": ({"max_batch_size": 8, "max_batch_time": 0.1}, "leave max_batch_size and max_batch_time out"),
        "threads": (
            {"parameters": {"uri": ".", "extra": {"threads": "two"}}},
            "extra.threads: a whole number is expected, found 'two'",
        ),
        "nodes": ({"parameters": {"uri": ".", "extra": {"maximum_nodes": 2}}}, "model nodes: .*the limit on nodes is 2"),
        "bytes": ({"parameters": {"uri": ".", "extra": {"maximum_run_bytes": 1000}}}, "model bytes: .*the limit on run bytes is 1000"),
        "negative": (
            {"parameters": {"uri": ".", "extra": {"maximum_work": -1}}},
            "model negative: maximum_work: a number from 0 to .* expected, found -1",
        ),
        "nowhere": ({"parameters": {"uri": "somewhere/else"}}, "somewhere/else"),
        "damaged": ({}, "damaged/model.multipoint"),
    }
    for name, (settings, _) in wrong.items():
        model(tmp_path, name, packed_digits[:-50] if name == "damaged" else packed_digits)
        path = tmp_path / name / "model-settings.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    with pytest.raises(RuntimeError, match="the server ended"):
        MLServer(tmp_path, tmp_path / "log", ready="/v2/models/batching/ready")
    output = (tmp_path / "log").read_text()
    for name, (_, expected) in wrong.items():
        assert re.search(expected, output), (name, output)
