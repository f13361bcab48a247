"""Rows of ``--by component`` and ``--by op``: the same totals, divided.

Idle, retention and waking belong to no component: they are rows of the component ``system``.
"""

from __future__ import annotations

import numpy as np

from foldsim import units as u
from foldsim.model.energy import Activity, Supply, Term, busy_terms, idle_terms, ops_activity, sum_by_part
from foldsim.model.evaluate import Evaluation
from foldsim.model.records import FloatArray, Hardware
from foldsim.workload.lowering import Lowered

Columns = dict[str, np.ndarray]
SYSTEM = "system"


def op_activity(result: Evaluation) -> Activity:
    """Activity per op row and chunk (R, P)."""
    return ops_activity(
        result.recogniser.ops, result.flows, result.op_times, result.times_count, len(result.hardware.units)
    )


def op_terms(result: Evaluation) -> list[Term]:
    """Energy terms per op row and chunk (R, P) [pJ]; idle and waking are not among them."""
    return busy_terms(op_activity(result), result.hardware, result.supply)


def system_terms(result: Evaluation, hardware: Hardware, supply: Supply) -> list[Term]:
    """Energy terms of idle time, waiting and waking per chunk (P,) [pJ]."""
    return idle_terms(result.plan.idle_s, result.plan.waiting_s, result.plan.wakes, hardware, supply)


def _extensive(result: Evaluation) -> Columns:
    """Additive columns per op row with the system row last, (R + 1, P)."""
    ops, recogniser = result.recogniser.ops, result.recogniser
    activity = op_activity(result)
    shape = ops.live_bytes.shape
    parts, idle = (
        sum_by_part(busy_terms(activity, result.hardware, result.supply)),
        sum_by_part(system_terms(result, result.hardware, result.supply)),
    )
    to_mw = 1.0 / (result.plan.period_s * u.PJ_PER_MW_S)

    def with_system(values: FloatArray, system: FloatArray | float = 0.0) -> FloatArray:
        last = np.broadcast_to(np.asarray(system, dtype=np.float64), (shape[1],))
        return np.concatenate([np.broadcast_to(values, shape), last[None]])

    power = {part: with_system(parts[part], idle[part]) * to_mw for part in parts}
    macs = sum(activity.macs)
    dram = sum(
        (
            activity.read_bytes[i] + activity.write_bytes[i]
            for i, lv in enumerate(result.hardware.levels)
            if not lv.on_chip
        ),
        start=np.zeros(shape),
    )
    total = power["compute"] + power["onchip"] + power["dram"] + power["static"]
    chunk_s = recogniser.chunk_s
    return {
        "params": with_system(ops.params * ops.repeat),
        "macs_per_chunk": with_system(np.asarray(macs)),
        "macs_per_audio_s": with_system(np.asarray(macs)) / chunk_s,
        "weights_bytes": with_system(ops.weights_bytes * ops.repeat),
        "state_bytes": with_system(ops.state_bytes * ops.repeat),
        "dram_bytes_per_chunk": with_system(dram),
        "dram_bytes_per_audio_s": with_system(dram) / chunk_s,
        "busy_ms_per_chunk": with_system(activity.busy_s) * u.MS_PER_S,
        "energy_per_chunk_uj": total / to_mw / u.PJ_PER_UJ,
        "power_mw": total,
        "power_compute_mw": power["compute"],
        "power_onchip_mw": power["onchip"],
        "power_dram_mw": power["dram"],
        "power_static_mw": power["static"],
    }


def term_times(result: Evaluation) -> FloatArray:
    """Seconds per chunk of every roofline term of every op row (T, R, P), terms as ``result.bottleneck_names``."""
    terms = result.op_times.terms([level.name for level in result.hardware.levels])
    return np.stack([np.broadcast_to(t * result.times_count, result.times_count.shape) for t in terms.values()])


