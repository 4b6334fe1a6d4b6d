"""The example for Ray Serve, as its README starts it."""

from __future__ import annotations

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from conftest import REPOSITORY
from servers import Server, answer, free_ports

pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
def server(tmp_path_factory, packed_digits):
    folder = tmp_path_factory.mktemp("ray")
    (folder / "digits.multipoint").write_bytes(packed_digits)
    (port,) = free_ports(1)
    program = REPOSITORY / "Examples" / "ray_serve" / "serve_digits.py"
    command = [sys.executable, program, "digits.multipoint", "--replicas", "2", "--port", port]
    with Server(command, folder / "log", port, "/-/healthz", folder=folder) as server:
        for _ in range(2400):  # healthy before the application is there
            if answer(server.address + "/digits", b"{}")[0] == 400:
                break
            time.sleep(0.05)
        else:
            raise AssertionError("the application does not come up\n" + server.output())
        yield server


def ask(server: Server, sample: object) -> tuple[int, dict]:
    status, body = answer(server.address + "/digits", json.dumps(sample).encode())
    return status, json.loads(body)


def test_answers_of_both_replicas(server, images, logits):
    def right(index: int) -> bool:
        status, outputs = ask(server, {"image": images[index].tolist()})
        return status == 200 and np.array(outputs["logits"], np.float32).tobytes() == logits[index].tobytes()

    with ThreadPoolExecutor(8) as clients:
        assert all(clients.map(right, range(400)))


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ({}, "input `image` is missing"),
        ([], "a JSON object with the inputs by name is expected"),
        ({"image": [[0.0] * 8] * 8}, "input `image`: shape [1, 8, 8] is expected, found [8, 8]"),
        ({"image": "a picture"}, "input `image`: numbers are expected"),
    ],
)
def test_wrong_requests(server, sample, expected):
    status, response = ask(server, sample)
    assert status == 400 and expected in response["error"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "Expecting value"),
        (b'{"image": ', "Expecting value"),
        (b"\xff\xfe{", "utf|decode"),
        (b"[" * 100_000, "fewer levels is expected"),
        (b'{"image": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "fewer levels is expected"),
        (b'{"image": ' + b"[" * 200 + b"1" + b"]" * 200 + b"}", "input `image`: numbers are expected"),
        (b'{"image": [%s]}' % str(10**400).encode(), "input `image`: numbers are expected"),
        (b'{"image": [%s]}' % (b"9" * 10_000), "integer string conversion"),
        (b'{"image": [NaN]}', "input `image`: finite numbers within the range of float32"),
        (b'{"image": [-Infinity]}', "input `image`: finite numbers within the range of float32"),
        (b'{"image": [1e300]}', "input `image`: finite numbers within the range of float32"),
    ],
)
def test_wrong_bodies(server, body, expected):
    status, response = answer(server.address + "/digits", body)
    assert status == 400 and re.search(expected, json.loads(response)["error"]), response


def test_outputs_that_are_not_finite_are_null():
    sys.path.insert(0, str(REPOSITORY / "Examples" / "ray_serve"))
    from serve_digits import json_numbers

    array = np.array([[1, np.nan], [np.inf, -np.inf]], np.float32)
    assert json.loads(json.dumps(json_numbers(array), allow_nan=False)) == [[1, None], [None, None]]
    assert json_numbers(np.array([0.1], np.float32)) == [float(np.float32(0.1))]
