"""Streams in step: weights once for all, everything else as often as there are streams."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim import load_workload, simulate
from foldsim.designs.changes import change
from foldsim.workload.ops import Matrix, Op

STREAMS = 16


def several(workload):
    return change(workload, "workload.streaming.streams_count", STREAMS)


def test_an_op_by_hand():
    linear = Op("linear", matrix=Matrix(4.0, 8.0, 16.0), biases=16.0, multiply_add=64.0, live=96.0, state=5.0)
    many = linear.for_streams(3.0)
    assert (many.matrix.m, many.matrix.weights, many.params) == (12.0, 128.0, linear.params)
    assert (many.macs, many.multiply_add, many.live, many.state) == (3 * 512.0, 192.0, 288.0, 15.0)
    scores = Op("scores", matrix=Matrix(4.0, 8.0, 16.0, batch=2.0, second="activations", shares=2.0)).for_streams(3.0)
    assert (scores.matrix.m, scores.matrix.batch, scores.matrix.shares, scores.macs) == (4.0, 6.0, 6.0, 3 * 1024.0)
    assert linear.for_streams(1.0) is linear


@pytest.mark.parametrize("name", ["mlperf-rnnt", "emformer-rnnt-base", "whisper-tiny", "zipformer-small"])
def test_counts_of_whole_models(name):
    """MACs and state of all streams; parameters and weights of one."""
    one = load_workload(name)
    many = several(one)
    assert many.params() == one.params()
    chunk = one.spec.streaming.chunk_tokens
    single, all_of_them = one.macs_per_invocation(chunk), many.macs_per_invocation(chunk)
    assert all_of_them == {key: STREAMS * value for key, value in single.items()}


def test_weights_are_read_once_for_all():
    """An LSTM reads its recurrent weights at every step: for 16 streams about as often as for one."""
    one = load_workload("mlperf-rnnt")
    single = simulate(one, "phone-npu", chunk_ms=240, placement="dram").totals
    shared = simulate(several(one), "phone-npu", chunk_ms=240, placement="dram").totals
    assert shared["weights_bytes"] == single["weights_bytes"]
    # Samples and features that wait, LSTM h and c: all of them once per stream.
    assert shared["state_bytes"] == STREAMS * single["state_bytes"]
    assert 1.0 < shared["dram_bytes_per_chunk"] / single["dram_bytes_per_chunk"] < 1.5
    assert shared["energy_per_chunk_uj"] < 0.5 * STREAMS * single["energy_per_chunk_uj"]
    assert np.isclose(shared["macs_per_chunk"], STREAMS * single["macs_per_chunk"])
