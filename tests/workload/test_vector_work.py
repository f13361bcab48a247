"""Vector work, live activations and state traffic of every layer, op by op, from the definitions of the
functions.

Costs per element: layer norm four multiply-adds (mean, variance, normalise, scale and shift) and a division per
row; softmax an exponential, a comparison (maximum), three multiply-adds (subtract, sum, scale) and a division
per row; GELU one exponential and four multiply-adds. Alive while an op runs is what it reads, what it writes,
and what a later op still needs.
"""

from __future__ import annotations

import numpy as np
import pytest

D, H, F = 512, 8, 2048
# Chunk 4, lookahead 1, cache 30, memory bank 4: tokens q, queries with the summary, fresh keys, all keys.
Q, QUERIES, FRESH, KEYS = 5, 6, 9, 39
X = Q * D
SCORES = H * QUERIES * KEYS

# op: exp, divide, multiply-add, compare; live elements. Elements are bytes at int8.
LAYER = {
    # Residual input and normalised copy are alive together.
    "norm_in": ((0, Q, 4 * X, 0), 2 * X),
    # Bias and scaling of every query; the summary query is the mean of the chunk.
    "query": ((0, 0, 2 * QUERIES * D + 4 * D, 0), 2 * X + QUERIES * D),
    "key_value": ((0, 0, 2 * FRESH * D, 0), 2 * X + QUERIES * D + 2 * FRESH * D),
    # From here the normalised input is no longer needed.
    "scores": ((0, 0, 0, 0), X + QUERIES * D + 2 * FRESH * D + SCORES),
    "softmax": ((SCORES, H * QUERIES, 3 * SCORES, SCORES), X + QUERIES * D + 2 * FRESH * D + SCORES),
    "context": ((0, 0, 0, 0), X + QUERIES * D + 2 * FRESH * D + SCORES),
    # Bias; the summary's output passes a tanh into the memory bank.
    "out": ((D, 0, QUERIES * D, 0), X + 2 * QUERIES * D),
    "residual_attention": ((0, 0, X, 0), 2 * X),
    "norm_feedforward": ((0, Q, 4 * X, 0), 2 * X),
    "feedforward_1": ((0, 0, Q * F, 0), 2 * X + Q * F),
    "activation": ((Q * F, 0, 4 * Q * F, 0), X + Q * F),
    "feedforward_2": ((0, 0, X, 0), 2 * X + Q * F),
    "residual_feedforward": ((0, 0, X, 0), 2 * X),
    "norm_out": ((0, Q, 4 * X, 0), 2 * X),
}
MOVED = {  # vector rows: elements read and written besides matrix operands
    "norm_in": (X, X), "softmax": (SCORES, SCORES), "residual_attention": (2 * X, X), "norm_feedforward": (X, X),
    "activation": (Q * F, Q * F), "residual_feedforward": (2 * X, X), "norm_out": (X, X),
}  # fmt: skip
BIASES = {
    "norm_in": 2 * D, "query": D, "key_value": 2 * D, "out": D, "norm_feedforward": 2 * D, "feedforward_1": F,
    "feedforward_2": D, "norm_out": 2 * D,
}  # fmt: skip


@pytest.fixture(scope="module")
def layer(emformer, changed):
    """Op table and rows of the Emformer layer with a memory bank."""
    lowered = changed(emformer, lambda data: data["streaming"].update(memory_bank_tokens=4)).lower(4)
    at = {row.op: i for i, row in enumerate(lowered.rows) if row.layer == "emformer"}
    return lowered.recogniser.ops, at


def number(values, row):
    return float(np.ravel(values[row])[0])


def test_the_layer_has_these_ops(layer):
    assert list(LAYER) == sorted(layer[1], key=list(LAYER).index)


@pytest.mark.parametrize("op", LAYER)
def test_vector_work_of_the_emformer_layer(layer, op):
    ops, at = layer
    assert tuple(number(v, at[op]) for v in ops.vector) == LAYER[op][0]


@pytest.mark.parametrize("op", LAYER)
def test_live_activations_of_the_emformer_layer(layer, op):
    ops, at = layer
    assert number(ops.live_bytes, at[op]) == LAYER[op][1]


