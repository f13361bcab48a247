"""Ops of the elementary layers and rates of components, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.api import sweep
from foldsim.schema import InputError

HEAD = """
name: small
title: Small
summary: For counting.
sources: {none: {title: Nothing, kind: assumption}}
"""
REST = """
audio: {frame_ms: 10.0, subsampling_frames: 4}
streaming: {chunk_tokens: 4, left_context_tokens: 0, right_context_tokens: 2}
"""


def small(
    workload_from, layers, per="[chunk]", decoding="", precision="{weights: int8, activations: int8, state: int8}"
):
    """A recogniser of one component."""
    text = "\n".join(f"      - {layer}" for layer in layers)
    return workload_from(f"""{HEAD}precision: {precision}{REST}
decoding:
  symbols_per_s: {{value: 5.0, low: 5.0, high: 5.0, source: none}}
  {decoding}
components:
  - name: only
    invoked_per: {per}
    layers:
{text}
""")


def ops_of(workload, tokens=4):
    """Op table and rows by op name."""
    lowered = workload.lower(tokens)
    return lowered.recogniser.ops, {row.op: i for i, row in enumerate(lowered.rows)}


def number(values, row):
    return float(np.ravel(values[row])[0])


def vector(ops, row):
    return [number(v, row) for v in ops.vector]  # exp, divide, multiply-add, compare


@pytest.mark.parametrize(
    ("rows", "m"), [("all_tokens", 6), ("chunk_tokens", 4), ("all_frames", 24), ("chunk_frames", 16), ("one", 1)]
)
def test_rows_of_a_chunk(workload_from, rows, m):
    """4 tokens of chunk and 2 of lookahead, four frames each."""
    ops, at = ops_of(small(workload_from, [f"{{kind: linear, name: a, inputs: 8, outputs: 3, rows: {rows}}}"]))
    assert [number(x, at["linear"]) for x in (ops.m, ops.k, ops.n)] == [m, 8, 3]


def test_a_linear_layer_with_bias_and_gelu(workload_from):
    """8 x 3 + 3 parameters; 6 tokens: 18 exponentials, 4 x 18 + 18 multiply-adds (GELU and bias)."""
    layer = "{kind: linear, name: a, inputs: 8, outputs: 3, activation: gelu}"
    ops, at = ops_of(small(workload_from, [layer]))
    assert number(ops.params, at["linear"]) == 27
    assert number(ops.table_bytes, at["linear"]) == 3  # the bias is read besides the matrix
    assert vector(ops, at["linear"]) == [18, 0, 90, 0]


def test_weights_take_their_precision(workload_from):
    """27 parameters in 4 bits are 13.5 bytes; activations of 2 bytes."""
    layer = "{kind: linear, name: a, inputs: 8, outputs: 3}"
    workload = small(workload_from, [layer], precision="{weights: int4, activations: fp16, state: int8}")
    ops, at = ops_of(workload)
    assert number(ops.weights_bytes, at["linear"]) == 13.5
    assert number(ops.second_bytes_per_element, at["linear"]) == 0.5
    assert number(ops.input_bytes_per_element, at["linear"]) == 2
    assert number(ops.output_bytes_per_element, at["linear"]) == 2
    assert number(ops.partial_bytes_per_element, at["linear"]) == 4
    assert number(ops.live_bytes, at["linear"]) == 2 * 6 * (8 + 3)


def test_an_embedding_reads_one_row_of_its_table(workload_from):
    ops, at = ops_of(small(workload_from, ["{kind: embedding, name: a, entries: 1000, width: 16}"], "[symbol]"))
    assert number(ops.params, at["lookup"]) == 16_000
    assert number(ops.table_bytes, at["lookup"]) == 16
    assert number(ops.weights_bytes, at["lookup"]) == 16_000


@pytest.mark.parametrize(
    ("decoding", "rows", "calls", "copies"),
    [
        ("", 1, 0.8, 1),  # 5 symbols per second, 160 ms
        ("beam_count: 4", 4, 0.8, 4),
        ("{beam}\n  beam_batched: false", 1, 3.2, 4),
    ],
)
def test_a_beam_multiplies_rows_or_calls(workload_from, decoding, rows, calls, copies):
    """Four hypotheses in one call read the weights once; one call each reads them four times. State has four
    copies."""
    layer = "{kind: lstm, name: a, inputs: 8, width: 16}"
    workload = small(workload_from, [layer], "[symbol]", decoding.replace("{beam}", "beam_count: 4"))
    lowered = workload.lower(4)
    ops, at = ops_of(workload)
    assert number(ops.m, at["recurrent_gates"]) == rows
    assert number(ops.steps, at["recurrent_gates"]) == 1
    assert lowered.recogniser.invocations_per_chunk[0, 0] == pytest.approx(calls, rel=1e-12)
    assert number(ops.state_bytes, at["cell"]) == copies * 32
    assert number(ops.state_read_bytes, at["cell"]) == rows * 32


def test_a_joiner_runs_per_frame_and_per_symbol(workload_from):
    """4 tokens and 0.8 symbols per 160 ms chunk."""
    layer = "{kind: linear, name: a, inputs: 8, outputs: 3}"
    workload = small(workload_from, [layer], "[output_frame, symbol]")
    assert workload.lower(4).recogniser.invocations_per_chunk[0, 0] == pytest.approx(4.8, rel=1e-12)
    assert workload.lower(8).recogniser.invocations_per_chunk[0, 0] == pytest.approx(9.6, rel=1e-12)


def test_an_lstm_in_the_encoder_takes_one_step_per_token(workload_from):
    """6 tokens: the input part is one product of 6 rows, the recurrent part six products of one row each."""
    ops, at = ops_of(small(workload_from, ["{kind: lstm, name: a, inputs: 8, width: 16, rows: all_tokens}"]))
    assert [number(x, at["input_gates"]) for x in (ops.m, ops.k, ops.n, ops.steps)] == [6, 8, 64, 1]
    assert [number(x, at["recurrent_gates"]) for x in (ops.m, ops.k, ops.n, ops.steps)] == [1, 16, 64, 6]
    assert number(ops.kernels, at["recurrent_gates"]) == 6
    # 4 x 16 x (8 + 16) weights and two biases of 64, as PyTorch's LSTM has.
    assert sum(number(ops.params, row) for row in at.values()) == 4 * 16 * 24 + 2 * 64
    assert number(ops.state_bytes, at["cell"]) == 32  # h and c
    assert vector(ops, at["cell"])[0] == 6 * 5 * 16  # four gates and tanh of the cell


def test_norm_and_softmax_work(workload_from):
    """6 rows of 10: four multiply-adds an element and a division a row; softmax one exponential and
    comparison, three."""
    layers = [
        "{kind: layer_norm, name: a, width: 10}",
        "{kind: softmax, name: b, width: 10, rows: all_tokens}",
    ]
    ops, at = ops_of(small(workload_from, layers))
    assert vector(ops, at["norm"]) == [0, 6, 240, 0]
    assert vector(ops, at["softmax"]) == [60, 6, 180, 60]
    assert number(ops.params, at["norm"]) == 20
    assert number(ops.input_bytes, at["softmax"]) == 60


def test_work_of_all_components_at_their_rates(emformer):
    """160 ms, 4 symbols per second: encoder once, predictor 0.64 times, joiner 4 + 0.64 times.

    320,458,752 + 0.64 x 6,815,744 + 4.64 x 4,195,328 = 344,287,150.08 MACs.
    """
    table = sweep(emformer, "phone-npu", [160], [1])
    assert table["macs_per_chunk"][0] == pytest.approx(344_287_150.08, rel=1e-12)
    assert table["macs_per_audio_s"][0] == pytest.approx(344_287_150.08 * 6.25, rel=1e-12)


def test_latency_before_any_work(emformer):
    """160 ms of chunk and one 40 ms token of lookahead; a word waits 80 + 40 ms on average, then for the
    computation."""
    table = sweep(emformer, "phone-npu", [160], [1])
    assert table["algorithmic_latency_ms"][0] == pytest.approx(200, rel=1e-12)
    assert table["user_perceived_latency_ms"][0] == pytest.approx(120 + table["latency_ms"][0], rel=1e-12)


def test_weight_traffic_is_weight_bytes_per_chunk(emformer):
    """Everything in DRAM: the encoder's 63,605,760 bytes once per chunk, the predictor's without its table
    0.64 times, the joiner's 4.64 times; audio, state and one embedding row besides, under one per cent."""
    table = sweep(emformer, "phone-npu", [160], [1], placement="dram")
    weights = 63_605_760 + 0.64 * (8_932_864 - 2_097_664) + 4.64 * 4_199_425
    assert weights < table["dram_bytes_per_chunk"][0] < 1.01 * weights


