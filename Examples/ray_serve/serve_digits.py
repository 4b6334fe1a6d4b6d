"""Packed networks behind Ray Serve: replicas over any number of machines, each with its own session.

    multipoint quantize ../digits/digits.onnx --calibration ../digits/calibration_images.npy --scale 0.0625 --bits 4 \\
        --output digits.multipoint
    python serve_digits.py digits.multipoint --replicas 2

    curl localhost:8000/digits -d '{"image": [[[0, 0, 0.3, ...], ...]]}'

A request holds the network's inputs by name, one sample each; the answer holds the outputs. Ray Serve gathers requests into
batches.
"""

from __future__ import annotations

import argparse
import os

# Ray's own: no reports to its makers, and no password between processes of one machine. Before Ray is imported.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")

import multipoint
import numpy as np
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse

MAXIMUM_BATCH = 16


@serve.deployment(max_ongoing_requests=4 * MAXIMUM_BATCH)
class Network:
    """One replica: a process with a session of its own."""

    def __init__(self, path: str, threads: int = 1) -> None:
        # Ray sets OMP_NUM_THREADS to the replica's CPUs; the session is told its threads outright.
        with multipoint.Model(path) as model:
            self.session = model.session(maximum_batch=MAXIMUM_BATCH, threads=threads)

    def arrays(self, sample: object) -> list[np.ndarray]:
        """One sample's inputs in the network's order, each [1, ...]."""
        if not isinstance(sample, dict):
            raise ValueError("a JSON object with the inputs by name is expected")
        result = []
        for value in self.session.inputs:
            if value.name not in sample:
                raise ValueError(f"input `{value.name}` is missing")
            try:
                with np.errstate(over="ignore"):
                    array = np.asarray(sample[value.name], np.float32)
            except (TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"input `{value.name}`: numbers are expected: {error}") from None
            # Python's JSON has NaN and Infinity, and 1e300 is infinite as a float of 32 bits.
            if not np.isfinite(array).all():
                raise ValueError(f"input `{value.name}`: finite numbers within the range of float32 are expected")
            if array.shape != value.shape[1:]:
                raise ValueError(f"input `{value.name}`: shape {list(value.shape[1:])} is expected, found {list(array.shape)}")
            result.append(array[np.newaxis])
        return result

    @serve.batch(max_batch_size=MAXIMUM_BATCH, batch_wait_timeout_s=0.001)
    async def run(self, samples: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
        """Checked samples, as many as wait, in one run."""
        results = self.session.run(*(np.concatenate(arrays) for arrays in zip(*samples)))
        outputs = results if isinstance(results, tuple) else (results,)
        return [[output[index] for output in outputs] for index in range(len(samples))]

    async def __call__(self, request: Request) -> JSONResponse:
        try:
            arrays = self.arrays(await request.json())
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except RecursionError:
            return JSONResponse({"error": "a JSON text of fewer levels is expected"}, status_code=400)
        outputs = await self.run(arrays)
        return JSONResponse({value.name: json_numbers(output) for value, output in zip(self.session.outputs, outputs)})


def json_numbers(array: np.ndarray) -> object:
    """Nested lists. JSON has no NaN and no infinity: they become null, as JavaScript writes them."""
    finite = np.isfinite(array)
    return array.tolist() if finite.all() else np.where(finite, array, None).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=os.path.abspath, help="a packed network whose batch may vary")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of one run (default 1)")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()

    ray.init(include_dashboard=False, log_to_driver=False)
    # Ray Serve listens on all addresses unless it is told.
    serve.start(http_options={"host": "127.0.0.1", "port": options.port})
    deployment = Network.options(num_replicas=options.replicas, ray_actor_options={"num_cpus": options.threads})
    serve.run(deployment.bind(options.network, options.threads), name="digits", route_prefix="/digits", blocking=True)


if __name__ == "__main__":
    main()
