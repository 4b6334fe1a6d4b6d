"""Malformed requests get an error that says what is wrong, and the server lives."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from clients import PROTOCOLS, client_of, tensor, wanted
from servers import answer
from triton import Repository, Triton

#: What the server would refuse itself if the configuration let it: the backend has to.
OPEN = """max_batch_size: 0
    input [ { name: "left" data_type: TYPE_FP32 dims: [ -1, -1, -1, -1 ] optional: true },
            { name: "right" data_type: TYPE_FP32 dims: [ -1, -1, -1, -1 ] optional: true } ]
    output [ { name: "average" data_type: TYPE_FP32 dims: [ -1, 3 ] } ]
    parameters [ { key: "maximum_batch" value { string_value: "3" } }, { key: "threads" value { string_value: "1" } } ]"""


@pytest.fixture(scope="module")
def server(tmp_path_factory, packed_digits, packed_branches):
    folder = tmp_path_factory.mktemp("requests")
    repository = Repository(folder / "models")
    repository.add("digits", packed_digits, "max_batch_size: 8")
    repository.add("open", packed_branches, OPEN)
    with Triton(repository, folder / "log") as server:
        yield server
        assert server.stop() == 0, server.output()


@pytest.fixture(autouse=True)
def lives(server, images, logits):
    """After every test the server answers a right request."""
    yield
    with client_of(server, "grpc") as client:
        result = client.infer("digits", [tensor("grpc", "image", images[:8])])
        assert result.as_numpy("logits").tobytes() == logits[:8].tobytes()


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def refused(server, protocol, model, inputs, expected, outputs=None):
    failed = server.statistics(model)["inference_stats"]["fail"]["count"]
    with client_of(server, protocol) as client, pytest.raises(InferenceServerException) as caught:
        client.infer(model, [tensor(protocol, *value) for value in inputs], outputs=outputs)
    assert expected in caught.value.message()
    return failed


LEFT, RIGHT = ("left", zeros(2, 2, 4, 5)), ("right", zeros(2, 2, 4, 5))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([LEFT], "input `right` is missing in the request"),
        ([RIGHT], "input `left` is missing in the request"),
        ([LEFT, ("right", zeros(2, 2, 5, 4))], "shape [-1, 2, 4, 5] is expected (-1: the batch), found [2, 2, 5, 4]"),
        ([LEFT, ("right", zeros(1, 2, 4, 5))], "input `right`: a batch of 2 is expected, as before it, found shape [1, 2, 4, 5]"),
        ([("left", zeros(4, 2, 4, 5)), ("right", zeros(4, 2, 4, 5))], "a batch of 1 to 3 is expected, found shape [4, 2, 4, 5]"),
        ([("left", zeros(0, 2, 4, 5)), ("right", zeros(0, 2, 4, 5))], "a batch of 1 to 3 is expected, found shape [0, 2, 4, 5]"),
    ],
)  # fmt: skip
def test_refused_by_the_backend(server, protocol, inputs, expected):
    failed = refused(server, protocol, "open", inputs, expected)
    for _ in range(600):  # counted shortly after the answer
        if server.statistics("open")["inference_stats"]["fail"]["count"] == failed + 1:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("the failure is not in the statistics")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("inputs", "output", "expected"),
    [
        ([("image", np.zeros((1, 1, 8, 8), np.int32), "INT32")], "logits", "FP32"),
        ([("image", zeros(1, 1, 8, 9))], "logits", "[-1,1,8,8]"),
        ([("image", zeros(1, 8, 8))], "logits", "[-1,1,8,8]"),
        ([("image", zeros(9, 1, 8, 8))], "logits", "batch-size must be <= 8"),
        ([("picture", zeros(1, 1, 8, 8))], "logits", "picture"),
        ([("image", zeros(1, 1, 8, 8)), ("more", zeros(1, 1, 8, 8))], "logits", "got 2 inputs"),
        ([], "logits", "got 0 inputs"),
        ([("image", zeros(1, 1, 8, 8))], "probabilities", "unexpected inference output 'probabilities'"),
    ],
)  # fmt: skip
def test_refused_by_the_server(server, protocol, inputs, output, expected):
    refused(server, protocol, "digits", inputs, expected, outputs=wanted(protocol, output))


def test_bodies_that_are_no_requests(server):
    address = server.address + "/v2/models/digits/infer"
    image = {"name": "image", "shape": [1, 1, 8, 8], "datatype": "FP32"}
    bodies = [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"inputs": 3}', b'{"inputs": [{}]}',
        json.dumps({"inputs": [image]}).encode(),
        json.dumps({"inputs": [{**image, "data": [0.0] * 63}]}).encode(),
        json.dumps({"inputs": [{**image, "data": [0.0] * 65}]}).encode(),
        json.dumps({"inputs": [{**image, "data": ["zero"] * 64}]}).encode(),
        json.dumps({"inputs": [{**image, "shape": [1, 1, 8, -8], "data": [0.0] * 64}]}).encode(),
        json.dumps({"inputs": [{**image, "shape": [2**62, 1, 8, 8], "data": [0.0] * 64}]}).encode(),
    ]  # fmt: skip
    for body in bodies:
        status, text = answer(address, body)
        assert status >= 400, (body, text)
        assert "error" in json.loads(text), body
    assert answer(server.address + "/v2/models/nothing/infer", b"{}")[0] >= 400


def test_binary_data_of_another_length(server):
    """The header says 256 bytes, more or fewer follow."""
    for count in (0, 1, 252, 260):
        head = json.dumps(
            {"inputs": [{"name": "image", "shape": [1, 1, 8, 8], "datatype": "FP32", "parameters": {"binary_data_size": count}}]}
        ).encode()
        headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
        status, text = answer(server.address + "/v2/models/digits/infer", head + bytes(count), headers)
        assert status >= 400, text


def test_numbers_that_are_none(server, packed_digits, images):
    """NaN and infinity are numbers to the network: an answer, the same as the C interface's."""
    import multipoint

    odd = images[:3].copy()
    odd[0, 0, 0, 0], odd[1, 0, 3, 3], odd[2, 0, 7, 7] = np.nan, np.inf, -np.inf
    with multipoint.Model.from_bytes(packed_digits) as model, model.session(maximum_batch=3, threads=1) as session:
        expected = session.run(odd)
    with client_of(server, "grpc") as client:
        result = client.infer("digits", [tensor("grpc", "image", odd)])
    assert result.as_numpy("logits").tobytes() == expected.tobytes()
