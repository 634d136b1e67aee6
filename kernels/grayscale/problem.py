"""Turn a colour image into grey: the luma of ITU-R BT.601-7, section 2.5.1."""

import numpy as np

from workbench.problem import Problem, poisoned

WEIGHTS = (0.299, 0.587, 0.114)
"""Red, green and blue in the luma signal of Recommendation ITU-R BT.601-7."""


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return (rng.random((size, size + 3, 3), dtype=np.float32),)


def _torch_module():
    import torch

    class Grayscale(torch.nn.Module):
        def forward(self, image):
            return image @ torch.tensor(WEIGHTS)

    return Grayscale()


problem = Problem(
    name="grayscale",
    summary="out[i, j] = 0.299 red + 0.587 green + 0.114 blue of image[i, j]",
    inputs=_inputs,
    reference=lambda image: image @ np.array(WEIGHTS, image.dtype),
    outputs=lambda image: (poisoned(image.shape[:2]),),
    bytes_moved=lambda size: 4 * 4 * size * (size + 3),
    operations=lambda size: 5 * size * (size + 3),
    size=720,
    size_means="rows; three columns more",
    test_sizes=(1, 15, 33, 70),
    torch_module=_torch_module,
)
