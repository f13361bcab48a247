"""The shipped FastConformers of NeMo and Nemotron against the counts of the real modules, exactly.

``data/counts/fastconformer.json`` was recorded by ``tools/counts/fastconformer.py``.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from foldsim.schema import InputError
from foldsim.workload import workload as workloads

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "counts" / "fastconformer.json").read_text("utf-8"))
MODELS = RECORDED["models"]
NEMO = [name for name in MODELS if name.startswith("fastconformer")]
HUGGING_FACE = "nemotron-streaming-0.6b"
LARGE_IN_HUGGING_FACE = MODELS[HUGGING_FACE]["large_geometry"]
WAITING_AUDIO_BYTES = (512 - 160) * 2  # 16-bit samples between hop and FFT of the features
CHUNKS = [
    pytest.param(name, chunk, id=f"{name}-{chunk['chunk_tokens']}")
    for name, model in MODELS.items()
    for chunk in model["chunks"]
]
PARTS = {
    "projections": ("query", "key_value", "out"),
    "positions": ("position_key", "position_scores"),
    "scores_context": ("scores", "context"),
    "feedforward": ("macaron_1", "macaron_2", "feedforward_1", "feedforward_2"),
    "convolution": ("convolution_in", "depthwise", "convolution_out"),
}
load_workload = cache(workloads.load_workload)


def total(lowered, values, component, *ops):
    """Sum over the rows of a component (and some of its ops), repeats included."""
    repeat = np.broadcast_to(lowered.recogniser.ops.repeat, (len(lowered.rows), 1))
    return float(
        sum(
            np.ravel(values[i])[0] * repeat[i, 0]
            for i, row in enumerate(lowered.rows[: len(values)])
            if row.component == component and (not ops or row.op in ops)
        )
    )


def macs(lowered, component, *ops):
    table = lowered.recogniser.ops
    return total(lowered, table.steps * table.batch * table.m * table.k * table.n, component, *ops)


def elements(chunk, component):
    """Elements of the tensors of floating point that a component hands to its next chunk."""
    tensors = [t for t in chunk["state"] if t["component"] == component and t["dtype"] == "float32"]
    return sum(int(np.prod(t["shape"])) for t in tensors)


def layer_of(data, kind):
    """The first layer of a kind in a YAML document."""
    return next(layer for component in data["components"] for layer in component["layers"] if layer["kind"] == kind)


@pytest.mark.parametrize("name", MODELS)
def test_the_record_is_of_the_shipped_model(name):
    """Sizes of the counted module and of the YAML: otherwise the rest of this file compares different models."""
    spec = load_workload(name).spec
    layer = next(x for c in spec.components for x in c.layers if x.kind == "conformer")
    config, of = MODELS[name]["config"], ("d_model", "n_heads", "n_layers", "conv_kernel_size")
    if name == HUGGING_FACE:
        config = config["encoder_config"]
        of = ("hidden_size", "num_attention_heads", "num_hidden_layers", "conv_kernel_size")
    assert [layer.width, layer.heads, layer.repeat, layer.kernel_tokens] == [config[key] for key in of]
    assert layer.feedforward == 4 * layer.width
    counted = [chunk["chunk_tokens"] for chunk in MODELS[name]["chunks"]]
    assert {spec.streaming.chunk_tokens, *spec.streaming.chunk_tokens_published} <= set(counted)
    assert spec.token_ms == MODELS[name]["chunks"][0]["chunk_ms"]


@pytest.mark.parametrize("name", MODELS)
def test_parameters(name):
    """By component; none is left over."""
    workload = load_workload(name)
    assert workload.params() == MODELS[name]["params"]
    assert workload.spec.unused_params_count == MODELS[name]["unused_params"] == 0


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_macs_of_a_chunk(name, chunk):
    """By component, and by part of the encoder."""
    workload = load_workload(name)
    counted = workload.macs_per_invocation(chunk["chunk_tokens"])
    assert {c: counted[c] for c in chunk["macs"]} == chunk["macs"]
    lowered = workload.lower(chunk["chunk_tokens"])
    for part, ops in PARTS.items():
        assert macs(lowered, "encoder", *ops) == chunk["macs_by_part"][part], part
    assert macs(lowered, "encoder", "linear") + counted.get("ctc_head", 0) == chunk["macs_by_part"]["head"]


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_softmax_of_a_chunk(name, chunk):
    """One exponential per score of attention, and per symbol where the CTC head normalises."""
    lowered = load_workload(name).lower(chunk["chunk_tokens"])
    exponentials = lowered.recogniser.ops.vector[0]
    assert total(lowered, exponentials, "encoder", "softmax") == chunk["softmax_elements"]
    assert total(lowered, exponentials, "ctc_head", "softmax") == chunk["head_softmax_elements"]


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_state_of_a_chunk(name, chunk):
    """int8: a byte per element. The front end also holds the waiting audio."""
    lowered = load_workload(name).lower(chunk["chunk_tokens"])
    state = lowered.recogniser.ops.state_bytes
    assert total(lowered, state, "encoder") == elements(chunk, "encoder")
    assert total(lowered, state, "front_end") == elements(chunk, "front_end") + WAITING_AUDIO_BYTES
    assert elements(chunk, "encoder") + elements(chunk, "front_end") == chunk["state_elements"]


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_state_traffic_of_a_chunk(name, chunk):
    """Every chunk reads all of the state once and writes what is new of it. NeMo keeps 9 frames of 80 bands in a ring;
    the last rows of convolutions are always new."""
    workload = load_workload(name)
    lowered = workload.lower(chunk["chunk_tokens"])
    recogniser, tokens = lowered.recogniser, chunk["chunk_tokens"]
    layer = next(x for c in workload.spec.components for x in c.layers if x.kind == "conformer")
    moved = {
        c: recogniser.group_traffic_bytes[recogniser.group_names.index(f"{c} state"), 0]
        for c in chunk["macs"]
        if c != "ctc_head"
    }
    new = layer.repeat * layer.width * ((2 if name == HUGGING_FACE else 1) * tokens + min(tokens, 8))
    assert moved["encoder"] == pytest.approx(elements(chunk, "encoder") + new, rel=1e-12)
    kept = elements(chunk, "front_end")
    new = kept if name == HUGGING_FACE else min(8 * tokens, 9) * 80
    assert moved["front_end"] == pytest.approx(kept + new + 2 * WAITING_AUDIO_BYTES, rel=1e-12)


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name]["calls"]])
def test_predictor_and_joiner(name):
    """One call each."""
    workload, calls = load_workload(name), MODELS[name]["calls"]
    counted = workload.macs_per_invocation()
    assert {c: counted[c] for c in calls} == {c: call["macs"] for c, call in calls.items()}
    lowered = workload.lower()
    assert total(lowered, lowered.recogniser.ops.state_bytes, "predictor") == calls["predictor"]["state_elements"]


@pytest.mark.parametrize("chunk", LARGE_IN_HUGGING_FACE["chunks"], ids=lambda chunk: str(chunk["chunk_tokens"]))
def test_the_same_encoder_with_projected_keys_and_kept_rows(changed, chunk):
    """transformers' streaming code at the sizes of fastconformer-large: two options of the YAML make the difference."""
    rows = next(
        layer
        for component in load_workload(HUGGING_FACE).document.data["components"]
        for layer in component["layers"]
        if layer["kind"] == "conv_stack"
    )

    def edit(data):
        layer_of(data, "conformer")["cache"] = "projected"
        stack = layer_of(data, "conv_stack")
        convolutions = [*rows["convolutions"][:-1], stack["convolutions"][-1]]
        stack.update(convolutions=convolutions, reread_rows=0, keeps_rows=0)

    workload = changed(load_workload("fastconformer-large-ctc"), edit)
    counted, params = workload.macs_per_invocation(chunk["chunk_tokens"]), workload.params()
    assert {c: counted[c] for c in chunk["macs"]} == chunk["macs"]
    assert {c: params[c] for c in LARGE_IN_HUGGING_FACE["params"]} == LARGE_IN_HUGGING_FACE["params"]
    lowered = workload.lower(chunk["chunk_tokens"])
    state = lowered.recogniser.ops.state_bytes
    assert (
        total(lowered, state, "encoder") + total(lowered, state, "front_end") - WAITING_AUDIO_BYTES
        == chunk["state_elements"]
    )


