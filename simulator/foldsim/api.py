"""The Python interface: load, simulate, sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foldsim.explore.engine import run
from foldsim.explore.results import Results, provenance
from foldsim.explore.simulation import Simulation, explain
from foldsim.explore.space import DesignSpace, FoldOptions
from foldsim.explore.variants import Scalar, SetAxis
from foldsim.hardware.profile import Profile, load_profile
from foldsim.workload.workload import Workload, load_workload

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_profile", "load_workload", "simulate", "sweep"]

WorkloadLike = Workload | str | Path
ProfileLike = Profile | str | Path


def _workload(given: WorkloadLike) -> Workload:
    return given if isinstance(given, Workload) else load_workload(given)


def _profile(given: ProfileLike) -> Profile:
    return given if isinstance(given, Profile) else load_profile(given)


def _many(given: object) -> list[object]:
    return list(given) if isinstance(given, (list, tuple)) else [given]


def simulate(
    workload: WorkloadLike,
    profile: ProfileLike,
    chunk_ms: float | None = None,
    *,
    policy: str | None = None,
    placement: str = "auto",
) -> Simulation:
    """Evaluate one design and explain it term by term.

    Parameters
    ----------
    workload, profile : loaded objects, shipped names or paths. Fold with ``workload.fold(factor=2)``.
    chunk_ms : chunk duration [ms]; the workload's own by default.
    policy : ``race-to-idle``, ``slowest-real-time`` or the name of an operating point; the profile's own by default.
    placement : ``auto``, ``dram`` or ``pinned:COMPONENT,...``.

    Raises
    ------
    SpaceError
        If the chunk is no multiple of the token, the profile lacks the precision, and so on; lists every reason.

    >>> simulate("emformer-rnnt-base", "phone-npu", chunk_ms=160).totals["realtime"]
    True
    """
    chosen, chip = _workload(workload), _profile(profile)
    chunk = chosen.spec.streaming.chunk_tokens * chosen.spec.token_ms if chunk_ms is None else chunk_ms
    factor = chosen.spec.folding.factor if chosen.spec.folding else 1
    return explain(DesignSpace([chosen], [chip], [chunk], [factor], policy=policy, placement=placement))


def sweep(
    workloads: WorkloadLike | Sequence[WorkloadLike],
    profiles: ProfileLike | Sequence[ProfileLike],
    chunk_ms: Sequence[float] | None = None,
    fold: Sequence[int] | None = None,
    *,
    fold_layers: str | None = None,
    fold_scope: str | None = None,
    fold_heads: str | None = None,
    policy: str | None = None,
    placement: str = "auto",
    sets: Mapping[str, Sequence[Scalar]] | None = None,
    by: str = "total",
) -> pd.DataFrame:
    """Evaluate every combination and return the result columns as a DataFrame.

    Parameters
    ----------
    sets : path -> values, as ``--set`` takes them: ``{"profile.memory_levels.dram.read_pj_per_byte": [60, 80]}``.
    by : ``total``, ``component`` or ``op``.

    Raises
    ------
    SpaceError, SetError
        If something cannot be swept; lists every reason.
    """
    space = DesignSpace(
        [_workload(w) for w in _many(workloads)],  # type: ignore[arg-type]
        [_profile(p) for p in _many(profiles)],  # type: ignore[arg-type]
        **({} if chunk_ms is None else {"chunk_ms": list(chunk_ms)}),
        fold=None if fold is None else list(fold),
        fold_options=FoldOptions(fold_layers, fold_scope, fold_heads),
        policy=policy,
        placement=placement,
        by=by,
        sets=[SetAxis(path, tuple(values)) for path, values in (sets or {}).items()],
    )
    return Results(run(space), provenance(space, ["python"])).to_frame()
