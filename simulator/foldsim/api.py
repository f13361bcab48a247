"""The Python interface: load, simulate, sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.explore.design_file import sampling_of
from foldsim.explore.engine import run
from foldsim.explore.results import Results, provenance
from foldsim.explore.simulation import Simulation, explain
from foldsim.explore.space import DesignSpace, FoldOptions, SpaceError, parse_numbers
from foldsim.explore.variants import Scalar, SetAxis
from foldsim.hardware.profile import Profile, load_profile
from foldsim.workload.compression_text import parse_compression
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


def _numbers(given: object, what: str, whole: bool = False) -> list[float]:
    """A number, a sequence of numbers, or text such as ``40:160:40`` as a list."""
    if isinstance(given, str):
        return parse_numbers(given, what, whole)
    items: list[Any] = list(given) if isinstance(given, Iterable) else [given]
    numbers = [float(x) if isinstance(x, (int, float, np.number)) and not isinstance(x, bool) else None for x in items]
    for item, value in zip(items, numbers, strict=True):
        if value is None or (whole and value % 1):
            raise SpaceError([f"{what}: {item!r} is no {'whole number' if whole else 'number'}"])
    return [value for value in numbers if value is not None]


def _many(given: object) -> list[object]:
    return list(given) if isinstance(given, (list, tuple)) else [given]


def simulate(
    workload: WorkloadLike,
    profile: ProfileLike,
    chunk_ms: float | None = None,
    *,
    policy: str | None = None,
    placement: str = "auto",
    sample: int | None = None,
    method: str | None = None,
    seed: int | None = None,
) -> Simulation:
    """Evaluate one design and explain it term by term.

    Parameters
    ----------
    workload, profile : loaded objects, shipped names or paths. Fold with ``workload.fold(factor=2)``.
    chunk_ms : chunk duration [ms]; the workload's own by default.
    policy : ``race-to-idle``, ``slowest-real-time`` or the name of an operating point; the profile's own by default.
    placement : ``auto``, ``dram`` or ``pinned:COMPONENT,...``.
    sample : joint samples of every ranged number, for the ``..._sampled_...`` totals; drawn by ``method`` (``lhs``,
        ``sobol`` or ``random``) from ``seed``.

    Raises
    ------
    SpaceError
        If the chunk is no multiple of the token, the profile lacks the precision, and so on; lists every reason.

    >>> simulate("emformer-rnnt-base", "phone-npu", chunk_ms=160).totals["realtime"]
    True
    """
    chosen, chip = _workload(workload), _profile(profile)
    chunk = (
        chosen.spec.streaming.chunk_tokens * chosen.spec.token_ms
        if chunk_ms is None
        else _numbers(chunk_ms, "chunk_ms")[0]
    )
    factor = chosen.spec.folding.factor if chosen.spec.folding else 1
    own = chosen.spec.compression
    return explain(
        DesignSpace(
            [chosen],
            [chip],
            [chunk],
            [factor],
            policy=policy,
            placement=placement,
            compress=[own],
            sampling=sampling_of(sample, method, seed),
        )
    )


def sweep(
    workloads: WorkloadLike | Sequence[WorkloadLike],
    profiles: ProfileLike | Sequence[ProfileLike],
    chunk_ms: float | str | Sequence[float] | None = None,
    fold: int | str | Sequence[int] | None = None,
    *,
    fold_layers: str | None = None,
    fold_scope: str | None = None,
    fold_heads: str | None = None,
    compress: str | Sequence[str] | None = None,
    policy: str | None = None,
    placement: str = "auto",
    sets: Mapping[str, Sequence[Scalar]] | None = None,
    by: str = "total",
    sample: int | None = None,
    method: str | None = None,
    seed: int | None = None,
) -> pd.DataFrame:
    """Evaluate every combination and return the result columns as a DataFrame.

    Parameters
    ----------
    compress : compressions, one design each, as ``--compress`` takes them: ``["none", "joiner=int4-g32"]``. None: none,
        and the workload's own.
    sets : path -> values, as ``--set`` takes them: ``{"profile.memory_levels.dram.read_pj_per_byte": [60, 80]}``.
    by : ``total``, ``component``, ``op``, ``term``, ``level`` or ``tensor``.
    sample, method, seed : as for :func:`simulate`.

    Raises
    ------
    SpaceError, SetError
        If something cannot be swept; lists every reason.
    """
    space = DesignSpace(
        [_workload(w) for w in _many(workloads)],  # type: ignore[arg-type]
        [_profile(p) for p in _many(profiles)],  # type: ignore[arg-type]
        None if chunk_ms is None else _numbers(chunk_ms, "chunk_ms"),
        None if fold is None else [int(n) for n in _numbers(fold, "fold", whole=True)],
        fold_options=FoldOptions(fold_layers, fold_scope, fold_heads),
        policy=policy,
        placement=placement,
        by=by,
        sampling=sampling_of(sample, method, seed),
        sets=[SetAxis(path, tuple(values)) for path, values in (sets or {}).items()],
        compress=None if compress is None else [parse_compression(str(text)) for text in _many(compress)],
    )
    return Results(run(space), provenance(space, ["python"])).to_frame()