@pytest.mark.parametrize("op", LAYER)
def test_elements_moved_by_vector_ops(layer, op):
    ops, at = layer
    assert (number(ops.input_bytes, at[op]), number(ops.output_bytes, at[op])) == MOVED.get(op, (0, 0))
    assert number(ops.table_bytes, at[op]) == BIASES.get(op, 0)


def test_state_of_the_emformer_layer(layer):
    """Kept: 2 x 30 x 512 keys and values and 4 memory vectors. The memory is part of the input that a chunk
    projects again (cached keys and values are operands of the products), and writes 2 x 4 x 512 new ones and one memory
    vector."""
    ops, at = layer
    row = at["key_value"]
    assert number(ops.state_bytes, row) == 2 * 30 * D + 4 * D
    assert number(ops.state_read_bytes, row) == 0
    assert number(ops.first_state_ratio, row) == 4 / FRESH
    assert number(ops.state_write_bytes, row) == 2 * 4 * D + D
    for op in set(LAYER) - {"key_value"}:
        assert number(ops.state_bytes, at[op]) == number(ops.state_read_bytes, at[op]) == 0
        assert number(ops.state_write_bytes, at[op]) == 0


def test_without_a_memory_bank_nothing_is_summarised(emformer):
    """No summary query, no pooling, no tanh."""
    lowered = emformer.lower(4)
    ops = lowered.recogniser.ops
    at = {row.op: i for i, row in enumerate(lowered.rows) if row.layer == "emformer"}
    assert number(ops.vector[2], at["query"]) == 2 * Q * D
    assert number(ops.vector[0], at["out"]) == 0
    assert number(ops.state_read_bytes, at["key_value"]) == 0
    assert number(ops.state_write_bytes, at["key_value"]) == 2 * 4 * D


def test_peak_activations_of_the_recogniser(emformer):
    """The feedforward network: residual, normalised input and 5 x 2048 hidden values, 15,360 bytes; the
    front end and the joiner need less."""
    assert emformer.lower(4).recogniser.ops.live_bytes.max() == 2 * X + Q * F == 15_360


def ops_of(workload, component):
    lowered = workload.lower(4)
    at = {(r.layer, r.op): i for i, r in enumerate(lowered.rows) if r.component == component}
    return lowered.recogniser.ops, at


def test_the_predictor(emformer):
    """One symbol, one hypothesis: an LSTM with layer norm on its four gates and on the cell."""
    ops, at = ops_of(emformer, "predictor")
    gates = 4 * D
    cell = at["lstm", "cell"]
    # Sigmoids of three gates and tanh of one and of the cell; the cell's update; norms of gates and cell.
    assert tuple(number(v, cell) for v in ops.vector) == (5 * D, 2, 4 * D + 4 * 5 * D, 0)
    assert number(ops.table_bytes, cell) == 2 * 5 * D
    assert (number(ops.input_bytes, cell), number(ops.output_bytes, cell)) == (gates, D)
    assert (number(ops.state_read_bytes, cell), number(ops.state_write_bytes, cell)) == (2 * D, 2 * D)
    assert number(ops.live_bytes, cell) == gates + D + 2 * D
    # The recurrent part adds to the input part: gates of both, and the hidden state.
    recurrent = at["lstm", "recurrent_gates"]
    assert tuple(number(v, recurrent) for v in ops.vector) == (0, 0, gates, 0)
    assert number(ops.live_bytes, recurrent) == 2 * gates + D
    entering = at["lstm", "input_gates"]
    assert tuple(number(v, entering) for v in ops.vector) == (0, 0, 0, 0)
    assert number(ops.live_bytes, entering) == D + gates
    lookup = at["embedding", "lookup"]
    assert (number(ops.output_bytes, lookup), number(ops.live_bytes, lookup)) == (D, D)
    linear = at["output_linear", "linear"]
    assert number(ops.vector[2], linear) == number(ops.table_bytes, linear) == 1024
    assert number(ops.live_bytes, linear) == 512 + 1024


