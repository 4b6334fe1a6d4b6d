"""Packs a float matrix into points, runs it as one convolution, and compares the result with NumPy.

    python one_layer.py

This is how a program that owns its graph uses the library for single layers. Only NumPy is needed.
"""

from __future__ import annotations

import numpy as np

import multipoint
from multipoint import Layer, Quantization

CHANNELS_IN, CHANNELS_OUT, SIZE = 16, 32, 14


def convolution(x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A 3x3 convolution with padding 1 in float64: x [N, C, H, W], weights [out, in, 3, 3]."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    n, _, height, width = x.shape
    result: np.ndarray = np.zeros((n, len(weights), height, width)) + bias[:, None, None]
    for i in range(3):
        for j in range(3):
            window = padded[:, :, i : i + height, j : j + width]
            result += np.einsum("nchw,oc->nohw", window, weights[:, :, i, j].astype(np.float64))
    return result


def main() -> None:
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 0.05, (CHANNELS_OUT, CHANNELS_IN, 3, 3)).astype(np.float32)
    bias = rng.normal(0, 0.1, CHANNELS_OUT).astype(np.float32)
    image = rng.uniform(0, 4, (1, CHANNELS_IN, SIZE, SIZE)).astype(np.float32)

    # One vector per output channel; channels that one 4-bit point approximates badly get a second one.
    packing = multipoint.pack(weights.reshape(CHANNELS_OUT, -1), bits=4, maximum_points=2, relative_epsilon=0.01)
    print(f"{int(packing.points.sum())} points for {CHANNELS_OUT} channels")

    # Inputs are stored in 8 bits: real = scale * (stored - zero point).
    stored_as = Quantization(scale=4 / 255, zero_point=0)
    with Layer.create(
        weights.shape, packing, bias=bias, pads=(1, 1, 1, 1), input_quantization=stored_as, name="example"
    ) as layer:
        print(f"runs as {layer.info.execution}")
        with layer.plan(height=SIZE, width=SIZE, activation="relu") as plan:
            found = plan.execute(image)
            print(f"oneDNN implementations: {', '.join(plan.info.implementations)}")

    # Against the same arithmetic in NumPy: the stored image and the packed weights.
    stored = np.clip(np.rint(image / stored_as.scale), 0, 255) * stored_as.scale
    same = np.maximum(convolution(stored, packing.reconstruct().reshape(weights.shape), bias), 0)
    print(f"largest difference from NumPy with the packed weights: {np.abs(found - same).max():.2e}")

    # And against the float layer: what 8-bit inputs and packed weights cost.
    exact = np.maximum(convolution(image, weights, bias), 0)
    noise = ((found - exact) ** 2).sum() / (exact**2).sum()
    print(f"signal to noise against the float layer: {-10 * np.log10(noise):.1f} dB")


if __name__ == "__main__":
    main()
