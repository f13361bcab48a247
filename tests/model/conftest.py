"""Hand-made records for the model: everything is neutral (free, instant, empty) unless a test sets it."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np
import pytest

from foldsim.model.evaluate import Bands
from foldsim.model.records import (
    VECTOR_KINDS,
    Hardware,
    LevelParams,
    OpTable,
    PointParams,
    Recogniser,
    SystemParams,
    UnitParams,
)


@dataclass
class Row:
    """One op: a matrix product where ``m`` is given, else vector work. Numbers or lists over design points."""

    m: Any = None
    k: Any = 0.0
    n: Any = 0.0
    batch: Any = 1.0
    steps: Any = 1.0
    second_is_weight: bool = True
    first_state_ratio: Any = 0.0
    channelwise: bool = False
    shares: Any = 0.0
    second_state_ratio: Any = 0.0
    input_width: Any = 1.0  # bytes per element
    second_width: Any = 1.0
    output_width: Any = 1.0
    partial_width: Any = 4.0
    component: int = 0
    group: int = -1
    state_group: int = -1
    unit: int = 0
    repeat: Any = 1.0
    input_bytes: Any = 0.0
    output_bytes: Any = 0.0
    table_bytes: Any = 0.0
    state_read_bytes: Any = 0.0
    state_write_bytes: Any = 0.0
    input_outside: float = 0.0
    output_outside: float = 0.0
    exp: Any = 0.0
    divide: Any = 0.0
    multiply_add: Any = 0.0
    compare: Any = 0.0
    kernels: Any = 0.0
    moved_count: Any = 0.0
    calls_count: Any = np.nan
    live_bytes: Any = 0.0
    params: Any = 0.0
    weights_bytes: Any = 0.0
    state_bytes: Any = 0.0


@dataclass
class Group:
    """Persistent tensors of a component; read whole in every invocation unless set otherwise."""

    stored: Any
    read: Any = None  # bytes read and written by one invocation
    component: int = 0
    is_state: bool = False


_MATRIX = {
    "m": "m", "k": "k", "n": "n", "batch": "batch", "steps": "steps", "second_state_ratio": "second_state_ratio",
    "first_state_ratio": "first_state_ratio", "shares_count": "shares",
    "input_bytes_per_element": "input_width", "second_bytes_per_element": "second_width",
    "output_bytes_per_element": "output_width", "partial_bytes_per_element": "partial_width",
}  # fmt: skip


class Maker:
    """Makes records."""

    Row = Row
    Group = Group

    @staticmethod
    def ops(rows, points=1):
        """An op table at ``points`` design points."""
        rows = sorted(rows, key=lambda row: row.m is None)  # matrix rows first
        products = [row for row in rows if row.m is not None]

        def stacked(of, name):
            values = [np.broadcast_to(np.asarray(getattr(row, name), float), (points,)) for row in of]
            return np.stack(values) if values else np.zeros((0, points))

        table = {name: stacked(products, field) for name, field in _MATRIX.items()}
        for name in ("component", "group", "state_group", "unit"):
            table[name] = np.array([getattr(row, name) for row in rows])
        table["matrix_rows"] = len(products)
        table["second_is_weight"] = np.array([row.second_is_weight for row in products], dtype=bool)
        table["channelwise"] = np.array([row.channelwise for row in products], dtype=bool)
        table["vector"] = tuple(stacked(rows, kind) for kind in VECTOR_KINDS)
        for field in fields(OpTable):
            if field.name not in table and field.default is MISSING:
                table[field.name] = stacked(rows, field.name)
        return OpTable(**table)

    @classmethod
    def recogniser(cls, rows=(), groups=None, calls=(1.0,), chunk_s=(1.0,), right_context_s=0.0):
        """A recogniser; ``calls`` are invocations per chunk of each component. ``groups`` None: none of any
        size."""
        points = len(chunk_s)
        rows = rows or [Row()]
        groups = [Group(0.0)] if groups is None else groups

        def stacked(values):
            rows_of = [np.broadcast_to(np.asarray(v, float), (points,)) for v in values]
            return np.stack(rows_of) if rows_of else np.zeros((0, points))

        return Recogniser(
            ops=cls.ops(rows, points),
            component_names=tuple("abcdef"[: len(calls)]),
            group_names=tuple(f"group {i}" for i in range(len(groups))),
            group_component=np.array([g.component for g in groups], dtype=int),
            group_is_state=np.array([g.is_state for g in groups], dtype=bool),
            group_bytes=stacked([g.stored for g in groups]),
            group_traffic_bytes=stacked([g.stored if g.read is None else g.read for g in groups]),
            invocations_per_chunk=stacked(calls),
            chunk_s=np.asarray(chunk_s, float),
            right_context_s=np.broadcast_to(np.asarray(right_context_s, float), (points,)),
        )

    @staticmethod
    def unit(**changes):
        """One core at 1 GHz that does a MAC of 1 x 1 x 1 per cycle, overlaps everything and costs nothing."""
        neutral = {
            "name": "unit", "weight_stationary": False, "cores_count": 1.0, "clock_hz": 1.0e9,
            "unroll_m_count": 1.0, "unroll_k_count": 1.0, "unroll_n_count": 1.0, "register_rows_count": 1.0e9,
            "weight_load_rows_per_cycle": 1.0, "weight_load_hidden_ratio": 1.0, "efficiency_ratio": 1.0,
            "energy_pj_per_mac": 0.0,
            "vector_per_cycle": (1.0, 1.0, 1.0, 1.0), "vector_pj": (0.0, 0.0, 0.0, 0.0),
            "static_mw": 0.0, "idle_mw": 0.0, "dispatch_s": 0.0, "overlap_ratio": 1.0,
        }  # fmt: skip
        made = {**neutral, **changes}
        shape = made["unroll_m_count"] * made["unroll_k_count"] * made["unroll_n_count"]
        return UnitParams(**{"macs_per_cycle": shape, **made})

    @staticmethod
    def level(name="sram", **changes):
        """A scratchpad that keeps data, of 1e12 B/s, and costs nothing."""
        neutral = {
            "is_cache": False, "on_chip": True, "keeps_data": True, "writable": True, "core_clock": False,
            "capacity_bytes": 1.0e6, "usable_ratio": 1.0, "bandwidth_bytes_per_s": 1.0e12,
            "bandwidth_efficiency_ratio": 1.0, "read_pj_per_byte": 0.0, "write_pj_per_byte": 0.0, "static_mw": 0.0,
            "retention_mw": 0.0, "background_active_mw": 0.0, "background_idle_mw": 0.0,
        }  # fmt: skip
        return LevelParams(name=name, **{**neutral, **changes})

    @classmethod
    def dram(cls, **changes):
        """An off-chip level of 1e12 bytes."""
        return cls.level(**{"name": "dram", "on_chip": False, "capacity_bytes": 1.0e12, **changes})

    @staticmethod
    def system(**changes):
        """The rest of a chip that costs nothing."""
        neutral = {"idle_mw": 0.0, "busy_mw": 0.0, "wake_uj": 0.0, "wake_s": 0.0, "runtime_bytes": 0.0}
        return SystemParams(**{**neutral, **changes})

    @staticmethod
    def point(frequency_hz=1.0e9, voltage_v=0.8, static_mw=float("nan")):
        """An operating point; static power follows the voltage unless given."""
        return PointParams(frequency_hz, voltage_v, static_mw)

    @classmethod
    def hardware(cls, units=None, levels=None, system=None, points=None, reference=0):
        """A chip; operating points are named p0, p1, ..."""
        points = tuple(points or (cls.point(),))
        return Hardware(
            units=tuple(units or (cls.unit(),)),
            levels=tuple(levels or (cls.level(), cls.dram())),
            system=system or cls.system(),
            points=points,
            point_names=tuple(f"p{i}" for i in range(len(points))),
            reference=reference,
        )

    @staticmethod
    def bands(hardware):
        """The same numbers at nominal, low and high."""
        return Bands(hardware, hardware, hardware)


@pytest.fixture(scope="session")
def make():
    """Hand-made records."""
    return Maker
