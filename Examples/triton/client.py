"""Sends held-out digits to a Triton server and prints how many it gets right.

python client.py ../digits/heldout_images.npy ../digits/heldout_labels.npy [localhost:8000]
"""

from __future__ import annotations

import sys

import numpy as np
import tritonclient.http

BATCH = 16


def main() -> None:
    images, labels = np.load(sys.argv[1]), np.load(sys.argv[2])
    # uint8 [N, H, W, C] to the network's float32 [N, C, H, W]
    values = np.ascontiguousarray(images.transpose(0, 3, 1, 2).astype(np.float32) * np.float32(0.0625))
    right = 0
    with tritonclient.http.InferenceServerClient(sys.argv[3] if len(sys.argv) > 3 else "localhost:8000") as client:
        for first in range(0, len(values), BATCH):
            batch = values[first : first + BATCH]
            image = tritonclient.http.InferInput("image", list(batch.shape), "FP32")
            image.set_data_from_numpy(batch)
            logits = client.infer("digits", [image]).as_numpy("logits")
            right += int((logits.argmax(axis=1) == labels[first : first + BATCH]).sum())
    print(f"{right} of {len(labels)}, {100 * right / len(labels):.2f} %")


if __name__ == "__main__":
    main()
