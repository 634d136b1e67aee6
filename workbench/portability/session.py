"""Sessions that run where they were asked to, or raise.

ONNX Runtime's default is to try the providers one by one and to fall back to its CPU without an
error: asked for CUDA and landed on the CPU, it prints at most a line. `open_session` checks the
provider before and after, and raises an error that names both. Plug-in providers are registered on
first use, once a worker process has loaded them unharmed (`plugins`).

It refuses to make a session on a stand-in library (that happens only in a worker process, see
`workbench.portability.workers`) and to time anything.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import InputError, StoppedError, UnavailableError, UnknownNameError
from workbench.measurement import Availability
from workbench.portability._ort import onnxruntime
from workbench.portability.options import checked_options
from workbench.portability.plugins import (
    PACKAGES,
    available_devices,
    is_installed,
    known_plugins,
    plugin_devices,
)
from workbench.portability.refusals import ProviderError, SessionError

CPU = "CPUExecutionProvider"

# provider -> the name that `workbench providers add` knows a build with it by
BUILDS = {
    "CUDAExecutionProvider": "cuda",
    "CANNExecutionProvider": "cann",
    "OpenVINOExecutionProvider": "openvino",
}


class Session:
    """An ONNX Runtime session on a provider that was asked for and is there.

    Attributes
    ----------
    provider : str
        The provider that was asked for.
    input_names, output_names : tuple of str
    raw : onnxruntime.InferenceSession
        For whatever this class does not cover.
    """

    def __init__(self, raw: Any, provider: str):
        self.raw, self.provider = raw, provider
        self.input_names = tuple(value.name for value in raw.get_inputs())
        self.output_names = tuple(value.name for value in raw.get_outputs())

    def run(
        self,
        inputs: Mapping[str, np.ndarray] | Sequence[np.ndarray],
        limit_s: float | None = None,
    ) -> list[np.ndarray]:
        """Run once.

        Parameters
        ----------
        inputs : mapping or sequence
            Arrays by input name, or in the model's order.
        limit_s : float, optional
            Seconds after which the run is ended, at the next node: a model may loop for ever.

        Raises
        ------
        InputError
            Where the number of inputs differs from the model's.
        SessionError
            Where the runtime or a kernel in it refuses.
        StoppedError
            Where the run passed its limit.
        """
        if not isinstance(inputs, Mapping):
            if len(inputs) != len(self.input_names):
                raise InputError(
                    f"The model takes {len(self.input_names)} inputs.",
                    f"{len(inputs)} were given",
                    f"in this order: {', '.join(self.input_names)}",
                )
            inputs = dict(zip(self.input_names, inputs, strict=True))
        watch = _Watch(limit_s) if limit_s is not None else None
        try:
            if watch is None:
                return self.raw.run(None, inputs)
            with watch as settings:
                return self.raw.run(None, inputs, settings)
        except Exception as cause:
            if watch is not None and watch.ended:
                raise StoppedError(
                    f"The model ran on {self.provider} for longer than its limit.",
                    f"limit: {limit_s:g} s; {str(cause).strip()}",
                    "does it hold a loop whose condition never turns false?",
                ) from cause
            raise SessionError(
                f"The model failed while it ran on {self.provider}.",
                str(cause).strip(),
                "check the inputs' shapes and types against `session.raw.get_inputs()`",
            ) from cause

    def nodes_by_provider(self) -> dict[str, list[str]]:
        """Return the names of the graph's nodes under the provider each was assigned to.

        From the runtime's assignment record, which some providers leave incomplete; `preview`
        in `workbench.portability.previewing` reconciles it with two other sources.
        """
        placed: dict[str, list[str]] = {}
        for part in self.raw.get_provider_graph_assignment_info():
            placed.setdefault(part.ep_name, []).extend(
                node.name or node.op_type for node in part.get_nodes()
            )
        return placed


class _Watch:
    """Ends a run after a while: ONNX Runtime looks at the flag before each node."""

    def __init__(self, limit_s: float):
        self._settings = onnxruntime().RunOptions()
        self._timer = threading.Timer(limit_s, self._end)
        self._timer.daemon = True
        self.ended = False

    def _end(self) -> None:
        self.ended = self._settings.terminate = True

    def __enter__(self) -> Any:
        self._timer.start()
        return self._settings

    def __exit__(self, *_: Any) -> None:
        self._timer.cancel()


def provider_availability(provider: str) -> Availability:
    """Say whether a session on `provider` can be opened in this process, and if not, why.

    A plug-in of somebody else's is loaded in a worker first: a library that crashes is a reason,
    and no crash. A provider that is built in may still be refused when the session is made (its
    driver is missing): only `open_session` knows, and raises.
    """
    if provider in onnxruntime().get_available_providers():
        return Availability(True, f"built into onnxruntime {onnxruntime().__version__}")
    if provider in known_plugins() and not is_installed(provider):
        package = PACKAGES[provider]
        return Availability(
            False,
            f"the plug-in package {package} is not installed",
            f"`pip install {package.replace('_', '-')}`",
        )
    try:
        devices = available_devices(provider)
    except UnavailableError as error:
        return Availability(False, error.saw or error.happened, error.advice or "see the message")
    if devices:
        return Availability(True, f"plug-in provider on {', '.join(map(str, devices))}")
    if provider in known_plugins():
        here = ", ".join(sorted({d.device.vendor for d in onnxruntime().get_ep_devices()}))
        return Availability(
            False,
            f"the plug-in is loaded but accepts no device of this machine ({here})",
            "run it on the vendor's hardware"
            + (f", or `workbench providers add {BUILDS[provider]}`" if provider in BUILDS else ""),
        )
    return _not_built_in(provider)


def _not_built_in(provider: str) -> Availability:
    here = f"this onnxruntime {onnxruntime().__version__} is built without {provider}"
    if provider in BUILDS:
        return Availability(False, here, f"`workbench providers add {BUILDS[provider]}`")
    return Availability(
        False,
        here,
        f"one of those that are here: {', '.join(onnxruntime().get_available_providers())}; or "
        f"that can be added: {', '.join(BUILDS.values())}; or a plug-in: "
        f"{', '.join(known_plugins())}, and any that `portability.add_plugin` is told of",
    )


def provider_names() -> list[str]:
    """Return every name of a provider that means something here, available or not."""
    ort = onnxruntime()
    registered = (device.ep_name for device in ort.get_ep_devices())
    names = (*ort.get_available_providers(), *known_plugins(), *BUILDS, *registered)
    return list(dict.fromkeys((*names, *ort.get_all_providers())))


def open_session(
    model: bytes | str | Path | Any,
    provider: str = CPU,
    *,
    options: Mapping[str, object] | None = None,
    whole_graph: bool = False,
    threads: int = 0,
    config: Mapping[str, str] | None = None,
    session_options: Any = None,
) -> Session:
    """Open a session on one provider, with the CPU only for the nodes that it does not take.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto
        Checked by `workbench.portability.load` where it comes from outside; not here.
    provider : str
        For instance ``"OpenVINOExecutionProvider"``.
    options : mapping, optional
        The provider's options; unknown names raise before anything is loaded.
    whole_graph : bool
        Raise where even one node would run on the CPU.
    threads : int
        Threads within an operator; 0 lets the runtime choose.
    config : mapping, optional
        Session configuration entries of ONNX Runtime.
    session_options : onnxruntime.SessionOptions, optional
        To start from, where the named arguments are not enough.

    Raises
    ------
    UnknownNameError
        Where no provider has that name, listing those that there are.
    ProviderError
        Where another provider would run than the one asked for, naming both.
    SessionError
        Where the runtime refuses the model.
    """
    checked = checked_options(provider, options)
    _require_available(provider)
    settings = _settings(session_options, threads, whole_graph and provider != CPU, config)
    source = model if isinstance(model, (bytes, str)) else _as_source(model)
    raw = _create(source, settings, provider, checked)
    _require_active(provider, raw.get_providers())
    return Session(raw, provider)


def _require_available(provider: str) -> None:
    if provider not in (names := provider_names()):
        unknown = UnknownNameError("execution provider", provider, names)
        unknown.saw = f"those that exist: {', '.join(names)}"
        raise unknown
    availability = provider_availability(provider)
    if not availability:
        raise ProviderError(
            f"{provider} was asked for and is not here; the runtime would have used "
            f"{CPU} without a word.",
            availability.reason,
            availability.remedy,
        )


def _require_active(provider: str, active: Sequence[str]) -> None:
    if provider not in active:
        raise ProviderError(
            f"{provider} was asked for and {active[0]} is what runs.",
            f"active providers: {', '.join(active)}",
            "install the driver and libraries that the provider needs; "
            "`workbench targets` says what is missing",
        )


def _as_source(model: Any) -> str | bytes:
    return str(model) if isinstance(model, Path) else model.SerializeToString()


def _settings(given: Any, threads: int, whole: bool, config: Mapping[str, str] | None) -> Any:
    settings = given or onnxruntime().SessionOptions()
    settings.intra_op_num_threads = threads or settings.intra_op_num_threads
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if whole:
        settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    for key, value in (config or {}).items():
        settings.add_session_config_entry(key, value)
    return settings


def _create(source: str | bytes, settings: Any, provider: str, options: dict[str, str]) -> Any:
    ort = onnxruntime()
    built_in = provider in ort.get_available_providers()
    providers = [(provider, options)] if built_in else None
    if not built_in:
        settings.add_provider_for_devices(plugin_devices(provider)[:1], options)
    try:
        return ort.InferenceSession(source, settings, providers=providers, enable_fallback=0)
    except Exception as cause:
        raise SessionError(
            f"ONNX Runtime refused the model on {provider}.",
            str(cause).strip(),
            "look at the node that it names; `workbench.portability.load_model` checks the file",
        ) from cause
