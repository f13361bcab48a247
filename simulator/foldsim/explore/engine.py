"""Evaluate a design space: lower once per workload variant, evaluate blocks of points, collect columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from foldsim import units as u
from foldsim.explore.breakdown import component_rows, op_rows
from foldsim.explore.columns import columns
from foldsim.explore.details import level_rows, tensor_rows, term_rows
from foldsim.explore.space import DesignSpace
from foldsim.explore.variants import Scalar, combinations, profile_groups
from foldsim.hardware.profile import Profile
from foldsim.model.evaluate import Bands, Evaluation, evaluate
from foldsim.model.records import FloatArray, IntArray, take
from foldsim.workload.folding import describe_layers
from foldsim.workload.lowering import Lowered, lower
from foldsim.workload.spec import WorkloadSpec

# Points evaluated together: small enough for the arrays of a block to stay in a core's cache.
BLOCK_POINTS = 2048
Columns = dict[str, np.ndarray]
Progress = Callable[[int, int], None]
EXPANSIONS: dict[str, Callable[[Evaluation, Lowered], Columns]] = {
    "component": component_rows,
    "op": op_rows,
    "term": term_rows,
    "level": level_rows,
    "tensor": tensor_rows,
}


@dataclass(frozen=True)
class Plan:
    """One workload variant on one profile: every (profile variant x chunk x fold factor)."""

    workload: WorkloadSpec
    workload_sets: tuple[Scalar, ...]
    profile: Profile
    chunk_ms: FloatArray  # (U,)
    fold_factor: FloatArray  # (U,) the unfolded baseline of every chunk comes first
    baseline: IntArray  # (U,) index of the point's own baseline
    wanted: np.ndarray  # (U,) rows that were asked for


def run(space: DesignSpace, progress: Progress | None = None) -> Columns:
    """Evaluate every point of a checked design space.

    Returns
    -------
    dict of column name to array, all of one length, in the order of the column dictionary. ``--set`` axes are columns
    of their own path.
    """
    space.check()
    done, total = 0, space.point_count()
    parts: list[Columns] = []
    for workload, profile in product(space.workloads, space.profiles):
        profile_sets = space.sets_of("profile")
        for workload_values, variant in combinations(workload, space.sets_of("workload")):
            checked = replace(space, workloads=(variant,), profiles=(profile,), sets=())
            checked.check()
            for group in profile_groups(profile, profile_sets, variant.spec.precision.activations):
                plan = plan_for(space, variant.spec, workload_values, group.profile)
                for part in _run_plan(space, plan, group.values, group.bands):
                    parts.append(part)
                    done += len(next(iter(part.values())))
                    if progress:
                        progress(min(done, total), total)
    return _join(parts, [axis.path for axis in space.sets])


def plan_for(
    space: DesignSpace,
    workload: WorkloadSpec,
    workload_sets: tuple[Scalar, ...],
    profile: Profile,
) -> Plan:
    """Every chunk size and factor of one workload variant on one profile, with each chunk's unfolded baseline."""
    factors = space.fold_factors(workload)
    asked = sorted(set(space.chunk_ms))
    with_baseline = (1, *(f for f in factors if f != 1))
    grid = [(chunk, factor) for chunk in asked for factor in with_baseline]
    width = len(with_baseline)
    return Plan(
        workload,
        workload_sets,
        profile,
        np.array([chunk for chunk, _ in grid]),
        np.array([float(factor) for _, factor in grid]),
        np.arange(len(grid)) // width * width,
        np.array([factor in factors for _, factor in grid]),
    )


