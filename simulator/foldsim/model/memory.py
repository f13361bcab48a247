"""Memory footprint: weights, state, peak activations, bytes on chip, and whether everything fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldsim.model.placement import Placement
from foldsim.model.records import BoolArray, FloatArray, LevelParams, Recogniser, SystemParams

_OVERFLOW_TOLERANCE_BYTES = 0.5  # rounding of shares


@dataclass(frozen=True)
class Footprint:
    """Bytes, each (P,)."""

    weights_bytes: FloatArray
    state_bytes: FloatArray
    activation_peak_bytes: FloatArray
    memory_bytes: FloatArray
    onchip_bytes: FloatArray
    fits: BoolArray


def footprint(
    recogniser: Recogniser,
    placement: Placement,
    levels: Sequence[LevelParams],
    system: SystemParams,
) -> Footprint:
    """Total bytes and bytes stored on chip.

    Peak activations are the largest set alive together over all ops (components run one after the other). On-chip
    bytes are the persistent bytes placed on chip and the peak activations that fit on-chip levels.
    """
    state_rows = recogniser.group_is_state
    weights = recogniser.group_bytes[~state_rows].sum(axis=0)
    state = recogniser.group_bytes[state_rows].sum(axis=0)
    live = recogniser.ops.live_bytes
    peak = live.max(axis=0, initial=0.0)
    on_chip = [i for i, level in enumerate(levels) if level.on_chip]
    onchip = placement.resident_bytes[on_chip].sum(axis=0)
    if on_chip:
        onchip = onchip + (live * (1.0 - placement.activation_outside[on_chip[-1]])).max(axis=0, initial=0.0)
    fits = (placement.overflow_bytes <= _OVERFLOW_TOLERANCE_BYTES) & placement.pins_fit
    total = weights + state + peak + system.runtime_bytes
    return Footprint(weights, state, peak, total, np.asarray(onchip), fits)
