"""Random images with the spectrum of natural ones: amplitudes fall with the frequency (Field 1987), colors vary less than
brightness."""

from __future__ import annotations

import numpy as np

# Pixels have a least and a largest value.
RANGE = 2.5


def natural_noise(count: int, height: int, width: int, seed: int) -> np.ndarray:
    """count × 3 × height × width of mean 0 and variance 1, each image with a contrast and brightness of its own."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    spectrum = random.standard_normal((2, count, 4, *frequency.shape))
    planes = np.fft.irfft2((spectrum[0] + 1j * spectrum[1]) / frequency, (height, width))
    planes /= planes.std((2, 3), keepdims=True)
    images = 0.9 * planes[:, :1] + np.sqrt(1 - 0.9**2) * planes[:, 1:]
    contrast = random.uniform(0.6, 1.2, (count, 1, 1, 1))
    brightness = random.normal(0, 0.4, (count, 1, 1, 1))
    return np.clip(contrast * images + brightness, -RANGE, RANGE).astype(np.float32)