@pytest.mark.parametrize(
    "layer",
    [
        "{kind: activation, function: relu, name: a, width: 8}",
        "{kind: matrix_product, name: a, m: 2, k: 3, n: 4, second: activations}",
    ],
)
def test_a_component_may_have_neither_weights_nor_state(workload_from, layer):
    table = sweep(small(workload_from, [layer]), "phone-npu", [160], [1])
    assert table["weights_bytes"].tolist() == [0]
    assert (table["power_mw"] > 0).all()


@pytest.mark.parametrize("precision", ["int8", "fp16", "fp32"])
def test_audio_is_sixteen_bits_whatever_the_precision(emformer, changed, precision):
    """160 ms at 16 kHz: 16 frames of 160 new samples, 5120 bytes in; 80 bands of each frame out.

    Kept: 240 samples of overlapping window, 480 bytes, and 4 frames of lookahead of 80 bands.
    """
    width = {"int8": 1, "fp16": 2, "fp32": 4}[precision]
    workload = changed(emformer, lambda data: data["precision"].update(activations=precision, state=precision))
    ops, at = ops_of(workload)
    row = at["features"]
    assert number(ops.input_bytes, row) == 5120
    assert number(ops.output_bytes, row) == 16 * 80 * width
    assert number(ops.state_bytes, row) == 480 + 4 * 80 * width
    assert number(ops.state_read_bytes, row) == number(ops.state_write_bytes, row) == 480 + 4 * 80 * width
    assert number(ops.input_outside, row) == 1
    assert vector(ops, row)[0] == 16 * 80  # a logarithm per band