def test_the_joiner(emformer):
    """Add, rectify, 1024 x 4097, log-softmax over 4097 symbols."""
    ops, at = ops_of(emformer, "joiner")
    add, relu = at["join", "add"], at["activation", "relu"]
    assert tuple(number(v, add) for v in ops.vector) == (0, 0, 1024, 0)
    assert (number(ops.input_bytes, add), number(ops.output_bytes, add)) == (2048, 1024)
    assert number(ops.live_bytes, add) == 3072
    assert tuple(number(v, relu) for v in ops.vector) == (0, 0, 0, 1024)
    assert (number(ops.input_bytes, relu), number(ops.output_bytes, relu)) == (1024, 1024)
    assert number(ops.live_bytes, relu) == 1024  # in place
    softmax = at["decision", "softmax"]
    assert tuple(number(v, softmax) for v in ops.vector) == (4097, 1, 3 * 4097, 4097)
    assert (number(ops.input_bytes, softmax), number(ops.output_bytes, softmax)) == (4097, 4097)
    assert number(ops.live_bytes, softmax) == 2 * 4097
    norm_ops, norm_at = ops_of(emformer, "predictor")
    norm = norm_at["output_norm", "norm"]
    assert tuple(number(v, norm) for v in norm_ops.vector) == (0, 1, 4096, 0)
    assert (number(norm_ops.input_bytes, norm), number(norm_ops.output_bytes, norm)) == (1024, 1024)
    assert number(norm_ops.live_bytes, norm) == 2048


def test_the_front_end(emformer):
    """16 frames of a 400-point real FFT and 80 mel bands.

    Window 400; a real FFT of n points as a complex one of 200: (n / 4) log2(n / 2) butterflies of 6
    multiply-adds and 3 n to unpack; magnitudes of 201 bins at 2; two filter weights per bin; 2 per band for
    logarithm's scale and normalisation. Kept in tables of 16 bits: window and twiddles, 2 x 400, and 402 filter
    weights. Alive: window and spectrum, and the bands.
    """
    ops, at = ops_of(emformer, "front_end")
    row = at["features", "features"]
    fft = 100 * np.log2(200) * 6 + 3 * 400
    per_frame = 400 + fft + 2 * 201 + 2 * 201 + 2 * 80
    assert number(ops.vector[2], row) == pytest.approx(16 * per_frame, rel=1e-12)
    assert [number(ops.vector[i], row) for i in (0, 1, 3)] == [16 * 80, 0, 0]
    assert number(ops.weights_bytes, row) == number(ops.table_bytes, row) == 2 * (800 + 402)
    assert number(ops.params, row) == 0
    assert number(ops.live_bytes, row) == 800 + 16 * 80


@pytest.mark.parametrize(("kind", "exps", "multiply_adds", "compares"),
                         [("none", 0, 0, 0), ("relu", 0, 0, 1), ("gelu", 1, 4, 0), ("silu", 1, 2, 0), ("tanh", 1, 1, 0),
                          ("sigmoid", 1, 1, 0)])  # fmt: skip
def test_activations_per_element(emformer, changed, kind, exps, multiply_adds, compares):
    """On the 5 x 2048 hidden values, besides the bias of the linear layer before."""

    def edit(data):
        data["components"][1]["layers"][1]["activation"] = kind

    ops, at = ops_of(changed(emformer, edit), "encoder")
    found = [number(v, at["emformer", "activation"]) / (Q * F) for v in ops.vector]
    assert found == [exps, 0, multiply_adds, compares]


def test_serial_lstm_of_an_encoder(emformer, changed):
    """5 tokens one after the other; state is read and written once per chunk, not once per token."""

    def edit(data):
        layer = {"kind": "lstm", "name": "rnn", "inputs": 16, "width": 8, "rows": "all_tokens"}
        data["components"][1]["layers"].append(layer)

    ops, at = ops_of(changed(emformer, edit), "encoder")
    entering, recurrent, cell = (at["rnn", op] for op in ("input_gates", "recurrent_gates", "cell"))
    assert number(ops.live_bytes, entering) == 5 * (16 + 32)
    assert number(ops.vector[2], entering) == 5 * 32  # bias
    assert number(ops.live_bytes, recurrent) == 5 * 32 + 8 + 32
    assert number(ops.vector[2], recurrent) == 5 * (32 + 32)  # bias, and the sum with the input part
    assert tuple(number(v, cell) for v in ops.vector) == (5 * 40, 0, 5 * 32, 0)
    assert (number(ops.input_bytes, cell), number(ops.output_bytes, cell)) == (5 * 32, 5 * 8)
    assert (number(ops.state_read_bytes, cell), number(ops.state_write_bytes, cell)) == (16, 16)
    assert number(ops.live_bytes, cell) == 5 * 40 + 16
