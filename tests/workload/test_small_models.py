"""MLPerf's speech models, Wav2Letter and the Performer-Conformer against the counts of the real modules, exactly.

``data/counts/small.json`` was recorded by ``tools/counts/small_models.py``: of the published modules, and of a
reference module for the Performer-Conformer, of which only a paper exists.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from foldsim.schema import InputError
from foldsim.workload.layers.features import log_mel_work
from foldsim.workload.layers.mfcc import Mfcc
from foldsim.workload.layers.pooling import Pooling
from foldsim.workload.ops import BITS, Context, activation_work
from foldsim.workload.workload import load_workload

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "counts" / "small.json").read_text(encoding="utf-8"))
MODELS = RECORDED["models"]
CHUNKS = [
    pytest.param(name, chunk, id=f"{name}-{chunk['chunk_tokens']}")
    for name, model in MODELS.items()
    for chunk in model["chunks"]
]
AUDIO = "int16"  # everything else is held in the workload's format of state
CONTEXT = {"memory_bank_tokens": 0.0, "subsampling_frames": 2.0}


def rows_of(lowered, values, choose=lambda row: True):
    """(row, value over all its repeats) of the chosen rows, at the one design point."""
    repeat = np.broadcast_to(lowered.recogniser.ops.repeat, (len(lowered.rows), 1))
    return [
        (row, float(np.ravel(values[i])[0] * repeat[i, 0]))
        for i, row in enumerate(lowered.rows)
        if i < len(values) and choose(row)
    ]


def total(lowered, values, choose=lambda row: True):
    return sum(value for _, value in rows_of(lowered, values, choose))


def macs(lowered, choose=lambda row: True):
    table = lowered.recogniser.ops
    return total(lowered, table.steps * table.batch * table.m * table.k * table.n, choose)


def bytes_of(tensors, bits):
    """Stored bytes of recorded state tensors."""
    return sum(math.prod(t["shape"]) * (2 if t["dtype"] == AUDIO else bits / 8) for t in tensors)


@pytest.mark.parametrize("name", MODELS)
def test_parameters(name):
    """By component, and with the parameters that never run, all of the module's."""
    model, workload = MODELS[name], load_workload(name)
    assert {c: n for c, n in workload.params().items() if n} == model["params"]
    assert workload.spec.unused_params_count == model["unused_params"]
    assert workload.spec.published_params_count == model["published_params"]
    if model["published_params"]:
        assert sum(model["params"].values()) + model["unused_params"] == model["published_params"]


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_macs_of_a_chunk(name, chunk):
    """By component."""
    counted = load_workload(name).macs_per_invocation(chunk["chunk_tokens"])
    assert {c: counted[c] for c in chunk["macs"]} == chunk["macs"]


@pytest.mark.parametrize("name", MODELS)
def test_the_record_is_of_the_shipped_contexts(name):
    """Otherwise the rest of this file compares different models; FAVOR+'s sums have no length."""
    streaming = load_workload(name).spec.streaming
    assert streaming.chunk_tokens in [chunk["chunk_tokens"] for chunk in MODELS[name]["chunks"]]
    if name != "performer-conformer-10m":
        contexts = {(c["left_context_tokens"], c["right_context_tokens"]) for c in MODELS[name]["chunks"]}
        assert contexts == {(streaming.left_context_tokens, streaming.right_context_tokens)}
    for chunk in MODELS[name]["chunks"]:
        assert chunk["chunk_ms"] == chunk["chunk_tokens"] * load_workload(name).spec.token_ms


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_state_of_a_chunk(name, chunk):
    """Every tensor that goes from one chunk to the next, and the audio that waits for the next analysis window."""
    workload = load_workload(name)
    lowered = workload.lower(chunk["chunk_tokens"])
    per_chunk = {c.name for c in workload.spec.components if "chunk" in c.invoked_per}
    held = total(lowered, lowered.recogniser.ops.state_bytes, lambda row: row.component in per_chunk)
    assert held == bytes_of(chunk["state"], BITS[workload.spec.precision.state])
    assert chunk["state_elements"] == sum(math.prod(t["shape"]) for t in chunk["state"] if t["dtype"] != AUDIO)


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_softmax_of_a_chunk(name, chunk):
    """One exponential per element, in components that run per chunk."""
    lowered = load_workload(name).lower(chunk["chunk_tokens"])
    exponentials = lowered.recogniser.ops.vector[0]
    per_chunk = [row for row in lowered.rows if row.op == "softmax" and row.component != "joiner"]
    assert total(lowered, exponentials, lambda row: row in per_chunk) == chunk["softmax_elements"]


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name]["calls"]])
def test_calls_of_predictor_and_joiner(name):
    workload = load_workload(name)
    counted, lowered = workload.macs_per_invocation(), workload.lower()
    for component, call in MODELS[name]["calls"].items():
        assert counted[component] == call["macs"]
        held = total(lowered, lowered.recogniser.ops.state_bytes, lambda row, c=component: row.component == c)
        assert held == call.get("state_elements", 0) * BITS[workload.spec.precision.state] / 8


