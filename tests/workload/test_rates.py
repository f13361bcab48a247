"""Layers and components that do not run once per token: multi-rate stacks, strides, utterances, blank skipping."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.designs.axes import DesignError
from foldsim.hardware.profile import load_profile
from foldsim.schema import InputError
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.ops import Context
from foldsim.workload.workload import workload_findings

TEXT = """
name: small
title: Small
summary: For counting.
sources: {{none: {{title: Nothing, kind: assumption}}}}
precision: {{weights: int8, activations: int8, state: int8}}
audio: {{frame_ms: 10.0, subsampling_frames: 2{audio}}}
streaming: {{chunk_tokens: 16, left_context_tokens: 128, right_context_tokens: 0{streaming}}}
decoding:
  symbols_per_s: {{value: 5.0, low: 5.0, high: 5.0, source: none}}{decoding}
components:
  - name: encoder
    invoked_per: [chunk]
    layers:
{layers}
{more}
"""
LAYER = "      - {kind: transformer, name: slow, width: 64, heads: 4, feedforward: 128, downsampling: 4}"


@pytest.fixture
def build(workload_from):
    def make(layers=LAYER, audio="", streaming="", decoding="", more=""):
        return workload_from(TEXT.format(layers=layers, audio=audio, streaming=streaming, decoding=decoding, more=more))

    return make


def row_of(lowered, op):
    (row,) = (i for i, name in enumerate(lowered.rows) if name.op == op)
    return row


def test_a_slow_layer_sees_fewer_tokens_and_keys(build):
    """16 tokens at a quarter of the rate are 4 queries; 128 of left context are 32 keys: 36 in all."""
    lowered = build().lower(16)
    ops, row = lowered.recogniser.ops, row_of(lowered, "scores")
    assert (ops.m[row, 0], ops.n[row, 0]) == (4, 36)
    assert lowered.recogniser.ops.state_bytes[row_of(lowered, "key_value"), 0] == 2 * 32 * 64


def test_rates_are_numbers_or_arrays():
    chunk = np.array([8.0, 16.0])
    slow = Context(chunk, 128.0, 8.0, 0.0, 2.0, token_samples=320.0, output_stride_tokens=2.0).at_rate(4)
    assert slow.chunk_tokens.tolist() == [2, 4]
    assert (slow.left_context_tokens, slow.right_context_tokens, slow.token_samples) == (32, 2, 1280)
    # Output frames and samples of a chunk do not depend on the rate of the layer that counts them.
    assert slow.rows("output_frames").tolist() == [4, 8]
    assert slow.rows("chunk_samples").tolist() == [2560, 5120]


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"audio": ", output_stride_tokens: 3"}, "streaming.chunk_tokens", "16 tokens is not a multiple of 12"),
        ({"streaming": ", chunk_tokens_published: [16, 18]"}, "streaming.chunk_tokens_published[1]", "18 tokens"),
        (
            {"layers": LAYER.replace("downsampling: 4", "downsampling: 16").replace("slow", "x")},
            None,
            None,
        ),
    ],
)
def test_chunks_hold_whole_runs_of_the_slowest_layer(build, changes, path, message):
    if path is None:
        build(**changes)  # 16 and 128 are multiples of 16
        return
    with pytest.raises(InputError) as caught:
        build(**changes)
    (finding,) = caught.value.findings
    assert finding.path == path
    assert message in finding.message


def test_a_left_context_that_a_slow_layer_cannot_see(build):
    with pytest.raises(InputError) as caught:
        build(LAYER.replace("downsampling: 4", "downsampling: 3").replace("chunk", ""), streaming="")
    assert {f.path for f in caught.value.findings} == {
        "streaming.chunk_tokens",
        "components[0].layers[0].downsampling",
    }


def test_a_sweep_says_which_chunks_are_possible(build):
    """The layer runs every 4 tokens of 20 ms."""
    space = DesignSpace([build()], [load_profile("phone-npu")], [40.0])
    with pytest.raises(DesignError) as caught:
        space.check()
    assert tuple(str(caught.value).splitlines()) == (
        "chunk_ms: a chunk of 40 ms is not a multiple of the 80 ms between two runs of the slowest layer of small;"
        " nearest: 80 ms",
    )


@pytest.mark.parametrize(
    ("streaming", "swept"),
    [("", (80.0, 160.0, 320.0, 640.0, 1280.0)), (", chunk_tokens_published: [64, 16]", (320.0, 1280.0))],
)
def test_chunks_swept_when_none_is_asked_for(build, streaming, swept):
    assert DesignSpace([], []).chunks(build(streaming=streaming).spec) == swept


JOINER = """
  - name: joiner
    invoked_per: [output_frame, symbol]
    layers: [{kind: linear, name: out, inputs: 8, outputs: 4}]
