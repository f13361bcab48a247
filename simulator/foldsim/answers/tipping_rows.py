"""Result rows of tipping points: one row per crossing, or one row without a crossing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foldsim.answers.tipping import CHUNK_LIMIT_MS, CURVES, Pair, Tipping, compare, over_chunk, over_left_context
from foldsim.designs.design import own_chunk_ms
from foldsim.sweeps.columns import columns

LEFT_CONTEXT, CHUNK = "left_context", "chunk"  # what a search moves


@dataclass(frozen=True)
class Question:
    """A pair of designs with the words for them, and what to look at."""

    pair: Pair
    variant: str
    against: str
    metrics: Sequence[str]
    chunk_ms: Sequence[float]
    keys_limit_tokens: int

    @property
    def chunk_limit_ms(self) -> float:
        """Largest chunk that is searched."""
        return max(CHUNK_LIMIT_MS, own_chunk_ms(self.pair.design.spec), *self.chunk_ms)


def tipping_columns(questions: Sequence[Question]) -> dict[str, np.ndarray]:
    """Columns of :mod:`foldsim.sweeps.columns`, one entry per row, in the order of the dictionary."""
    rows = [row for question in questions for row in _rows(question)]
    return {name: _array([row[name] for row in rows]) for name in columns() if name in rows[0]}


def _array(values: list[Any]) -> np.ndarray:
    return np.array(values, dtype=object if isinstance(values[0], str) else None)


def _rows(question: Question) -> list[dict[str, Any]]:
    """Rows of one pair: by chunk size and metric over the left context, then by metric over the chunk."""
    pair = question.pair
    chunks = np.asarray(question.chunk_ms, dtype=np.float64)
    own = compare(pair, chunks, np.full(chunks.shape, pair.left_ms)).excess_ratio
    lines = over_left_context(pair, question.chunk_ms, question.keys_limit_tokens)
    rows = [
        {**row, "saving_ratio": -float(own[CURVES.index(metric), c])}
        for c, line in enumerate(lines)
        for metric in question.metrics
        for row in _crossings(question, LEFT_CONTEXT, metric, line)
    ]
    line = over_chunk(pair, question.chunk_limit_ms)
    at = np.argmin(np.abs(line[0].chunk_ms - own_chunk_ms(pair.design.spec)))
    return rows + [
        {**row, "saving_ratio": -float(line[0].seen.excess_ratio[CURVES.index(metric), at])}
        for metric in question.metrics
        for row in _crossings(question, CHUNK, metric, line)
    ]


def _crossings(question: Question, over: str, metric: str, line: Sequence[Tipping]) -> list[dict[str, Any]]:
    """Rows of one metric along one line of points."""
    pair, spec = question.pair, question.pair.design.spec
    tipping = line[CURVES.index(metric)]
    keys = pair.keys_tokens(tipping.chunk_ms, tipping.left_ms).astype(np.int64)
    last = len(keys) - 1
    found: list[tuple[str, int | None]] = list(tipping.crossings)
    if not found:
        found = [(tipping.verdict, last if tipping.verdict == "always" else None)]
    band = _band(line, keys) if metric == "energy" else None
    rows = []
    for number, (verdict, at) in enumerate(found):
        mine = int(keys[at]) if at is not None else 0
        point = at if at is not None else 0
        low, high = band if band and not number else (mine, mine)
        own = pair.keys_tokens(tipping.chunk_ms[point], np.asarray(pair.left_ms))
        rows.append(
            {
                "workload": spec.name,
                "variant": question.variant,
                "against": question.against,
                "profile": pair.design.profile.name,
                "policy": pair.design.policy,
                "placement": pair.design.placement,
                "metric": metric,
                "over": over,
                "chunk_ms": float(tipping.chunk_ms[point]),
                "chunk_tokens": round(float(tipping.chunk_ms[point]) / spec.token_ms),
                "left_context_tokens": round(float(tipping.left_ms[point]) / spec.token_ms),
                "right_context_tokens": spec.streaming.right_context_tokens,
                "verdict": verdict,
                "crossings_count": len(tipping.crossings),
                "keys_tokens": mine,
                "keys_low_tokens": low,
                "keys_high_tokens": high,
                "keys_limit_tokens": int(keys[-1]),
                "own_keys_tokens": int(own),
                "realtime": bool(tipping.seen.realtime[point]),
                "fits": bool(tipping.seen.fits[point]),
            }
        )
    return rows


def _band(line: Sequence[Tipping], keys: np.ndarray) -> tuple[int, int] | None:
    """Least and most keys of the first crossing that the ranges of the profile's energy coefficients allow.

    0 keys: it does not pay even with the fewest. None: there is no crossing whatever the coefficients.
    """
    nominal, worst, best = (line[CURVES.index(name)] for name in ("energy", "energy_worst", "energy_best"))
    if not any(len(t.crossings) for t in (nominal, worst, best)) and worst.pays_first == best.pays_first:
        return None
    if nominal.pays_first or (best.pays_first and not len(nominal.starts)):
        low, high = (_up_to(t, keys) for t in (worst, best))
    else:
        low, high = (_from(t, keys) for t in (best, worst))
    return low, high


def _up_to(tipping: Tipping, keys: np.ndarray) -> int:
    """Most keys up to which it pays, from the fewest on."""
    if not tipping.pays_first:
        return 0
    return int(keys[tipping.stops[0]] if len(tipping.stops) else keys[-1])


def _from(tipping: Tipping, keys: np.ndarray) -> int:
    """Fewest keys at which it pays."""
    if tipping.pays_first:
        return int(keys[0])
    return int(keys[tipping.starts[0]] if len(tipping.starts) else keys[-1])
