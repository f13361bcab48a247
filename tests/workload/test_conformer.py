"""The shipped Conformers of icefall and WeNet against the counts of the real modules, exactly.

``data/counts/conformer.json`` was recorded by ``tools/counts/conformer.py``. Its chunks have several left and right
contexts: the workload's own are replaced by those of the chunk.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from foldsim.schema import InputError
from foldsim.workload.workload import load_workload

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "counts" / "conformer.json").read_text(encoding="utf-8"))
MODELS = RECORDED["models"]
LAYERS, BANDS, FRAMES = 12, 80, 4  # encoder layers, mel bands, feature frames per token: the same in all five
WAITING_AUDIO_BYTES = 240 * 2  # 16-bit samples between hop and window of the features
SIZES = ("chunk_tokens", "left_context_tokens", "right_context_tokens")
PARTS = {
    "projections": ("query", "key_value", "out"),
    "positions": ("position_key",),
    "scores_context": ("position_scores", "scores", "context"),
    "feedforward": ("macaron_1", "macaron_2", "feedforward_1", "feedforward_2"),
    "convolution": ("convolution_in", "depthwise", "convolution_out"),
}
CHUNKS = [
    pytest.param(name, chunk, id=f"{name}-{'-'.join(str(chunk[size]) for size in SIZES)}")
    for name, model in MODELS.items()
    for chunk in model["chunks"]
]


def at(changed, name, chunk):
    """A shipped workload with the contexts of a recorded chunk, lowered at its size."""

    def edit(data):
        data["streaming"].update({size: chunk[size] for size in SIZES})
        data["streaming"].pop("chunk_tokens_published", None)

    workload = changed(load_workload(name), edit)
    return workload, workload.lower(chunk["chunk_tokens"])


def total(lowered, values, component, *ops, layer=None):
    """Sum over the rows of a component (and some of its ops), repeats included."""
    repeat = np.broadcast_to(lowered.recogniser.ops.repeat, (len(lowered.rows), 1))
    return float(
        sum(
            np.ravel(values[i])[0] * repeat[i, 0]
            for i, row in enumerate(lowered.rows)
            if row.component == component and (not ops or row.op in ops) and layer in (None, row.layer)
            if i < len(values)
        )
    )


def macs(lowered, component, *ops):
    table = lowered.recogniser.ops
    return total(lowered, table.steps * table.batch * table.m * table.k * table.n, component, *ops)


@pytest.mark.parametrize("name", MODELS)
def test_the_record_is_of_the_shipped_model(name):
    """Sizes of the counted module and of the YAML: otherwise the rest of this file compares different models."""
    config, spec = MODELS[name]["config"], load_workload(name).spec
    layer = next(x for c in spec.components for x in c.layers if x.kind in ("conformer", "conv_emformer"))
    of = ("output_size", "attention_heads", "linear_units", "num_blocks")
    of = of if name.startswith("wenet") else ("d_model", "nhead", "dim_feedforward", "num_encoder_layers")
    assert [layer.width, layer.heads, layer.feedforward, layer.repeat] == [config[key] for key in of]
    assert layer.kernel_tokens == config["cnn_module_kernel"]
    assert spec.streaming.memory_bank_tokens == config.get("memory_size", 0)
    default = [getattr(spec.streaming, size) for size in SIZES]
    assert default in [[chunk[size] for size in SIZES] for chunk in MODELS[name]["chunks"]]


@pytest.mark.parametrize("name", MODELS)
def test_parameters(name):
    """By component, and with the parameters that never run, all of the module's."""
    model, workload = MODELS[name], load_workload(name)
    assert workload.params() == model["params"]
    assert workload.spec.unused_params_count == model["unused_params"]
    assert sum(model["params"].values()) + model["unused_params"] == model["total_params"]
    assert workload.spec.published_params_count == model["published_params"]
    if model["published_params"]:
        assert model["total_params"] == model["published_params"]


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_macs_of_a_chunk(changed, name, chunk):
    """By component, by part of the encoder, and the front end's rows."""
    workload, lowered = at(changed, name, chunk)
    counted = workload.macs_per_invocation(chunk["chunk_tokens"])
    assert {c: counted[c] for c in chunk["macs"]} == chunk["macs"]
    for part, ops in PARTS.items():
        assert macs(lowered, "encoder", *ops) == chunk["macs_by_part"].get(part, 0), part
    assert macs(lowered, "front_end") == chunk["macs_by_part"]["front_end"]


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_softmax_of_a_chunk(changed, name, chunk):
    """One exponential per score of attention, and per entry of the vocabulary where the head normalises."""
    _, lowered = at(changed, name, chunk)
    exponentials = lowered.recogniser.ops.vector[0]
    assert total(lowered, exponentials, "encoder", "softmax") == chunk["softmax_elements"]
    assert total(lowered, exponentials, "ctc_head", "softmax") == chunk["head_softmax_elements"]


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_state_of_a_chunk(changed, name, chunk):
    """int8: a byte per element. The front end holds the feature frames that it reads again, and the waiting audio."""
    _, lowered = at(changed, name, chunk)
    state = lowered.recogniser.ops.state_bytes
    assert total(lowered, state, "encoder") == chunk["state_elements"]
    assert total(lowered, state, "front_end") == chunk["held_frames"] * BANDS + WAITING_AUDIO_BYTES


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_state_traffic_of_a_chunk(changed, name, chunk):
    """Every chunk reads all of the encoder's state once, and writes what is new of it: rows of width D."""
    config = MODELS[name]["config"]
    _, lowered = at(changed, name, chunk)
    recogniser = lowered.recogniser
    moved = recogniser.group_traffic_bytes[recogniser.group_names.index("encoder state"), 0]
    tokens, left = chunk["chunk_tokens"], chunk["left_context_tokens"]
    past = config["cnn_module_kernel"] - 1
    per_token = 1 if name == "icefall-conformer" else 2  # layer inputs, or keys and values
    new = per_token * min(tokens, left) + min(tokens, past) + (1 if "memory_size" in config else 0)
    rows = chunk["state_elements"] / LAYERS / config.get("d_model", config.get("output_size"))
    assert moved == pytest.approx(LAYERS * config.get("d_model", config.get("output_size")) * (rows + new), rel=1e-12)


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_the_front_end_waits_for_the_frames_that_it_reads(changed, name, chunk):
    """Frames beyond the chunk: those of the right context, and the lookahead."""
    workload, _ = at(changed, name, chunk)
    spec = workload.spec
    waits = chunk["right_context_tokens"] * FRAMES + spec.audio.lookahead_frames
    assert chunk["input_frames"] == chunk["chunk_tokens"] * FRAMES + waits