"""


def test_the_joiner_runs_once_per_output_frame(build):
    """16 tokens of 20 ms at an output stride of 2 are 8 frames; 5 symbols/s x 0.32 s are 1.6."""
    lowered = build(audio=", output_stride_tokens: 2", more=JOINER).lower(16)
    assert lowered.recogniser.invocations_per_chunk[1, 0] == pytest.approx(9.6, rel=1e-12)


def test_blank_skipping_runs_the_joiner_on_a_share_of_the_frames(build):
    skipping = JOINER.replace(
        "    layers", "    run_ratio: {value: 0.25, low: 0.2, high: 0.5, source: none}\n    layers"
    )
    lowered = build(more=skipping).lower(16)
    assert lowered.recogniser.invocations_per_chunk[1, 0] == pytest.approx(0.25 * (16 + 1.6), rel=1e-12)


RESCORER = """
  - name: rescorer
    invoked_per: [utterance]
    layers: [{kind: linear, name: out, inputs: 8, outputs: 4, rows: utterance_tokens}]
"""


def test_what_runs_once_per_utterance(build):
    """An utterance of 8 s is 400 tokens; a chunk of 0.32 s is 0.04 of it."""
    decoding = "\n  utterance_s: {value: 8.0, low: 2.0, high: 20.0, source: none}"
    lowered = build(decoding=decoding, more=RESCORER).lower(16)
    assert lowered.recogniser.invocations_per_chunk[1, 0] == pytest.approx(0.04, rel=1e-12)
    assert lowered.recogniser.ops.m[row_of(lowered, "linear"), 0] == 400


def test_utterances_need_a_length(build):
    with pytest.raises(InputError) as caught:
        build(more=RESCORER)
    (finding,) = caught.value.findings
    assert finding.path == "components[1].invoked_per"
    assert "decoding.utterance_s" in finding.message


CONVOLUTION = """      - kind: conv_stack
        name: front
        input: frames
        bands: 80
        reread_rows: 3
        keeps_rows: 3
        convolutions:
          - {outputs: 8, kernel: 3, stride: 2, kernel_bands: 3, stride_bands: 2}
          - {outputs: 8, kernel: 3, groups: 8, padding: [2, 0], norm: layer, activation: silu}"""


def test_rows_through_a_stack_of_convolutions(build):
    """32 frames and 3 again are 35: (35 - 3) / 2 + 1 = 17 rows of (80 - 3) / 2 + 1 = 39 bands (rounded down)."""
    lowered = build(CONVOLUTION).lower(16)
    ops = lowered.recogniser.ops
    first, second = row_of(lowered, "convolution_1"), row_of(lowered, "convolution_2")
    assert [x[first, 0] for x in (ops.m, ops.k, ops.n, ops.batch)] == [17 * 39, 9, 8, 1]
    # Depthwise: 8 channels of 3 taps; two rows of padding before keep the 17 rows.
    assert [x[second, 0] for x in (ops.m, ops.k, ops.n, ops.batch)] == [17 * 39, 3, 1, 8]
    assert ops.channelwise[[first, second]].tolist() == [False, True]
    assert [ops.taps_count[i, 0] for i in (first, second)] == [9, 3]
    assert [ops.params[i, 0] for i in (first, second)] == [9 * 8 + 8, 3 * 8 + 8 + 16]
    assert ops.state_bytes[first, 0] == 3 * 80
    # Of the unfolded input 17 x 39 x 9, 35 x 80 elements are distinct.
    assert ops.input_bytes_per_element[first, 0] == pytest.approx(35 * 80 / (17 * 39 * 9), rel=1e-12)


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ("groups: 8", "groups: 3", "components[0].layers[0].convolutions[1].groups"),
        ("kernel_bands: 3", "kernel_bands: 81", "components[0].layers[0].convolutions[0].kernel_bands"),
        ("input: frames", "input: frames\n        input_rows: 2", "components[0].layers[0].convolutions[0].kernel"),
    ],
)
def test_convolutions_that_cannot_be(build, before, after, path):
    with pytest.raises(InputError) as caught:
        build(CONVOLUTION.replace(before, after, 1))
    assert {f.path for f in caught.value.findings if f.path == path} == {path}


def test_a_lookahead_convolution_needs_right_context(build):
    layer = (
        "      - {kind: conformer, name: a, width: 64, heads: 4, feedforward: 128, kernel_tokens: 15,"
        " lookahead_tokens: 7}"
    )
    with pytest.raises(InputError) as caught:
        build(layer)
    (finding,) = caught.value.findings
    assert finding.path == "components[0].layers[0].lookahead_tokens"
    assert "raise streaming.right_context_tokens" in finding.allowed


def test_another_attention_in_every_layer(build):
    changed = build().with_attention("favor", features=32)
    ops = {name.op for name in changed.lower(16).rows}
    assert "key_value_sum" in ops
    assert "softmax" not in ops
    with pytest.raises(InputError, match="unknown kind"):
        build().with_attention("flavor")
    with pytest.raises(InputError, match="no layer has attention"):
        build(CONVOLUTION).with_attention("favor")


DECODER = """
  - name: decoder
    invoked_per: [symbol]
    layers: [{kind: decoder, name: a, repeat: 2, width: 64, heads: 4, feedforward: 128, kept_tokens: 32}]
