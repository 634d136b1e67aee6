"""Random numbers in kernels: xoroshiro128+, one state for each thread.

The generator is David Blackman's and Sebastiano Vigna's xoroshiro128+ (2016 parameters 55, 14, 36),
seeded with SplitMix64; consecutive states are 2**64 steps apart (the published jump polynomial), so
that threads never overlap. The names and the state dtype are Numba's.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba import float32, float64, int64, uint32, uint64

from workbench.simt.host.memory import DeviceArray, host_view
from workbench.simt.kernel import Kernel

xoroshiro128p_dtype = np.dtype([("s0", np.uint64), ("s1", np.uint64)], align=True)
xoroshiro128p_type = numba.from_dtype(xoroshiro128p_dtype)
_JUMP = (0xBEAC0467EBA5FACB, 0xD86B048B86AA9922)
_TWO_PI_32 = np.float32(2 * math.pi)
_TWO_PI_64 = np.float64(2 * math.pi)


def _device(function: Any) -> Kernel:
    return Kernel(function, device=True)


@_device
def rotl(x, k):
    """Return the 64 bits of `x` turned left by `k`."""
    x = uint64(x)
    k = uint32(k)
    return (x << k) | (x >> uint32(64 - k))


@_device
def xoroshiro128p_next(states, index):
    """Advance one state and return 64 random bits."""
    index = int64(index)
    s0 = states[index]["s0"]
    s1 = states[index]["s1"]
    result = s0 + s1
    s1 ^= s0
    states[index]["s0"] = uint64(rotl(s0, uint32(55))) ^ s1 ^ (s1 << uint32(14))
    states[index]["s1"] = uint64(rotl(s1, uint32(36)))
    return result


@_device
def uint64_to_unit_float64(x):
    """Return 64 random bits as a number in [0, 1)."""
    x = uint64(x)
    return (x >> uint32(11)) * (float64(1) / (uint64(1) << uint32(53)))


@_device
def uint64_to_unit_float32(x):
    """Return 64 random bits as a number in [0, 1)."""
    x = uint64(x)
    return float32(x >> uint32(40)) * float32(5.9604644775390625e-08)


@_device
def xoroshiro128p_uniform_float32(states, index):
    """Return a float32 in [0, 1) and advance the state."""
    index = int64(index)
    return uint64_to_unit_float32(xoroshiro128p_next(states, index))


@_device
def xoroshiro128p_uniform_float64(states, index):
    """Return a float64 in [0, 1) and advance the state."""
    index = int64(index)
    return uint64_to_unit_float64(xoroshiro128p_next(states, index))


@_device
def xoroshiro128p_normal_float32(states, index):
    """Return a normally distributed float32 (Box and Muller 1958); advances the state twice."""
    index = int64(index)
    u1 = float32(1) - xoroshiro128p_uniform_float32(states, index)
    u2 = xoroshiro128p_uniform_float32(states, index)
    return float32(math.sqrt(float32(-2) * math.log(u1)) * math.cos(_TWO_PI_32 * u2))


@_device
def xoroshiro128p_normal_float64(states, index):
    """Return a normally distributed float64 (Box and Muller 1958); advances the state twice."""
    index = int64(index)
    u1 = float64(1) - xoroshiro128p_uniform_float64(states, index)
    u2 = xoroshiro128p_uniform_float64(states, index)
    return math.sqrt(float64(-2) * math.log(u1)) * math.cos(_TWO_PI_64 * u2)


@numba.njit
def _turn(x, k):
    return (x << np.uint64(k)) | (x >> np.uint64(64 - k))


@numba.njit
def _fill(s0s, s1s, s0, s1, start):
    jump = np.array([0xBEAC0467EBA5FACB, 0xD86B048B86AA9922], np.uint64)
    for k in range(start + s0s.size):
        if k >= start:
            s0s[k - start] = s0
            s1s[k - start] = s1
        n0, n1 = np.uint64(0), np.uint64(0)
        for word in jump:
            for bit in range(64):
                if word >> np.uint64(bit) & np.uint64(1):
                    n0 ^= s0
                    n1 ^= s1
                t = s1 ^ s0
                s0 = _turn(s0, 55) ^ t ^ (t << np.uint64(14))
                s1 = _turn(t, 36)
        s0, s1 = n0, n1


def _splitmix64(seed: int) -> int:
    mask = (1 << 64) - 1
    z = (seed + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def init_xoroshiro128p_states(
    states: Any, seed: int, subsequence_start: int = 0, stream: Any = 0
) -> None:
    """Seed an array of states: state k lies ``(subsequence_start + k) * 2**64`` steps in."""
    host = host_view(states)
    first = _splitmix64(int(seed) & ((1 << 64) - 1))
    second = _splitmix64(first)
    s0s, s1s = np.empty(host.size, np.uint64), np.empty(host.size, np.uint64)
    _fill(s0s, s1s, np.uint64(first), np.uint64(second), subsequence_start)
    host["s0"], host["s1"] = s0s, s1s


def create_xoroshiro128p_states(
    n: int, seed: int, subsequence_start: int = 0, stream: Any = 0
) -> DeviceArray:
    """Return a device array of `n` seeded states."""
    states = DeviceArray(np.empty(n, xoroshiro128p_dtype))
    init_xoroshiro128p_states(states, seed, subsequence_start, stream)
    return states
