"""The shipped Emformer transducer against the counts of the real modules.

``data/emformer_counts.json`` was recorded by ``tools/count_emformer.py`` from torchaudio's module (folded
variants: a reference module written from the definition, inside torchaudio's layer). One-layer goldens marked
"facts" are counts of PyTorch modules at other settings: T new tokens, L cached, width D, H heads, feedforward
F, factor N.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "emformer_counts.json").read_text(encoding="utf-8"))
PROJECTIONS, SCORES = ("query", "key_value", "out"), ("scores", "context")
FEEDFORWARD = ("feedforward_1", "feedforward_2")
NORMS = ("norm_in", "norm_feedforward", "norm_out", "norm")


def variant_name(variant):
    if variant["fold_factor"] == 1:
        return "base"
    what = "+".join(variant["fold_targets"])
    return f"N{variant['fold_factor']}-{what}-{variant['fold_heads']}-{variant['fold_layers']}layers"


VARIANTS = [pytest.param(v, id=variant_name(v)) for v in RECORDED["encoder"]]


def folded(workload, variant):
    """The workload as the variant folds it."""
    if variant["fold_factor"] == 1:
        return workload
    return workload.fold(
        variant["fold_factor"],
        "all" if variant["fold_layers"] == 20 else f"1-{variant['fold_layers']}",
        "+".join(variant["fold_targets"]),
        variant["fold_heads"],
    )


class Counted:
    """Sums over op rows of a lowered workload, one component, one invocation, repeats included."""

    def __init__(self, workload, chunk_tokens, component="encoder"):
        self.lowered = workload.lower(chunk_tokens)
        self.ops = self.lowered.recogniser.ops
        self.component = component

    def rows(self, *names, layer=None):
        """Indices of the component's rows of these ops (all of them if none is named)."""
        return [
            i
            for i, row in enumerate(self.lowered.rows)
            if row.component == self.component and (not names or row.op in names) and layer in (None, row.layer)
        ]

    def total(self, values, rows):
        repeat = np.broadcast_to(self.ops.repeat, (len(self.lowered.rows), 1))
        return float(sum(float(np.ravel(values[i])[0]) * repeat[i, 0] for i in rows))

    def macs(self, *names, layer=None):
        ops = self.ops
        per_row = ops.steps * ops.batch * ops.m * ops.k * ops.n
        return self.total(per_row, [i for i in self.rows(*names, layer=layer) if i < ops.matrix_rows])

    def params(self, *names, layer=None):
        return self.total(self.ops.params, self.rows(*names, layer=layer))

    def work(self, kind, *names):
        return self.total(self.ops.vector[("exp", "divide", "multiply_add", "compare").index(kind)], self.rows(*names))

    def state_bytes(self):
        return self.total(self.ops.state_bytes, self.rows())


def each_chunk(variant):
    return [(chunk["chunk_tokens"], chunk) for chunk in variant["chunks"]]


def test_the_record_is_of_the_shipped_model(emformer):
    """The same arguments as the YAML: otherwise the rest of this file compares different models."""
    arguments, spec = RECORDED["arguments"], emformer.spec
    layer = next(x for c in spec.components if c.name == "encoder" for x in c.layers if x.kind == "emformer")
    assert (layer.width, layer.heads, layer.feedforward, layer.repeat, layer.activation) == (
        arguments["time_reduction_input_dim"] * arguments["time_reduction_stride"],
        arguments["transformer_num_heads"],
        arguments["transformer_ffn_dim"],
        arguments["transformer_num_layers"],
        arguments["transformer_activation"],
    )
    assert spec.streaming.left_context_tokens == arguments["transformer_left_context_length"]
    assert spec.streaming.right_context_tokens * 4 == arguments["right_context_length"]
    assert spec.streaming.chunk_tokens * 4 == arguments["segment_length"]
    assert [len(v["chunks"]) for v in RECORDED["encoder"]] == [6] * 13


def test_parameters_by_component(emformer):
    found, recorded = emformer.params(), RECORDED["params"]
    assert {name: found[name] for name in ("encoder", "predictor", "joiner")} == {
        name: recorded[name] for name in ("encoder", "predictor", "joiner")
    }
    assert found["front_end"] == 0
    assert sum(found.values()) == recorded["total"] == emformer.spec.published_params_count == 76_738_049


