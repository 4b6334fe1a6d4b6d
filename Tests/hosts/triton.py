"""The Triton Inference Server, and model repositories for it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from servers import Server, answer, free_ports

SERVER = "TRITON_SERVER"
BACKENDS = "TRITON_BACKENDS"


class Repository:
    """A folder of models as Triton reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, packed: bytes | None, config: str | None = "", *, version: int = 1,
            file: str = "model.multipoint") -> None:  # fmt: skip
        """A model: its packed file, and its configuration beside the backend's name; no configuration at all for None."""
        folder = self.folder / name / str(version)
        folder.mkdir(parents=True)
        if packed is not None:
            (folder / file).write_bytes(packed)
        if config is not None:
            (self.folder / name / "config.pbtxt").write_text(f'backend: "multipoint"\n{config}')


class Triton(Server):
    """A running server with our backend."""

    def __init__(self, repository: Repository, log: Path, *options: str) -> None:
        http, self.grpc_port = free_ports(2)
        command = [
            os.environ[SERVER],
            f"--model-repository={repository.folder}",
            f"--backend-directory={os.environ[BACKENDS]}",
            "--http-address=127.0.0.1",
            f"--http-port={http}",
            "--grpc-address=127.0.0.1",
            f"--grpc-port={self.grpc_port}",
            "--allow-metrics=false",
            *options,
        ]
        self.http_port = http
        super().__init__(command, log, http, "/v2/health/live")

    def post(self, path: str, value: object | None = None) -> tuple[int, str]:
        status, body = answer(self.address + path, json.dumps({} if value is None else value).encode())
        return status, body.decode()

    def get(self, path: str) -> dict:
        status, body = answer(self.address + path)
        assert status == 200, body
        return json.loads(body)

    def load(self, name: str) -> tuple[int, str]:
        return self.post(f"/v2/repository/models/{name}/load")

    def unload(self, name: str) -> None:
        """Returns when the model is gone, not when it begins to go."""
        assert self.post(f"/v2/repository/models/{name}/unload")[0] == 200
        for _ in range(1000):
            status, body = self.post("/v2/repository/index")
            assert status == 200
            if all(model.get("state") != "READY" and model.get("reason") in ("unloaded", None)
                   for model in json.loads(body) if model["name"] == name):  # fmt: skip
                return
            time.sleep(0.01)
        raise AssertionError(f"{name} does not unload")

    def configuration(self, name: str) -> dict:
        return self.get(f"/v2/models/{name}/config")

    def statistics(self, name: str, successes: int | None = None) -> dict:
        """The model's statistics; once so many requests are counted, which is shortly after their answers."""
        for _ in range(1000):
            statistics = self.get(f"/v2/models/{name}/stats")["model_stats"][0]
            if successes is None or statistics["inference_stats"]["success"]["count"] >= successes:
                return statistics
            time.sleep(0.01)
        raise AssertionError(f"statistics of {name}: {statistics}")