def test_keys_and_values_move_with_the_chunk(emformer):
    """Each layer writes 2 x 4 x 512 new keys and values and reads 2 x 30 x 512 cached ones, the latter as
    operands.

    Scores and context: of 35 keys 30 are cached.
    """
    lowered = emformer.lower(4)
    ops = lowered.recogniser.ops
    at = {row.op: i for i, row in enumerate(lowered.rows) if row.component == "encoder"}
    assert number(ops.state_write_bytes, at["key_value"]) == 2 * 4 * 512
    assert number(ops.state_read_bytes, at["key_value"]) == 0
    for op in ("scores", "context"):
        row = at[op]
        assert number(ops.second_state_ratio, row) == pytest.approx(30 / 35, rel=1e-12)
        read = number(ops.batch, row) * number(ops.k, row) * number(ops.n, row) * number(ops.second_state_ratio, row)
        assert read == pytest.approx(30 * 512, rel=1e-12)


def test_cached_keys_have_the_width_of_the_state(emformer, changed):
    """30 cached keys of 2 bytes beside 5 fresh ones of 1: 65 bytes a column of 35, of which 60 are state."""
    workload = changed(emformer, lambda data: data["precision"].update(state="fp16"))
    lowered = workload.lower(4)
    ops = lowered.recogniser.ops
    row = next(i for i, r in enumerate(lowered.rows) if r.op == "scores")
    assert number(ops.second_bytes_per_element, row) == pytest.approx(65 / 35, rel=1e-12)
    assert number(ops.second_state_ratio, row) == pytest.approx(60 / 65, rel=1e-12)


def test_a_component_per_chunk_has_no_other_events(workload_from):
    """It works on the rows of the chunk, so a symbol could not invoke it."""
    layer = "{kind: linear, name: a, inputs: 8, outputs: 3}"
    with pytest.raises(InputError, match="invoked per chunk"):
        small(workload_from, [layer], "[chunk, symbol]")


def test_heads_that_do_not_divide_the_width_list_those_that_do(changed, emformer):
    def edit(data):
        data["components"][1]["layers"][1]["heads"] = 7

    with pytest.raises(InputError, match="7 heads do not divide the width 512") as caught:
        changed(emformer, edit)
    (finding,) = caught.value.findings
    assert finding.path == "components[1].layers[1].heads"
    assert finding.allowed == "a divisor of the width: 1, 2, 4, 8, 16, 32, 64"