def test_parameters_of_the_encoder_split(emformer):
    counted, split = Counted(emformer, 4), RECORDED["params"]["encoder_split"]
    assert counted.params(layer="input_linear") == split["input_linear"]
    assert counted.params(layer="emformer") == split["emformer_layers"]
    assert counted.params(layer="output_linear") == split["output_linear"]
    assert counted.params(layer="output_norm") == split["layer_norm"]


def test_parameters_of_one_emformer_layer(emformer):
    counted, layer = Counted(emformer, 4), RECORDED["params"]["emformer_layer"]
    assert counted.params(*PROJECTIONS) == 20 * layer["attention"]
    assert counted.params(*FEEDFORWARD) == 20 * layer["feedforward"]
    assert counted.params(*NORMS, layer="emformer") == 20 * layer["layer_norms"]


def test_parameters_of_the_predictor_split(emformer):
    counted, split = Counted(emformer, 4, "predictor"), RECORDED["params"]["predictor_split"]
    assert counted.params(layer="embedding") == split["embedding"]
    assert counted.params(layer="input_norm") == split["input_layer_norm"]
    assert counted.params(layer="lstm") == split["lstm_layers"]
    assert counted.params(layer="output_linear") == split["linear"]
    assert counted.params(layer="output_norm") == split["output_layer_norm"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_of_the_folded_encoder(emformer, variant):
    workload = folded(emformer, variant)
    assert workload.params()["encoder"] == variant["encoder_params"]
    counted = Counted(workload, 4)
    first, last = variant["first_layer_params"], variant["last_layer_params"]
    assert counted.params(layer="emformer") == (variant["fold_layers"] or 20) * first
    if first != last:
        assert counted.params(layer="emformer (not folded)") == (20 - variant["fold_layers"]) * last


@pytest.mark.parametrize("variant", VARIANTS)
def test_macs_of_one_encoder_invocation(emformer, variant):
    workload = folded(emformer, variant)
    for tokens, chunk in each_chunk(variant):
        assert workload.macs_per_invocation(tokens)["encoder"] == chunk["macs_per_chunk"]
        counted = Counted(workload, tokens)
        assert counted.macs(layer="input_linear") == chunk["input_linear_macs"]
        assert counted.macs(layer="output_linear") == chunk["output_linear_macs"]
        assert counted.macs(*PROJECTIONS) == chunk["projection_macs"]
        assert counted.macs(*SCORES) == chunk["score_context_macs"]
        assert counted.macs(*FEEDFORWARD) == chunk["feedforward_macs"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_softmax_elements_and_rows(emformer, variant):
    """Exponentials grow with N where heads divide by N, with N^2 where heads are kept; rows (divisions)
    follow heads."""
    workload = folded(emformer, variant)
    for tokens, chunk in each_chunk(variant):
        counted = Counted(workload, tokens)
        assert counted.work("exp", "softmax") == chunk["softmax_elements"]
        assert counted.work("compare", "softmax") == chunk["softmax_elements"]
        assert counted.work("divide", "softmax") == chunk["softmax_rows"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_activation_and_norm_elements(emformer, variant):
    """The GELU's exponentials, and elements into the norms (int8: one byte each)."""
    workload = folded(emformer, variant)
    for tokens, chunk in each_chunk(variant):
        counted = Counted(workload, tokens)
        assert counted.work("exp", "activation") == chunk["gelu_elements"]
        assert counted.total(counted.ops.input_bytes, counted.rows(*NORMS)) == chunk["layer_norm_elements"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_elements_that_the_code_rearranges(emformer, variant):
    """Concatenations, and heads put side by side again where there is more than one; folding by views moves none."""
    workload = folded(emformer, variant)
    for tokens, chunk in each_chunk(variant):
        counted = Counted(workload, tokens)
        assert counted.total(counted.ops.moved_count, counted.rows()) == chunk["moved_elements"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_key_value_cache_does_not_change_with_folding(emformer, variant):
    """614,400 elements, a byte each."""
    for tokens in (1, 4, 32):
        assert Counted(folded(emformer, variant), tokens).state_bytes() == variant["state_float_elements"] == 614_400


@pytest.mark.parametrize(("precision", "width"), [("int4", 0.5), ("int8", 1), ("fp16", 2), ("fp32", 4)])
def test_state_bytes_follow_the_precision_of_the_state(emformer, changed, precision, width):
    """Encoder 614,400 elements, predictor 3 x (512 + 512); in fp32 the recorded 2,457,600 and 12,288 bytes."""
    workload = changed(emformer, lambda data: data["precision"].update(state=precision))
    assert Counted(workload, 4).state_bytes() == width * RECORDED["encoder_state"]["float_elements"]
    predictor = Counted(workload, 4, "predictor")
    assert predictor.state_bytes() == width * RECORDED["predictor"]["state"]["float_elements"]
    if precision == "fp32":
        assert Counted(workload, 4).state_bytes() == RECORDED["encoder_state"]["float32_bytes"]
        assert predictor.state_bytes() == RECORDED["predictor"]["state"]["float32_bytes"]


def test_with_a_memory_bank(emformer, changed):
    """Four summary vectors: a summary query joins, and the vectors are projected again in every chunk."""
    recorded = RECORDED["encoder_memory_bank"]
    bank = recorded["memory_bank_tokens"]
    workload = changed(emformer, lambda data: data["streaming"].update(memory_bank_tokens=bank))
    assert workload.params()["encoder"] == recorded["encoder_params"]
    assert workload.macs_per_invocation(recorded["chunk_tokens"])["encoder"] == recorded["macs_per_chunk"]
    counted = Counted(workload, recorded["chunk_tokens"])
    assert counted.macs(*PROJECTIONS) == recorded["projection_macs"]
    assert counted.macs(*SCORES) == recorded["score_context_macs"]
    assert counted.macs(*FEEDFORWARD) == recorded["feedforward_macs"]
    assert counted.work("exp", "softmax") == recorded["softmax_elements"]
    assert counted.work("divide", "softmax") == recorded["softmax_rows"]
    assert counted.work("exp", "activation") == recorded["gelu_elements"]
    assert counted.total(counted.ops.input_bytes, counted.rows(*NORMS)) == recorded["layer_norm_elements"]
    assert counted.state_bytes() == recorded["state"]["float_elements"]
    assert counted.total(counted.ops.moved_count, counted.rows()) == recorded["moved_elements"]


@pytest.mark.parametrize("tokens", [1, 4, 32])
def test_predictor_and_joiner_do_not_depend_on_the_chunk(emformer, tokens):
    macs = emformer.macs_per_invocation(tokens)
    assert macs["predictor"] == RECORDED["predictor"]["macs_per_symbol"] == 6_815_744
    assert macs["joiner"] == RECORDED["joiner"]["macs_per_call"] == 4_195_328
    assert macs["front_end"] == 0


def one_layer(workload_from, d, h, f, tokens, left, right=0, memory=0):
    """A recogniser of one Emformer layer."""
    return workload_from(f"""
name: one-layer
title: One layer
summary: For counting.
sources: {{none: {{title: Nothing, kind: assumption}}}}
precision: {{weights: int8, activations: int8, state: int8}}
audio: {{frame_ms: 10.0, subsampling_frames: 4}}
streaming:
  chunk_tokens: {tokens}
  left_context_tokens: {left}
  right_context_tokens: {right}
  memory_bank_tokens: {memory}
decoding: {{symbols_per_s: {{value: 0.0, low: 0.0, high: 0.0, source: none}}}}
components:
  - name: encoder
    invoked_per: [chunk]
    layers: [{{kind: emformer, name: layer, width: {d}, heads: {h}, feedforward: {f}}}]
""")


@pytest.mark.parametrize(
    ("n", "heads", "attention", "macs", "exps", "feedforward", "feedforward_macs"),
    [
        (1, "keep_head_dim", 1_050_624, 4_333_568, 1088, 2_099_712, 8_388_608),
        (2, "keep_head_dim", 263_168, 2_375_680, 2176, 525_568, 4_194_304),
        (4, "keep_head_dim", 66_048, 1_605_632, 4352, 131_712, 2_097_152),
        (2, "keep_heads", 263_168, 2_375_680, 4352, 525_568, 4_194_304),
        (4, "keep_heads", 66_048, 1_605_632, 17_408, 131_712, 2_097_152),
    ],
)
def test_folded_attention_and_feedforward(
    workload_from, n, heads, attention, macs, exps, feedforward, feedforward_macs
):
    """Facts, T 4, L 30, D 512, H 8, F 2048: counted from a PyTorch module; the cache is 30,720 elements at
    every N."""
    workload = one_layer(workload_from, 512, 8, 2048, 4, 30).fold(n, "all", "attention+feedforward", heads)
    counted = Counted(workload, 4)
    assert counted.params(*PROJECTIONS) == attention
    assert counted.macs(*PROJECTIONS, *SCORES) == macs
    assert counted.work("exp", "softmax") == exps
    assert counted.params(*FEEDFORWARD) == feedforward
    assert counted.macs(*FEEDFORWARD) == feedforward_macs
    assert counted.state_bytes() == 30_720


def test_an_emformer_layer_with_memory_and_lookahead(workload_from):
    """Facts, torchaudio's layer in steady state: C 4, R 1, L 30, M 4."""
    workload = one_layer(workload_from, 512, 8, 2048, 4, 30, right=1, memory=4)
    counted = Counted(workload, 4)
    assert counted.params() == 3_153_408
    assert counted.macs() == 18_589_696
    assert counted.work("exp", "softmax") == 1872
    assert counted.state_bytes() == 32_768


@pytest.mark.parametrize(("n", "keys"), [(2, 512), (4, 256)])
@pytest.mark.parametrize("tokens", [1, 4, 16])
def test_break_even_of_folded_attention_in_macs(workload_from, n, keys, tokens):
    """Facts: attention of width 512 does the same MACs folded and unfolded at 2 D / N keys, whatever the
    chunk."""
    layer = one_layer(workload_from, 512, 8, 2048, tokens, keys - tokens)
    both = [Counted(w, tokens).macs(*PROJECTIONS, *SCORES) for w in (layer, layer.fold(n))]
    assert both[0] == both[1]
    if (n, tokens) == (2, 4):
        assert both[0] == 6_291_456


@pytest.mark.parametrize(
    ("d", "h", "f", "tokens", "left", "right", "n"),
    [(256, 4, 1024, 8, 16, 2, 2), (144, 4, 576, 3, 7, 0, 4), (1152, 12, 3072, 1, 0, 5, 3), (108, 6, 100, 32, 64, 1, 6)],
)
@pytest.mark.parametrize("keep", [True, False])
def test_the_closed_form(workload_from, d, h, f, tokens, left, right, n, keep):
    """Folding table of the facts: parameters 4 D^2/N^2 + 4 D/N; projections 4 q D^2/N; scores 2 N q S D;
    softmax H q S times N (heads divided) or N^2 (heads kept); cache 2 L D; feedforward untouched; q = chunk
    + right context, S = L + q."""
    heads = "keep_head_dim" if keep else "keep_heads"
    q, keys = tokens + right, left + tokens + right
    counted = Counted(one_layer(workload_from, d, h, f, tokens, left, right).fold(n, heads=heads), tokens)
    assert counted.params(*PROJECTIONS) == 4 * d * d // n**2 + 4 * d // n
    assert counted.macs(*PROJECTIONS) == 4 * q * d * d // n
    assert counted.macs(*SCORES) == 2 * n * q * keys * d
    assert counted.work("exp", "softmax") == h * q * keys * (n if keep else n * n)
    assert counted.work("divide", "softmax") == h * q * (1 if keep else n)
    assert counted.params(*FEEDFORWARD) == 2 * d * f + f + d
    assert counted.macs(*FEEDFORWARD) == 2 * q * d * f
    assert counted.state_bytes() == 2 * left * d


def test_calls_of_the_runtime_are_those_that_the_layer_counts(emformer, changed):
    """20 layers; products with weights (five a layer) keep an overhead of their own."""

    def counting(data):
        (layer,) = (x for c in data["components"] for x in c["layers"] if x["kind"] == "emformer")
        layer.update(framework_calls_count=75, folded_framework_calls_count=103)

    workload = changed(emformer, counting)
    for factor, calls in ((1, 75), (2, 103), (4, 103)):
        counted = Counted(workload if factor == 1 else workload.fold(factor), 4)
        rows = counted.rows(layer="emformer")
        own = [i for i in rows if np.isnan(counted.ops.calls_count[i]).any()]
        assert {counted.lowered.rows[i].op for i in own} == {*PROJECTIONS, *FEEDFORWARD}
        assert counted.total(counted.ops.calls_count, [i for i in rows if i not in own]) == 20 * calls
    assert np.isnan(Counted(emformer, 4).ops.calls_count).all()
