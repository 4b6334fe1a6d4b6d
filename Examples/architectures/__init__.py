"""Convolutional networks with random weights as ONNX files, in the forms that PyTorch's and TensorFlow's exporters write."""

from .catalogue import NETWORKS, Network, Size, build, file_name, parameters

__all__ = ["NETWORKS", "Network", "Size", "build", "file_name", "parameters"]
