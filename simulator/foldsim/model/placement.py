"""Placement of persistent tensors (weights, tables, state) in memory levels, and the share of reads each level serves.

Levels are innermost first. ``auto`` fills the innermost level that keeps data with the groups that are read most
often per byte, then the next. A scratchpad may store part of a group. A cache under least-recently-used replacement
retains a cyclically streamed set only if all of it fits between two uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldsim.model.records import BoolArray, FloatArray, LevelParams, Recogniser

# Share of every level kept free for double buffers of streamed operands. Our assumption.
STREAM_SHARE_RATIO = 0.125
_PINNED_PRIORITY = 1.0e30  # reads per second per byte: above every other priority
_WHOLE_RATIO = 1.0 - 1e-12  # share that counts as a whole group, within rounding


@dataclass(frozen=True)
class Placement:
    """Levels of groups and room for activations, per level."""

    served_ratio: FloatArray  # (L, G, P) share of the group's reads served by the level; sums to 1 over levels
    resident_bytes: FloatArray  # (L, P) persistent bytes stored in the level
    usable_bytes: FloatArray  # (L, P)
    activation_room_bytes: FloatArray  # (L, P)
    activation_outside: FloatArray  # (L, R, P) share of an op's activations that does not fit the level
    overflow_bytes: FloatArray  # (P,) persistent bytes and activations that fit no level
    pins_fit: BoolArray  # (P,) every pinned group fits the innermost level that keeps data

    def outside(self, level: int) -> FloatArray:
        """Share of each group's reads served by levels further out than ``level``, shape (G, P)."""
        return self.served_ratio[level + 1 :].sum(axis=0)


def activations_outside(live_bytes: FloatArray, room_bytes: FloatArray, is_cache: bool) -> FloatArray:
    """Share of an op's live activations (R, P) that does not fit a level.

    ``live_bytes`` (R, P), ``room_bytes`` (P,). A scratchpad spills the excess; a cache that is too small for a set
    that is read end to end retains none of it.
    """
    if is_cache:
        return np.where(live_bytes > room_bytes, 1.0, 0.0)
    return np.maximum(0.0, 1.0 - room_bytes / np.maximum(live_bytes, 1.0))


def place(
    recogniser: Recogniser,
    levels: Sequence[LevelParams],
    policy: str | Sequence[str] = "auto",
    pinned: Sequence[int] | BoolArray = (),
) -> Placement:
    """Assign every group of persistent tensors to memory levels.

    Parameters
    ----------
    policy : ``auto`` | ``dram`` (all in the outermost level that can store it) | ``pinned`` (the groups listed in
        ``pinned`` first, innermost; the others as in ``dram``); one, or one per point.
    pinned : indices of groups, or a mask (G, P).
    """
    n_points = recogniser.chunk_s.shape[0]
    count, n_groups = len(levels), recogniser.group_bytes.shape[0]
    usable = np.stack([np.zeros(n_points) + level.capacity_bytes * level.usable_ratio for level in levels])
    room = usable * (1.0 - STREAM_SHARE_RATIO)
    outside, reserved = _activation_room(recogniser.ops.live_bytes, levels, room)
    size = recogniser.group_bytes
    is_pinned = pinned if isinstance(pinned, np.ndarray) else np.isin(np.arange(n_groups), pinned)[:, None]
    fills_inner, pins = (np.asarray(policy) == name for name in ("auto", "pinned"))
    priority = np.where(is_pinned, _PINNED_PRIORITY, _reads_per_byte(recogniser))
    served = np.zeros((count, n_groups, n_points))
    resident = np.zeros((count, n_points))
    left = np.ones((n_groups, n_points))  # share not yet placed
    pins_fit = np.ones(n_points, dtype=bool)
    innermost_kept = next((i for i, level in enumerate(levels) if level.keeps_data), count - 1)
    for i, level in enumerate(levels):
        last = i == count - 1
        if not (level.keeps_data or last):
            continue
        # State that no outer level can store goes first under every policy: weights can wait in flash.
        last_home = not any(outer.keeps_data and outer.writable for outer in levels[i + 1 :])
        must_stay = recogniser.group_is_state[:, None] & last_home
        able = (level.writable | ~recogniser.group_is_state)[:, None] & (left > 0)
        if not last:
            able = able & (fills_inner | must_stay | (is_pinned & pins))
        if any(outer.read_in_place for outer in levels[i + 1 :]):  # weights stay where they are read, unless pinned
            able = able & (recogniser.group_is_state[:, None] | is_pinned)
        free = np.maximum(0.0, (usable[i] if last else room[i]) - reserved[i])
        rank = np.where(must_stay, _PINNED_PRIORITY, priority)
        fill = _fill_cache if level.is_cache and not last else _fill_scratchpad
        share = np.where(able, fill(size * left * able, rank, free), 0.0) * left
        resident[i] = (size * share).sum(axis=0)
        if last:
            resident[i] = np.minimum(resident[i], free)
            share = left  # the outermost level serves all remaining reads, even of bytes that do not fit
        served[i] = share
        left = left - share
        if i == innermost_kept:
            pins_fit = (~is_pinned | (served[i] >= _WHOLE_RATIO)).all(axis=0)
    lost = np.maximum(0.0, (size * served[-1]).sum(axis=0) - resident[-1])
    last_writable = max((i for i, level in enumerate(levels) if level.writable), default=0)
    spilled = (outside[last_writable] * recogniser.ops.live_bytes).max(axis=0, initial=0.0)
    return Placement(served, resident, usable, room, outside, lost + spilled, pins_fit)


