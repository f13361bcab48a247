"""Opens a runtime by name; its library is imported then."""

from __future__ import annotations

from foldsim.errors import UserError
from foldsim.hardware.measurement.runtime import Runtime


class RuntimeMissingError(UserError):
    """The requested runtime is not installed."""


def open_runtime(name: str, threads: int) -> Runtime:
    """The runtime of a name with a number of threads.

    Raises
    ------
    RuntimeMissingError
        If it is not installed; the message has the command that installs it.
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
