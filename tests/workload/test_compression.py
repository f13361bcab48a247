"""Compression of whole workloads: what is selected, parameters and bytes, composition with folding."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.api import simulate, sweep
from foldsim.workload.compression.records import IntegerCodes

# torchaudio's Emformer: 20 layers of width 512 and feedforward 2048, of 3,153,408 parameters each.
LAYER, REST = 3_153_408, 537_600
ATTENTION, FEEDFORWARD = 4 * 512 * 512, 2 * 512 * 2048
JOINER = 1024 * 4097
JOINER_BIAS = 4097


def weights_bytes(workload, component=None):
    """Stored weights and tables."""
    recogniser = workload.lower().recogniser
    mine = ~recogniser.group_is_state
    if component is not None:
        mine &= recogniser.group_component == recogniser.component_names.index(component)
    return float(recogniser.group_bytes[mine, 0].sum())


def lowered_ops(workload, tokens=4):
    """Op rows by layer and name: (m, k, n, batch, steps, params, bytes)."""
    lowered = workload.lower(tokens)
    ops = lowered.recogniser.ops
    found = {}
    for i, row in enumerate(lowered.rows):
        shape = [float(x[i, 0]) for x in (ops.m, ops.k, ops.n, ops.batch, ops.steps)] if i < ops.matrix_rows else []
        found[row.component, row.layer, row.op] = (*shape, float(ops.params[i, 0]), float(ops.weights_bytes[i, 0]))
    return found


# ---- selection ------------------------------------------------------------------------------------------------------


def test_only_what_is_selected_shrinks(emformer):
    """The joiner's 1024 x 4097 matrix: 4 bits and a scale of 16 per 32. Its bias and everything else stay."""
    packed = emformer.compress("joiner=int4-g32")
    assert weights_bytes(packed, "joiner") == 4097 * 1024 / 32 * 18 + JOINER_BIAS
    for component in ("encoder", "predictor"):
        assert weights_bytes(packed, component) == weights_bytes(emformer, component)
    assert packed.params() == emformer.params()


def test_classes_of_tensors(emformer):
    """Feedforward only: 20 x 2 x 512 x 2048 weights at 4.5 bits."""
    packed = emformer.compress("encoder.feedforward=int4-g32")
    saved = 20 * FEEDFORWARD * (1 - 4.5 / 8)
    assert weights_bytes(emformer) - weights_bytes(packed) == saved
    both = emformer.compress("encoder.attention+feedforward=int4-g32")
    assert weights_bytes(emformer) - weights_bytes(both) == saved + 20 * ATTENTION * (1 - 4.5 / 8)


def test_layers_by_name(emformer):
    linear = emformer.compress("encoder/input_linear=int4-g16")
    assert weights_bytes(emformer) - weights_bytes(linear) == 80 * 128 - 128 * (80 / 16) * 10


def test_the_narrower_selection_counts(emformer):
    """All at 4 bits, the joiner at 8, its order in the list notwithstanding."""
    for text in ("all=int4-s0,joiner=int8-s0", "joiner=int8-s0,all=int4-s0"):
        packed = emformer.compress(text)
        assert weights_bytes(packed, "joiner") == weights_bytes(emformer, "joiner")
        assert weights_bytes(packed, "encoder") < 0.6 * weights_bytes(emformer, "encoder")


def test_look_up_tables_are_compressed_and_read_by_the_row(emformer):
    """The embedding of 4097 rows of 512: a row is 512 / 32 blocks of 18 bytes; one is read per call."""
    packed = emformer.compress("predictor.embedding=int4-g32")
    row = 512 / 32 * 18
    recogniser = packed.lower().recogniser
    table = recogniser.group_names.index("predictor table")
    assert recogniser.group_bytes[table, 0] == 4097 * row
    assert recogniser.group_traffic_bytes[table, 0] == row
    plain = emformer.lower().recogniser.ops.vector[2]
    adds = recogniser.ops.vector[2] - plain
    assert adds.max() == adds.sum() == 512


