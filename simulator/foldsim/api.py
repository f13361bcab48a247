"""The Python interface: load, simulate, sweep, and single designs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foldsim.answers.simulation import Simulation, explain
from foldsim.designs.axes import DesignError
from foldsim.designs.changes import Scalar
from foldsim.designs.design import Design, resolve
from foldsim.hardware.profile import Profile, load_profile
from foldsim.schema import Problem
from foldsim.sweeps.design_list import evaluate as evaluate_designs
from foldsim.sweeps.engine import run
from foldsim.sweeps.options import build_space, read_numbers
from foldsim.sweeps.provenance import origin, provenance
from foldsim.sweeps.results import Results
from foldsim.sweeps.sampling import sampling_of
from foldsim.workload.compression.records import Compression
from foldsim.workload.workload import Workload, load_workload

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Design", "design", "evaluate", "load_profile", "load_workload", "simulate", "sweep"]

WorkloadLike = Workload | str | Path
ProfileLike = Profile | str | Path


def design(
    workload: WorkloadLike,
    profile: ProfileLike,
    chunk_ms: float | None = None,
    *,
    fold: int | None = None,
    fold_layers: str | None = None,
    fold_scope: str | None = None,
    fold_heads: str | None = None,
    compress: str | Sequence[Compression] | None = None,
    policy: str | None = None,
    placement: str = "auto",
    sets: Mapping[str, Scalar] | None = None,
) -> Design:
    """Resolve one design: what is not given is the workload's or the profile's own.

    Parameters
    ----------
    workload, profile : loaded objects, shipped names or paths.
    chunk_ms : chunk duration [ms].
    fold : folding factor N; 1 is the unfolded baseline. ``fold_layers``, ``fold_scope``, ``fold_heads`` as
        ``Workload.fold`` takes them.
    compress : weight transformations as ``--compress`` takes them, or records.
    policy : ``race-to-idle``, ``slowest-real-time`` or the name of an operating point.
    placement : ``auto``, ``dram`` or ``pinned:COMPONENT,...``.
    sets : path -> value: values to change, as ``--set`` takes them.

    Raises
    ------
    DesignError
        With every reason why the design cannot be evaluated.
    """
    for axis, item, kind in (("workloads", workload, Workload), ("profiles", profile, Profile)):
        if not isinstance(item, (kind, str, Path)):
            raise DesignError([Problem((axis,), f"{item!r} is neither a name, a path nor a {kind.__name__}")])
    return resolve(
        workload if isinstance(workload, Workload) else load_workload(workload),
        profile if isinstance(profile, Profile) else load_profile(profile),
        None if chunk_ms is None else _one_number(chunk_ms, "chunk_ms"),
        fold=None if fold is None else int(_one_number(fold, "fold", whole=True)),
        fold_layers=fold_layers,
        fold_scope=fold_scope,
        fold_heads=fold_heads,
        compress=compress,
        policy=policy,
        placement=placement,
        changes=sets,
    )


def _one_number(given: object, axis: str, whole: bool = False) -> float:
    numbers = read_numbers(given, axis, whole)
    if len(numbers) != 1:
        raise DesignError([Problem((axis,), f"a design takes one value, not {given!r}; for several use foldsim.sweep")])
    return numbers[0]


def evaluate(designs: Iterable[Design]) -> pd.DataFrame:
    """Evaluate any designs; one row each, in their order, with the columns of :func:`sweep`.

    >>> pair = [design("emformer-rnnt-base", "phone-npu", 160, fold=n) for n in (1, 2)]
    >>> evaluate(pair)["fold_factor"].tolist()
    [1, 2]
    """
    listed = [designs] if isinstance(designs, Design) else list(designs)
    for number, each in enumerate(listed):
        if not isinstance(each, Design):
            message = f"item {number} is a {type(each).__name__}; make designs with foldsim.design(...)"
            raise DesignError([Problem(("designs",), message)])
    designs = listed
    items = {(type(item), item.name, item.sha256): item for each in designs for item in each.inputs}
    ordered = sorted(items.values(), key=lambda item: isinstance(item, Profile))
    return Results(evaluate_designs(designs), origin(ordered, ["python"])).to_frame()


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
    chunk_ms, policy, placement : as for :func:`design`.
    sample : joint samples of every ranged value, for the ``..._sampled_...`` totals; drawn by ``method`` (``lhs``,
        ``sobol`` or ``random``) from ``seed``.

    Raises
    ------
    DesignError
        If the chunk is not a multiple of the token, the profile lacks the precision, and so on; with every reason.

    >>> simulate("emformer-rnnt-base", "phone-npu", chunk_ms=160).totals["realtime"]
    True
    """
    chosen = design(workload, profile, chunk_ms, policy=policy, placement=placement)
    return explain(chosen, sampling_of(sample, method, seed))


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
    chunk_ms, fold : numbers, or text such as ``40:160:40`` and ``1,2``; each workload's usual ones if not given.
    compress : compressions, one design each, as ``--compress`` takes them: ``["none", "joiner=int4-g32"]``. None: none,
        and the workload's own.
    sets : path -> values, as ``--set`` takes them: ``{"profile.memory_levels.dram.read_pj_per_byte": [60, 80]}``.
    by : ``total``, ``component``, ``op``, ``term``, ``level`` or ``tensor``.
    sample, method, seed : as for :func:`simulate`.

    Raises
    ------
    DesignError
        If something cannot be swept; with every reason.
    """
    space = build_space(
        {
            "workloads": workloads,
            "profiles": profiles,
            "chunk_ms": chunk_ms,
            "fold": fold,
            "fold_layers": fold_layers,
            "fold_scope": fold_scope,
            "fold_heads": fold_heads,
            "compress": compress,
            "policy": policy,
            "placement": placement,
            "sets": sets,
            "by": by,
            "sample": sample,
            "method": method,
            "seed": seed,
        }
    )
    return Results(run(space), provenance(space, ["python"])).to_frame()