@pytest.mark.parametrize(
    ("name", "macs_count", "weights_count"),
    [("kws", 2_656_768, 22_016), ("sww", 826_368, 46_040), ("ad", 264_192, 264_192)],
)
def test_totals_of_mlperf_tiny(name, macs_count, weights_count):
    """As the submissions' logs of MLPerf Tiny have them, for one window: weights of matrix products, biases apart."""
    workload = load_workload(f"mlperf-tiny-{name}")
    assert sum(workload.macs_per_invocation().values()) == macs_count
    ops = workload.lower().recogniser.ops
    stored = ops.repeat[: ops.matrix_rows] * ops.batch * ops.k * ops.n
    assert float(np.sum(stored)) == weights_count


@pytest.mark.parametrize("chunk", MODELS["mlperf-rnnt"]["chunks"], ids=lambda chunk: str(chunk["chunk_tokens"]))
def test_rnnt_runs_frame_by_frame(chunk):
    """Two layers per token of 30 ms, three per 60 ms; recurrent products are as many as frames, one row each."""
    tokens = chunk["chunk_tokens"]
    lowered = load_workload("mlperf-rnnt").lower(tokens)
    for part, layers in (("before_stacking", ("lstm_1", "lstm_2")), ("after_stacking", ("lstm_3", "lstm_4"))):
        assert macs(lowered, lambda row, names=layers: row.layer in names) == chunk["macs_by_part"][part]
    ops = lowered.recogniser.ops
    recurrent = {
        row.layer: (np.ravel(ops.steps[i])[0], np.ravel(ops.m[i])[0])
        for i, row in enumerate(lowered.rows)
        if row.component == "encoder" and row.op == "recurrent_gates"
    }
    assert recurrent == {
        "lstm_1": (tokens, 1),
        "lstm_2": (tokens, 1),
        "lstm_3": (tokens / 2, 1),
        "lstm_4": (tokens / 2, 1),
    }


def test_rnnt_of_the_measured_utterances():
    """6.2516 s, the mean of the benchmark's utterances, take the facts' 5.886 GMAC of encoder: 56,492,032 per 60 ms."""
    counted = load_workload("mlperf-rnnt").macs_per_invocation(2)
    assert counted["encoder"] == 56_492_032
    assert counted["encoder"] * 6.2516 / 0.06 == pytest.approx(5_886_096_872, rel=1e-3)


@pytest.mark.parametrize(("tokens", "kept"), [(50, 0), (49, 0), (48, 1), (10, 39), (1, 48)])
def test_a_fixed_window_keeps_what_the_chunk_does_not_bring(tokens, kept):
    """49 frames of 10 coefficients; a chunk writes its own frames, as far as they are kept."""
    lowered = load_workload("mlperf-tiny-kws").lower(tokens)
    ops = lowered.recogniser.ops
    for values, elements in (
        (ops.state_bytes, kept * 10),
        (ops.state_read_bytes, kept * 10),
        (ops.state_write_bytes, min(tokens, kept) * 10),
    ):
        assert total(lowered, values, lambda row: row.op == "convolution_1") == elements


def test_wav2letter_fills_the_deployed_file():
    """One byte per weight and four per bias are 99 % of the deployed file (definition.yaml says 23,815,520 bytes)."""
    workload = load_workload("wav2letter")
    ops = workload.lower().recogniser.ops
    weights = float(np.sum(ops.repeat[: ops.matrix_rows] * ops.batch * ops.k * ops.n))
    biases = sum(workload.params().values()) - weights
    assert 0.99 < (weights + 4 * biases) / 23_815_520 < 1


def test_wav2letter_computes_its_window_again():
    """148 rows for 50 tokens in every convolution; the first slides over 296 frames."""
    lowered = load_workload("wav2letter").lower(50)
    ops = lowered.recogniser.ops
    assert {float(np.ravel(ops.m[i])[0]) for i in range(ops.matrix_rows)} == {148.0}
    features = [row for row in lowered.rows if row.op == "features"]
    outputs = total(lowered, ops.output_bytes, lambda row: row in features)
    assert outputs == 296 * 39