"""
CROSS = """
  - name: cross
    invoked_per: [chunk]
    layers: [{kind: cross_key_value, name: a, repeat: 2, inputs: 64, width: 64, decoder: decoder}]
"""


def test_a_decoder_needs_the_keys_it_attends_to(build):
    build(more=CROSS + DECODER)
    for more in (DECODER, CROSS.replace("repeat: 2", "repeat: 3") + DECODER):
        with pytest.raises(InputError) as caught:
            build(more=more)
        (finding,) = caught.value.findings
        assert finding.path.endswith("layers[0]")
        assert "a cross_key_value layer of repeat 2, width 64 and decoder decoder" in finding.allowed


FRONT = """      - kind: conv_stack
        name: front
        input: frames
        bands: 80
        reread_rows: 3
        convolutions:
          - {outputs: 8, kernel: 3, stride: 2, kernel_bands: 3, stride_bands: 2}
      - {kind: linear, name: project, inputs: 312, outputs: 64}
      - {kind: transformer, name: layer, width: 64, heads: 4, feedforward: 128}"""


@pytest.mark.parametrize(
    ("before", "after", "path", "message"),
    [
        ("reread_rows: 3", "reread_rows: 0", "components[0].layers[0]", "output 15 rows for a chunk of 16 tokens"),
        ("stride: 2, k", "stride: 1, k", "components[0].layers[0]", "output 33 rows for a chunk of 16 tokens"),
        ("inputs: 312", "inputs: 320", "components[0].layers[1]", "takes rows of width 320"),
        ("outputs: 64", "outputs: 128", "components[0].layers[2]", "before it yields 128"),
    ],
)
def test_layers_that_do_not_meet_are_warned_of(build, workload_from, before, after, path, message):
    """(80 - 3) / 2 + 1 = 39 bands of 8 channels are 312 wide; (32 + 3 - 3) / 2 + 1 = 17 rows for 16 tokens."""
    assert workload_findings(build(FRONT).document)[1] == []
    document = build(FRONT.replace(before, after)).document
    (finding,) = (f for f in workload_findings(document)[1] if f.path == path)
    assert finding.severity == "warning"
    assert message in finding.message


def test_a_chunk_that_a_convolution_cannot_see_is_refused(build):
    """One token is 2 frames: a kernel of 3 without rows read again makes nothing of it."""
    space = DesignSpace([build(FRONT.replace("reread_rows: 3", "reread_rows: 0"))], [load_profile("phone-npu")], [20.0])
    with pytest.raises(DesignError) as caught:
        space.check()
    assert tuple(str(caught.value).splitlines()) == (
        "chunk_ms: a chunk of 20 ms of small: convolution 1 of 'front' has a kernel of 3 rows and an input of 2"
        " (give padding, reread_rows or cached_rows, or a longer chunk)",
    )
