"""Models come and go without leaving anything behind."""

from __future__ import annotations

from clients import client_of, tensor
from triton import Triton

CYCLES, SETTLED, ALLOWANCE = 50, 10, 2 << 20


def test_load_and_unload(repository, tmp_path, packed_digits, images, logits):
    config = """max_batch_size: 16
        instance_group [ { count: 2 kind: KIND_CPU } ]
        parameters { key: "threads" value { string_value: "2" } }"""
    repository.add("digits", packed_digits, config)
    repository.add("broken", packed_digits[:-100], "")
    resident = []
    with Triton(repository, tmp_path / "log", "--model-control-mode=explicit") as server, client_of(server, "grpc") as client:
        for _ in range(CYCLES):
            assert server.load("digits")[0] == 200
            for batch in (1, 5, 16):
                result = client.infer("digits", [tensor("grpc", "image", images[:batch])])
                assert result.as_numpy("logits").tobytes() == logits[:batch].tobytes()
            server.unload("digits")
            assert server.load("broken")[0] == 400
            resident.append(server.resident_bytes())
        print("resident kilobytes after each cycle:", [size >> 10 for size in resident])
        assert max(resident[SETTLED:]) - resident[SETTLED - 1] <= ALLOWANCE, [size >> 10 for size in resident]
        assert server.stop() == 0, server.output()
