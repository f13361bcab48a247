"""Selection of folded layers, and policies of folding. The arithmetic is in the layer kinds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

FoldScope = Literal["attention", "attention+feedforward"]
FoldHeads = Literal["keep_head_dim", "keep_heads"]


def layer_numbers(layers: str | Sequence[int], count: int) -> list[int]:
    """Layer numbers (from 1) of a selection out of ``count``.

    A selection is ``all``, ``every:K`` (1, 1 + K, ...), or a comma-separated list of numbers and ranges ``a-b``.

    Raises
    ------
    ValueError
        If the selection cannot be read, is empty, or names a layer that does not exist.

    >>> layer_numbers("1-3,7", 8), layer_numbers("every:3", 8)
    ([1, 2, 3, 7], [1, 4, 7])
    """
    if not isinstance(layers, str):
        numbers = list(layers)
    elif layers.strip() == "all":
        numbers = list(range(1, count + 1))
    elif every := re.fullmatch(r"\s*every:(\d{1,6})\s*", layers):
        step = int(every[1])
        if step < 1:
            raise ValueError("K of every:K must be at least 1")
        numbers = list(range(1, count + 1, step))
    else:
        numbers = []
        for part in layers.split(","):
            match = re.fullmatch(r"\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*", part)
            if not match:
                raise ValueError(f"cannot read {layers!r} as a selection of layers")
            first, last = int(match[1]), int(match[2] or match[1])
            if last < first:
                raise ValueError(f"the range {part.strip()} is descending")
            numbers += range(first, min(last, count + 1) + 1)
    if not numbers:
        raise ValueError("the selection of layers is empty")
    missing = sorted({n for n in numbers if not 1 <= n <= count})
    if missing:
        raise ValueError(f"layer {missing[0]} not found: the workload has foldable layers 1 to {count}")
    return sorted(set(numbers))


def describe_layers(layers: str | Sequence[int]) -> str:
    """The selection as text, for results."""
    return layers.strip() if isinstance(layers, str) else ",".join(map(str, layers))
