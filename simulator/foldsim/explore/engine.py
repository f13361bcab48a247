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
from foldsim.explore.sampled import Outcomes, band_columns, outcomes
from foldsim.explore.sampling import draw
from foldsim.explore.space import DesignSpace
from foldsim.explore.variants import Scalar, combinations, profile_groups
from foldsim.hardware.profile import Profile
from foldsim.model.evaluate import Bands, Evaluation, Work, evaluate, work
from foldsim.model.records import FloatArray, Hardware, IntArray, take
from foldsim.workload.compression_text import describe_compression
from foldsim.workload.folding import describe_layers
from foldsim.workload.lowering import Lowered, lower
from foldsim.workload.spec import WorkloadSpec

# Points evaluated together: small enough for the arrays of a block to stay in a core's cache.
BLOCK_POINTS = 2048
# Designs times samples whose results are kept at once, for their quantiles.
SAMPLES_HELD = 4_000_000
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
    baseline: IntArray  # (U,) index of the point's own baseline, in this plan or in its reference
    wanted: np.ndarray  # (U,) rows that were asked for
    reference: Plan | None = None  # of a compressed workload: every chunk of it unfolded and not compressed


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
            groups = profile_groups(
                profile, profile_sets, variant.spec.precision.activations, apart=space.sampling is not None
            )
            for entries, group in product(space.compressions(variant.spec), groups):
                spec = variant.spec.model_copy(update={"compression": list(entries)})
                plan = plan_for(space, spec, workload_values, group.profile)
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
    """Every chunk size and factor of one workload variant on one profile, with each chunk's unfolded baseline.

    The baseline of a compressed workload is the unfolded one without compression: a plan of its own.
    """
    factors = space.fold_factors(workload)
    asked = space.chunks(workload)
    if workload.compression:
        plain = workload.model_copy(update={"compression": []})
        reference = plan_for(replace(space, chunk_ms=asked, fold=(1,)), plain, workload_sets, profile)
        return Plan(
            workload,
            workload_sets,
            profile,
            np.repeat(asked, len(factors)),
            np.tile(np.array(factors, dtype=np.float64), len(asked)),
            np.repeat(np.arange(len(asked)), len(factors)),
            np.ones(len(asked) * len(factors), dtype=bool),
            reference,
        )
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
    lowered = lower_plan(space, plan)
    plain = lower_plan(space, plan.reference) if plan.reference is not None else None
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
            reference = None
            if plan.reference is not None and plain is not None:
                chunks = np.unique(plan.baseline[points])
                there = take(bands, np.repeat(chosen, len(chunks))) if stacked else bands
                reference = _evaluate(space, plan.reference, plain.take(np.tile(chunks, len(chosen))), there)
            bands_drawn = _sampled(space, plan, points) if space.sampling else {}
            yield _block_columns(space, plan, tiled[key], result, reference, index, which, profile_sets, bands_drawn)


def totals_of(space: DesignSpace, plan: Plan, bands: Bands, result: Evaluation) -> Columns:
    """Result columns of the evaluation of a whole plan on unvaried hardware."""
    reference = None
    if plan.reference is not None:
        reference = evaluate_plan(space, plan.reference, bands)[1]
    columns = total_columns(result, plan.baseline, reference)
    return {**columns, **_sampled(space, plan, np.arange(len(plan.chunk_ms)))} if space.sampling else columns


