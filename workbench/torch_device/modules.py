"""Tied weights stay tied when a module moves to the device.

`torch.nn.Module.to` keeps a parameter's identity only between backends on a list in C++, which
lacks PrivateUse1; on any other it makes a new parameter for each place that holds one, and a
language model's tied embedding silently becomes two. `install` wraps the one method that moves
parameters, and joins again what was one. It refuses to touch modules that did not move to ``wb``.
"""

from __future__ import annotations

from functools import wraps

import torch

from workbench.torch_device.core.tensors import NAME


def _places(module: torch.nn.Module) -> dict[int, list[tuple[torch.nn.Module, str]]]:
    """Return the places of every parameter that several places hold, by its identity."""
    found: dict[int, list[tuple[torch.nn.Module, str]]] = {}
    for owner in module.modules():
        for name, parameter in owner._parameters.items():
            if parameter is not None:
                found.setdefault(id(parameter), []).append((owner, name))
    return {key: places for key, places in found.items() if len(places) > 1}


def install() -> None:
    """Wrap ``torch.nn.Module._apply``."""
    plain = torch.nn.Module._apply

    @wraps(plain)
    def _apply(self, fn, recurse=True):
        tied = _places(self) if recurse else {}
        moved = plain(self, fn, recurse)
        for (first, key), *others in tied.values():
            parameter = first._parameters[key]
            if parameter is not None and parameter.device.type == NAME:
                for owner, name in others:
                    owner._parameters[name] = parameter
        return moved

    torch.nn.Module._apply = _apply
