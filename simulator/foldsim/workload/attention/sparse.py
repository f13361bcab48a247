"""Softmax attention over part of the keys: a sliding window, or patches of a serialised order.

Sliding window: Longformer (arXiv 2004.05150) as in L-HuBERT (arXiv 2306.08667). Patches: Point Transformer V3, arXiv
2312.10035.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from foldsim.model.records import FloatArray, Number
from foldsim.workload.attention.base import Attention, Block
from foldsim.workload.attention.projections import attend, key_value, output, query
from foldsim.workload.ops import Context, Matrix, Op, softmax_work

Size = Annotated[int, Field(ge=1, le=1_000_000)]


class LocalAttention(Attention):
    """Every token attends to ``window_tokens`` to either side."""

    kind: Literal["local"] = Field(description="Sliding-window attention (Longformer, L-HuBERT).")
    window_tokens: Size = Field(description="Tokens of the window to each side.")
    kernel: Literal["ideal", "chunked"] = Field(
        default="ideal",
        description="ideal: the band only. chunked: blocks of twice the window, as the Longformer code computes it.",
    )
    padded: bool = Field(
        default=True, description="chunked: over a multiple of two windows, as in the code; false is its closed form."
    )
    global_projections: bool = Field(
        default=False, description="Query, key and value projections of global tokens: stored, not run (Longformer)."
    )

    def lower(self, block: Block, context: Context) -> Iterator[Op]:
        w, heads = float(self.window_tokens), block.heads
        head = block.inner / heads
        if self.kernel == "chunked":
            if self.padded:
                block = replace(block, tokens=np.ceil(block.tokens / (2.0 * w)) * 2.0 * w)
            cached: FloatArray = np.zeros(1)
        else:
            cached = np.minimum(np.asarray(block.cached_tokens, dtype=np.float64), w)
        tokens = np.asarray(block.tokens, dtype=np.float64)
        yield query(block)
        yield key_value(block, cached_rows=cached, keeps=block.chunk_tokens)
        if self.global_projections:
            unused = 3.0 * block.width * block.inner + 3.0 * block.inner
            yield Op("global_projections", table=unused, tensor_class="attention")
        held = block.elements + 3.0 * tokens * block.inner
        if self.kernel == "chunked":
            spans = tokens / w
            row: Number = 2.0 * w + 1.0
            scores: Number = heads * tokens * row
            first = Matrix(2.0 * w, head, 2.0 * w, heads * np.maximum(spans - 1.0, 0.0), second="activations")
            second = Matrix(w, 3.0 * w, head, heads * spans, second="activations")
        else:
            pairs = _pairs(tokens, cached, w)
            row = pairs / tokens
            scores = heads * pairs
            ratio = cached / (cached + tokens)
            first = Matrix(tokens, head, row, heads, second="activations", state_ratio=ratio)
            second = Matrix(tokens, row, head, heads, second="activations", state_ratio=ratio)
        yield Op("scores", matrix=first, live=held + scores)
        yield Op("softmax", inputs=scores, outputs=scores, live=held + scores, **softmax_work(heads * tokens, row))
        yield Op("context", matrix=second, live=held + scores)
        yield output(block)


def _pairs(tokens: Number, cached: Number, window: float) -> Number:
    """Query-key pairs of a band: each token attends to itself and up to ``window`` earlier and later ones."""
    return tokens + _reach(tokens, 0.0, window) + _reach(tokens, cached, window)


def _reach(tokens: Number, start: Number, window: float) -> Number:
    """``sum over i < tokens of min(start + i, window)``."""
    below = np.clip(window - start, 0.0, tokens)  # tokens whose window is not full
    return below * start + below * (below - 1.0) / 2.0 + (tokens - below) * window


class SerializedAttention(Attention):
    """Attention inside patches of consecutive tokens of a serialised order."""

    kind: Literal["serialized"] = Field(description="Patch attention over a serialised order (Point Transformer V3).")
    patch_tokens: Size = Field(default=1024, description="Tokens of a patch K.")
    neighbour_taps: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0, description="Taps of the convolution that encodes position (27 in three dimensions; 0 is none)."
    )
    occupied_taps: Annotated[float, Field(ge=0, le=1000)] = Field(
        default=1.0, description="Mean number of taps with a neighbour, which the sparse convolution computes."
    )

    def lower(self, block: Block, context: Context) -> Iterator[Op]:
        n, heads, d = np.asarray(block.tokens, dtype=np.float64), block.heads, block.width
        patch = np.minimum(float(self.patch_tokens), n)
        padded = np.ceil(n / patch) * patch
        x = block.elements
        if self.neighbour_taps:
            yield Op(
                "position_convolution",
                matrix=Matrix(n, self.occupied_taps * d, d),
                biases=d + (self.neighbour_taps - self.occupied_taps) * d * d,  # taps without a neighbour: stored
                live=2.0 * x,
                tensor_class="convolution",
            )
            yield Op("position_linear", matrix=Matrix(n, d, d), biases=d, live=2.0 * x, tensor_class="convolution")
            yield Op("position_norm", inputs=x, outputs=x, biases=2.0 * d, live=2.0 * x, tensor_class="norm")
        yield query(block)
        yield key_value(block)
        gathered = 3.0 * padded * block.inner + n * block.inner
        yield Op("gather", inputs=gathered, outputs=gathered, live=x + gathered)
        held = x + 3.0 * padded * block.inner
        yield from attend(patch, block.inner / heads, patch, heads * padded / patch, held)
        yield output(block)