def test_state_and_activations_stay_as_they_are(emformer):
    plain, packed = emformer.lower([1, 8]).recogniser, emformer.compress("all=int2").lower([1, 8]).recogniser
    assert np.array_equal(plain.ops.live_bytes, packed.ops.live_bytes)
    for name in ("state_bytes", "state_read_bytes", "state_write_bytes", "input_bytes_per_element"):
        assert np.array_equal(getattr(plain.ops, name), getattr(packed.ops, name))
    products = ~plain.ops.second_is_weight
    assert np.array_equal(plain.ops.second_bytes_per_element[products], packed.ops.second_bytes_per_element[products])
    assert np.array_equal(plain.group_bytes[plain.group_is_state], packed.group_bytes[packed.group_is_state])


def test_mean_bits(emformer):
    """Codes and scales of the matrices and 8 bits of all other parameters, over all parameters."""
    matrices = 20 * (ATTENTION + FEEDFORWARD)
    params = sum(emformer.params().values())
    expected = (4.5 * matrices + 8 * (params - matrices)) / params
    packed = emformer.compress("encoder.attention+feedforward=int4-g32")
    assert packed.lower().weight_bits[0] == pytest.approx(expected, rel=1e-12)
    assert emformer.lower().weight_bits.tolist() == [8]
    frame = sweep(emformer, "phone-npu", 160, 1, compress=["none", "encoder.attention+feedforward=int4-g32"])
    assert frame["weight_bits"].tolist() == pytest.approx([8, expected], rel=1e-12)
    assert frame["compression"].tolist() == ["none", "encoder.attention+feedforward=int4-g32"]


# ---- low rank -------------------------------------------------------------------------------------------------------


def test_low_rank_is_two_products(emformer):
    """5 x 512 x 512 becomes 5 x 512 x 64 and 5 x 64 x 512; bias and activation function stay with the second."""
    ops = lowered_ops(emformer.compress("encoder.attention=lowrank-64"))
    names = [key[2] for key in ops if key[1] == "emformer"]
    assert names[:4] == ["query_down", "query_up", "key_value_down", "key_value_up"]
    assert ops["encoder", "emformer", "query_down"] == (5, 512, 64, 1, 1, 512 * 64, 512 * 64)
    assert ops["encoder", "emformer", "query_up"] == (5, 64, 512, 1, 1, 64 * 512 + 512, 64 * 512 + 512)
    assert ("encoder", "emformer", "query") not in ops


def test_low_rank_parameters_and_macs(emformer):
    """Query and output 2 x 64 x (512 + 512), key and value 64 x (512 + 1024), for 4 x 512 x 512."""
    factors = 2 * 64 * 1024 + 64 * 1536
    packed = emformer.compress("encoder.attention=lowrank-64")
    assert emformer.params()["encoder"] - packed.params()["encoder"] == 20 * (ATTENTION - factors)
    saved = emformer.macs_per_invocation(4)["encoder"] - packed.macs_per_invocation(4)["encoder"]
    assert saved == 20 * 5 * (ATTENTION - factors)


def test_a_matrix_that_factors_would_not_shrink_stays_whole(emformer):
    """Rank 256 of 512 x 512 is as large; 512 x 1024 becomes 256 x 1536."""
    packed = emformer.compress("encoder.attention=lowrank-256")
    assert emformer.params()["encoder"] - packed.params()["encoder"] == 20 * (512 * 1024 - 256 * 1536)
    assert ("encoder", "emformer", "query") in lowered_ops(packed)


