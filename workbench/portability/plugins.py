"""Plug-in providers: libraries that the runtime loads, tried in a worker before they are let in.

A plug-in is native code of somebody else's. Whatever it does when it is loaded, also a crash,
happens to a worker process first; only a library that came through there is registered in this
process. Packages that bring one are in `PACKAGES`; any other library is named with `add_plugin`.
It refuses to load anything when it is named: that costs nothing until somebody asks for it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workbench.errors import InputError, UnavailableError, WorkerError
from workbench.portability._ort import onnxruntime
from workbench.portability.refusals import ProviderError, SessionError

OWN = "WorkbenchExecutionProvider"  # ours: its kernels are Python functions of this process

# provider -> the package that brings it as a plug-in for the stock runtime
PACKAGES = {
    "OpenVINOExecutionProvider": "onnxruntime_ep_openvino",
    OWN: "workbench.portability.provider.library",
}
_LIBRARIES: dict[str, Path] = {}  # provider -> its library, as `add_plugin` was told
_PATH = "library_path"  # in what the runtime tells of a device whose library it has registered


@dataclass(frozen=True)
class Device:
    """A device that a plug-in offers: who made it and what it is."""

    vendor: str
    kind: str

    def __str__(self) -> str:
        return f"{self.vendor} {self.kind}"


def add_plugin(provider: str, library: str | Path) -> None:
    """Name a plug-in library of somebody else's, so that sessions and previews know its provider.

    Parameters
    ----------
    provider : str
        As the library calls its execution provider.
    library : path
        The shared library that exports ``CreateEpFactories``.

    Raises
    ------
    InputError
        Where there is no such file, or the name is one that the runtime or a package has.
    """
    path = Path(library).resolve()
    if not path.is_file():
        raise InputError("There is no such plug-in library.", str(path), "name the .so file")
    if provider in PACKAGES or provider in onnxruntime().get_available_providers():
        raise InputError(f"{provider} is here already.", str(path), "give it another name")
    if _LIBRARIES.get(provider, path) != path:
        raise InputError(
            f"{provider} is another library.",
            f"{_LIBRARIES[provider]}, and now {path}",
            "name the new one differently: a runtime keeps what it has loaded",
        )
    _LIBRARIES[provider] = path


def known_plugins() -> list[str]:
    """Return the names of the plug-in providers that are known here, installed or not.

    Those of packages, those that `add_plugin` was told of, and those that somebody registered with
    the runtime of this process.
    """
    return list(dict.fromkeys((*PACKAGES, *_LIBRARIES, *_registered())))


def _registered() -> dict[str, Path]:
    devices = onnxruntime().get_ep_devices()
    found = {device.ep_name: device.ep_metadata.get(_PATH, "") for device in devices}
    return {name: Path(path) for name, path in found.items() if path}


def is_foreign(provider: str) -> bool:
    """Say whether a provider is somebody else's plug-in, which is tried in a worker first."""
    return provider != OWN and provider in known_plugins()


def is_installed(provider: str) -> bool:
    """Say whether the library of a plug-in provider is on this machine."""
    if provider in PACKAGES:
        return find_spec(PACKAGES[provider]) is not None
    return provider in _LIBRARIES or provider in _registered()


def plugin_library(provider: str) -> str:
    """Return the file of a plug-in's library.

    Raises
    ------
    UnavailableError
        Where our own library has to be compiled and there is no compiler.
    ProviderError
        Where a package that brings a plug-in cannot say where its library is.
    """
    if provider not in PACKAGES:
        return str(_LIBRARIES.get(provider) or _registered()[provider])
    try:
        return import_module(PACKAGES[provider]).get_library_path()
    except UnavailableError:
        raise
    except Exception as cause:  # the package is somebody else's
        raise _not_loaded(provider, f"{type(cause).__name__}: {cause}") from cause


def plugin_devices(provider: str) -> list[Any]:
    """Return the runtime's devices of a plug-in, tried in a worker and then registered here.

    Raises
    ------
    ProviderError
        Where the library does not load, or the worker that tried it died.
    """
    named = (provider in PACKAGES and is_installed(provider)) or provider in _LIBRARIES
    if named and (provider == OWN or offered_devices(provider)):
        _register(provider)
    return [device for device in onnxruntime().get_ep_devices() if device.ep_name == provider]


def available_devices(provider: str) -> list[Device]:
    """Return what a provider that is not built in offers, with nothing foreign loaded in here.

    Raises
    ------
    ProviderError
        As `offered_devices` does.
    """
    if is_foreign(provider):
        return list(offered_devices(provider)) if is_installed(provider) else []
    return [Device(d.device.vendor, d.device.type.name) for d in plugin_devices(provider)]


@cache
def offered_devices(provider: str) -> tuple[Device, ...]:
    """Load somebody else's plug-in in a worker, once, and return the devices that it offers.

    Raises
    ------
    ProviderError
        Where the library does not load, or the worker died of it: with its last words.
    """
    from workbench.portability.workers.process import Worker

    with Worker(Path(sys.executable)) as worker:
        return tuple(register_in(worker, provider))


def register_in(worker: Any, provider: str) -> list[Device]:
    """Register a plug-in in a worker of this environment's runtime; return what it offers.

    Raises
    ------
    ProviderError
        As `offered_devices` does.
    """
    body = {"provider": provider, "path": plugin_library(provider)}
    try:
        return [Device(*row) for row in worker.request("register", body)]
    except (SessionError, WorkerError) as cause:
        raise _not_loaded(provider, f"{cause.happened} {cause.saw}") from cause


@cache
def _register(provider: str) -> None:
    path = plugin_library(provider)
    try:
        onnxruntime().register_execution_provider_library(provider, path)
    except Exception as cause:
        raise _not_loaded(provider, str(cause).strip()) from cause


def _not_loaded(provider: str, saw: str) -> ProviderError:
    brings = PACKAGES.get(provider) or Path(plugin_library(provider)).name
    return ProviderError(
        f"The plug-in library of {provider} cannot be loaded.",
        saw,
        f"install a release of {brings} that fits onnxruntime {onnxruntime().__version__}",
    )