def test_what_the_cache_holds_nearly_doubles_the_work_of_a_token():
    """At 80 ms, 1,371.8 MMAC with the layer's input in the cache, 738.8 with projected keys: a count of the project
    before this one, and 2,089,509,120 at 560 ms. K and V of 70 tokens in 17 layers: 17 x 70 x 2 x 512^2 MACs; and the
    front end makes two tokens more."""
    of = {chunk["chunk_tokens"]: sum(chunk["macs"].values()) for chunk in LARGE_IN_HUGGING_FACE["chunks"]}
    workload = load_workload("fastconformer-large-rnnt")

    def encoder_macs(tokens):
        counted = workload.macs_per_invocation(tokens)
        return counted["front_end"] + counted["encoder"] - tokens * 512 * 640  # without the joiner's projection

    assert encoder_macs(7) == 2_089_509_120
    assert (round(encoder_macs(1) / 1e6, 1), round(of[1] / 1e6, 1)) == (1371.8, 738.8)
    chunk = MODELS["fastconformer-large-rnnt"]["chunks"][0]["macs_by_part"]
    other = LARGE_IN_HUGGING_FACE["chunks"][0]["macs_by_part"]
    assert encoder_macs(1) - of[1] == 17 * 70 * 2 * 512**2 + chunk["front_end"] - other["front_end"]