def test_low_rank_with_folding_asks_each_design(emformer):
    """Folded by 2, 256 x 256 does not shrink at rank 160, but 512 x 512 does; one sweep holds both."""
    packed = emformer.compress("encoder.attention=lowrank-160")
    frame = sweep(packed, "phone-npu", 160, [1, 2], compress="encoder.attention=lowrank-160")
    apart = [sum(packed.params().values()), sum(packed.fold(2).params().values())]
    assert frame["params"].tolist() == apart
    factors = 2 * 160 * 1024 + 160 * 1536
    assert packed.params()["encoder"] == REST + 20 * (LAYER - ATTENTION + factors)
    # Key and value, 256 x 512, shrink to 160 x 768; query and output are as they were.
    small = 2 * 256 * 256 + 160 * 768
    folded_layer = LAYER - ATTENTION - 4 * 512 + 4 * 256 + small
    assert packed.fold(2).params()["encoder"] == REST + 20 * folded_layer
    alone = [simulate(w, "phone-npu", 160).totals["power_mw"] for w in (packed, packed.fold(2))]
    assert frame["power_mw"].tolist() == pytest.approx(alone, rel=1e-12)


def test_low_rank_factors_are_compressed_too(emformer):
    """Codes of 3 bits, a scale per column: 512 x 64 is 64 columns of 194 bytes, 64 x 512 is 512 of 26."""
    ops = lowered_ops(emformer.compress("encoder.attention=lowrank-64+int3"))
    assert ops["encoder", "emformer", "query_down"][-1] == 64 * 194
    assert ops["encoder", "emformer", "query_up"][-1] == 512 * 26 + 512


# ---- layer dropping -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [("drop-every4", 15), ("drop-every2", 10), ("drop-1-3", 17), ("drop-2.5.18-20", 15), ("drop-1-19", 1)],
)
def test_dropping_layers(emformer, text, left):
    packed = emformer.compress(f"encoder={text}")
    assert packed.params()["encoder"] == REST + left * LAYER
    assert len(packed.spec.foldable_layers()) == left
    assert [c.name for c in packed.spec.components] == [c.name for c in emformer.spec.components]
    assert lowered_ops(packed).keys() == lowered_ops(emformer).keys()


def test_named_layers_can_go_altogether(emformer):
    """Single layers only where they are named."""
    packed = emformer.compress("encoder/input_linear=drop-1")
    gone = lowered_ops(emformer)["encoder", "input_linear", "linear"][5]
    assert emformer.params()["encoder"] - packed.params()["encoder"] == gone >= 80 * 128
    assert not any(layer == "input_linear" for _, layer, _ in lowered_ops(packed))


def test_folding_counts_the_layers_that_are_left(emformer):
    """Of 20, 15 are left: 1 to 10 can be folded, 16 cannot."""
    packed = emformer.compress("encoder=drop-every4")
    folded = packed.fold(2, "1-10")
    per_layer = ATTENTION * 3 / 4 + 4 * 512 / 2
    assert packed.params()["encoder"] - folded.params()["encoder"] == 10 * per_layer
    with pytest.raises(Exception, match="layer 16 not found"):
        packed.fold(2, "1-16")
    with pytest.raises(Exception, match="foldable layers 1 to 15"):
        sweep(emformer, "phone-npu", 160, 2, fold_layers="1-16", compress="encoder=drop-every4")


def test_the_order_of_folding_and_compressing_does_not_matter(emformer):
    text = "encoder.feedforward=int4-g32+2:4,encoder=drop-2,joiner=qsq"
    a, b = emformer.compress(text).fold(2, "1-5"), emformer.fold(2, "1-5").compress(text)
    assert a.spec == b.spec
    assert lowered_ops(a) == lowered_ops(b)


def test_compressed_and_folded_bytes(emformer):
    """Folded by 2, attention is 256 x 256 x 4: columns of 256 weights, eight blocks of 18 bytes."""
    packed = emformer.compress("encoder.attention=int4-g32").fold(2)
    plain = emformer.fold(2)
    assert weights_bytes(plain) - weights_bytes(packed) == 20 * 4 * 256 * (256 - 8 * 18)


def test_records_and_text_say_the_same(emformer):
    records = [IntegerCodes(method="integer", component="joiner", bits=4, group_size=32)]
    assert emformer.compress(records).spec == emformer.compress("joiner=int4-g32").spec
