"""Where persistent tensors (weights, tables, state) live, and which share of their reads each level serves.

Levels are innermost first. ``auto`` fills the innermost level that keeps data with the groups that are read most
often per byte, then the next. A scratchpad may hold part of a group. A cache under least-recently-used replacement
holds a cyclically streamed set only if all of it fits between two uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldsim.model.records import BoolArray, FloatArray, LevelParams, Recogniser

# Share of every level kept free for streaming what does not live in it (double buffers). Our assumption.
STREAM_SHARE_RATIO = 0.125
_PINNED_PRIORITY = 1.0e30  # reads per second per byte: ahead of everything


@dataclass(frozen=True)
class Placement:
    """Homes of groups and room for activations, per level."""

    served_ratio: FloatArray  # (L, G, P) share of the group's reads served by the level; sums to 1 over levels
    resident_bytes: FloatArray  # (L, P) persistent bytes that live in the level
    usable_bytes: FloatArray  # (L, P)
    activation_room_bytes: FloatArray  # (L, P)
    activation_outside: FloatArray  # (L, R, P) share of an op's activations that does not fit the level
    overflow_bytes: FloatArray  # (P,) persistent bytes and activations for which no level has room
    pins_fit: BoolArray  # (P,) every pinned group found room in the innermost level that keeps data

    def outside(self, level: int) -> FloatArray:
        """Share of each group's reads served by levels further out than ``level``, shape (G, P)."""
        return self.served_ratio[level + 1 :].sum(axis=0)


def activations_outside(live_bytes: FloatArray, room_bytes: FloatArray, is_cache: bool) -> FloatArray:
    """Share of an op's live activations that a level of some room cannot hold.

    ``live_bytes`` (R, P), ``room_bytes`` (P,). A scratchpad spills the excess; a cache that is too small for a set
    that is swept end to end keeps none of it.
    """
    if is_cache:
        return np.where(live_bytes > room_bytes, 1.0, 0.0)
    return np.maximum(0.0, 1.0 - room_bytes / np.maximum(live_bytes, 1.0))


def place(
    recogniser: Recogniser,
    levels: Sequence[LevelParams],
    policy: str = "auto",
    pinned: Sequence[int] = (),
) -> Placement:
    """Give every group of persistent tensors its home.

    Parameters
    ----------
    policy : ``auto`` | ``dram`` (all in the outermost level that can hold it) | ``pinned`` (the groups listed in
        ``pinned`` first, innermost; the others as in ``dram``).
    pinned : indices of groups.
    """
    n_points = recogniser.chunk_s.shape[0]
    count, n_groups = len(levels), recogniser.group_bytes.shape[0]
    zeros = np.zeros(n_points)
    live = recogniser.ops.live_bytes
    peak = live.max(axis=0, initial=0.0)
    usable = np.stack([zeros + lv.capacity_bytes * lv.usable_ratio for lv in levels])
    room = usable * (1.0 - STREAM_SHARE_RATIO)
    outside = np.empty((count, *live.shape))
    reserved = np.empty((count, n_points))
    inner_room = zeros
    for i, level in enumerate(levels):
        outside[i] = activations_outside(live, room[i], level.is_cache)
        if i:
            np.minimum(outside[i], outside[i - 1], out=outside[i])
        reserved[i] = np.where(peak > inner_room, np.minimum(peak, room[i]), 0.0)
        inner_room = np.maximum(inner_room, room[i])
    size = recogniser.group_bytes
    calls = recogniser.invocations_per_chunk[recogniser.group_component] / recogniser.chunk_s  # (G, P)
    priority = calls * recogniser.group_traffic_bytes / np.maximum(size, 1.0)  # reads and writes per second per byte
    first = np.zeros((n_groups, 1), dtype=bool)
    first[list(pinned)] = True
    priority = np.where(first, _PINNED_PRIORITY, priority)
    served = np.zeros((count, n_groups, n_points))
    resident = np.zeros((count, n_points))
    left = np.ones((n_groups, n_points))  # share still without a home
    pins_fit = np.ones(n_points, dtype=bool)
    innermost_kept = next((i for i, lv in enumerate(levels) if lv.keeps_data), count - 1)
    for i, level in enumerate(levels):
        last = i == count - 1
        if not (level.keeps_data or last):
            continue
        # State that can live nowhere further out goes first, whatever the policy: weights can wait in flash.
        last_home = not any(lv.keeps_data and lv.writable for lv in levels[i + 1 :])
        must_stay = recogniser.group_is_state[:, None] & last_home
        able = (level.writable | ~recogniser.group_is_state)[:, None] & (left > 0)
        if not last and policy != "auto":
            able = able & (must_stay | (first & (policy == "pinned")))
        if any(lv.read_in_place for lv in levels[i + 1 :]):  # weights stay where they are read, unless pinned
            able = able & (recogniser.group_is_state[:, None] | first)
        free = np.maximum(0.0, (usable[i] if last else room[i]) - reserved[i])
        rank = np.where(must_stay, _PINNED_PRIORITY, priority)
        fill = _fill_cache if level.is_cache and not last else _fill_scratchpad
        share = np.where(able, fill(size * left * able, rank, free), 0.0) * left
        if last:
            resident[i] = np.minimum((size * share).sum(axis=0), free)
            share = left  # nothing further out: what does not fit is still read from here, and does not fit
        else:
            resident[i] = (size * share).sum(axis=0)
        served[i] = share
        left = left - share
        if i == innermost_kept and len(pinned):
            pins_fit = (served[i][list(pinned)] >= 1.0 - 1e-12).all(axis=0)
    lost = np.maximum(0.0, (size * served[-1]).sum(axis=0) - resident[-1])
    last_writable = max((i for i, level in enumerate(levels) if level.writable), default=0)
    spilled = (outside[last_writable] * live).max(axis=0, initial=0.0)  # activations without a home
    return Placement(served, resident, usable, room, outside, lost + spilled, pins_fit)


def _fill_scratchpad(size: FloatArray, priority: FloatArray, free: FloatArray) -> FloatArray:
    """Share of each group (G, P) that greedy filling by priority puts into ``free`` bytes (P,)."""
    order = np.argsort(-priority, axis=0, kind="stable")
    sorted_size = np.take_along_axis(size, order, axis=0)
    before = np.cumsum(sorted_size, axis=0) - sorted_size
    share = np.clip((free - before) / np.maximum(sorted_size, 1.0), 0.0, 1.0)
    out = np.empty_like(share)
    np.put_along_axis(out, order, share, axis=0)
    return out


def _fill_cache(size: FloatArray, priority: FloatArray, free: FloatArray) -> FloatArray:
    """Share of each group's reads (G, P) that hit a least-recently-used cache of ``free`` bytes (P,).

    Between two sweeps through a group, every group that is swept at least as often runs once; a rarer one runs in
    ``priority_rare / priority`` of the gaps. The group survives a gap if all that ran in it fits.
    """
    order = np.argsort(-priority, axis=0, kind="stable")
    sorted_size = np.take_along_axis(size, order, axis=0)
    sweeps = np.take_along_axis(np.broadcast_to(priority, size.shape), order, axis=0)
    too_much = np.cumsum(sorted_size, axis=0) > free
    # The most frequent group at which the running total no longer fits interrupts the others this often.
    interrupting = np.max(np.where(too_much, sweeps, 0.0), axis=0, initial=0.0)
    share = np.where(too_much, 0.0, 1.0 - np.minimum(1.0, interrupting / np.maximum(sweeps, 1.0e-300)))
    out = np.empty_like(share)
    np.put_along_axis(out, order, share, axis=0)
    return out
