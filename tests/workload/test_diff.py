"""Differences of workloads: sizes by component and the options behind them."""

from __future__ import annotations

from dataclasses import asdict

import pytest

import foldsim
from foldsim.workload.diff import TOTAL, component_sizes, structure_differences


def test_sizes_are_those_of_the_results(emformer):
    """Totals equal the columns of a sweep, components its rows by component."""
    sizes = component_sizes(emformer.fold(2), 4)
    assert list(sizes) == ["front_end", "encoder", "predictor", "joiner", TOTAL]
    whole = foldsim.sweep(emformer, "phone-npu", 160, 2).iloc[0]
    assert sizes[TOTAL].params == whole.params
    assert sizes[TOTAL].macs_per_chunk == pytest.approx(whole.macs_per_chunk, rel=1e-12)
    assert sizes[TOTAL].weights_bytes == whole.weights_bytes
    assert sizes[TOTAL].state_bytes == whole.state_bytes
    parts = foldsim.sweep(emformer, "phone-npu", 160, 2, by="component").set_index("component")
    for name in ("front_end", "encoder", "predictor", "joiner"):
        for key, value in asdict(sizes[name]).items():
            assert value == pytest.approx(parts[key][name], rel=1e-12), (name, key)


def test_compressed_weights_are_smaller_in_bytes_only(emformer):
    """int4 in groups of 32 with a 16-bit scale: 4.5 bits for each of 1024 x 4097 weights, one byte for biases."""
    plain, small = (component_sizes(w, 4)["joiner"] for w in (emformer, emformer.compress("joiner=int4-g32")))
    assert small.params == plain.params
    assert small.weights_bytes == 1024 * 4097 * 4.5 / 8 + 4097


def told(a, b):
    return {d.key: (d.first, d.second) for d in structure_differences(a.spec, b.spec)}


def test_variants_differ_in_what_they_change(emformer):
    assert told(emformer, emformer) == {}
    assert told(emformer, emformer.fold(2, "1-10")) == {
        "folding.factor": ("-", "2"),
        "folding.layers": ("-", "1-10"),
        "folding.scope": ("-", "attention"),
        "folding.heads": ("-", "keep_head_dim"),
    }
    assert told(emformer.compress("joiner=int4"), emformer) == {"compression": ("joiner=int4", "none")}
    ((key, values),) = told(emformer, emformer.with_attention("favor", features=64)).items()
    assert key == "encoder.emformer.attention"
    assert values[0].startswith("softmax")
    assert values[1].startswith("favor (features 64")


def test_options_are_named_by_component_and_layer(emformer, changed):
    def edit(data):
        data["streaming"]["left_context_tokens"] = 64
        data["decoding"]["symbols_per_s"]["low"] = 1.0
        data["title"] = "Another"
        data["sources"]["torchaudio"]["title"] = "Elsewhere"
        layers = data["components"][1]["layers"]
        layers[1]["feedforward"] = 1024
        layers[0]["name"] = "first"
        data["components"][3]["invoked_per"] = ["symbol"]

    assert told(emformer, changed(emformer, edit)) == {
        "streaming.left_context_tokens": ("30", "64"),
        "decoding.symbols_per_s": ("4 (2 to 6)", "4 (1 to 6)"),
        "encoder.input_linear": ("linear", "-"),
        "encoder.emformer.feedforward": ("2048", "1024"),
        "encoder.first": ("-", "linear"),
        "joiner.invoked_per": ("[output_frame, symbol]", "[symbol]"),
    }


def test_layers_of_other_kinds_are_compared_in_what_both_have(emformer, changed):
    def edit(data):
        layer = data["components"][1]["layers"][1]
        layer.clear()
        layer |= {
            "kind": "transformer",
            "name": "emformer",
            "repeat": 12,
            "width": 512,
            "heads": 8,
            "feedforward": 2048,
        }

    found = told(emformer, changed(emformer, edit))
    assert found["encoder.emformer.kind"] == ("emformer", "transformer")
    assert found["encoder.emformer.repeat"] == ("20", "12")
    assert "encoder.emformer.cache" not in found
