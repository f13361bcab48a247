"""Rows of a sweep as compact data for the page, and the columns that identify a design."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from foldsim.report.errors import ReportError
from foldsim.sweeps.columns import Column, columns
from foldsim.sweeps.commands import command_of
from foldsim.sweeps.results import Results

SIGNIFICANT_DIGITS = 7
MAX_ROWS = 100_000

# Columns that always identify a design, and those added in this order if they are not sufficient.
AXES = ("workload", "profile", "chunk_ms", "fold_factor")
_MORE_AXES = (
    *("policy", "operating_point", "placement", "compression", "weight_bits"),
    *("left_context_tokens", "right_context_tokens", "fold_scope", "fold_layers", "fold_heads"),
)
NEEDED = (
    *AXES,
    *("power_mw", "power_low_mw", "power_high_mw"),
    *("power_compute_mw", "power_onchip_mw", "power_dram_mw", "power_static_mw"),
    *("power_saving_ratio", "power_saving_low_ratio", "power_saving_high_ratio", "memory_saving_ratio"),
    *("weights_bytes", "state_bytes", "activation_peak_bytes", "memory_bytes", "onchip_bytes"),
    *("latency_ms", "user_perceived_latency_ms", "rtf", "realtime", "fits", "bottleneck"),
)


def check_rows(results: Results) -> None:
    """Raise :class:`ReportError` if the rows cannot be reported."""
    if {"component", "op"} & set(results.columns):
        raise ReportError(
            "the report needs one row per design, but these are rows of --by; make them with: "
            + command_of(results, by="")
        )
    missing = [name for name in NEEDED if name not in results.columns]
    if missing:
        raise ReportError(
            f"the report needs columns that these rows lack: {', '.join(missing)}; make them with: "
            + command_of(results, by="")
        )
    if not len(results):
        raise ReportError("there are no rows to report")
    if len(results) > MAX_ROWS:
        raise ReportError(
            f"{len(results):,} rows; a report contains at most {MAX_ROWS:,}: sweep fewer values or report a part"
        )


def design_axes(results: Results) -> list[str]:
    """Columns that together identify every design: the controls of the page.

    Raises
    ------
    ReportError
        If two rows describe one design.
    """
    known = columns()
    axes = list(AXES[:2])
    axes += [name for name in results.columns if name not in known and len(_codes(results, name)[1]) > 1]
    axes += AXES[2:]
    key = _combined([_codes(results, name)[0] for name in axes])
    for name in _MORE_AXES:
        if name in results.columns and _distinct(key) < len(results):
            finer = _combined([key, _codes(results, name)[0]])
            if _distinct(finer) > _distinct(key):
                axes.append(name)
                key = finer
    if _distinct(key) < len(results):
        order, counts = np.unique(key, return_index=True, return_counts=True)[1:]
        row = int(order[np.argmax(counts)])
        values = ", ".join(f"{name} {results[name][row]}" for name in axes)
        raise ReportError(f"{int(counts.max())} rows describe one design ({values}); report the rows of one sweep")
    return axes


def _codes(results: Results, name: str) -> tuple[np.ndarray, list[Any]]:
    """Per row, the index of its value among the distinct values of a column, in order of appearance; these values."""
    index: dict[Any, int] = {}
    codes = np.array([index.setdefault(_key(v), len(index)) for v in results[name].tolist()], dtype=np.int64)
    return codes, list(index)


def _key(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _combined(codes: list[np.ndarray]) -> np.ndarray:
    key = codes[0]
    for more in codes[1:]:
        pair = key * (int(more.max()) + 1) + more
        key = np.unique(pair, return_inverse=True)[1].reshape(-1)
    return key


def _distinct(key: np.ndarray) -> int:
    return len(np.unique(key))


def encode(results: Results) -> dict[str, Any]:
    """Rows by column: text as codes into a list, numbers with :data:`SIGNIFICANT_DIGITS`, null if not finite."""
    return {"count": len(results), "columns": {name: _encode(results, name) for name in results.columns}}


def _encode(results: Results, name: str) -> dict[str, Any]:
    values = results[name]
    if values.dtype.kind == "b":
        return {"kind": "flag", "values": [int(v) for v in values.tolist()]}
    if values.dtype.kind in "iuf":
        return {"kind": "number", "values": [rounded(v) for v in values.tolist()]}
    codes, texts = _codes(results, name)
    if all(isinstance(text, (int, float)) and not isinstance(text, bool) for text in texts):
        return {"kind": "number", "values": [rounded(v) for v in values.tolist()]}
    return {"kind": "text", "texts": [str(text) for text in texts], "codes": codes.tolist()}


def rounded(value: float) -> float | int | None:
    """A number as in the page; integers are not rounded."""
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        return None
    if value.is_integer() and abs(value) < 2**53:
        return int(value)
    short = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def dictionary(results: Results) -> list[dict[str, str]]:
    """Name, unit, label, group and meaning of every column of the rows."""
    entries = []
    for name in results.columns:
        column = columns().get(name) or Column(name, "set", "", name, False, "", "Value given with --set.")
        entries.append({key: getattr(column, key) for key in ("name", "unit", "label", "group", "meaning")})
    return entries
