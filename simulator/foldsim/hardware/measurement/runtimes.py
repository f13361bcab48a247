"""The runtimes that can be measured, by name; their libraries are loaded when one is opened."""

from __future__ import annotations

from foldsim.errors import UserError
from foldsim.hardware.measurement.runtime import Runtime


class RuntimeMissingError(UserError):
    """The runtime that was asked for is not installed."""


def open_runtime(name: str, threads: int) -> Runtime:
    """The runtime of that name on so many threads.

    Raises
    ------
    RuntimeMissingError
        If it is not installed; says how to install it.
    """
    try:
        if name == "torch":
            from foldsim.hardware.measurement.runtime_torch import TorchRuntime

            return TorchRuntime(threads)
        if name == "onnxruntime":
            from foldsim.hardware.measurement.runtime_onnx import OnnxRuntime

            return OnnxRuntime(threads)
    except ImportError as error:
        packages = {"torch": "torch", "onnxruntime": "onnx onnxruntime"}[name]
        raise RuntimeMissingError(
            f"the runtime {name} needs {error.name or name}, which is not installed here: pip install {packages}\n"
            "or measure with --runtime numpy"
        ) from None
    from foldsim.hardware.measurement.runtime_numpy import NumpyRuntime

    return NumpyRuntime(threads)
