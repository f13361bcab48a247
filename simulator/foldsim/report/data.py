"""Rows of a sweep as compact plain data for the page, and the columns a person picks a design by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from foldsim.report.errors import ReportError
from foldsim.sweeps.columns import columns
from foldsim.sweeps.commands import command_of
from foldsim.sweeps.results import Results

SIGNIFICANT_DIGITS = 7
MAX_ROWS = 100_000

# Columns that always identify a design, and those added, in this order, if several rows remain.
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
    """Raise :class:`ReportError` if a page cannot be made of these rows."""
    if {"component", "op"} & set(results.columns):
        raise ReportError(
            "the report needs one row per design, and these are the rows of --by; make them with: "
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
            f"{len(results):,} rows; a page holds at most {MAX_ROWS:,}: sweep fewer values, or report some of them"
        )


def design_axes(results: Results) -> list[str]:
    """Columns that together tell every design apart: what the page lets a person pick.

    Raises
    ------
    ReportError
        If two rows stand for one design.
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
        told = ", ".join(f"{name} {results[name][row]}" for name in axes)
        raise ReportError(f"{int(counts.max())} rows stand for one design ({told}); report the rows of one sweep")
    return axes


def _codes(results: Results, name: str) -> tuple[np.ndarray, list[Any]]:
    """Each row's index into the distinct values of a column, in order of appearance, and those values."""
    found: dict[Any, int] = {}
    codes = np.array([found.setdefault(_key(v), len(found)) for v in results[name].tolist()], dtype=np.int64)
    return codes, list(found)


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
    """Column-wise rows: text as codes into a list, numbers with :data:`SIGNIFICANT_DIGITS`, what is not finite null."""
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
    """A number as the page holds it; whole numbers stay as they are."""
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        return None
    if value.is_integer() and abs(value) < 2**53:
        return int(value)
    short = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def decode(data: dict[str, Any]) -> dict[str, list[Any]]:
    """Plain values of :func:`encode`'s columns, as the page's script reads them."""
    plain: dict[str, list[Any]] = {}
    for name, column in data["columns"].items():
        if column["kind"] == "text":
            plain[name] = [column["texts"][code] for code in column["codes"]]
        elif column["kind"] == "flag":
            plain[name] = [bool(v) for v in column["values"]]
        else:
            plain[name] = column["values"]
    return plain


def dictionary(results: Results) -> list[dict[str, str]]:
    """Name, unit, label, group and meaning of every column of the rows."""
    known = columns()
    return [
        {
            "name": name,
            "unit": known[name].unit if name in known else "",
            "label": known[name].label if name in known else name,
            "group": known[name].group if name in known else "set",
            "meaning": known[name].meaning if name in known else "Value given with --set.",
        }
        for name in results.columns
    ]