@pytest.mark.parametrize(
    ("second", "outside", "live", "state", "weights"),
    [
        # 5 products (2 x 3)(3 x 4): inputs 30, results 40, second operands 60 elements, a byte each.
        ("weights", "", 70, 0, 60),
        ("state", "", 70, 60, 0),
        ("activations", "", 130, 0, 0),
        ("weights", ", input_outside: true", 40, 0, 60),
        ("weights", ", output_outside: true", 30, 0, 60),
        ("activations", ", input_outside: true, output_outside: true", 60, 0, 0),
    ],
)
def test_a_bare_product(workload_from, second, outside, live, state, weights):
    layer = f"{{kind: matrix_product, name: a, m: 2, k: 3, n: 4, batch: 5, second: {second}{outside}}}"
    ops, at = ops_of(small(workload_from, [layer]))
    row = at["product"]
    assert number(ops.live_bytes, row) == live
    assert number(ops.state_bytes, row) == state
    assert number(ops.weights_bytes, row) == number(ops.params, row) == weights
    assert number(ops.second_state_ratio, row) == (1 if second == "state" else 0)
    assert [number(x, row) for x in (ops.input_outside, ops.output_outside)] == [
        float("input_outside" in outside),
        float("output_outside" in outside),
    ]


def test_a_beam_stands_side_by_side_in_an_lstm(workload_from):
    """Four hypotheses: rows of one product, not steps; gates, outputs and states of all of them alive."""
    workload = small(workload_from, ["{kind: lstm, name: a, inputs: 8, width: 16}"], "[symbol]", "beam_count: 4")
    ops, at = ops_of(workload)
    assert [number(x, at["recurrent_gates"]) for x in (ops.m, ops.steps)] == [4, 1]
    assert number(ops.live_bytes, at["recurrent_gates"]) == 4 * 64 + 4 * (16 + 64)
    assert number(ops.live_bytes, at["cell"]) == 4 * (64 + 16) + 2 * 4 * 16
    assert vector(ops, at["cell"])[0] == 4 * 5 * 16


def test_a_joiner_called_once_per_hypothesis(workload_from):
    """Four hypotheses, one call each: 4 tokens and 0.8 symbols make 19.2 calls per chunk."""
    layer = "{kind: linear, name: a, inputs: 8, outputs: 3}"
    workload = small(workload_from, [layer], "[output_frame, symbol]", "beam_count: 4\n  beam_batched: false")
    assert workload.lower(4).recogniser.invocations_per_chunk[0, 0] == pytest.approx(19.2, rel=1e-12)


def test_bytes_that_one_invocation_touches(emformer):
    """What decides who lives on chip: bytes read and written per invocation, of each group of tensors, int8.

    Weights once; of the embedding one row of 512; encoder state 20 x 2 x 30 x 512 read and 20 x 2 x 4 x 512
    written; three LSTM layers read and write 1024 each; audio overlap and lookahead (800 bytes) in and out.
    """
    recogniser = emformer.lower(4).recogniser
    touched = dict(zip(recogniser.group_names, recogniser.group_traffic_bytes[:, 0].tolist(), strict=True))
    stored = dict(zip(recogniser.group_names, recogniser.group_bytes[:, 0].tolist(), strict=True))
    assert touched == {
        "front_end weights": 2404,
        "front_end state": 1600,
        "encoder weights": 63_605_760,
        "encoder state": 614_400 + 81_920,
        "predictor weights": 8_932_864 - 2_097_664,
        "predictor table": 512,
        "predictor state": 3 * 2048,
        "joiner weights": 4_199_425,
    }
    assert stored == {
        **touched,
        "front_end state": 800,
        "encoder state": 614_400,
        "predictor table": 2_097_664,
        "predictor state": 3072,
    }


def test_serial_steps_touch_their_weights_every_time(workload_from):
    """Six tokens: 16 x 64 recurrent weights six times, 8 x 64 input weights and 2 x 64 biases once."""
    recogniser = (
        small(workload_from, ["{kind: lstm, name: a, inputs: 8, width: 16, rows: all_tokens}"]).lower(4).recogniser
    )
    touched = dict(zip(recogniser.group_names, recogniser.group_traffic_bytes[:, 0].tolist(), strict=True))
    assert touched == {"only weights": 6 * 1024 + 512 + 128, "only state": 64}
