"""Whisper, Moonshine, HuBERT, L-HuBERT and wav2vec2 against the counts of the real modules, exactly.

``data/counts/transformers.json`` was recorded by ``tools/counts/transformers_models.py``. Chunks are windows and
utterances; a decoder step has ``cached_tokens`` of text before it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from foldsim import simulate
from foldsim.schema import InputError
from foldsim.workload.workload import load_workload

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "counts" / "transformers.json").read_text(encoding="utf-8"))
MODELS = RECORDED["models"]
SHIPPED = [name for name in MODELS if "/" not in name]
WITH_DECODER = [name for name in SHIPPED if MODELS[name]["calls"]]
PARTS = {
    "projections": ("query", "key_value", "out", "cross_query", "cross_out"),
    "scores_context": ("scores", "context", "cross_scores", "cross_context"),
    "feedforward": ("feedforward_1", "feedforward_2"),
}
LAYERS = {"convolution": ("subsampling", "samples_to_tokens"), "position_convolution": ("positions",)}
LAYERS |= {"input_projection": ("input_linear",)}
ENCODING = ("front_end", "encoder")


def each(entries):
    """Parameters of a test: model and one of its chunks or steps."""
    return [
        pytest.param(name, entry, id="-".join(str(v) for k, v in entry.items() if k in IDS) + f"-{name}")
        for name in MODELS
        for entry in entries(MODELS[name])
    ]


IDS = ("chunk_tokens", "cached_tokens")
CHUNKS = each(lambda model: model["chunks"])
STEPS = each(lambda model: model["calls"].get("decoder", []))


def load(name):
    """The workload of a record; those with a stroke are another attention of a shipped one."""
    shipped, *variant = name.split("/")
    workload = load_workload(shipped)
    if not variant:
        return workload
    config = MODELS[name]
    return workload.with_attention(
        "local",
        window_tokens=config["window_tokens"],
        kernel=config["kernel"],
        global_projections=config["kernel"] == "chunked",
    )


def at_step(changed, name, cached_tokens):
    """A workload whose decoder has so much text before it."""

    def edit(data):
        layer = next(x for c in data["components"] for x in c["layers"] if x["kind"] == "decoder")
        layer["cached_tokens"] = cached_tokens

    return changed(load(name), edit)


def total(lowered, values, components=None, ops=None, layers=None):
    """Sum over rows, repeats included."""
    repeat = np.broadcast_to(lowered.recogniser.ops.repeat, (len(lowered.rows), 1))
    return sum(
        float(np.ravel(values[i])[0]) * float(repeat[i, 0])
        for i, row in enumerate(lowered.rows)
        if i < len(values)
        and (components is None or row.component in components)
        and (ops is None or row.op in ops)
        and (layers is None or row.layer in layers)
    )


def macs(lowered, **where):
    ops = lowered.recogniser.ops
    return total(lowered, ops.steps * ops.batch * ops.m * ops.k * ops.n, **where)


def state_elements(lowered):
    """State is stored in one byte; what the features wait for is no part of the models."""
    return total(lowered, lowered.recogniser.ops.state_bytes, components=("encoder", "cross_attention", "decoder"))


def exponentials(lowered, components):
    return total(lowered, lowered.recogniser.ops.vector[0], components=components, ops=("softmax", "cross_softmax"))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_record_is_of_the_shipped_model(name):
    """Sizes of the counted module and of the YAML: otherwise the rest of this file compares different models."""
    config, spec = MODELS[name]["config"], load(name).spec
    layer = next(x for c in spec.components for x in c.layers if x.kind == "transformer")
    keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    if name.startswith("whisper"):
        keys = ("d_model", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim")
    if name.startswith("moonshine"):
        keys = ("hidden_size", "encoder_num_hidden_layers", "heads", "intermediate_size")
    assert [layer.width, layer.repeat, layer.heads, layer.feedforward] == [config[key] for key in keys]
    assert [c["chunk_ms"] / c["chunk_tokens"] for c in MODELS[name]["chunks"]] == [spec.token_ms] * 5
    assert spec.precision.state == "int8"


@pytest.mark.parametrize("name", SHIPPED)
def test_parameters(name):
    workload, model = load(name), MODELS[name]
    found = workload.params()
    assert {key: found[key] for key in model["params"]} == model["params"]
    spec = workload.spec
    published = MODELS["hubert-base"]["published_params"] if name == "l-hubert-base" else model["published_params"]
    assert sum(found.values()) + spec.unused_params_count == spec.published_params_count == published


def test_parameters_of_longformer_attention():
    """With its projections of global tokens, which are stored and not run: 12 (3 768^2 + 3 768) more."""
    found = load("l-hubert-base/window-128").params()
    model = MODELS["l-hubert-base/window-128"]
    assert sum(found.values()) == sum(model["params"].values()) + model["unused_params"] - 896
    assert sum(found.values()) - sum(load("l-hubert-base").params().values()) == 12 * (3 * 768**2 + 3 * 768)


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_macs_of_a_window(name, chunk):
    assert chunk["chunk_tokens"] - load(name).spec.audio.edge_tokens == chunk["tokens_made"]
    found = load(name).macs_per_invocation(chunk["chunk_tokens"])
    assert {key: found[key] for key in chunk["macs"]} == chunk["macs"]


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_macs_of_a_window_by_part(name, chunk):
    lowered = load(name).lower(chunk["chunk_tokens"])
    for part, counted in chunk["macs_by_part"].items():
        if part == "head":
            assert macs(lowered, components=("ctc_head",)) == counted
        elif part in LAYERS:
            assert macs(lowered, components=ENCODING, layers=LAYERS[part]) == counted
        else:
            assert macs(lowered, components=ENCODING, ops=PARTS[part]) == counted


@pytest.mark.parametrize(("name", "chunk"), CHUNKS)
def test_softmax_and_state_of_a_window(name, chunk):
    lowered = load(name).lower(chunk["chunk_tokens"])
    assert exponentials(lowered, ENCODING) == pytest.approx(chunk["softmax_elements"], rel=1e-14)
    assert state_elements(lowered) == chunk["state_elements"]
    tensors = sum(int(np.prod(tensor["shape"])) for tensor in chunk["state"])
    assert tensors == chunk["state_elements"]


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_a_decoder_step(changed, name, step):
    workload = at_step(changed, name, step["cached_tokens"])
    lowered = workload.lower(step["chunk_tokens"])
    assert workload.macs_per_invocation(step["chunk_tokens"])["decoder"] == step["macs"]
    for part, counted in step["macs_by_part"].items():
        where = {"layers": ("output_linear",)} if part == "head" else {"ops": PARTS[part]}
        assert macs(lowered, components=("decoder",), **where) == counted
    assert exponentials(lowered, ("decoder",)) - total_of_decision(lowered) == step["softmax_elements"]
    cached = lowered.recogniser.ops.second_state_ratio * lowered.recogniser.ops.n
    decoder = next(i for i, row in enumerate(lowered.rows) if row.component == "decoder" and row.op == "scores")
    assert np.ravel(cached[decoder])[0] == pytest.approx(step["cached_tokens"])


def total_of_decision(lowered):
    return total(lowered, lowered.recogniser.ops.vector[0], components=("decoder",), layers=("decision",))


@pytest.mark.parametrize("name", WITH_DECODER)
def test_the_mean_step_stands_for_all_steps(changed, name):
    """MACs, softmax elements and cache reads of the mean step, times the steps: the sum over steps 1, 2, 3 ..."""
    workload = load(name)
    lowered = workload.lower()
    spec = workload.spec
    index = [c.name for c in spec.components].index("decoder")
    steps = float(lowered.recogniser.invocations_per_chunk[index, 0])
    assert steps == spec.decoding.symbols_per_s.value * spec.streaming.chunk_tokens * spec.token_ms / 1000 + 1
    prompt = next(x for x in spec.components[index].layers if x.kind == "decoder").prompt_tokens
    each_step = [at_step(changed, name, prompt - 1 + i).lower() for i in range(int(steps))]
    assert macs(lowered, components=("decoder",)) * steps == sum(macs(s, components=("decoder",)) for s in each_step)
    elements = [exponentials(x, ("decoder",)) for x in (lowered, *each_step)]
    assert elements[0] * steps == pytest.approx(sum(elements[1:]))


@pytest.mark.parametrize("name", WITH_DECODER)
def test_the_mean_step_has_no_more_text_than_the_cache(changed, name):
    """At 32 tokens per second the cache fills up: the first steps see 1, 2, 3 ... tokens, the rest all there is."""

    def edit(data):
        data["decoding"]["symbols_per_s"] = {"value": 32.0, "low": 32.0, "high": 32.0, "source": "symbol-rate"}

    workload = changed(load(name), edit)
    lowered = workload.lower()
    scores = next(i for i, row in enumerate(lowered.rows) if row.component == "decoder" and row.op == "scores")
    chunk_s = workload.spec.streaming.chunk_tokens * workload.spec.token_ms / 1000
    first, most = (4, 448) if name.startswith("whisper") else (1, 194)
    keys = [min(first + i, most) for i in range(int(32 * chunk_s) + 1)]
    assert np.ravel(lowered.recogniser.ops.n[scores])[0] == pytest.approx(np.mean(keys), rel=1e-14)


@pytest.mark.parametrize("name", [n for n in SHIPPED if "tokens_of_samples" in MODELS[n]])
def test_tokens_of_samples(name):
    """floor((n - 895) / 384) + 1 for Moonshine, floor((n - 400) / 320) + 1 for HuBERT; so does the YAML's stack."""
    fields, stride = (895, 384) if name.startswith("moonshine") else (400, 320)
    stack = load(name).spec.components[0].layers[0]
    for samples, tokens in MODELS[name]["tokens_of_samples"]:
        assert tokens == (samples - fields) // stride + 1
        rows = samples
        for convolution in stack.convolutions:
            rows = (rows - convolution.kernel) // convolution.stride + 1
        assert rows == tokens


