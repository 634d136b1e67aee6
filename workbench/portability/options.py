"""Names of the options that each execution provider knows, so that a typo is an error.

The CANN provider prints a line about an unknown option and continues on the CPU; others ignore
one. Here the names are checked before a session is made. The tables are data with sources:

- CANN: ``core/providers/cann/cann_execution_provider_info.cc`` of ONNX Runtime (MIT)
- CUDA: ``core/providers/cuda/cuda_execution_provider_info.cc`` of ONNX Runtime (MIT)
- OpenVINO: https://onnxruntime.ai/docs/execution-providers/OpenVINO-ExecutionProvider.html

It refuses to judge values, which only the provider can, except where a table below lists them.
"""

from __future__ import annotations

from collections.abc import Mapping

from workbench.errors import InputError, UnknownNameError

_FLAG = ("0", "1")

OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "CPUExecutionProvider": {"use_arena": _FLAG},
    "CANNExecutionProvider": {
        "device_id": (),
        "npu_mem_limit": (),
        "arena_extend_strategy": ("kNextPowerOfTwo", "kSameAsRequested"),
        "enable_cann_graph": _FLAG,
        "enable_cann_subgraph": _FLAG,
        "dump_graphs": _FLAG,
        "dump_om_model": _FLAG,
        "precision_mode": (),
        "precision_mode_v2": (),
        "op_select_impl_mode": ("high_performance", "high_precision"),
        "optypelist_for_implmode": (),
        "input_format": (),
        "dynamic_batch_size": (),
        "dynamic_image_size": (),
        "dynamic_dims": (),
    },
    "CUDAExecutionProvider": {
        "device_id": (),
        "has_user_compute_stream": _FLAG,
        "user_compute_stream": (),
        "gpu_mem_limit": (),
        "arena_extend_strategy": ("kNextPowerOfTwo", "kSameAsRequested"),
        "gpu_external_alloc": (),
        "gpu_external_free": (),
        "gpu_external_empty_cache": (),
        "cudnn_conv_algo_search": ("EXHAUSTIVE", "HEURISTIC", "DEFAULT"),
        "cudnn_conv_use_max_workspace": _FLAG,
        "cudnn_conv1d_pad_to_nc1d": _FLAG,
        "do_copy_in_default_stream": _FLAG,
        "enable_cuda_graph": _FLAG,
        "tunable_op_enable": _FLAG,
        "tunable_op_tuning_enable": _FLAG,
        "tunable_op_max_tuning_duration_ms": (),
        "enable_skip_layer_norm_strict_mode": _FLAG,
        "prefer_nhwc": _FLAG,
        "use_ep_level_unified_stream": _FLAG,
        "use_tf32": _FLAG,
        "fuse_conv_bias": _FLAG,
        "sdpa_kernel": (),
    },
    "OpenVINOExecutionProvider": {
        "device_type": (),
        "device_id": (),
        "device_luid": (),
        "cache_dir": (),
        "precision": ("FP32", "FP16", "ACCURACY"),
        "num_of_threads": (),
        "num_streams": (),
        "context": (),
        "load_config": (),
        "layout": (),
        "reshape_input": (),
        "model_priority": ("LOW", "MEDIUM", "HIGH", "DEFAULT"),
        "enable_opencl_throttling": (),
        "enable_qdq_optimizer": (),
        "enable_causallm": (),
        "disable_dynamic_shapes": (),
    },
}


def checked_options(provider: str, options: Mapping[str, object] | None) -> dict[str, str]:
    """Return the options as strings, or raise where a name or a listed value is unknown.

    Parameters
    ----------
    provider : str
        For instance ``"CANNExecutionProvider"``.
    options : mapping or None
        Option name to value; booleans become ``"1"`` and ``"0"``.

    Raises
    ------
    UnknownNameError
        Where the provider has no such option, naming the near misses.
    InputError
        Where we have no table for the provider, or the value is not one of those it knows.
    """
    if not options:
        return {}
    known = OPTIONS.get(provider)
    if known is None:
        raise InputError(
            f"The options of {provider} cannot be checked.",
            f"no table of its option names; given: {', '.join(map(str, options))}",
            "leave the options out, or add a row to workbench/portability/options.py",
        )
    checked = {}
    for name, value in options.items():
        if name not in known:
            raise UnknownNameError(f"option of {provider}", str(name), known)
        text = str(int(value)) if isinstance(value, bool) else str(value)
        if known[name] and text not in known[name]:
            raise InputError(
                f"{provider} does not know this value of {name!r}.",
                repr(text),
                f"one of: {', '.join(known[name])}",
            )
        checked[str(name)] = text
    return checked