@pytest.mark.parametrize("name", ["icefall-conformer", "icefall-conv-emformer"])
def test_calls_of_predictor_and_joiner(name):
    counted = load_workload(name).macs_per_invocation()
    for component, call in MODELS[name]["calls"].items():
        assert counted[component] == call["macs"]


def test_pointwise_runs_again_on_cached_rows_but_depthwise_does_not(changed):
    """WeNet, T = 4, D = 256, K = 8: 2 (T + 7) D^2 before the gate; T D K and T D^2 after it; 12 layers."""
    _, lowered = at(changed, "wenet-u2pp-aishell", {**dict(zip(SIZES, (4, 16, 0), strict=True))})
    assert macs(lowered, "encoder", "convolution_in") == 12 * 2 * 11 * 256**2
    assert macs(lowered, "encoder", "depthwise") == 12 * 4 * 256 * 8
    assert macs(lowered, "encoder", "convolution_out") == 12 * 4 * 256**2


def test_a_memory_bank_of_means_asks_no_query(changed):
    """ConvEmformer: 10 queries for 8 + 2 tokens, and the bank among the projected keys; Emformer would ask 11."""
    _, lowered = at(changed, "icefall-conv-emformer", dict(zip(SIZES, (8, 8, 2), strict=True)))
    table, row = lowered.recogniser.ops, {r.op: i for i, r in enumerate(lowered.rows) if r.component == "encoder"}
    m, k, n = (np.ravel(values[row["scores"]])[0] for values in (table.m, table.k, table.n))
    assert (m, k, n) == (10, 64, 32 + 8 + 8 + 2)
    assert np.ravel(table.m[row["key_value"]])[0] == 32 + 10
    assert np.ravel(table.vector[0][row["out"]])[0] == 0  # no tanh