def _run_plan(
    space: DesignSpace,
    plan: Plan,
    profile_sets: Sequence[tuple[Scalar, ...]],
    bands: Bands,
) -> Iterator[Columns]:
    """Evaluate in blocks: all chunk sizes and factors for as many profile variants as fill a block."""
    lowered = _lowered(space, plan)
    size, variants = plan.chunk_ms.shape[0], len(profile_sets)
    stacked = bool(space.sets_of("profile"))
    per_block = max(1, BLOCK_POINTS // size)
    # A whole number of chunk sizes per block, so that every point finds its baseline in the block.
    width = int(np.count_nonzero(plan.baseline == plan.baseline[0]))
    slice_size = size if size <= BLOCK_POINTS else max(width, BLOCK_POINTS // width * width)
    tiled: dict[tuple[int, int, int], Lowered] = {}
    for start in range(0, variants, per_block):
        chosen = np.arange(start, min(start + per_block, variants))
        for first in range(0, size, slice_size):
            points = np.arange(first, min(first + slice_size, size))
            key = (len(chosen), int(points[0]), len(points))
            if key not in tiled:
                tiled[key] = lowered.take(np.tile(points, len(chosen)))
            index = np.tile(points, len(chosen))
            which = np.repeat(chosen, len(points))
            here = take(bands, which) if stacked else bands
            result = _evaluate(space, plan, tiled[key], here)
            yield _block_columns(space, plan, tiled[key], result, index, which, profile_sets)


def evaluate_plan(space: DesignSpace, plan: Plan, bands: Bands) -> tuple[Lowered, Evaluation]:
    """Evaluate all points of a plan at once on unvaried hardware, and keep everything."""
    lowered = _lowered(space, plan)
    return lowered, _evaluate(space, plan, lowered, bands)


def _lowered(space: DesignSpace, plan: Plan) -> Lowered:
    """The plan's points as ops, dealt to the profile's compute units."""
    tokens = np.round(plan.chunk_ms / plan.workload.token_ms)
    lowered = lower(plan.workload, tokens, plan.fold_factor, space.fold_options.spec(plan.workload, 1))
    recogniser = lowered.recogniser
    unit = plan.profile.unit_of(recogniser.component_names)[recogniser.ops.component]
    return replace(lowered, recogniser=replace(recogniser, ops=replace(recogniser.ops, unit=unit)))


def _evaluate(space: DesignSpace, plan: Plan, lowered: Lowered, bands: Bands) -> Evaluation:
    recogniser = lowered.recogniser
    names = space.pinned(plan.workload)
    pinned = tuple(
        g
        for g, c in enumerate(recogniser.group_component)
        if recogniser.component_names[c] in names and not recogniser.group_is_state[g]
    )
    policy = space.policy or plan.profile.spec.policy
    return evaluate(recogniser, bands, policy, "pinned" if names else space.placement, pinned)


def _block_columns(
    space: DesignSpace,
    plan: Plan,
    lowered: Lowered,
    result: Evaluation,
    index: IntArray,
    which: IntArray,
    profile_sets: Sequence[tuple[Scalar, ...]],
) -> Columns:
    """Columns of one block, baselines that nobody asked for left out."""
    position = np.arange(len(index))
    baseline = position - index + plan.baseline[index]
    design = _design_columns(space, plan, result, index)
    totals = total_columns(result, baseline)
    keep = plan.wanted[index]
    for axis, value in zip(space.sets_of("workload"), plan.workload_sets, strict=True):
        design[axis.path] = np.full(len(index), value, dtype=object if isinstance(value, str) else None)
    for number, axis in enumerate(space.sets_of("profile")):
        design[axis.path] = np.array([v[number] for v in profile_sets])[which]
    if space.by == "total":
        rows = {**design, **totals}
        return {name: values[keep] for name, values in rows.items()}
    parts = EXPANSIONS[space.by](result, lowered)
    count = len(next(iter(parts.values()))) // len(index)
    kept = {**design, **totals}
    if space.by not in ("component", "op"):
        # Totals of the design would stand beside parts and be taken for them.
        kept = {name: values for name, values in kept.items() if name in design or not columns()[name].additive}
    repeated = {name: np.repeat(values, count) for name, values in kept.items()}
    return {name: values[np.repeat(keep, count)] for name, values in {**repeated, **parts}.items()}


def _design_columns(space: DesignSpace, plan: Plan, result: Evaluation, index: IntArray) -> Columns:
    points = len(index)
    workload, streaming = plan.workload, plan.workload.streaming
    folded = plan.fold_factor[index] > 1
    folding = space.fold_options.spec(workload, 1)

    def text(value: str) -> np.ndarray:
        return np.full(points, value, dtype=object)

    names = np.array(result.hardware.point_names, dtype=object)
    return {
        "workload": text(workload.name),
        "profile": text(plan.profile.name),
        "operating_point": names[result.point],
        "policy": text(space.policy or plan.profile.spec.policy),
        "placement": text(space.placement),
        "fold_factor": plan.fold_factor[index].astype(np.int64),
        "fold_layers": np.where(folded, describe_layers(folding.layers), "none").astype(object),
        "fold_scope": np.where(folded, folding.scope, "none").astype(object),
        "fold_heads": np.where(folded, folding.heads, "none").astype(object),
        "weight_bits": np.full(points, _bits(workload)),
        "chunk_ms": plan.chunk_ms[index],
        "chunk_tokens": np.round(plan.chunk_ms[index] / workload.token_ms).astype(np.int64),
        "left_context_tokens": np.full(points, streaming.left_context_tokens),
        "right_context_tokens": np.full(points, streaming.right_context_tokens),
    }


def _bits(workload: WorkloadSpec) -> int:
    from foldsim.workload.ops import BITS

    return BITS[workload.precision.weights]


def total_columns(result: Evaluation, baseline: IntArray) -> Columns:
    """Result columns of whole designs; ``baseline`` (P,) is the index of each point's unfolded design."""
    recogniser, plan, footprint = result.recogniser, result.plan, result.footprint
    ops = recogniser.ops
    chunk_s = recogniser.chunk_s
    macs = sum(result.activity.macs)
    power, memory = result.nominal.power_mw, footprint.memory_bytes
    right_s = recogniser.right_context_s
    saving_low, saving_high = result.saving_band(baseline)
    names = np.array(result.bottleneck_names, dtype=object)
    return {
        "params": np.broadcast_to((ops.params * ops.repeat).sum(axis=0), chunk_s.shape).astype(np.int64),
        "macs_per_chunk": np.asarray(macs),
        "macs_per_audio_s": macs / chunk_s,
        "weights_bytes": footprint.weights_bytes,
        "state_bytes": footprint.state_bytes,
        "activation_peak_bytes": footprint.activation_peak_bytes,
        "memory_bytes": memory,
        "onchip_bytes": footprint.onchip_bytes,
        "fits": footprint.fits,
        "dram_bytes_per_chunk": result.dram_bytes_per_chunk,
        "dram_bytes_per_audio_s": result.dram_bytes_per_chunk / chunk_s,
        "latency_ms": result.latency_s * u.MS_PER_S,
        "busy_ms_per_chunk": plan.busy_s * u.MS_PER_S,
        "rtf": plan.busy_s / chunk_s,
        "realtime": plan.realtime,
        "algorithmic_latency_ms": (chunk_s + right_s) * u.MS_PER_S,
        "user_perceived_latency_ms": (0.5 * chunk_s + right_s + result.latency_s) * u.MS_PER_S,
        "bottleneck": names[result.bottleneck],
        "energy_per_chunk_uj": result.nominal.energy_per_chunk_uj,
        "power_mw": power,
        "power_low_mw": result.low_mw,
        "power_high_mw": result.high_mw,
        "power_compute_mw": result.nominal.compute_mw,
        "power_onchip_mw": result.nominal.onchip_mw,
        "power_dram_mw": result.nominal.dram_mw,
        "power_static_mw": result.nominal.static_mw,
        "power_saving_ratio": 1.0 - power / power[baseline],
        "power_saving_low_ratio": saving_low,
        "power_saving_high_ratio": saving_high,
        "memory_saving_ratio": 1.0 - memory / memory[baseline],
    }


def _join(parts: Sequence[Columns], set_paths: Sequence[str]) -> Columns:
    present = parts[0]
    order = [name for name in columns() if name in present]
    at = order.index("chunk_ms")
    order[at:at] = [path for path in set_paths if path in present]
    return {name: np.concatenate([part[name] for part in parts]) for name in order}
