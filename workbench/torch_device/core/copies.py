"""Copies: the only way across the border between the host and a device, and between devices.

Bytes that can cross as they are do so in one move; for anything else, converting and walking
strides is the device's work, before the border or behind it. A copy to the device is queued where
the host's bytes are pinned (and ``non_blocking`` was said) or few enough to be set aside, as on
CUDA; any other copy waits for the stream.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import torch

from workbench.torch_device import traffic
from workbench.torch_device.core import memory, streams, tensors
from workbench.torch_device.core.tensors import host
from workbench.torch_device.driver.queue import BOARD
from workbench.torch_device.overlap import check_partial, check_single

_SET_ASIDE = 1 << 16  # bytes of pageable memory that CUDA, too, copies before it returns

on_device: Callable[[torch.Tensor, torch.Tensor], bool] = lambda source, destination: False  # noqa: E731
"""Copies within one device with a kernel of our own, or returns False; `ops` puts it here."""


def copy_from(source, destination, non_blocking=False):
    """Copy between the host and a device, or between devices, converting the dtype."""
    way = traffic.direction(source, destination)
    nbytes = source.numel() * source.element_size()
    traffic.count(way, nbytes)
    if not nbytes or source is destination:
        return destination
    check_single(destination)
    check_partial(destination, source)
    if way == "d2d" and source.device == destination.device:
        done = on_device(source, destination)
    elif way != "d2d" and _plain(source, destination):
        done = _transfer(source, destination, non_blocking)
    else:
        done = _STAGED[way](source, destination, non_blocking)
    if not done:  # a dtype without kernels: the CPU copies, and that is counted
        traffic.fell_back("aten::copy_", 2 * nbytes)
        streams.wait_for_current()
        _alias(destination).copy_(_alias(source))
    return destination


def copy_from_and_resize(source, destination):
    """Copy, first giving the destination the source's shape."""
    if destination.shape != source.shape:
        destination.resize_(source.shape)
    return copy_from(source, destination)


def _plain(source, destination) -> bool:
    """Whether the bytes can cross as they are."""
    return (
        source.dtype == destination.dtype
        and source.shape == destination.shape
        and all(t.is_contiguous() and not t.is_conj() and not t.is_neg()
                for t in (source, destination))
    )  # fmt: skip


def _transfer(source, destination, non_blocking=False) -> bool:
    """Move bytes across the border, as a copy engine does."""
    to, frm, nbytes = _open(destination), _open(source), source.numel() * source.element_size()
    down = source.device.type == tensors.NAME
    ours, hosts = (source, destination) if down else (destination, source)
    name, index = f"copy {'d2h' if down else 'h2d'}", ours.device.index
    if non_blocking and hosts.untyped_storage().data_ptr() in memory.pinned:
        keep = (source, destination)
        streams.launch(name, lambda: ctypes.memmove(to, frm, nbytes) and keep, nbytes, index)
    elif not down and nbytes <= _SET_ASIDE and BOARD[0]:
        aside = ctypes.string_at(frm, nbytes)
        streams.launch(name, lambda: ctypes.memmove(to, aside, nbytes), nbytes, index)
    else:
        streams.wait_for_current(index)
        ctypes.memmove(to, frm, nbytes)
    return True


def _open(tensor: torch.Tensor) -> int:
    """Return the address at which the host, or a kernel, may touch a tensor's bytes."""
    return tensor.data_ptr() + (memory.DELTA if tensor.device.type == tensors.NAME else 0)


def _up(source, destination, non_blocking) -> bool:
    plain = source.resolve_conj().resolve_neg().expand(destination.shape).contiguous()
    landed = tensors.empty(plain.shape, plain.dtype, destination.device.index)
    return _transfer(plain, landed) and on_device(landed, destination)


def _down(source, destination, non_blocking) -> bool:
    ready = tensors.empty(source.shape, destination.dtype, source.device.index)
    if not on_device(source, ready):
        return False
    if destination.is_contiguous() and destination.shape == source.shape:
        return _transfer(ready, destination, non_blocking)
    landed = torch.empty(source.shape, dtype=destination.dtype)
    _transfer(ready, landed)
    destination.copy_(landed)
    return True


def _across(source, destination, non_blocking) -> bool:
    there = tensors.empty(source.shape, destination.dtype, source.device.index)
    if not on_device(source, there):
        return False
    here = tensors.empty(source.shape, destination.dtype, destination.device.index)
    streams.wait_for_current()
    ctypes.memmove(_open(here), _open(there), here.numel() * here.element_size())
    return on_device(here, destination)


_STAGED = {"h2d": _up, "d2h": _down, "d2d": _across}
"""Copies through a contiguous buffer, by direction."""


def _alias(tensor):
    return host(tensor) if tensor.device.type == tensors.NAME else tensor
