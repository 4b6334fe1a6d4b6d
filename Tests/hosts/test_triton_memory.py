"""Models come and go without leaving anything behind."""

from __future__ import annotations

from clients import client_of, tensor
from triton import Triton

# 16 kilobytes a cycle. Left behind in each, a model of the digits network shows as 330 kilobytes a cycle, its sessions as 1,100.
CYCLES, SETTLED, ALLOWANCE = 250, 50, 200 * (16 << 10)
# The server starts and ends threads of its own as it likes; a run's OpenMP thread that outlived its instance would add one a cycle.
THREADS = 32


def test_load_and_unload(repository, tmp_path, packed_digits, images, logits, monkeypatch):
    # The server loads each model in another of its threads. With glibc's one arena per thread, what one of them frees does not serve
    # the next, so that the process grows for thousands of cycles, by as much as happens to be scattered; with one arena it stays.
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    config = """max_batch_size: 16
        instance_group [ { count: 2 kind: KIND_CPU } ]
        parameters { key: "threads" value { string_value: "2" } }"""
    repository.add("digits", packed_digits, config)
    repository.add("broken", packed_digits[:-100], "")
    resident, threads = [], []
    with Triton(repository, tmp_path / "log", "--model-control-mode=explicit") as server, client_of(server, "grpc") as client:
        for _ in range(CYCLES):
            assert server.load("digits")[0] == 200
            for batch in (1, 5, 16):
                result = client.infer("digits", [tensor("grpc", "image", images[:batch])])
                assert result.as_numpy("logits").tobytes() == logits[:batch].tobytes()
            server.unload("digits")
            assert server.load("broken")[0] == 400
            resident.append(server.resident_bytes())
            threads.append(server.thread_count())
        print("resident kilobytes after each cycle:", [size >> 10 for size in resident])
        print("threads after each cycle:", threads)
        assert max(resident[SETTLED:]) - resident[SETTLED - 1] <= ALLOWANCE, [size >> 10 for size in resident]
        assert max(threads[SETTLED:]) - threads[SETTLED - 1] <= THREADS, threads
        assert server.stop() == 0, server.output()