def test_mfcc_by_hand():
    """One chunk of 3 tokens of 2 frames between 4 and 1 tokens of context: 6 new frames, 16 in the window."""
    context = Context(chunk_tokens=3.0, left_context_tokens=4.0, right_context_tokens=1.0, **CONTEXT)
    sizes = {"samples_per_window": 400, "samples_per_hop": 160, "samples_per_fft": 512, "bands": 40, "coefficients": 13}
    one_frame, entries = log_mel_work(400.0, 512.0, 40.0)
    cosine = 40 * 13
    (once,) = Mfcc(kind="mfcc", name="a", **sizes).lower(context)
    assert once.outputs == 6 * 13
    assert once.multiply_add == 6 * (one_frame + cosine)
    assert once.exp == 6 * 40
    assert once.constant_bytes == (entries + cosine) * 2
    assert (once.state, once.fixed_state_bytes) == (2 * 13, 240 * 2)  # the frames of the right context wait
    (again,) = Mfcc(kind="mfcc", name="a", derivatives=2, frames="window", **sizes).lower(context)
    assert again.outputs == 16 * 39
    assert again.multiply_add == 16 * (one_frame + cosine + 2 * 9 * 13) + 3 * 16 * 39
    assert (again.state, again.fixed_state_bytes) == (0, (10 * 160 + 240) * 2)
    assert once.fixed_input_bytes == again.fixed_input_bytes == 6 * 160 * 2


def test_an_fft_longer_than_the_window():
    """512 points: 512 / 4 log2(256) butterflies of 6, 3 per point to unpack, 257 bins twice and two weights each."""
    work, entries = log_mel_work(400.0, 512.0, 80.0)
    assert work == 400 + 128 * 8 * 6 + 3 * 512 + 2 * 257 + 2 * 257 + 2 * 80
    assert entries == 400 + 512 + 2 * 257


@pytest.mark.parametrize(
    ("function", "work"), [("average", {"multiply_add": 2 * 64 * 126}), ("max", {"compare": 2 * 64 * 125})]
)
def test_pooling_by_hand(function, work):
    """Two outputs of 64 channels that cover 125 elements each; an average is scaled once more."""
    context = Context(chunk_tokens=2.0, left_context_tokens=0.0, right_context_tokens=0.0, **CONTEXT)
    (op,) = Pooling(kind="pooling", name="a", function=function, width=64, covered=125).lower(context)
    assert (op.inputs, op.outputs, op.params, op.macs) == (2 * 64 * 125, 2 * 64, 0, 0)
    assert {kind: getattr(op, kind) for kind in ("exp", "divide", "multiply_add", "compare")} == {
        **dict.fromkeys(("exp", "divide", "multiply_add", "compare"), 0.0),
        **work,
    }


def test_leaky_relu_compares_and_scales():
    assert activation_work("leaky_relu", 7.0) == {"compare": 7.0, "multiply_add": 7.0}


def edit_layer(component, layer, **keys):
    """An edit that changes keys of one layer."""

    def edit(data):
        found = next(c for c in data["components"] if c["name"] == component)["layers"]
        next(x for x in found if x["name"] == layer).update(keys)

    return edit


@pytest.mark.parametrize(
    ("name", "edit", "path", "message"),
    [
        (
            "mlperf-tiny-sww",
            edit_layer("encoder", "convolutions", keeps_rows="window"),
            "components[1].layers[0].keeps_rows",
            "keeps_rows: window needs a fixed window",
        ),
        (
            "mlperf-tiny-sww",
            edit_layer("encoder", "convolutions", keeps_rows=-1),
            "components[1].layers[0].keeps_rows",
            "",
        ),
        (
            "mlperf-tiny-kws",
            edit_layer("encoder", "convolutions", input_rows=1, bands=1),
            "components[1].layers[0].convolutions[0].kernel_bands",
            "a kernel of 4 bands is larger than the 1 bands of its input and padding",
        ),
        (
            "mlperf-tiny-kws",
            edit_layer("front_end", "features", samples_per_fft=256),
            "components[0].layers[0].samples_per_fft",
            "an FFT of 256 points is shorter than the window of 480 samples",
        ),
        (
            "mlperf-rnnt",
            edit_layer("front_end", "features", samples_per_fft=256),
            "components[0].layers[0].samples_per_fft",
            "an FFT of 256 points is shorter than the window of 320 samples",
        ),
        (
            "wav2letter",
            edit_layer("front_end", "features", coefficients=200),
            "components[0].layers[0].coefficients",
            "200 coefficients are more than the 128 bands",
        ),
        (
            "mlperf-rnnt",
            lambda data: data["streaming"].update(chunk_tokens=3),
            "streaming.chunk_tokens",
            "a chunk of 3 tokens is not a multiple of 2",
        ),
        (
            "mlperf-tiny-kws",
            lambda data: data["streaming"].update(chunk_tokens=60, chunk_tokens_published=None),
            "streaming.chunk_tokens",
            "a chunk of 60 tokens",
        ),
    ],
)
def test_refusals(changed, name, edit, path, message):
    """Impossible combinations are located, and say what is allowed."""
    with pytest.raises(InputError) as error:
        changed(load_workload(name), edit)
    found = next(f for f in error.value.findings if f.path.startswith(path))
    assert found.message.startswith(message)
    assert found.line > 1
    assert found.allowed or "50" in found.message