@pytest.mark.parametrize("tokens", [1, 7, 14])
def test_a_kept_table_of_positions(changed, tokens):
    """A runtime that keeps the projected table does without 17 x (2 x (70 + T) - 1) x 512^2 MACs, and stores it."""
    name = "fastconformer-large-ctc"
    kept = changed(load_workload(name), lambda data: layer_of(data, "conformer").update(positions="relative_kept"))
    rows = 2 * (70 + tokens) - 1
    saved = load_workload(name).macs_per_invocation(tokens)["encoder"] - kept.macs_per_invocation(tokens)["encoder"]
    assert saved == 17 * rows * 512**2
    states = [w.lower(tokens).recogniser.ops.state_bytes for w in (load_workload(name), kept)]
    lowered = [w.lower(tokens) for w in (load_workload(name), kept)]
    assert total(lowered[1], states[1], "encoder") - total(lowered[0], states[0], "encoder") == 17 * rows * 512
    assert kept.params() == load_workload(name).params()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda data: layer_of(data, "conformer").update(lookahead_tokens=4),
            "looks 4 tokens ahead needs a right context of at least as many; the workload has 0",
        ),
        (lambda data: layer_of(data, "conformer").update(heads=7), "7 heads do not divide the width 512"),
        (lambda data: layer_of(data, "conv_stack")["convolutions"][1].update(groups=7), "7 groups do not divide"),
        (
            lambda data: layer_of(data, "conv_stack")["convolutions"][1].update(cached_rows=3),
            "a kernel of 3 rows does not read 3 earlier rows",
        ),
        (
            lambda data: layer_of(data, "conv_stack")["convolutions"][-1].update(kernel_bands=12),
            "a kernel of 12 bands is larger than the 11 bands",
        ),
    ],
)
def test_refusals(changed, edit, message):
    """Impossible combinations are located errors."""
    with pytest.raises(InputError) as error:
        changed(load_workload("fastconformer-large-ctc"), edit)
    finding = next(f for f in error.value.findings if message in f.message)
    assert finding.line
    assert finding.allowed
