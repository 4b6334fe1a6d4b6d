"""Sessions of ONNX Runtime with the plugin, and models to give them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional, Sequence, Union

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

PLUGIN = os.environ.get("MULTIPOINT_ORT", "")
OPERATORS = [helper.make_opsetid("", 16), helper.make_opsetid("multipoint", 1)]


def options(threads: Optional[int] = 1, **entries: object) -> onnxruntime.SessionOptions:
    """`entries` are the plugin's own."""
    assert PLUGIN, "set MULTIPOINT_ORT to the path of libmultipoint_ort.so"
    result = onnxruntime.SessionOptions()
    result.log_severity_level = 4  # what is refused here is refused on purpose
    result.intra_op_num_threads = threads or 0
    if threads is not None:
        result.add_session_config_entry("multipoint.threads", str(threads))
    for name, number in entries.items():
        result.add_session_config_entry(f"multipoint.{name}", str(number))
    result.register_custom_ops_library(PLUGIN)
    return result


def session(model: Union[Path, onnx.ModelProto], threads: Optional[int] = 1, **entries: object) -> onnxruntime.InferenceSession:
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options(threads, **entries), providers=["CPUExecutionProvider"])


def float_session(model: Union[Path, onnx.ModelProto]) -> onnxruntime.InferenceSession:
    """ONNX Runtime alone, its graph as it is."""
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    plain = onnxruntime.SessionOptions()
    plain.intra_op_num_threads = 1
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(source, plain, providers=["CPUExecutionProvider"])


def run(model: onnxruntime.InferenceSession, *inputs: np.ndarray) -> list[np.ndarray]:
    return model.run(None, {value.name: array for value, array in zip(model.get_inputs(), inputs)})


def constant(name: str, array: np.ndarray) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)


def value(name: str, shape: Optional[Sequence[Any]], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, inputs, outputs, constants=(), operators=OPERATORS) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(constants))
    return helper.make_model(graph, opset_imports=operators, ir_version=8)


def signal_to_noise(result: np.ndarray, reference: np.ndarray) -> float:
    """In decibels."""
    noise = np.square(result.astype(np.float64) - reference).sum()
    return float(10 * np.log10(np.square(reference.astype(np.float64)).sum() / noise)) if noise > 0 else np.inf