def op_rows(result: Evaluation, lowered: Lowered) -> Columns:
    """Columns of ``--by op``: ops in the order in which they run, the system row last. Arrays (P x (R + 1),)."""
    ops = result.recogniser.ops
    rows, points = ops.live_bytes.shape
    order = np.append(lowered.run_order, rows)

    def spread(names: list[str]) -> np.ndarray:
        return np.tile(np.array(names, dtype=object)[order], points)

    def flat(values: np.ndarray) -> np.ndarray:
        return values[order].T.reshape(-1)

    out: Columns = {
        "component": spread([*(row.component for row in lowered.rows), SYSTEM]),
        "layer": spread([*(row.layer for row in lowered.rows), SYSTEM]),
        "op": spread([*(row.op for row in lowered.rows), "idle and wake"]),
    }
    for name in ("m", "k", "n", "batch"):
        full = np.zeros((rows + 1, points))
        full[: ops.matrix_rows] = getattr(ops, name)
        out[name] = flat(full)
    out.update({name: flat(values) for name, values in _extensive(result).items()})
    out["activation_peak_bytes"] = flat(np.concatenate([ops.live_bytes, np.zeros((1, points))]))
    out["bottleneck"] = flat(_bottlenecks(term_times(result), result))
    low, high = _ends(result)
    out["power_low_mw"], out["power_high_mw"] = flat(low), flat(high)
    return out


def component_rows(result: Evaluation, lowered: Lowered) -> Columns:
    """Columns of ``--by component``; the system row last. Arrays (P x (C + 1),)."""
    recogniser = result.recogniser
    points = recogniser.chunk_s.shape[0]
    owner = np.append(recogniser.ops.component, len(recogniser.component_names))
    groups = range(len(recogniser.component_names) + 1)
    out: Columns = {"component": np.tile(np.array([*recogniser.component_names, SYSTEM], dtype=object), points)}

    def summed(values: FloatArray) -> FloatArray:
        return np.stack([values[owner == g].sum(axis=0) for g in groups]).T.reshape(-1)

    for name, values in _extensive(result).items():
        out[name] = summed(values)
    live = np.concatenate([recogniser.ops.live_bytes, np.zeros((1, points))])
    out["activation_peak_bytes"] = np.stack([live[owner == g].max(axis=0) for g in groups]).T.reshape(-1)
    spent = term_times(result)
    by_component = np.stack([spent[:, owner[:-1] == g].sum(axis=1) for g in groups], axis=1)
    out["bottleneck"] = _bottlenecks(by_component[:, :-1], result).T.reshape(-1)
    low, high = _ends(result)
    out["power_low_mw"], out["power_high_mw"] = summed(low), summed(high)
    return out


def _bottlenecks(spent: FloatArray, result: Evaluation) -> np.ndarray:
    """Name of the largest term per row (rows + system, P)."""
    names = np.array(result.bottleneck_names, dtype=object)[np.argmax(spent, axis=0)]
    names = np.where(spent.sum(axis=0) > 0, names, "none")
    return np.concatenate([names, np.full((1, spent.shape[2]), "none", dtype=object)])


def _ends(result: Evaluation) -> tuple[FloatArray, FloatArray]:
    """Low and high power per op row with the system row last (R + 1, P) [mW]."""
    activity = op_activity(result)
    to_mw = 1.0 / (result.plan.period_s * u.PJ_PER_MW_S)
    ends = []
    for hardware, supply in ((result.bands.low, result.low_supply), (result.bands.high, result.high_supply)):
        busy = sum((np.asarray(t.energy_pj) for t in busy_terms(activity, hardware, supply)), start=np.zeros((1, 1)))
        idle = sum((np.asarray(t.energy_pj) for t in system_terms(result, hardware, supply)), start=np.zeros(1))
        ends.append(np.concatenate([busy, np.broadcast_to(idle, (1, busy.shape[1]))]) * to_mw)
    return ends[0], ends[1]
