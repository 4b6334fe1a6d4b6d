"""What a configuration leaves out is completed from the packed file; what it says is checked, in the operator's words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from clients import client_of, tensor
from packed_networks import two_branches, weights_only
from triton import Repository, Triton

IMAGE = 'input [ { name: "image" data_type: TYPE_FP32 dims: [ 1, 8, 8 ] } ]\n'
LOGITS = 'output [ { name: "logits" data_type: TYPE_FP32 dims: [ 10 ] } ]\n'


def parameter(name: str, value: str) -> str:
    return f'parameters {{ key: "{name}" value {{ string_value: "{value}" }} }}\n'


#: Configurations of the digits network, and what the error must say.
WRONG = {
    "input_name": (IMAGE.replace("image", "picture"), "input `picture`: the network has no such input; it has `image`"),
    "output_name": (LOGITS.replace("logits", "scores"), "output `scores`: the network has no such output; it has `logits`"),
    "input_type": (IMAGE.replace("FP32", "UINT8"), "input `image`: data_type TYPE_FP32 is expected, found TYPE_UINT8"),
    "output_type": (LOGITS.replace("FP32", "FP16"), "output `logits`: data_type TYPE_FP32 is expected, found TYPE_FP16"),
    "dims": (
        "max_batch_size: 4\n" + IMAGE.replace("1, 8, 8", "8, 8, 1"),
        "input `image`: dims [1, 8, 8] are expected, without the batch, as in the packed file, found [8, 8, 1]",
    ),
    "rank": (
        "max_batch_size: 4\n" + IMAGE.replace("1, 8, 8", "64"),
        "input `image`: dims [1, 8, 8] are expected, without the batch, as in the packed file, found [64]",
    ),
    "batch_twice": (
        "max_batch_size: 4\n" + IMAGE.replace("1, 8, 8", "-1, 1, 8, 8"),
        "input `image`: dims [1, 8, 8] are expected, without the batch, as in the packed file, found [-1, 1, 8, 8]",
    ),
    "output_dims": (
        "max_batch_size: 4\n" + LOGITS.replace("10", "11"),
        "output `logits`: dims [10] are expected, without the batch, as in the packed file, found [11]",
    ),
    "reshape": (
        "max_batch_size: 4\n" + IMAGE.replace("dims: [ 1, 8, 8 ]", "dims: [ 64 ] reshape { shape: [ 8, 8 ] }"),
        "input `image`: dims [1, 8, 8] are expected, without the batch, as in the packed file, found [8, 8]",
    ),
    "more_inputs": (
        IMAGE + IMAGE.replace("image", "mask"),
        "input `mask`: the network has no such input; it has `image`",
    ),
    "threads_word": (parameter("threads", "two"), 'parameter `threads`: a whole number from 0 to 1024 is expected, found "two"'),
    "threads_negative": (parameter("threads", "-1"), 'parameter `threads`: a whole number from 0 to 1024 is expected, found "-1"'),
    "threads_many": (parameter("threads", "99999999999999999999"), "parameter `threads`: a whole number"),
    "threads_more": (parameter("threads", "2 "), "parameter `threads`: a whole number"),
    "batch_zero": (parameter("maximum_batch", "0"), "parameter `maximum_batch`: a whole number from 1 to"),
    "batch_twofold": (
        "max_batch_size: 8\n" + parameter("maximum_batch", "4"),
        "parameter `maximum_batch`: 8 is expected, as in max_batch_size, found 4",
    ),
    "batch_huge": ("max_batch_size: 100000", "maximum batch: 1 to 65536 expected, found 100000"),
    "batches_differ": (
        "max_batch_size: 0\n" + IMAGE.replace("1, 8, 8", "8, 1, 8, 8") + LOGITS.replace("10", "3, 10"),
        "output `logits`: a batch of 8 is expected in its dims, as in input `image`, found [3, 10]",
    ),
    "batch_of_the_output": (
        "max_batch_size: 0\n" + IMAGE.replace("1, 8, 8", "-1, 1, 8, 8") + LOGITS.replace("10", "3, 10"),
        "output `logits`: dims [-1, 10] are expected, because no input's dims fix the batch, found [3, 10]",
    ),
    "batch_too_large": (
        "max_batch_size: 0\n" + IMAGE.replace("1, 8, 8", "8, 1, 8, 8") + parameter("maximum_batch", "4"),
        "parameter `maximum_batch`: at least 8 is expected, the batch in the dims of input `image`, found 4",
    ),
    "batch_huge_in_dims": (
        "max_batch_size: 0\n" + IMAGE.replace("1, 8, 8", "100000, 1, 8, 8"),
        "maximum batch: 1 to 65536 expected, found 100000",
    ),
    "file_bytes": (parameter("maximum_file_bytes", "1000"), "the limit on file bytes is 1000"),
    "tensors": (parameter("maximum_tensors", "3"), "the limit on tensors is 3"),
    "nodes": (parameter("maximum_nodes", "2"), "`graph`: 18 nodes; the limit on nodes is 2"),
    "elements": (parameter("maximum_elements", "100"), "the limit on elements is 100"),
    "weight_bytes": (parameter("maximum_weight_bytes", "1000"), "the limit on weight bytes is 1000"),
    "run_bytes": (parameter("maximum_run_bytes", "1000"), "the limit on run bytes is 1000"),
    "work": (parameter("maximum_work", "1000"), "the limit on work is 1000"),
    "limit_word": (
        parameter("maximum_nodes", "few"),
        'parameter `maximum_nodes`: a whole number from 0 to 18446744073709551615 is expected, found "few"',
    ),
    "limit_negative": (parameter("maximum_work", "-1"), "parameter `maximum_work`: a whole number from 0 to"),
    "limit_huge": (parameter("maximum_run_bytes", "18446744073709551616"), "parameter `maximum_run_bytes`: a whole number from"),
    "path": ('default_model_filename: "../../other/1/model.multipoint"', "the name of a file in the version's folder is expected"),
    "file": ('default_model_filename: "weights.multipoint"', "1/weights.multipoint"),
    "gpu": ("instance_group [ { kind: KIND_GPU count: 1 gpus: [ 0 ] } ]", "GPU"),
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory, packed_digits, packed_branches):
    folder = tmp_path_factory.mktemp("configuration")
    repository = Repository(folder / "models")
    for name, (config, _) in WRONG.items():
        repository.add(name, packed_digits, config)
    repository.add("missing", None, "")
    repository.add("empty_file", b"", "")
    repository.add("no_packed_file", b"not a packed file", "")
    repository.add("cut_short", packed_digits[:-100], "")
    repository.add("weights_only", weights_only(), "")
    repository.add("fixed_batch_batched", two_branches(2), "max_batch_size: 2")
    repository.add("fixed_batch_parameter", two_branches(2), parameter("maximum_batch", "4"))

    repository.add("nothing_given", packed_branches, "")
    repository.add("batch_parameter", packed_branches, parameter("maximum_batch", "24"))
    repository.add("batch_of_one", packed_branches, "max_batch_size: 1")
    repository.add(
        "own_scheduling", packed_branches, "max_batch_size: 8\nsequence_batching { max_sequence_idle_microseconds: 1000 }"
    )
    repository.add("one_output", packed_branches, 'output [ { name: "average" } ]\ninput [ { name: "right" } ]')
    repository.add("no_batching", packed_digits, IMAGE.replace("1, 8, 8", "-1, 1, 8, 8") + LOGITS.replace("10", "-1, 10"))
    repository.add("batch_of_three", packed_digits, IMAGE.replace("1, 8, 8", "3, 1, 8, 8") + LOGITS.replace("10", "3, 10"))
    eight = IMAGE.replace("1, 8, 8", "8, 1, 8, 8")
    repository.add("batch_of_eight", packed_digits, eight + LOGITS.replace("10", "8, 10"))
    repository.add("batch_within", packed_digits, eight + LOGITS.replace("10", "-1, 10") + parameter("maximum_batch", "16"))
    repository.add("batch_of_one_input", packed_branches, 'input [ { name: "left" data_type: TYPE_FP32 dims: [ 6, 2, 4, 5 ] } ]')
    sides = [f'{{ name: "{side}" data_type: TYPE_FP32 dims: [ {n}, 2, 4, 5 ] }}' for side, n in (("left", 6), ("right", 5))]
    repository.add("inputs_differ", packed_branches, f"input [ {', '.join(sides)} ]")
    repository.add(
        "flat",
        packed_digits,
        "max_batch_size: 4\n" + IMAGE.replace("dims: [ 1, 8, 8 ]", "dims: [ 64 ] reshape { shape: [ 1, 8, 8 ] }"),
    )
    repository.add("fixed_batch", two_branches(2), "")
    repository.add("other_name", packed_digits, 'default_model_filename: "digits-4bit.multipoint"', file="digits-4bit.multipoint")
    repository.add("unknown_parameter", packed_digits, parameter("thread", "2"))
    repository.add(
        "limits", packed_digits, parameter("maximum_nodes", "18") + parameter("maximum_work", str(2**64 - 1)) + parameter("maximum_run_bytes", "0")
    )
    repository.add("not_loaded", packed_digits, "")
    repository.add("kind_model", packed_digits, "instance_group [ { kind: KIND_MODEL } ]")
    repository.add("versions", packed_branches, "version_policy { all { } }", version=1)
    repository.folder.joinpath("versions", "3").mkdir()
    repository.folder.joinpath("versions", "3", "model.multipoint").write_bytes(packed_branches)
    with Triton(repository, folder / "log", "--model-control-mode=explicit") as server:
        yield server
        assert server.stop() == 0, server.output()


def refusal(server, name: str) -> str:
    status, body = server.load(name)
    assert status == 400, body
    return json.loads(body)["error"]


@pytest.mark.parametrize("name", WRONG)
def test_contradictions(server, name):
    message = refusal(server, name)
    assert WRONG[name][1] in message
    assert server.is_alive()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing", "missing/1/model.multipoint"),
        ("empty_file", "empty_file/1/model.multipoint"),
        ("no_packed_file", "no_packed_file/1/model.multipoint"),
        ("cut_short", "cut_short/1/model.multipoint"),
        ("weights_only", "the packed file holds weights only"),
        (
            "fixed_batch_batched",
            "max_batch_size: 0 is expected, because the network's batch is fixed or not in front "
            "(input `left` is [2, 2, 4, 5]), found 2",
        ),
        ("inputs_differ", "input `right`: a batch of 6 is expected in its dims, as in input `left`, found [5, 2, 4, 5]"),
        ("fixed_batch_parameter", "parameter `maximum_batch`: the network's batch is fixed, found 4"),
    ],
)  # fmt: skip
def test_files(server, name, expected):
    assert expected in refusal(server, name)


def loaded(server, name: str) -> dict:
    status, body = server.load(name)
    assert status == 200, body
    return server.configuration(name)


def values(configuration: dict, key: str) -> dict[str, tuple]:
    return {value["name"]: (value["data_type"], value["dims"]) for value in configuration[key]}


BATCHED_INPUTS = {"left": ("TYPE_FP32", [2, 4, 5]), "right": ("TYPE_FP32", [2, 4, 5])}
BATCHED_OUTPUTS = {"mixed": ("TYPE_FP32", [3, 4, 5]), "average": ("TYPE_FP32", [3])}


@pytest.mark.parametrize(
    ("name", "batch", "dynamic"),
    [("nothing_given", 4, True), ("batch_parameter", 24, True), ("batch_of_one", 1, False), ("own_scheduling", 8, False)],
)
def test_completed(server, name, batch, dynamic):
    configuration = loaded(server, name)
    assert configuration["max_batch_size"] == batch
    assert values(configuration, "input") == BATCHED_INPUTS
    assert values(configuration, "output") == BATCHED_OUTPUTS
    assert ("dynamic_batching" in configuration) == dynamic


def test_partly_given(server):
    """An output that is not wanted stays away; inputs are all there."""
    configuration = loaded(server, "one_output")
    assert values(configuration, "input") == BATCHED_INPUTS
    assert values(configuration, "output") == {"average": ("TYPE_FP32", [3])}


def test_fixed_batch(server, rng):
    configuration = loaded(server, "fixed_batch")
    assert configuration["max_batch_size"] == 0
    assert values(configuration, "input") == {"left": ("TYPE_FP32", [2, 2, 4, 5]), "right": ("TYPE_FP32", [2, 2, 4, 5])}
    array = rng.normal(size=(2, 2, 4, 5)).astype(np.float32)
    with client_of(server, "grpc") as client:
        result = client.infer("fixed_batch", [tensor("grpc", "left", array), tensor("grpc", "right", array)])
        assert result.as_numpy("average").shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "batches"),
    [("no_batching", [1, 2, 3, 4]), ("batch_of_three", [3]), ("batch_of_eight", [8]), ("batch_within", [8])],
)
def test_without_the_servers_batching(server, images, logits, name, batches):
    assert loaded(server, name)["max_batch_size"] == 0
    with client_of(server, "grpc") as client:
        for batch in batches:
            result = client.infer(name, [tensor("grpc", "image", images[:batch])])
            assert result.as_numpy("logits").tobytes() == logits[:batch].tobytes()


def test_the_batch_of_one_input(server, rng):
    """Its dims fix the batch for the input that was left out."""
    loaded(server, "batch_of_one_input")
    array = rng.normal(size=(6, 2, 4, 5)).astype(np.float32)
    with client_of(server, "grpc") as client:
        result = client.infer("batch_of_one_input", [tensor("grpc", "left", array), tensor("grpc", "right", array)])
        assert result.as_numpy("average").shape == (6, 3)


def test_reshaped(server, images, logits):
    loaded(server, "flat")
    with client_of(server, "http") as client:
        result = client.infer("flat", [tensor("http", "image", images[:4].reshape(4, 64))])
        assert result.as_numpy("logits").tobytes() == logits[:4].tobytes()


@pytest.mark.parametrize("name", ["other_name", "unknown_parameter", "kind_model", "limits"])
def test_answers(server, images, logits, name):
    loaded(server, name)
    with client_of(server, "http") as client:
        result = client.infer(name, [tensor("http", "image", images[:1])])
        assert result.as_numpy("logits").tobytes() == logits[:1].tobytes()


def test_unknown_parameter_is_told(server):
    loaded(server, "unknown_parameter")
    assert "parameter `thread` is not known and has no effect; there are `threads`, `maximum_batch`, `maximum_file" in server.output()
    assert "parameter `maximum_nodes` is not known" not in server.output()


def test_versions(server, rng):
    loaded(server, "versions")
    array = rng.normal(size=(1, 2, 4, 5)).astype(np.float32)
    with client_of(server, "grpc") as client:
        inputs = [tensor("grpc", "left", array), tensor("grpc", "right", array)]
        answers = [client.infer("versions", inputs, model_version=version).as_numpy("mixed") for version in ("1", "3")]
    assert answers[0].tobytes() == answers[1].tobytes()


def test_configuration_in_the_load_request(server):
    """A configuration that comes with the request to load is checked like a file. (Of a model that is not loaded: this server
    keeps count of a model whose reload failed, whatever its backend, and does not end.)"""
    config = {
        "backend": "multipoint",
        "max_batch_size": 2,
        "input": [{"name": "pixels", "data_type": "TYPE_FP32", "dims": [1, 8, 8]}],
    }
    status, body = server.post("/v2/repository/models/not_loaded/load", {"parameters": {"config": json.dumps(config)}})
    assert status == 400 and "input `pixels`: the network has no such input; it has `image`" in body, body


def test_without_completion(repository, tmp_path, packed_digits, packed_branches, images, logits):
    """With --disable-auto-complete-config the operator writes everything, and everything is checked."""
    repository.add("digits", packed_digits, "max_batch_size: 8\n" + IMAGE + LOGITS)
    left = 'input [ { name: "left" data_type: TYPE_FP32 dims: [ 2, 4, 5 ] } ]\n'
    average = 'output [ { name: "average" data_type: TYPE_FP32 dims: [ 3 ] } ]\n'
    repository.add("incomplete", packed_branches, "max_batch_size: 8\n" + left + average)
    with Triton(repository, tmp_path / "log", "--disable-auto-complete-config", "--model-control-mode=explicit") as server:
        loaded(server, "digits")
        with client_of(server, "http") as client:
            result = client.infer("digits", [tensor("http", "image", images[:8])])
            assert result.as_numpy("logits").tobytes() == logits[:8].tobytes()
        assert "input `right`: the network needs it, and the configuration does not have it" in refusal(server, "incomplete")
        assert server.stop() == 0, server.output()


def test_default_of_the_server(repository, tmp_path, packed_digits):
    repository.add("digits", packed_digits, "")
    with Triton(repository, tmp_path / "log", "--backend-config=multipoint,default-max-batch-size=12") as server:
        assert server.configuration("digits")["max_batch_size"] == 12
        assert server.stop() == 0, server.output()
