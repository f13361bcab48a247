"""Result columns of whole designs: what identifies them, and what was computed for them."""

from __future__ import annotations

import numpy as np

from foldsim import units as u
from foldsim.designs.design import UNFOLDED, Points
from foldsim.model.evaluate import Evaluation
from foldsim.model.records import IntArray
from foldsim.workload.compression.text import describe_compression
from foldsim.workload.folding import describe_layers
from foldsim.workload.lowering import Lowered
from foldsim.workload.ops import BITS

Columns = dict[str, np.ndarray]


def design_columns(points: Points, lowered: Lowered, result: Evaluation) -> Columns:
    """Columns that identify the designs (P,)."""
    design, count = points.design, len(points)
    spec, streaming, folding = design.spec, design.spec.streaming, design.folding
    folded = points.fold_factor > 1

    def text(value: str) -> np.ndarray:
        return np.full(count, value, dtype=object)

    def if_folded(value: str) -> np.ndarray:
        return np.where(folded, value, UNFOLDED).astype(object)

    return {
        "workload": text(spec.name),
        "profile": text(design.profile.name),
        "operating_point": np.array(result.hardware.point_names, dtype=object)[result.point],
        "policy": text(design.policy),
        "placement": text(design.placement),
        "fold_factor": points.fold_factor.astype(np.int64),
        "fold_layers": if_folded(describe_layers(folding.layers)),
        "fold_scope": if_folded(folding.scope),
        "fold_heads": if_folded(folding.heads),
        "compression": text(describe_compression(spec.compression)),
        "weight_bits": lowered.weight_bits if spec.compression else np.full(count, BITS[spec.precision.weights]),
        "chunk_ms": points.chunk_ms,
        "chunk_tokens": np.round(points.chunk_ms / spec.token_ms).astype(np.int64),
        "left_context_tokens": np.full(count, streaming.left_context_tokens),
        "right_context_tokens": np.full(count, streaming.right_context_tokens),
    }


def total_columns(result: Evaluation, baseline: IntArray, reference: Evaluation | None = None) -> Columns:
    """Result columns of whole designs (P,).

    ``baseline`` (P,) is the index of each point's baseline, in ``reference`` (the designs without compression) if
    given, else in ``result``.
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