def _activation_room(
    live_bytes: FloatArray, levels: Sequence[LevelParams], room_bytes: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Share of activations outside each level (L, R, P), and bytes that each level reserves for activations (L, P).

    A level reserves room for the peak only if no inner level has room for it.
    """
    peak = live_bytes.max(axis=0, initial=0.0)
    outside = np.empty((len(levels), *live_bytes.shape))
    reserved = np.empty(room_bytes.shape)
    inner_room = np.zeros(room_bytes.shape[1])
    for i, level in enumerate(levels):
        outside[i] = activations_outside(live_bytes, room_bytes[i], level.is_cache)
        if i:
            np.minimum(outside[i], outside[i - 1], out=outside[i])
        reserved[i] = np.where(peak > inner_room, np.minimum(peak, room_bytes[i]), 0.0)
        inner_room = np.maximum(inner_room, room_bytes[i])
    return outside, reserved


def _reads_per_byte(recogniser: Recogniser) -> FloatArray:
    """Reads and writes of each group per second and stored byte (G, P)."""
    calls = recogniser.invocations_per_chunk[recogniser.group_component] / recogniser.chunk_s
    return calls * recogniser.group_traffic_bytes / np.maximum(recogniser.group_bytes, 1.0)


def _fill_scratchpad(size: FloatArray, priority: FloatArray, free: FloatArray) -> FloatArray:
    """Share of each group (G, P) stored in ``free`` bytes (P,) when filled greedily by priority."""
    order = np.argsort(-priority, axis=0, kind="stable")
    sorted_size = np.take_along_axis(size, order, axis=0)
    before = np.cumsum(sorted_size, axis=0) - sorted_size
    share = np.clip((free - before) / np.maximum(sorted_size, 1.0), 0.0, 1.0)
    out = np.empty_like(share)
    np.put_along_axis(out, order, share, axis=0)
    return out


def _fill_cache(size: FloatArray, priority: FloatArray, free: FloatArray) -> FloatArray:
    """Share of each group's reads (G, P) that hit a least-recently-used cache of ``free`` bytes (P,).

    Between two sweeps through a group, every group with at least as frequent sweeps runs once; a rarer one runs in
    ``priority_rare / priority`` of the gaps. The group survives a gap if everything that ran in it fits.
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
