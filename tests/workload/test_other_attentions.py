"""Counts of the attention kinds other than softmax, op by op, at one small shape; every value is computed by hand.

Width 8, two heads of 4, three tokens of which two are the chunk, four cached tokens. x = 3 x 8 = 24 elements. `live` is
what must exist while an op runs: tokens of the layer (24), queries, keys and values (3 x 24), and the results so far.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from foldsim.workload.attention import Block
from foldsim.workload.attention.linear import FavorAttention, FocusedLinearAttention
from foldsim.workload.attention.reduced import ChannelMixingAttention, SpatialReductionAttention, TokenFusionAttention
from foldsim.workload.attention.sparse import LocalAttention, SerializedAttention
from foldsim.workload.ops import Context

BLOCK = Block(width=8.0, heads=2.0, tokens=3.0, chunk_tokens=2.0, cached_tokens=4.0)
CONTEXT = Context(2.0, 4.0, 1.0, 0.0, 4.0)
COUNTS = (
    "inputs",
    "outputs",
    "biases",
    "exp",
    "divide",
    "multiply_add",
    "compare",
    "state",
    "state_read",
    "state_write",
)

# Kind, its options, changes of the block, and per op: shape (m, k, n, batch) and the counts that are not zero.
Ops = dict[str, dict[str, Any]]
FAVOR: Ops = {
    "features_query": {"shape": (3, 4, 5, 2), "exp": 30, "compare": 30, "multiply_add": 24 + 2 * 30, "live": 126},
    "features_key": {
        "shape": (3, 4, 5, 2), "exp": 30, "compare": 30, "multiply_add": 84, "state": 2, "state_read": 2,
        "state_write": 2, "live": 156,
    },
    "key_value_sum": {
        "shape": (5, 3, 4, 2), "exp": 2, "multiply_add": 30 + 50, "state": 50, "state_read": 50, "state_write": 50,
        "live": 96 + 60 + 40,
    },
    "context": {"shape": (3, 5, 4, 2), "live": 96 + 30 + 40},
    "normaliser": {"shape": (3, 5, 1, 2), "divide": 6, "multiply_add": 24, "live": 126},
    "out": {"shape": (3, 8, 8, 1), "biases": 8, "multiply_add": 24, "live": 24 + 3 * 16},
}  # fmt: skip
FOCUSED: Ops = {
    "focusing": {
        "inputs": 48, "outputs": 48, "biases": 8, "compare": 48, "divide": 96 + 12, "multiply_add": (4 + 4 + 2) * 24,
        "live": 96,
    },
    "normaliser": {"shape": (3, 4, 1, 2), "divide": 6, "multiply_add": 48, "live": 96},
    "key_value_sum": {
        "shape": (4, 3, 4, 2), "state": 40, "state_read": 40, "state_write": 40, "live": 96 + 32,
    },
    "context": {"shape": (3, 4, 4, 2), "live": 128},
    "depthwise": {
        "shape": (6, 3, 1, 4), "biases": 4, "multiply_add": 48, "state": 16, "state_write": 16, "live": 120,
        "first_unique_ratio": 40 / 72, "first_state_ratio": 16 / 40,
    },
}  # fmt: skip
CASES: dict[str, tuple[Any, dict[str, Any], dict[str, Any], Ops]] = {
    "favor": (FavorAttention, {"features": 5}, {}, FAVOR),
    "favor, nothing before": (
        FavorAttention,
        {"features": 5},
        {"cached_tokens": 0.0},
        {"features_key": {**FAVOR["features_key"], "state": 0, "state_read": 0, "state_write": 0},
         "key_value_sum": {"shape": (5, 3, 4, 2), "multiply_add": 30, "live": 196}},
    ),
    "favor, causal": (
        FavorAttention,
        {"features": 5, "causal_in_chunk": True},
        {},
        {"chunk_scores": {"shape": (3, 5, 3, 2), "live": 156 + 18},
         "chunk_context": {"shape": (3, 3, 4, 2), "live": 156 + 18}},
    ),
    "focused linear": (FocusedLinearAttention, {"kernel": 3, "focusing_factor": 3}, {}, FOCUSED),
    "focused linear, power 4, table": (
        FocusedLinearAttention,
        {"kernel": 3, "focusing_factor": 4, "position_table_tokens": 10},
        {},
        {"focusing": {**FOCUSED["focusing"], "biases": 88, "multiply_add": (4 + 6 + 2) * 24}},
    ),
    "focused linear, a window": (
        FocusedLinearAttention,
        {"kernel": 3, "dimensions": 2},
        {},
        {"depthwise": {**FOCUSED["depthwise"], "shape": (6, 9, 1, 4), "state": 0, "state_write": 0,
                       "first_unique_ratio": 24 / 216, "first_state_ratio": 0}},
    ),
    "spatial reduction": (
        SpatialReductionAttention,
        {"reduction": 2},
        {},
        {"pool": {"shape": (2, 16, 8, 1), "biases": 24, "divide": 2, "multiply_add": 64, "live": 72},
         "key_value": {"shape": (2, 8, 16, 1), "biases": 16, "multiply_add": 32, "state": 32, "state_write": 16,
                       "live": 48 + 24 + 32},
         "scores": {"shape": (3, 4, 4, 2), "live": 24 + 24 + 32 + 24},
         "softmax": {"inputs": 24, "outputs": 24, "exp": 24,
                     "compare": 24, "multiply_add": 72, "divide": 6, "live": 104},
         "context": {"shape": (3, 4, 4, 2), "live": 104}},
    ),
    "token fusion": (
        TokenFusionAttention,
        {"kept_ratio": 0.5, "fusion_tokens": 2, "pooled_tokens": 4, "guide_macs_per_token": 16},
        {},
        {"guide": {"shape": (3, 2, 8, 1), "live": 48},
         "fuse": {"shape": (2, 1.5, 8, 1), "live": 24 + 28},
         "query": {"shape": (3.5, 8, 8, 1), "biases": 8, "multiply_add": 28, "live": 76},
         "pooled_key_value": {"shape": (4, 8, 24, 1), "biases": 16, "live": 24 + 28 + 96},
         "scores": {"shape": (3.5, 4, 4, 2), "live": 24 + 28 + 64 + 28},
         "softmax": {"inputs": 28, "outputs": 28, "exp": 28,
                     "compare": 28, "multiply_add": 84, "divide": 7, "live": 144},
         "gate": {"shape": (2, 8, 8, 1), "exp": 16, "live": 52},
         "out": {"shape": (3.5, 8, 8, 1), "biases": 8, "multiply_add": 28, "live": 24 + 56}},
    ),
    "channel mixing": (
        ChannelMixingAttention,
        {"divisions": 4},
        {},
        {"mix_channels": {"inputs": 12, "outputs": 12, "state": 12, "state_read": 12, "state_write": 12, "live": 120}},
    ),
    "a band": (  # pairs: 3 own, 0 + 1 + 2 later ones, 2 + 2 + 2 earlier ones
        LocalAttention,
        {"window_tokens": 2},
        {},
        {"key_value": {"shape": (3, 8, 16, 1), "biases": 16, "multiply_add": 48, "state": 32, "state_write": 32,
                       "live": 48 + 24 + 48},
         "scores": {"shape": (3, 4, 4, 2), "live": 96 + 24},
         "softmax": {"inputs": 24, "outputs": 24, "exp": 24,
                     "compare": 24, "multiply_add": 72, "divide": 6, "live": 120},
         "context": {"shape": (3, 4, 4, 2), "live": 120}},
    ),
    "chunked window": (  # padded to four tokens, two spans
        LocalAttention,
        {"window_tokens": 2, "kernel": "chunked", "global_projections": True},
        {},
        {"query": {"shape": (4, 8, 8, 1), "biases": 8, "multiply_add": 32, "live": 64 + 32},
         "scores": {"shape": (4, 4, 4, 2), "live": 128 + 40},
         "softmax": {"inputs": 40, "outputs": 40, "exp": 40,
                     "compare": 40, "multiply_add": 120, "divide": 8, "live": 168},
         "context": {"shape": (2, 6, 4, 4), "live": 168}},
    ),
    "patches": (
        SerializedAttention,
        {"patch_tokens": 2, "neighbour_taps": 27, "occupied_taps": 4},
        {},
        {"position_convolution": {"shape": (3, 32, 8, 1), "biases": 8 + 23 * 64, "live": 48},
         "position_linear": {"shape": (3, 8, 8, 1), "biases": 8, "live": 48},
         "position_norm": {"inputs": 24, "outputs": 24, "biases": 16, "live": 48},
         "gather": {"inputs": 120, "outputs": 120, "live": 144},
         "scores": {"shape": (2, 4, 2, 4), "live": 120 + 16},
         "softmax": {"inputs": 16, "outputs": 16, "exp": 16,
                     "compare": 16, "multiply_add": 48, "divide": 8, "live": 136},
         "context": {"shape": (2, 2, 4, 4), "live": 136}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_counts_by_hand(case):
    record, options, changes, expected = CASES[case]
    kind = record(kind=record.model_fields["kind"].annotation.__args__[0], **options)
    ops = {op.name: op for op in kind.lower(replace(BLOCK, **changes), CONTEXT)}
    for name, counts in expected.items():
        op = ops[name]
        found = {key: float(np.max(getattr(op, key))) for key in (*COUNTS, "live")}
        assert found == {**dict.fromkeys(COUNTS, 0.0), **{k: v for k, v in counts.items() if k in found}}, name
        shape = (
            None if op.matrix is None else tuple(float(np.max(getattr(op.matrix, k))) for k in ("m", "k", "n", "batch"))
        )
        assert shape == counts.get("shape"), name
        for key in ("first_unique_ratio", "first_state_ratio"):
            if key in counts:
                assert float(np.max(getattr(op.matrix, key))) == pytest.approx(counts[key]), name


def test_every_chunk_of_a_causal_kind_has_its_own_scores():
    kind = FavorAttention(kind="favor", features=5)
    assert not {"chunk_scores", "chunk_context"} & {op.name for op in kind.lower(BLOCK, CONTEXT)}


def test_global_projections_are_stored_and_not_run():
    """Three projections of 8 x 8 with biases: 3 x (64 + 8) parameters."""
    kind = LocalAttention(kind="local", window_tokens=2, global_projections=True)
    stored = next(op for op in kind.lower(BLOCK, CONTEXT) if op.name == "global_projections")
    assert stored.table == 216
    assert stored.matrix is None
