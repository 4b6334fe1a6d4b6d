"""Trained networks that packages on PyPI bring along, with images to run them on."""

from .catalogue import NETWORKS, Network, file_name, write

__all__ = ["NETWORKS", "Network", "file_name", "write"]