def test_vector_work_of_icefalls_own_functions(changed):
    """Rows x width: DoubleSwish is an exponential and three multiply-adds, BasicNorm two and one root per row."""
    _, lowered = at(changed, "icefall-conformer", dict(zip(SIZES, (2, 32, 0), strict=True)))
    table, row = lowered.recogniser.ops, {r.op: i for i, r in enumerate(lowered.rows) if r.component == "encoder"}
    work = [[np.ravel(kind[row[op]])[0] for kind in table.vector] for op in ("macaron_activation", "norm_out")]
    assert work == [[2 * 2048, 0, 3 * 2 * 2048, 0], [0, 2, 2 * 2 * 512, 0]]
    assert "norm_macaron" not in row


SMALL = """name: small
title: Small
summary: For refusals.
sources: {{none: {{title: Nothing, kind: assumption}}}}
precision: {{weights: int8, activations: int8, state: int8}}
audio: {{frame_ms: 10.0, subsampling_frames: 4}}
streaming: {{chunk_tokens: 4, left_context_tokens: 8, right_context_tokens: {right}, memory_bank_tokens: {bank}}}
decoding:
  symbols_per_s: {{value: 5.0, low: 5.0, high: 5.0, source: none}}
components:
  - name: encoder
    invoked_per: [chunk]
    layers:
      - {{kind: {kind}, name: layers, width: 64, heads: {heads}, feedforward: 256, kernel_tokens: 7{more}}}
"""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 5}, "5 heads do not divide the width 64"),
        ({"more": ", lookahead_tokens: 3"}, "looks 3 tokens ahead needs a right context"),
        ({"more": ", lookahead_tokens: 7", "right": 7}, "is not less than the kernel of 7"),
        ({"more": ", cache: projected_keys"}, "projected_keys"),
        ({"more": ", norms: batch"}, "norms"),
        ({"kind": "conv_emformr"}, "conv_emformer"),
        ({"more": ", memory: 32"}, "memory"),
        ({"kind": "conv_emformer", "more": ", positions: relative", "bank": 8}, "has no position"),
    ],
)
def test_refusals(workload_from, changes, message):
    """Located, and with what is allowed or meant."""
    text = SMALL.format(**{"kind": "conformer", "heads": 4, "right": 0, "bank": 0, "more": "", **changes})
    with pytest.raises(InputError) as caught:
        workload_from(text)
    assert message in str(caught.value)
    assert "workload.yaml:14" in str(caught.value)


def test_a_lookahead_inside_the_right_context_is_allowed(workload_from):
    """Kernel 7 with 3 rows of lookahead keeps 3 rows of the past; keys and values of 8 tokens besides."""
    text = SMALL.format(kind="conformer", heads=4, right=3, bank=0, more=", lookahead_tokens: 3")
    lowered = workload_from(text).lower(4)
    assert total(lowered, lowered.recogniser.ops.state_bytes, "encoder") == 3 * 64 + 2 * 8 * 64


def test_folding_by_two(changed):
    """WeNet, T = 4, L = 16, D = 256, N = 2: projections and the table of positions halve, products of heads double."""
    sizes = dict(zip(SIZES, (4, 16, 0), strict=True))
    workload, plain = at(changed, "wenet-u2pp-aishell", sizes)
    folded = workload.fold(2).lower(4)
    for part, ratio in (("projections", 0.5), ("positions", 0.5), ("scores_context", 2), ("convolution", 1)):
        assert macs(folded, "encoder", *PARTS[part]) == ratio * macs(plain, "encoder", *PARTS[part]), part
    assert total(folded, folded.recogniser.ops.state_bytes, "encoder") == 12 * 256 * (2 * 16 + 7)
