"""The shipped Zipformer transducers against the counts of the real modules.

``data/counts/zipformer.json`` was recorded by ``tools/counts/zipformer.py`` from the authors' package (folded
variants: the package's modules at width D / N behind a reshape). All counts are held to exact equality.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from foldsim import api
from foldsim.schema import InputError
from foldsim.workload import workload as workloads

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "counts" / "zipformer.json").read_text(encoding="utf-8"))
MODELS = RECORDED["models"]
load_workload = cache(workloads.load_workload)
CHUNKS = [
    pytest.param(name, chunk, id=f"{name}-c{chunk['chunk_tokens']}-l{chunk['left_context_tokens']}")
    for name, model in MODELS.items()
    for chunk in model["chunks"]
]
FOLDED = [
    pytest.param(
        name, row, id=f"{name}-N{row['fold_factor']}-{row['fold_scope']}-{row['fold_heads']}-c{row['chunk_tokens']}"
    )
    for name, model in MODELS.items()
    for row in model["folded"]
]
# Which ops of a layer belong to which part of the record.
PARTS = {
    "positions": ("position_key", "position_scores"),
    "scores_context": ("scores", "gated_context", "context_1", "context_2"),
    "projections": (
        *("attention_in", "gated_in", "gated_out"),
        *("values_1", "values_1_out", "values_2", "values_2_out"),
    ),
    "feedforward": tuple(f"{which}_feedforward_{i}" for which in ("first", "second", "third") for i in (1, 2)),
    "convolution": tuple(f"convolution_{i}_{op}" for i in (1, 2) for op in ("in", "causal", "chunk", "out")),
    "head": ("linear",),
}


@pytest.fixture(scope="module")
def with_left(changed):
    """A shipped Zipformer with another left context."""

    def change(name, tokens):
        return changed(load_workload(name), lambda data: data["streaming"].update(left_context_tokens=tokens))

    return change


def row_macs(ops):
    return (ops.steps * ops.batch * ops.m * ops.k * ops.n * ops.repeat[: ops.matrix_rows])[:, 0]


def totals(workload, chunk_tokens):
    """MACs by op of the encoder, softmax elements of attention and state elements (int8: one byte each).

    The audio samples that the log-mel features keep are before the real module, so they are left out.
    """
    lowered = workload.lower(chunk_tokens)
    ops = lowered.recogniser.ops
    macs = {}
    for row, value in zip(lowered.rows, row_macs(ops), strict=False):
        if row.component == "encoder":
            macs[row.op] = macs.get(row.op, 0) + value
    softmax = sum(
        float((ops.input_bytes[i] * ops.repeat[i])[0])
        for i, row in enumerate(lowered.rows)
        if (row.component, row.op) == ("encoder", "softmax")
    )
    inside = [row.layer != "features" for row in lowered.rows]
    return macs, softmax, float((ops.state_bytes * ops.repeat)[inside, 0].sum())


@pytest.mark.parametrize("name", MODELS)
def test_parameters_of_every_component(name):
    workload, model = load_workload(name), MODELS[name]
    assert workload.params() == model["params"]
    assert workload.spec.unused_params_count == model["unused_params"]
    assert sum(workload.params().values()) + model["unused_params"] == model["total_params"]
    assert workload.spec.published_params_count == model["published_params"]


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_macs_softmax_and_state_of_a_chunk(with_left, name, chunk):
    workload = with_left(name, chunk["left_context_tokens"])
    counted = workload.macs_per_invocation(chunk["chunk_tokens"])
    assert {c: counted[c] for c in chunk["macs"]} == chunk["macs"]
    macs, softmax, state = totals(workload, chunk["chunk_tokens"])
    by_part = {part: sum(macs[op] for op in ops) for part, ops in PARTS.items()}
    assert {**by_part, "front_end": counted["front_end"]} == chunk["macs_by_part"]
    assert softmax == chunk["softmax_elements"]
    assert state == chunk["state_elements"]


@pytest.mark.parametrize("name", MODELS)
def test_state_is_that_of_every_cache(name):
    """Stack by stack: six tensors per layer, as the real module returns them."""
    lowered = load_workload(name).lower(16)
    ops = lowered.recogniser.ops
    state = (ops.state_bytes * ops.repeat)[:, 0]
    keepers = {
        "cached_key": ("attention_in",),
        "cached_nonlin_attn": ("gated_in",),
        "cached_val1": ("values_1",),
        "cached_val2": ("values_2",),
        "cached_conv1": ("convolution_1_causal",),
        "cached_conv2": ("convolution_2_causal",),
    }
    for tensor in MODELS[name]["chunks"][1]["state"]:
        if tensor["name"] == "processed_lens":
            continue  # an integer
        if tensor["name"] == "cached_embed_left_pad":
            layer, held = "convnext", ("depthwise",)
        else:
            _, stack, label = tensor["name"].split()
            layer, held = f"stack_{int(stack) + 1}", keepers[label]
        kept = sum(state[i] for i, row in enumerate(lowered.rows) if row.layer == layer and row.op in held)
        assert kept == np.prod(tensor["shape"]), tensor["name"]


@pytest.mark.parametrize("name", MODELS)
def test_predictor_and_joiner(name):
    workload, calls = load_workload(name), MODELS[name]["calls"]
    macs = workload.macs_per_invocation()
    assert macs["predictor"] == calls["predictor"]["macs"]
    assert macs["joiner"] == calls["joiner"]["macs"]
    # One output frame is two tokens: 16 tokens are 8 joiner calls.
    names = [c.name for c in workload.spec.components]
    assert workload.lower(16).recogniser.invocations_per_chunk[names.index("joiner"), 0] == 8


@pytest.mark.parametrize(("name", "row"), FOLDED)
def test_folded_layers(name, row):
    workload = load_workload(name).fold(row["fold_factor"], "all", row["fold_scope"], row["fold_heads"])
    assert workload.params()["encoder"] == row["encoder_params"]
    counted = workload.macs_per_invocation(row["chunk_tokens"])
    assert {c: counted[c] for c in row["macs"]} == row["macs"]
    _, softmax, state = totals(workload, row["chunk_tokens"])
    assert (softmax, state) == (row["softmax_elements"], row["state_elements"])


def test_a_kept_position_table_trades_macs_for_state(changed):
    """Its projection (L + 2 T - 1) x 48 x 4 H is state of (L + 2 T - 1) x 4 H elements instead, in every layer."""

    def keep(data):
        for layer in data["components"][1]["layers"]:
            if layer["kind"] == "zipformer":
                layer["positions"] = "relative_kept"

    plain = load_workload("zipformer-small")
    kept = changed(plain, keep)
    rates, heads = (1, 2, 4, 8, 4, 2), (4, 4, 4, 8, 4, 4)
    table = sum(2 * (128 // s + 2 * 16 // s - 1) * 4 * h for s, h in zip(rates, heads, strict=True))
    macs, softmax, state = totals(plain, 16)
    kept_macs, kept_softmax, kept_state = totals(kept, 16)
    assert sum(macs.values()) - sum(kept_macs.values()) == 48 * table
    assert "position_key" not in kept_macs
    assert kept_softmax == softmax
    assert kept_state - state == table
    assert kept.params() == plain.params()


def test_the_front_end_waits_for_thirteen_frames():
    """16 tokens of 20 ms, and 13 frames of 10 ms after them."""
    point = api.simulate("zipformer-small", "phone-npu", chunk_ms=320)
    assert point.totals["algorithmic_latency_ms"] == pytest.approx(320 + 130, rel=1e-12)


def test_live_activations_of_a_slow_stack_hold_the_input_of_the_stack():
    """At 16 tokens the second stack sees 8 of width 256; its input at the full rate stays: 16 x 256 elements.

    ``residual_first_feedforward``: two inputs, one output, and 4 heads x 8 x 72 attention weights.
    """
    lowered = load_workload("zipformer-small").lower(16)
    (row,) = (i for i, r in enumerate(lowered.rows) if (r.layer, r.op) == ("stack_2", "residual_first_feedforward"))
    assert lowered.recogniser.ops.live_bytes[row, 0] == 3 * 8 * 256 + 4 * 8 * 72 + 16 * 256


REFUSED = {
    "an even kernel": (
        lambda data: layer_of(data, "stack_1").update(kernel_tokens=30),
        "components[1].layers[0].kernel_tokens: a kernel of 30 tokens has no centre",
        "an odd number",
    ),
    "an even ConvNeXt kernel": (
        lambda data: data["components"][0]["layers"][2].update(kernel=6),
        "components[0].layers[2].kernel: a kernel of 6 has no centre",
        "an odd number",
    ),
    "a right context": (
        lambda data: data["streaming"].update(right_context_tokens=8),
        "components[1].layers[0].kind: a Zipformer layer attends to its chunk and left context only;"
        " streaming.right_context_tokens is 8",
        "streaming.right_context_tokens: 0",
    ),
    "a memory bank": (
        lambda data: data["streaming"].update(memory_bank_tokens=4),
        "components[1].layers[0].kind: a Zipformer layer attends to its chunk and left context only;"
        " streaming.memory_bank_tokens is 4",
        "streaming.memory_bank_tokens: 0",
    ),
    "no left context": (
        lambda data: data["streaming"].update(left_context_tokens=0),
        "components[1].layers[2].downsampling: a Zipformer layer once per 2 tokens caches none of the left context",
        "streaming.left_context_tokens of 2, 4",
    ),
    "a left context that a stack does not divide": (
        lambda data: data["streaming"].update(left_context_tokens=100),
        "components[1].layers[8].downsampling: the left context of 100 tokens is not a multiple of the downsampling 8",
        "a multiple of the downsampling",
    ),
    "a chunk that a stack does not divide": (
        lambda data: data["streaming"].update(chunk_tokens=12),
        "streaming.chunk_tokens: a chunk of 12 tokens is not a multiple of 8",
        "8, 16, 24",
    ),
    "a mean of one token": (
        lambda data: layer_of(data, "down_2").update(downsampling=1),
        "components[1].layers[1].downsampling: downsampling 1 averages nothing",
        "2 or more",
    ),
}


def layer_of(data, name):
    (layer,) = (layer for layer in data["components"][1]["layers"] if layer["name"] == name)
    return layer


@pytest.mark.parametrize("what", REFUSED)
def test_refusals(changed, what):
    edit, message, allowed = REFUSED[what]
    with pytest.raises(InputError) as caught:
        changed(load_workload("zipformer-small"), edit)
    findings = [f for f in caught.value.findings if message in f"{f.path}: {f.message}"]
    assert findings, [f"{f.path}: {f.message}" for f in caught.value.findings]
    assert all(f.line and allowed in f.allowed for f in findings)


@pytest.mark.parametrize(
    ("factor", "scope", "heads", "message"),
    [
        (8, "attention", "keep_head_dim", "N = 8 does not divide the 4 heads"),
        (3, "attention", "keep_heads", "N = 3 does not divide the widths of a head, 32, 12 and 4"),
        (256, "attention", "keep_heads", "N = 256 does not divide the width 192 and its three quarters"),
        (5, "attention+feedforward", "keep_heads", "N = 5 does not divide the feedforward widths 384, 512, 640"),
    ],
)
def test_folds_that_do_not_divide(factor, scope, heads, message):
    with pytest.raises(InputError) as caught:
        load_workload("zipformer-small").fold(factor, "all", scope, heads)
    assert message in str(caught.value)
    assert "N = 1, 2" in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "op", "work"),
    [
        # Stack 4: 16 tokens of 256 are averaged to 2; before, a softmax over 8 weights (8 exponentials, 3 x 8).
        ("down_4", "average", (8, 1, 24 + 16 * 256, 8)),
        # input + (repeated - input) * scale: a subtraction and a multiply-add per element.
        ("up_4", "bypass", (0, 0, 2 * 16 * 256, 0)),
        # x - b, square and sum, scale; one square root and reciprocal per row.
        ("output_norm", "norm", (0, 16, 3 * 16 * 192, 0)),
        # tanh of one third and product with another: 16 x 144 each.
        ("stack_1", "gate_in", (16 * 144, 0, 2 * 16 * 144, 0)),
        # Bias; one plus both edges of the chunk; product with them; sum with the causal convolution.
        ("stack_1", "convolution_1_chunk", (0, 0, 5 * 16 * 192, 0)),
    ],
)
def test_vector_work(layer, op, work):
    lowered = load_workload("zipformer-small").lower(16)
    (row,) = (i for i, r in enumerate(lowered.rows) if (r.layer, r.op) == (layer, op))
    assert tuple(float(np.ravel(v[row])[0]) for v in lowered.recogniser.ops.vector) == work
