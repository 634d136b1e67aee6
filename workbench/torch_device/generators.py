"""Random numbers of the device: one generator per device, seeded by `torch.manual_seed`.

A generator is a seed and an offset, as on CUDA: each random operator draws one 63-bit key from them
and advances the offset, and its kernel makes all its numbers from that key. So a state is 16 bytes,
and equal states give equal numbers however the work is split. It never touches the CPU's generator,
and refuses one in a device operator's place.
"""

from __future__ import annotations

import torch

from workbench.torch_device.core import memory
from workbench.torch_device.core.tensors import NAME

_MASK = (1 << 64) - 1


def _mix(value: int) -> int:
    """Scatter 64 bits: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
    return value ^ (value >> 31)


class DeviceGenerator:
    """The default generator of one device."""

    def __init__(self):
        self.seed, self.offset = 0, 0

    def initial_seed(self) -> int:
        """Return the seed."""
        return self.seed

    def get_offset(self) -> int:
        """Return how many keys have been drawn."""
        return self.offset

    def set_offset(self, offset: int) -> None:
        """Continue as if `offset` keys had been drawn."""
        self.offset = offset

    def manual_seed(self, seed: int) -> None:
        """Start again from a seed."""
        self.seed, self.offset = seed & _MASK, 0


_DEFAULT = [DeviceGenerator() for _ in range(memory.DEVICE_COUNT)]


def default(device: int) -> DeviceGenerator:
    """Return a device's default generator."""
    return _DEFAULT[device]


def draw_key(generator, device: int) -> int:
    """Return the next 63-bit key of a generator, the device's default one where it is None.

    Raises
    ------
    RuntimeError
        For a generator of another device, in PyTorch's words.
    """
    source = _DEFAULT[device] if generator is None else generator
    if isinstance(source, torch.Generator) and source.device.type != NAME:
        raise _other_device(NAME, source)
    offset = source.get_offset()
    source.set_offset(offset + 1)
    return _mix((source.initial_seed() + 0x9E3779B97F4A7C15 * (offset + 1)) & _MASK) >> 1


def check_target(generator, values) -> None:
    """Raise, in PyTorch's words, where a device's generator is to fill a host tensor.

    PyTorch dispatches by the generator, too, so such a call comes here.
    """
    if isinstance(generator, torch.Generator) and generator.device.type == NAME:
        given = [v.device.type for v in values if isinstance(v, torch.Tensor)]
        if given and NAME not in given:
            raise _other_device(given[0], generator)


def _other_device(wanted: str, generator: torch.Generator) -> RuntimeError:
    return RuntimeError(
        f"Expected a '{wanted}' device type for generator but found '{generator.device.type}'"
    )


def on_cpu(generator, device: int) -> torch.Generator:
    """Return a host generator that continues a device's: for an operator that falls back."""
    return torch.Generator().manual_seed(draw_key(generator, device))


def manual_seed_all(seed: int) -> None:
    """Seed every device, as `torch.manual_seed` does."""
    for generator in _DEFAULT:
        generator.manual_seed(seed)


def get_state(device: int) -> torch.Tensor:
    """Return a device's state: seed and offset in 16 bytes."""
    chosen = _DEFAULT[device]
    raw = chosen.seed.to_bytes(8, "little") + chosen.offset.to_bytes(8, "little")
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8)


def set_state(state: torch.Tensor, device: int) -> None:
    """Restore a state that `get_state` returned.

    Raises
    ------
    RuntimeError
        Where it is not 16 bytes long.
    """
    if state.numel() != 16:
        raise RuntimeError("RNG state is wrong size: a wb state has 16 bytes")
    raw = bytes(state.tolist())
    _DEFAULT[device].seed = int.from_bytes(raw[:8], "little")
    _DEFAULT[device].offset = int.from_bytes(raw[8:], "little")
