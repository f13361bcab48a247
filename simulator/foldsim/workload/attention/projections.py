"""Ops shared by attention kinds: query, key/value and output projections, and softmax over the scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from foldsim.model.records import Number
from foldsim.workload.attention.base import Block
from foldsim.workload.ops import Matrix, Op, softmax_work


def query(block: Block, rows: Number | None = None) -> Op:
    """Project ``rows`` queries, by default all rows of the block."""
    m = block.tokens if rows is None else rows
    made = m * block.inner
    return Op(
        "query",
        matrix=Matrix(m, block.width, block.inner),
        biases=block.inner * block.query_bias,
        multiply_add=made * block.query_bias,
        live=2 * block.elements + made,
        tensor_class="attention",
    )


def key_value(block: Block, rows: Number | None = None, cached_rows: Number = 0.0, keeps: Number = 0.0) -> Op:
    """Project keys and values of ``rows`` tokens.

    ``cached_rows`` earlier ones are cached as specified by the layer; ``keeps`` of the new ones enter the cache.
    """
    m = block.tokens if rows is None else rows
    recomputed = np.asarray(cached_rows, dtype=np.float64) if block.cache == "layer_input" else 0.0
    fresh = m + recomputed
    kept = block.width if block.cache == "layer_input" else 2.0 * block.inner
    made = fresh * block.inner
    biases = float(block.key_bias + block.value_bias)
    state = np.asarray(cached_rows * kept)
    return Op(
        "key_value",
        matrix=Matrix(fresh, block.width, 2.0 * block.inner, first_state_ratio=recomputed / fresh),
        biases=block.inner * biases,
        multiply_add=made * biases,
        state=state,
        state_write=np.minimum(keeps * kept, state),
        live=2 * block.elements + block.tokens * block.inner + 2 * made,
        tensor_class="attention",
    )


def output(block: Block, rows: Number | None = None) -> Op:
    """Project the heads' outputs back to the width of the tokens."""
    m = block.tokens if rows is None else rows
    return Op(
        "out",
        matrix=Matrix(m, block.inner, block.width),
        biases=block.width * block.output_bias,
        multiply_add=m * block.width * block.output_bias,
        live=block.elements + m * (block.inner + block.width),
        tensor_class="attention",
    )


def attend(
    rows: Number, head: float, keys: Number, products: Number, held: Number, state_ratio: Number = 0.0, prefix: str = ""
) -> Iterator[Op]:
    """Scores, softmax and context of ``products`` heads with ``rows`` queries each."""
    scores = products * rows * keys
    yield Op(
        f"{prefix}scores",
        matrix=Matrix(rows, head, keys, products, second="activations", state_ratio=state_ratio),
        live=held + scores,
    )
    yield Op(
        f"{prefix}softmax", inputs=scores, outputs=scores, live=held + scores, **softmax_work(products * rows, keys)
    )
    yield Op(
        f"{prefix}context",
        matrix=Matrix(rows, keys, head, products, second="activations", state_ratio=state_ratio),
        live=held + scores,
    )
