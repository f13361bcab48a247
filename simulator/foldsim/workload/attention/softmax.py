"""Softmax attention over chunk, cached left context and memory bank, folded or not.

Closed forms: Vaswani et al., arXiv 1706.03762; relative positions: Dai et al., arXiv 1901.02860; folding: arXiv
2309.07988 (a token of width D is N sub-tokens of D/N that go through one shared attention of width D/N). Relative
positions have a table of ``position_rows`` rows that is projected once per chunk, or whose projection is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from foldsim.model.records import Number
from foldsim.workload.attention.base import Attention, Block
from foldsim.workload.ops import Context, Matrix, Op, softmax_work, together

ROTARY_MULTIPLY_ADDS = 2.0  # per element: a rotation takes two products and a sum for each of two elements
Size = Annotated[int, Field(ge=1, le=1_000_000)]
ATTENTION: Literal["attention"] = "attention"


class SoftmaxAttention(Attention):
    """Multi-head softmax attention."""

    uses_positions: ClassVar[bool] = True
    foldable: ClassVar[bool] = True

    kind: Literal["softmax"] = Field(description="Multi-head softmax attention.")
    suppression: bool = Field(
        default=False, description="A second softmax after suppression of weak scores (augmented-memory transformer)."
    )

    partition: Literal["column_tiles", "heads", "lean"] = Field(
        default="column_tiles",
        description="Assignment of scores and context to cores. column_tiles: evenly, in tiles of the array. heads:"
        " whole heads. lean: tiles of keys of all heads, evenly, partial results merged (stream-K; LeanAttention).",
    )
    tile_queries: Size = Field(default=64, description="lean: queries of a tile (64 in ONNX Runtime).")
    tile_keys: Size = Field(
        default=256, description="lean: keys of a tile (256 in ONNX Runtime for heads of 64 or narrower)."
    )

    def lower(self, block: Block, context: Context) -> Iterator[Op]:
        d, x, inner = block.width, block.elements, block.inner
        factor = np.asarray(context.fold_factor, dtype=np.float64)
        heads = block.heads / factor if context.fold_keeps_head_dim else block.heads
        folded, attended = d / factor, inner / factor  # widths of a sub-token outside and inside the heads
        head_dim = attended / heads
        memory = np.asarray(block.memory_tokens, dtype=np.float64)
        summary = np.where(memory > 0, 1.0, 0.0)  # one summary of the chunk if there is a memory bank
        summary_queries = summary if block.memory == "query" else 0.0 * summary  # the summary query
        cached = np.asarray(block.cached_tokens, dtype=np.float64)
        recomputed = cached if block.cache == "layer_input" else 0.0  # cached tokens whose keys are projected again
        queries = block.tokens + summary_queries
        fresh = memory + block.tokens + recomputed  # tokens whose keys and values are projected in this chunk
        keys = memory + block.tokens + cached
        old = memory + recomputed  # of the fresh ones, those from state
        yield Op(
            "query",
            matrix=Matrix(queries * factor, folded, attended),
            biases=attended if block.query_bias else 0.0,
            # Bias and scale; the summary (or its query) is the mean of the chunk.
            multiply_add=(1.0 + block.query_bias) * queries * inner
            + summary * block.chunk_tokens * d
            + self._rotary(block, queries * inner),
            live=2 * x + queries * inner,
            tensor_class=ATTENTION,
            moved=queries * d,  # right context, chunk and summary concatenated
        )
        kept = d if block.cache == "layer_input" else 2.0 * inner  # elements per cached token
        stored = cached * kept
        yield Op(
            "key_value",
            matrix=Matrix(fresh * factor, folded, 2 * attended, first_state_ratio=old / fresh),
            biases=attended * (block.key_bias + block.value_bias),
            multiply_add=fresh * inner * (block.key_bias + block.value_bias) + self._rotary(block, fresh * inner),
            state=stored + memory * d,
            state_write=np.minimum(block.chunk_tokens * kept, stored) + summary * d,
            live=2 * x + queries * inner + 2 * fresh * inner,
            tensor_class=ATTENTION,
            # Concatenations: memory, right context and chunk; cached and fresh keys and values; the new cache and
            # memory.
            moved=(fresh + summary * (memory + 1.0)) * d
            + 2.0 * keys * inner
            + np.where(cached > 0, (cached + block.chunk_tokens) * kept, 0.0),
        )
        held = x + queries * inner + 2 * fresh * inner  # residual, queries, fresh keys and values
        score_rows, score_columns = queries * factor, keys * factor
        scores = heads * score_rows * score_columns
        from_cache = (cached - recomputed) / keys
        position_scores: Number = 0.0
        if block.positions in ("relative", "relative_kept"):
            position_scores = heads * score_rows * block.position_rows * factor
            yield from _positions(block, factor, heads, score_rows, held)
        shares = self._shares(heads, score_rows, score_columns)
        product = partial(Matrix, batch=heads, second="activations", state_ratio=from_cache, shares=shares)
        yield Op(
            "scores",
            matrix=product(score_rows, head_dim, score_columns),
            multiply_add=np.where(np.asarray(position_scores) > 0, scores, 0.0),
            live=held + scores + position_scores,
        )
        passes = 2.0 if self.suppression else 1.0
        yield Op(
            "softmax",
            inputs=passes * scores,
            outputs=passes * scores,
            live=held + scores,
            **together(softmax_work(heads * score_rows, score_columns), times=passes),
        )
        yield Op("context", matrix=product(score_rows, score_columns, head_dim), live=held + scores)
        if self.partition == "lean":
            # Upper bound: one partial result per tile, with its maximum and its sum of exponentials.
            rows = shares * np.minimum(score_rows, self.tile_queries)
            merged = rows * (head_dim + 2.0)
            yield Op("merge", inputs=merged, outputs=merged, exp=2.0 * rows, multiply_add=merged, live=held + merged)
        yield Op(
            "out",
            matrix=Matrix(queries * factor, attended, folded),
            biases=folded if block.output_bias else 0.0,
            multiply_add=queries * d * block.output_bias,
            exp=summary_queries * d,  # the summary's output passes a tanh into the memory bank
            live=x + queries * (inner + d),
            tensor_class=ATTENTION,
            moved=np.where(np.asarray(heads) > 1, queries * inner, 0.0),  # heads concatenated
        )

    def _shares(self, heads: Number, queries: Number, keys: Number) -> Number:
        """Equal parts of the scores assigned to cores; 0: column tiles of the array."""
        if self.partition == "column_tiles":
            return 0.0
        if self.partition == "heads":
            return heads
        return heads * np.ceil(queries / self.tile_queries) * np.ceil(keys / self.tile_keys)

    @staticmethod
    def _rotary(block: Block, elements: Number) -> Number:
        return ROTARY_MULTIPLY_ADDS * elements if block.positions == "rotary" else 0.0


def _positions(block: Block, factor: Number, heads: Number, score_rows: Number, held: Number) -> Iterator[Op]:
    """Project the table of relative positions (or read the kept projection), and score every query against it."""
    folded, attended = block.width / factor, block.inner / factor
    rows = block.position_rows * factor
    table = rows * attended
    kept = block.positions == "relative_kept"
    biases = 2.0 * attended  # content and position bias of Transformer-XL, u and v
    if kept:
        yield Op(
            "position_biases",
            biases=biases,
            table=folded * attended,  # a parameter of the model that is never used
            state=table,
            multiply_add=2.0 * score_rows * attended,
            live=held,
            tensor_class=ATTENTION,
        )
    else:
        yield Op(
            "position_key",
            matrix=Matrix(rows, folded, attended),
            biases=biases,
            multiply_add=2.0 * score_rows * attended,
            live=held + 2.0 * table,
            tensor_class=ATTENTION,
        )
    scores = heads * score_rows * rows
    yield Op(
        "position_scores",
        matrix=Matrix(
            score_rows, attended / heads, rows, heads, second="activations", state_ratio=1.0 if kept else 0.0
        ),
        live=held + scores + (0.0 if kept else table),
    )
