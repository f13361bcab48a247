"""Counts of softmax attention, op by op, at one small shape; every value is computed by hand.

Width 8, two heads of 4, three tokens of which two are the chunk, four cached tokens: seven keys, 2 x 3 x 7 = 42 scores.
Costs per element: bias and scale a multiply-add each, rotation two; softmax an exponential, a comparison and three
multiply-adds, and a division per row.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foldsim.workload.attention import Block, SoftmaxAttention
from foldsim.workload.ops import Context

BLOCK = Block(width=8.0, heads=2.0, tokens=3.0, chunk_tokens=2.0, cached_tokens=4.0)
CONTEXT = Context(2.0, 4.0, 1.0, 0.0, 4.0)

# case: changes of the block, of the attention, of the context, and the counts of ops
PLAIN = {
    "query": {"multiply_add": 48, "live": 72, "moved": 24, "biases": 8},
    "key_value": {"multiply_add": 48, "state": 64, "state_write": 32, "live": 120, "moved": 232, "biases": 16},
    "scores": {"multiply_add": 0, "live": 138},
    "softmax": {
        "exp": 42, "compare": 42, "multiply_add": 126, "divide": 6, "inputs": 42, "outputs": 42, "live": 138,
    },
    "context": {"live": 138},
    "out": {"multiply_add": 24, "exp": 0, "live": 72, "moved": 24, "biases": 8},
}  # fmt: skip
CASES = {
    "plain": ({}, {}, {}, PLAIN),
    "without biases": (
        {"query_bias": False, "key_bias": False, "value_bias": False, "output_bias": False},
        {},
        {},
        {
            "query": {"multiply_add": 24, "biases": 0},
            "key_value": {"multiply_add": 0, "biases": 0},
            "out": {"multiply_add": 0, "biases": 0},
        },
    ),
    "nothing cached": (
        {"cached_tokens": 0.0},
        {},
        {},
        {"key_value": {"state": 0, "state_write": 0, "moved": 72}, "softmax": {"exp": 18, "divide": 6}},
    ),
    "a chunk longer than the cache": (
        {"tokens": 6.0, "chunk_tokens": 6.0},
        {},
        {},
        {"key_value": {"state": 64, "state_write": 64, "moved": 48 + 160 + 160}},
    ),
    "layer input cached": (
        {"cache": "layer_input"},
        {},
        {},
        {
            "key_value": {"multiply_add": 112, "state": 32, "state_write": 16, "live": 184, "moved": 216},
            "scores": {"live": 202},
        },
    ),
    "memory bank": (
        {"memory_tokens": 5.0},
        {},
        {},
        {
            "query": {"multiply_add": 80, "live": 80, "moved": 32},
            "key_value": {"multiply_add": 128, "state": 104, "state_write": 40, "live": 208, "moved": 400},
            "softmax": {"exp": 96, "divide": 8},
            "out": {"multiply_add": 32, "exp": 8, "live": 88, "moved": 32},
        },
    ),
    "memory of means": (
        {"memory_tokens": 5.0, "memory": "mean"},
        {},
        {},
        {
            "query": {"multiply_add": 64, "live": 72, "moved": 24},
            "key_value": {"multiply_add": 128, "state": 104, "state_write": 40, "moved": 400},
            "out": {"multiply_add": 24, "exp": 0, "live": 72},
        },
    ),
    "rotary positions": (
        {"positions": "rotary"},
        {},
        {},
        {"query": {"multiply_add": 96}, "key_value": {"multiply_add": 96}, "scores": {"multiply_add": 0}},
    ),
    "relative positions": (
        {"positions": "relative"},
        {},
        {},
        {
            "position_key": {"biases": 16, "multiply_add": 48, "live": 304, "state": 0},
            "position_scores": {"live": 278},
            "scores": {"multiply_add": 42, "live": 216},
        },
    ),
    "relative positions kept": (
        {"positions": "relative_kept"},
        {},
        {},
        {
            "position_biases": {"biases": 16, "table": 64, "state": 104, "multiply_add": 48, "live": 96},
            "position_scores": {"live": 174},
            "scores": {"multiply_add": 42, "live": 216},
        },
    ),
    "second softmax": (
        {},
        {"suppression": True},
        {},
        {"softmax": {"exp": 84, "compare": 84, "multiply_add": 252, "divide": 12, "inputs": 84, "outputs": 84}},
    ),
    "merged tiles": (
        {},
        {"partition": "lean", "tile_queries": 2, "tile_keys": 3},
        {},
        {"merge": {"inputs": 144, "outputs": 144, "exp": 48, "multiply_add": 144, "live": 240}},
    ),
    "folded, head dimension kept": (
        {},
        {},
        {"fold_factor": 2.0},
        {
            "query": {"biases": 4, "multiply_add": 48},
            "softmax": {"exp": 84, "divide": 6, "multiply_add": 252},
            "out": {"biases": 4, "moved": 0},  # a single head
        },
    ),
    "folded, heads kept": (
        {},
        {},
        {"fold_factor": 2.0, "fold_keeps_head_dim": False},
        {"softmax": {"exp": 168, "divide": 12, "multiply_add": 504}, "out": {"moved": 24}},
    ),
}


def lowered(block, attention, context):
    """Ops by name."""
    kind = SoftmaxAttention(kind="softmax", **attention)
    return {op.name: op for op in kind.lower(replace(BLOCK, **block), replace(CONTEXT, **context))}


@pytest.mark.parametrize("case", CASES)
def test_counts_by_hand(case):
    block, attention, context, expected = CASES[case]
    ops = lowered(block, attention, context)
    found = {
        name: {field: float(np.asarray(getattr(ops[name], field))) for field in counts}
        for name, counts in expected.items()
    }
    assert found == expected


@pytest.mark.parametrize(
    ("block", "second", "first"),
    [
        ({}, 4 / 7, 0.0),
        ({"cache": "layer_input"}, 0.0, 4 / 7),  # cached inputs are projected again
        ({"memory_tokens": 5.0}, 4 / 12, 5 / 8),
    ],
)
def test_shares_of_state(block, second, first):
    ops = lowered(block, {}, {})
    assert float(ops["scores"].matrix.state_ratio) == second
    assert float(ops["context"].matrix.state_ratio) == second
    assert float(ops["key_value"].matrix.first_state_ratio) == first


@pytest.mark.parametrize(
    ("attention", "shares"),
    [({}, 0), ({"partition": "heads"}, 2), ({"partition": "lean", "tile_queries": 2, "tile_keys": 3}, 12)],
)
def test_shares_of_cores(attention, shares):
    ops = lowered({}, attention, {})
    assert [float(ops[name].matrix.shares) for name in ("scores", "context")] == [shares, shares]


@pytest.mark.parametrize(("span", "rows"), [("both_sides", 13), ("past_and_chunk", 9), ("keys", 7)])
def test_rows_of_the_table_of_positions(span, rows):
    ops = lowered({"positions": "relative", "position_span": span}, {}, {})
    assert float(ops["position_key"].matrix.m) == rows
    assert float(ops["position_scores"].matrix.n) == rows
    assert float(ops["position_scores"].matrix.state_ratio) == 0.0


def test_a_kept_table_of_positions_is_state():
    assert float(lowered({"positions": "relative_kept"}, {}, {})["position_scores"].matrix.state_ratio) == 1.0


def test_kernels_and_moved_elements_of_the_table(emformer):
    ops = emformer.lower(4).recogniser.ops
    at = {row.op: i for i, row in enumerate(emformer.lower(4).rows) if row.layer == "emformer"}
    assert {float(ops.kernels[i, 0]) for i in at.values()} == {1.0}
    # Chunk 4 and lookahead 1 of width 512, 30 cached tokens.
    assert float(ops.moved_count[at["norm_in"], 0]) == 5 * 512
    assert float(ops.moved_count[at["query"], 0]) == 5 * 512
    assert float(ops.moved_count[at["residual_attention"], 0]) == 65 * 512
