"""foldsim: power, memory and latency of streaming speech recognisers, baseline or folded, before anything is trained.

>>> import foldsim
>>> workload = foldsim.load_workload("emformer-rnnt-base")
>>> sum(workload.params().values())  # torchaudio's module
76738049
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from foldsim._version import __version__

if TYPE_CHECKING:
    from foldsim.api import Design, design, evaluate, load_profile, load_workload, simulate, sweep

__all__ = ["Design", "__version__", "design", "evaluate", "load_profile", "load_workload", "simulate", "sweep"]


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `import foldsim` and `foldsim --help` stay fast.
    if name in __all__:
        from foldsim import api

        return getattr(api, name)
    raise AttributeError(f"module 'foldsim' has no attribute {name!r}")
