"""Gravity with one thread for each body, reading all bodies from global memory.

Idea: 18 operations for each pair, and all lanes of a warp read the same other body at the same
time. What binds it: arithmetic, square root and division above all; the loads are broadcasts that
caches serve. Look at: one sector a request; arithmetic intensity far to the right of the ridge.
"""

import math

import numpy as np

from workbench import cuda

THREADS = 64
SOFTENING_SQUARED = np.float32(0.01)


@cuda.jit
def nbody_direct(positions, masses, out):
    i = cuda.grid(1)
    if i < positions.shape[0]:
        x, y, z = positions[i, 0], positions[i, 1], positions[i, 2]
        ax, ay, az = np.float32(0), np.float32(0), np.float32(0)
        for j in range(positions.shape[0]):
            dx, dy, dz = positions[j, 0] - x, positions[j, 1] - y, positions[j, 2] - z
            square = dx * dx + dy * dy + dz * dz + SOFTENING_SQUARED
            pull = masses[j] / (square * math.sqrt(square))
            ax += pull * dx
            ay += pull * dy
            az += pull * dz
        out[i, 0], out[i, 1], out[i, 2] = ax, ay, az


def launch(positions, masses, out):
    blocks = (positions.shape[0] + THREADS - 1) // THREADS
    nbody_direct[blocks, THREADS](positions, masses, out)