def test_bytes_of_a_whisper_token(changed):
    """Whisper tiny's decoder in 16 bits at 1,500 keys touches 58.6 to 66 MB per token, cross-attention keys included.

    By hand: all weights but the table of positions, of which one row (28,371,072 - 448 x 384 + 384), one row of the
    embedding, and 2 x 4 x 1,500 x 384 keys and values, 2 bytes each: 65.6 MB; the text's own cache adds little.
    """

    def edit(data):
        data["precision"] = {"weights": "fp16", "activations": "fp16", "state": "fp16"}

    lowered = changed(at_step(changed, "whisper-tiny", 0), edit).lower()
    recogniser = lowered.recogniser
    decoder = [i for i, name in enumerate(recogniser.group_names) if name.startswith("decoder")]
    weights = (28_371_072 - 448 * 384 + 2 * 384) * 2
    keys = 2 * 4 * 1500 * 384 * 2
    found = recogniser.group_traffic_bytes[decoder, 0].sum()
    new = 2 * 4 * 384 * 2  # keys and values of the token itself
    written_once = keys / recogniser.invocations_per_chunk[-1, 0]  # by the projection, once per window
    assert found == pytest.approx(weights + keys + new + written_once, rel=1e-12)
    assert 58.6e6 < weights + keys < 66e6