def _sampled(space: DesignSpace, plan: Plan, points: IntArray) -> Columns:
    """Columns from joint samples of some points of a plan, whole chunk sizes of it, on the plan's own profile."""
    assert space.sampling is not None
    draws = draw(space.sampling, plan.profile, plan.workload)

    def found(of: Plan, at: IntArray) -> Outcomes:
        def work_of(workload: WorkloadSpec, index: IntArray, hardware: Hardware) -> Work:
            lowered = lower_plan(space, of, workload, index)
            return work(lowered.recogniser, hardware, *conditions(space, of, lowered))

        return outcomes(draws, of.workload, at, work_of, BLOCK_POINTS)

    parts = []
    width = int(np.count_nonzero(plan.baseline == plan.baseline[0]))
    step = max(width, SAMPLES_HELD // space.sampling.count // width * width)
    for first in range(0, len(points), step):
        mine = points[first : first + step]
        own = found(plan, mine)
        bases = np.unique(plan.baseline[mine])
        if plan.reference is not None:
            parts.append(band_columns(own, np.searchsorted(bases, plan.baseline[mine]), found(plan.reference, bases)))
        else:
            parts.append(band_columns(own, plan.baseline[mine] - mine[0], own))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def evaluate_plan(space: DesignSpace, plan: Plan, bands: Bands) -> tuple[Lowered, Evaluation]:
    """Evaluate all points of a plan at once on unvaried hardware, and keep everything."""
    lowered = lower_plan(space, plan)
    return lowered, _evaluate(space, plan, lowered, bands)


def lower_plan(
    space: DesignSpace, plan: Plan, workload: WorkloadSpec | None = None, points: IntArray | None = None
) -> Lowered:
    """The plan's points (or some of them) as ops, dealt to the profile's compute units.

    ``workload`` stands in for the plan's: the same with arrays over the points for its rates.
    """
    workload = workload or plan.workload
    chunk_ms, factor = (x if points is None else x[points] for x in (plan.chunk_ms, plan.fold_factor))
    tokens = np.round(chunk_ms / workload.token_ms)
    lowered = lower(workload, tokens, factor, space.fold_options.spec(plan.workload, 1))
    recogniser = lowered.recogniser
    unit = plan.profile.unit_of(recogniser.component_names)[recogniser.ops.component]
    return replace(lowered, recogniser=replace(recogniser, ops=replace(recogniser.ops, unit=unit)))


def _evaluate(space: DesignSpace, plan: Plan, lowered: Lowered, bands: Bands) -> Evaluation:
    return evaluate(lowered.recogniser, bands, *conditions(space, plan, lowered))


def conditions(space: DesignSpace, plan: Plan, lowered: Lowered) -> tuple[str, str, tuple[int, ...]]:
    """Policy, placement and pinned groups, as the model takes them."""
    recogniser = lowered.recogniser
    names = space.pinned(plan.workload)
    pinned = tuple(
        g
        for g, c in enumerate(recogniser.group_component)
        if recogniser.component_names[c] in names and not recogniser.group_is_state[g]
    )
    return space.policy or plan.profile.spec.policy, "pinned" if names else space.placement, pinned


def _block_columns(
    space: DesignSpace,
    plan: Plan,
    lowered: Lowered,
    result: Evaluation,
    reference: Evaluation | None,
    index: IntArray,
    which: IntArray,
    profile_sets: Sequence[tuple[Scalar, ...]],
    bands_drawn: Columns,
) -> Columns:
    """Columns of one block, baselines that nobody asked for left out."""
    position = np.arange(len(index))
    baseline = position - index + plan.baseline[index]
    if reference is not None:
        in_order = np.unique(plan.baseline[index])
        baseline = (which - which[0]) * len(in_order) + plan.baseline[index] - in_order[0]
    design = _design_columns(space, plan, result, lowered, index)
    totals = {**total_columns(result, baseline, reference), **bands_drawn}
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


def _design_columns(space: DesignSpace, plan: Plan, result: Evaluation, lowered: Lowered, index: IntArray) -> Columns:
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
        "compression": text(describe_compression(workload.compression)),
        "weight_bits": lowered.weight_bits if workload.compression else np.full(points, _bits(workload)),
        "chunk_ms": plan.chunk_ms[index],
        "chunk_tokens": np.round(plan.chunk_ms[index] / workload.token_ms).astype(np.int64),
        "left_context_tokens": np.full(points, streaming.left_context_tokens),
        "right_context_tokens": np.full(points, streaming.right_context_tokens),
    }


def _bits(workload: WorkloadSpec) -> int:
    from foldsim.workload.ops import BITS

    return BITS[workload.precision.weights]


def total_columns(result: Evaluation, baseline: IntArray, reference: Evaluation | None = None) -> Columns:
    """Result columns of whole designs; ``baseline`` (P,) is the index of each point's unfolded design.

    It counts in ``reference`` where there is one: the designs without compression.
    """
    other = reference or result
    recogniser, plan, footprint = result.recogniser, result.plan, result.footprint
    ops = recogniser.ops
    chunk_s = recogniser.chunk_s
    macs = sum(result.activity.macs)
    power, memory = result.nominal.power_mw, footprint.memory_bytes
    right_s = recogniser.right_context_s
    saving_low, saving_high = result.saving_band(baseline, reference)
    latency_low_s, latency_high_s = result.latency_band_s
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
        "latency_low_ms": latency_low_s * u.MS_PER_S,
        "latency_high_ms": latency_high_s * u.MS_PER_S,
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
        "power_assumption_ratio": result.assumption_ratio,
        "power_saving_ratio": 1.0 - power / other.nominal.power_mw[baseline],
        "power_saving_low_ratio": saving_low,
        "power_saving_high_ratio": saving_high,
        "memory_saving_ratio": 1.0 - memory / other.footprint.memory_bytes[baseline],
    }


def _join(parts: Sequence[Columns], set_paths: Sequence[str]) -> Columns:
    present = parts[0]
    order = [name for name in columns() if name in present]
    at = order.index("chunk_ms")
    order[at:at] = [path for path in set_paths if path in present]
    return {name: np.concatenate([part[name] for part in parts]) for name in order}
