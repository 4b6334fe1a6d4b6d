"""Requests that wait together run together, and none is lost, mixed up or made to pay for another's mistake."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from clients import client_of, tensor
from triton import Triton

CLIENTS, REQUESTS = 8, 250


class Caller(threading.Thread):
    """A client that sends requests of one to three random images, one after the other, and compares every answer."""

    def __init__(self, server: Triton, protocol: str, images: np.ndarray, logits: np.ndarray, seed: int) -> None:
        super().__init__()
        self.server, self.protocol, self.images, self.logits = server, protocol, images, logits
        self.rng = np.random.default_rng(seed)
        self.samples = self.answers = self.wrong = 0
        self.errors: list[Exception] = []

    def run(self) -> None:
        with client_of(self.server, self.protocol) as client:
            for _ in range(REQUESTS):
                chosen = self.rng.integers(0, len(self.images), self.rng.integers(1, 4))
                try:
                    result = client.infer("digits", [tensor(self.protocol, "image", self.images[chosen])])
                except Exception as error:  # counted, and told at the end
                    self.errors.append(error)
                    continue
                self.samples += len(chosen)
                self.answers += 1
                self.wrong += result.as_numpy("logits").tobytes() != self.logits[chosen].tobytes()


def test_two_thousand_requests_of_eight_clients(repository, tmp_path, packed_digits, images, logits):
    config = """max_batch_size: 16
        dynamic_batching { max_queue_delay_microseconds: 1000 }
        instance_group [ { count: 2 kind: KIND_CPU } ]
        parameters { key: "threads" value { string_value: "1" } }"""
    repository.add("digits", packed_digits, config)
    with Triton(repository, tmp_path / "log") as server:
        callers = [
            Caller(server, protocol, images, logits, seed) for seed, protocol in enumerate(["http", "grpc"] * (CLIENTS // 2))
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert [error for caller in callers for error in caller.errors] == []
        assert sum(caller.answers for caller in callers) == CLIENTS * REQUESTS
        assert sum(caller.wrong for caller in callers) == 0

        statistics = server.statistics("digits", CLIENTS * REQUESTS)
        assert statistics["inference_stats"]["success"]["count"] == CLIENTS * REQUESTS
        assert statistics["inference_stats"]["fail"]["count"] == 0
        assert statistics["inference_count"] == sum(caller.samples for caller in callers)
        # Runs are fewer than requests, and some held more images than any one request.
        assert statistics["execution_count"] < CLIENTS * REQUESTS * 3 // 4
        sizes = {entry["batch_size"]: entry["compute_infer"]["count"] for entry in statistics["batch_stats"]}
        assert max(sizes) > 3 and max(sizes) <= 16
        assert sum(size * count for size, count in sizes.items()) == statistics["inference_count"]
        assert all(
            statistics["inference_stats"][part]["ns"] > 0 for part in ("queue", "compute_input", "compute_infer", "compute_output")
        )
        # Two instances, one file read.
        assert server.output().count("8 layers, batches up to 16") == 1
        assert server.stop() == 0, server.output()


#: Everything goes through the server to the backend, which has to tell right from wrong. A batch starts with its sixth request; the
#: delay is what a busy machine may take to send six.
WIDE_OPEN = """max_batch_size: 8
    input [ { name: "image" data_type: TYPE_FP32 dims: [ -1, -1, -1 ] allow_ragged_batch: true } ]
    output [ { name: "logits" data_type: TYPE_FP32 dims: [ 10 ] } ]
    dynamic_batching { max_queue_delay_microseconds: 20000000 preferred_batch_size: [ 6 ] }
    parameters { key: "threads" value { string_value: "1" } }"""


def test_ragged_requests_in_a_batch(repository, tmp_path, packed_digits, images, logits):
    """Six requests gathered into one batch, two of them of another shape: these get an error, the other four their answer."""
    repository.add("digits", packed_digits, WIDE_OPEN)
    with Triton(repository, tmp_path / "log") as server, client_of(server, "grpc") as client:
        ragged = {1: np.zeros((1, 1, 8, 9), np.float32), 4: np.zeros((1, 2, 4, 8), np.float32)}
        results: dict[int, object] = {}
        done = threading.Event()

        def receive(index, result, error):
            results[index] = result if error is None else error
            if len(results) == 6:
                done.set()

        for index in range(6):
            array = ragged.get(index, images[index : index + 1])
            callback = lambda result, error, index=index: receive(index, result, error)  # noqa: E731
            client.async_infer("digits", [tensor("grpc", "image", array)], callback)
        assert done.wait(60)
        for index, result in results.items():
            if index in ragged:
                assert isinstance(result, InferenceServerException)
                shape = "[1, 1, 8, 9]" if index == 1 else "[1, 2, 4, 8]"
                expected = f"input `image`: shape [-1, 1, 8, 8] is expected (-1: the batch), found {shape}"
                assert expected in result.message()
            else:
                assert result.as_numpy("logits").tobytes() == logits[index : index + 1].tobytes()
        statistics = server.statistics("digits", 4)
        assert statistics["inference_stats"]["fail"]["count"] == 2
        # The four that were right ran as one batch.
        assert [entry["batch_size"] for entry in statistics["batch_stats"]] == [4]
        assert "dims [-1, -1, -1] are wider than the network's [1, 8, 8]" in server.output()
        assert server.stop() == 0, server.output()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_clients_that_give_up(repository, tmp_path, packed_digits, images, logits, protocol):
    """A request whose client has gone is answered into the void; those after it are not disturbed."""
    repository.add("digits", packed_digits, WIDE_OPEN)
    with Triton(repository, tmp_path / "log") as server:
        for _ in range(5):
            with client_of(server, protocol) as client:
                with pytest.raises((InferenceServerException, TimeoutError)):
                    if protocol == "grpc":
                        client.infer("digits", [tensor(protocol, "image", images[:1])], client_timeout=0.01)
                    else:
                        raw_request_without_reading(server, images[:1])
        with client_of(server, protocol) as client:
            result = client.infer("digits", [tensor(protocol, "image", images[:6])])
            assert result.as_numpy("logits").tobytes() == logits[:6].tobytes()
        assert server.stop() == 0, server.output()


def raw_request_without_reading(server: Triton, image: np.ndarray) -> None:
    import json
    import socket

    body = json.dumps(
        {"inputs": [{"name": "image", "shape": list(image.shape), "datatype": "FP32", "data": image.ravel().tolist()}]}
    ).encode()
    with socket.create_connection(("127.0.0.1", server.http_port)) as connection:
        head = f"POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.settimeout(0.01)
        connection.recv(1)