def test_hypotheses_share_the_encoder_and_not_the_text(changed):
    """A beam of 4: four rows in one call, four texts, one set of cross-attention keys and values."""

    def edit(data):
        data["decoding"]["beam_count"] = 4

    one = at_step(changed, "whisper-tiny", 63)
    four = changed(one, edit)
    a, b = one.lower(), four.lower()
    assert macs(b, components=("decoder",)) == 4 * macs(a, components=("decoder",))
    text, window = 2 * 4 * 448 * 384, 2 * 4 * 1500 * 384
    assert state_elements(a) == text + window
    assert state_elements(b) == 4 * text + window
    read = b.recogniser.group_traffic_bytes[list(b.recogniser.group_names).index("decoder state"), 0]
    by_projection = window / b.recogniser.invocations_per_chunk[-1, 0]
    assert read == pytest.approx(4 * 2 * 4 * 384 * (63 + 1) + window + by_projection)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("streaming", "chunk_tokens"), 1501, "a chunk of 1501 tokens: the model takes at most 1500 tokens"),
        (("streaming", "chunk_tokens_published"), [1500, 3000], "a chunk of 3000 tokens: the model takes at most 1500"),
        (("audio", "edge_tokens"), 1500, "the front end loses 1500 of its tokens at the edge"),
        (("components", 3, "layers", 3, "heads"), 7, "7 heads do not divide the width 384"),
        (("components", 3, "layers", 3, "cached_tokens"), 448, "the cache has 448 tokens, including the new one"),
        (("components", 3, "layers", 3, "prompt_tokens"), 500, "the cache has 448 tokens, including the new one"),
        (
            ("components", 2, "layers", 0, "decoder"),
            "decodr",
            "component 'decodr', which would attend to these keys and values, not found",
        ),
    ],
)
def test_refusals(changed, where, value, message):
    """What cannot be, at the place where it stands."""

    def edit(data):
        at = data
        for key in where[:-1]:
            at = at[key]
        at[where[-1]] = value

    with pytest.raises(InputError) as caught:
        changed(load("whisper-tiny"), edit)
    assert message in str(caught.value)
    assert all(finding.line for finding in caught.value.findings)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_sweep_of_it_is_sane(name):
    """On the phone design: real time, in memory, and folding never adds weights."""
    workload = load(name)
    chunk_ms = workload.spec.streaming.chunk_tokens * workload.spec.token_ms
    result = simulate(workload, "phone-npu", chunk_ms=chunk_ms)
    assert result.totals["realtime"]
    assert result.totals["fits"]
    assert 0 < result.totals["power_low_mw"] < result.totals["power_mw"] < result.totals["power_high_mw"]
