"""tritonclient's two clients, called the same way."""

from __future__ import annotations

import numpy as np
import tritonclient.grpc
import tritonclient.http

from triton import Triton

PROTOCOLS = {"http": tritonclient.http, "grpc": tritonclient.grpc}


def client_of(server: Triton, protocol: str):
    port = server.http_port if protocol == "http" else server.grpc_port
    return PROTOCOLS[protocol].InferenceServerClient(f"127.0.0.1:{port}")


def tensor(protocol: str, name: str, array: np.ndarray, datatype: str = "FP32"):
    value = PROTOCOLS[protocol].InferInput(name, list(array.shape), datatype)
    value.set_data_from_numpy(array)
    return value


def wanted(protocol: str, *names: str):
    return [PROTOCOLS[protocol].InferRequestedOutput(name) for name in names]
