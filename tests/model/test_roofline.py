"""Time of ops: cycles of an array counted by hand, transfers, overlap, dispatch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldsim.model.records import EfficiencyCurve, StreamGrid
from foldsim.model.roofline import dispatch, efficiency, matrix_cycles, stream_ratio, times
from foldsim.model.traffic import Traffic

ARRAY = {"weight_stationary": True, "unroll_k_count": 32.0, "unroll_n_count": 32.0}
SIMD = {"unroll_m_count": 4.0, "unroll_k_count": 8.0, "unroll_n_count": 8.0}


def cycles(make, row, **unit):
    return float(matrix_cycles(make.ops([row]), [make.unit(**unit)])[0, 0])


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [
        (1.0, 192),  # 6 tiles x max(4 streaming, 32 loading)
        (0.0, 216),  # 6 x (4 + 32)
        (0.5, 204),  # half of the loading hidden
    ],
)
def test_a_weight_stationary_array_with_four_tokens_mostly_loads_weights(make, hidden, expected):
    """4 x 64 x 96 on 32 x 32: 2 x 3 tiles; a tile loads in 32 cycles and streams 4 rows."""
    assert cycles(make, make.Row(4, 64, 96), weight_load_hidden_ratio=hidden, **ARRAY) == expected


def test_utilisation_is_tokens_over_loading_cycles(make):
    """24,576 MACs in 192 cycles of 1024 MACs each: one eighth, 4 tokens over 32 loading cycles."""
    assert 4 * 64 * 96 / (cycles(make, make.Row(4, 64, 96), **ARRAY) * 1024) == 4 / 32


def test_with_many_rows_loading_hides_or_adds(make):
    """128 rows: 6 x 128 when hidden, 6 x (128 + 32) when not."""
    assert cycles(make, make.Row(128, 64, 96), **ARRAY) == 768
    assert cycles(make, make.Row(128, 64, 96), weight_load_hidden_ratio=0.0, **ARRAY) == 960


def test_more_rows_than_accumulators_load_the_weights_again(make):
    """128 rows, accumulators for 64: two passes of 64, each with its own loading: 6 x 2 x max(64, 32), or 6
    x 2 x 96."""
    assert cycles(make, make.Row(128, 64, 96), register_rows_count=64.0, **ARRAY) == 768
    exposed = cycles(make, make.Row(128, 64, 96), register_rows_count=64.0, weight_load_hidden_ratio=0.0, **ARRAY)
    assert exposed == 1152
    # Accumulators for 16: eight passes of 16 that loading outlasts, 6 x 8 x 32.
    assert cycles(make, make.Row(128, 64, 96), register_rows_count=16.0, **ARRAY) == 1536


def test_loading_four_rows_of_weights_per_cycle_takes_eight_cycles(make):
    """6 x max(4, 32 / 4)."""
    assert cycles(make, make.Row(4, 64, 96), weight_load_rows_per_cycle=4.0, **ARRAY) == 48


def test_simd_cores_round_every_dimension_up(make):
    """5 x 60 x 100 on 4 x 8 x 8: 2 x 8 x 13 cycles; loading weights costs nothing here."""
    assert cycles(make, make.Row(5, 60, 100), weight_load_hidden_ratio=0.0, **SIMD) == 208


def test_a_format_at_half_the_rate_takes_twice_the_cycles(make):
    """fp16 at 128 MACs per cycle on hardware of 4 x 8 x 8 = 256."""
    assert cycles(make, make.Row(4, 64, 96), macs_per_cycle=128.0, **SIMD) == 2 * 1 * 8 * 12


@pytest.mark.parametrize(("cores", "rounds"), [(1, 8), (3, 3), (4, 2), (6, 2), (8, 1), (16, 1)])
def test_heads_that_do_not_divide_the_cores_leave_some_idle(make, cores, rounds):
    """8 heads of one column tile each; on 6 cores two rounds do the work of 8 / 12: utilisation 0.67."""
    row = make.Row(4, 64, 8, batch=8, second_is_weight=False)
    assert cycles(make, row, cores_count=float(cores), **SIMD) == rounds * 8


def test_column_tiles_of_one_product_are_dealt_too(make):
    """96 columns are 12 tiles of 8: on 5 cores ceil(12 / 5) = 3 rounds of 8 reduction steps."""
    assert cycles(make, make.Row(4, 64, 96), cores_count=5.0, **SIMD) == 24


def test_serial_steps_take_turns(make):
    """Seven frames of an LSTM, one row each."""
    assert cycles(make, make.Row(1, 64, 96, steps=7), **ARRAY) == 7 * 192


def test_every_op_runs_on_its_own_unit(make):
    """The same product on the array of unit 0 (192) and on the SIMD cores of unit 1 (1 x 8 x 12)."""
    rows = [make.Row(4, 64, 96, unit=0), make.Row(4, 64, 96, unit=1)]
    units = [make.unit(**ARRAY), make.unit(**SIMD)]
    assert matrix_cycles(make.ops(rows), units)[:, 0].tolist() == [192, 96]


@pytest.mark.parametrize(
    ("m", "share"),
    [(1, 0.4), (2, 0.575), (4, 0.75), (8, 0.875), (16, 1.0), (64, 1.0)],
)
def test_efficiency_is_linear_in_the_logarithm_of_rows(make, m, share):
    """0.4 at 1 row, 0.75 at 4, 1 at 16: two rows are half-way to 4, eight rows half-way from 4 to 16; times
    0.7."""
    unit = make.unit(efficiency_ratio=0.7, efficiency=EfficiencyCurve((1.0, 4.0, 16.0), (0.4, 0.75, 1.0)))
    found = efficiency(make.ops([make.Row(m, 8, 8)]), [unit])
    assert np.broadcast_to(found, (1, 1))[0, 0] == pytest.approx(0.7 * share, rel=1e-12)


def test_a_unit_without_a_curve_is_flat_beside_one_with(make):
    units = [make.unit(efficiency_ratio=0.5), make.unit(efficiency=EfficiencyCurve((1.0, 4.0), (0.4, 0.8)))]
    ops = make.ops([make.Row(1, 8, 8, unit=0), make.Row(1, 8, 8, unit=1)])
    assert efficiency(ops, units)[:, 0].tolist() == pytest.approx([0.5, 0.4], rel=1e-12)


def moved(points, *inward):
    """Traffic of one op: bytes across the port, then across every boundary outwards."""
    shape = (1, points)
    return Traffic(tuple(np.full(shape, float(x)) for x in inward), tuple(np.zeros(shape) for _ in inward))


def spent(make, overlap, clock_ratio=1.0, **unit):
    """One op: 6,000 matrix cycles, 3,000 exponentials, 80,000 bytes from DRAM at 8 GB/s, 2 kernels."""
    ops = make.ops([make.Row(1, 1, 6000, exp=3000, kernels=2)])
    levels = [
        make.level(core_clock=True, bandwidth_bytes_per_s=40e9),
        make.dram(bandwidth_bytes_per_s=16e9, bandwidth_efficiency_ratio=0.5),
    ]
    units = [make.unit(overlap_ratio=overlap, dispatch_s=1e-6, **unit)]
    return times(ops, moved(1, 40_000, 80_000), units, levels, clock_ratio)


def test_every_term_in_microseconds(make):
    """6,000 and 3,000 cycles at 1 GHz; 40,000 B at 40 GB/s; 80,000 B at 16 x 0.5 GB/s; two kernels of 1 us."""
    terms = spent(make, 1.0).terms(["sram", "dram"])
    in_us = {name: float(np.ravel(t)[0]) * 1e6 for name, t in terms.items()}
    assert in_us == pytest.approx({"matrix": 6.0, "vector": 3.0, "sram": 1.0, "dram": 10.0, "dispatch": 2.0}, rel=1e-12)


@pytest.mark.parametrize(("overlap", "micro"), [(1.0, 12.0), (0.0, 22.0), (0.5, 17.0), (0.9, 13.0)])
def test_overlap_goes_from_the_largest_term_to_the_sum(make, overlap, micro):
    """Largest 10, the others 6 + 3 + 1 = 10 more: 10 + (1 - overlap) 10 + 2 of dispatch."""
    assert spent(make, overlap).total_s[0, 0] == pytest.approx(micro * 1e-6, rel=1e-12)


def test_at_half_the_clock_core_terms_double_and_dram_does_not(make):
    """12 + 6 + 2 + 10 in total, dispatch 4: largest 12, others 18."""
    slow = spent(make, 0.0, 0.5)
    assert slow.total_s[0, 0] == pytest.approx(34e-6, rel=1e-12)
    assert slow.level_s[0][0, 0] == pytest.approx(2e-6, rel=1e-12)
    assert slow.level_s[1][0, 0] == pytest.approx(10e-6, rel=1e-12)
    assert spent(make, 1.0, 0.5).total_s[0, 0] == pytest.approx(16e-6, rel=1e-12)


def test_efficiency_stretches_matrix_time_only(make):
    """6,000 cycles at half the peak: 12 us, now the largest."""
    assert spent(make, 1.0, efficiency_ratio=0.5).total_s[0, 0] == pytest.approx(14e-6, rel=1e-12)


def test_vector_work_by_kind_over_cores(make):
    """100 exp at 0.5, 60 divisions at 2, 400 multiply-adds at 8, 80 comparisons at 16 per cycle: 200 + 30 +
    50 + 5 = 285 cycles, over 3 cores at 1 GHz 95 ns."""
    ops = make.ops([make.Row(exp=100, divide=60, multiply_add=400, compare=80)])
    unit = make.unit(cores_count=3.0, vector_per_cycle=(0.5, 2.0, 8.0, 16.0))
    found = times(ops, moved(1, 0), [unit], [make.dram()])
    assert found.vector_s[0, 0] == pytest.approx(95e-9, rel=1e-12)
    assert found.total_s[0, 0] == pytest.approx(95e-9, rel=1e-12)


positive = st.floats(0.5, 1e6)


@given(m=positive, k=positive, n=positive, exps=st.floats(0, 1e6), inner=st.floats(0, 1e9), outer=st.floats(0, 1e9),
       overlap=st.floats(0, 1), hidden=st.floats(0, 1), share=st.floats(0.1, 1))  # fmt: skip
def test_no_op_is_faster_than_any_of_its_bounds(make, m, k, n, exps, inner, outer, overlap, hidden, share):
    """MACs over peak rate, elements over vector rate, bytes over peak bandwidth; and never slower than their
    sum."""
    m, k, n = np.ceil([m, k, n])
    unit = make.unit(weight_load_hidden_ratio=hidden, efficiency_ratio=share, overlap_ratio=overlap, **ARRAY)
    levels = [make.level(bandwidth_bytes_per_s=40e9), make.dram(bandwidth_bytes_per_s=16e9)]
    found = times(make.ops([make.Row(m, k, n, exp=exps)]), moved(1, inner, outer), [unit], levels)
    total = found.total_s[0, 0] * (1 + 1e-9)
    assert total >= m * k * n / (1024 * 1e9)
    assert total >= exps / 1e9
    assert total >= inner / 40e9
    assert total >= outer / 16e9
    parts = sum(float(np.ravel(t)[0]) for t in found.terms(["sram", "dram"]).values())
    assert found.total_s[0, 0] <= parts * (1 + 1e-9)


@pytest.mark.parametrize(("shares", "utilisation"), [(8, 8 / 12), (32, 32 / 36)])
def test_work_is_dealt_to_cores_in_equal_shares(make, shares, utilisation):
    """8 heads on 6 cores take 2 rounds for 8 / 6 of work; 32 tiles of keys (256 in tiles of 64) take 6 for 32 / 6."""
    row = make.Row(4, 64, 256, batch=8, second_is_weight=False, shares=shares)
    alone = cycles(make, row, cores_count=1.0, **SIMD)
    assert alone / 6 / cycles(make, row, cores_count=6.0, **SIMD) == pytest.approx(utilisation, rel=1e-12)


def test_channels_of_a_depthwise_convolution_fill_simd_lanes(make):
    """64 channels on 8 lanes: 8 column tiles of 2 x 1 cycles; an array takes every channel on its own."""
    row = make.Row(8, 5, 1, batch=64, channelwise=True)
    assert cycles(make, row, **SIMD) == 8 * 2
    assert cycles(make, row, weight_load_hidden_ratio=0.0, **ARRAY) == 64 * (8 + 32)


# One row: 0.2 and 0.4; four rows: 0.6 and 1.
GRID = {"stream": StreamGrid((1.0, 4.0), (256.0, 1024.0), ((0.2, 0.4), (0.6, 1.0)))}


@pytest.mark.parametrize(
    ("m", "k", "share"),
    [
        (1, 256, 0.2),
        (4, 1024, 1.0),
        (1, 512, 0.3),  # half way in log2 between 256 and 1024 bytes
        (2, 256, 0.4),  # half way between one row and four
        (2, 512, 0.55),  # of 0.3 and 0.8
        (1, 64, 0.2),  # flat beyond the ends
        (64, 4096, 1.0),
    ],
)
def test_streaming_between_four_points(make, m, k, share):
    assert stream_ratio(make.ops([make.Row(m, k, 8)]), [make.unit(**GRID)])[0, 0] == pytest.approx(share)


def test_products_of_activations_do_not_stream_weights(make):
    rows = [make.Row(1, 256, 8, second_is_weight=False), make.Row(1, 256, 8)]
    assert stream_ratio(make.ops(rows), [make.unit(**GRID)])[:, 0].tolist() == [1.0, 0.2]


def test_counted_calls_stand_in_for_kernels(make):
    """Two kernels at 5 us where calls are not counted; 30 calls at 2 us; nothing where another op has the calls."""
    ops = make.ops(
        [make.Row(kernels=2.0), make.Row(kernels=1.0, calls_count=30.0), make.Row(calls_count=0.0, kernels=1)]
    )
    priced = make.unit(dispatch_s=5.0e-6, call_s=2.0e-6)
    assert dispatch(ops, [priced])[:, 0] == pytest.approx([10.0e-6, 60.0e-6, 0.0])
    assert dispatch(ops, [make.unit(dispatch_s=5.0e-6)])[:, 0] == pytest.approx([10.0e-6, 5.0e-6, 5.0e-6])


def test_rearranging_takes_time_where_it_is_priced(make):
    """1000 elements at two per cycle and core on two cores of 1 GHz: 250 ns beside 100 ns of additions."""
    ops = make.ops([make.Row(moved_count=1000.0, multiply_add=200.0)])
    for unit, expected in (
        (make.unit(cores_count=2.0, copy_per_cycle=2.0), 350e-9),
        (make.unit(cores_count=2.0), 100e-9),
    ):
        assert times(ops, moved(1, 0), [unit], [make.dram()]).vector_s[0, 0] == pytest.approx(expected)


def test_vector_work_may_have_its_own_path_to_the_outermost_level(make):
    """2e9 bytes at half of 1e9 bytes/s: 4 s; at a quarter of that rate 16 s. Products keep the full rate."""
    levels = [make.level(), make.dram(bandwidth_bytes_per_s=1e9, bandwidth_efficiency_ratio=0.5)]
    rows = [make.Row(1, 1, 1), make.Row(input_bytes=2e9)]
    none, bytes_each = np.zeros((2, 1)), np.full((2, 1), 2e9)
    flows = Traffic((none, bytes_each), (none, none))
    plain, slow = (
        times(make.ops(rows), flows, [make.unit(vector_stream_ratio=share)], levels).level_s for share in (None, 0.25)
    )
    assert plain[1][:, 0].tolist() == [4.0, 4.0]
    assert slow[1][:, 0].tolist() == [4.0, 16.0]
    assert slow[0][:, 0].tolist() == plain[0][:, 0].tolist()


def test_weights_and_state_of_vector_work_come_as_those_of_products(make):
    """Of 2e9 bytes 0.5e9 are weights and state: 1.5e9 at a quarter of 1e9 bytes/s and the rest at all of it, 6.5 s."""
    levels = [make.level(), make.dram(bandwidth_bytes_per_s=1e9)]
    none, bytes_each = np.zeros((1, 1)), np.full((1, 1), 2e9)
    row = make.Row(
        input_bytes=3e9, table_bytes=0.3e9, state_read_bytes=0.1e9, state_write_bytes=0.1e9
    )  # half of the inputs stay on the chip
    found = times(
        make.ops([row]), Traffic((none, bytes_each), (none, none)), [make.unit(vector_stream_ratio=0.25)], levels
    )
    assert found.level_s[1][0, 0] == pytest.approx(6.5)


def test_channels_that_share_nothing_run_at_a_share_of_the_rate(make):
    """Depthwise 16 cycles at half of a quarter of the rate take 128; the dense product beside it 6 x 2 x 2 / 0.5."""
    ops = make.ops([make.Row(8, 5, 1, batch=64, channelwise=True), make.Row(8, 12, 48)])
    unit = make.unit(efficiency_ratio=0.5, channelwise_efficiency_ratio=0.25, **SIMD)
    assert efficiency(ops, [unit])[:, 0].tolist() == [0.125, 0.5]
    taken = matrix_cycles(ops, [unit]) / efficiency(ops, [unit])
    assert taken[:, 0].tolist() == [8 * 2 / 0.125, 6 * 2 * 2 / 0.5]


@pytest.mark.parametrize(
    ("channels", "taps", "expected"),
    [
        (1, 40, 40),  # one channel of eight lanes at each of 40 positions; side by side they would take 5
        (39, 48, 48 * 5),
        (250, 7, 7 * 32),  # side by side 219
        (16, 1, 2),
    ],
)
def test_an_array_that_walks_over_kernels_fills_its_reduction_with_channels(make, channels, taps, expected):
    ops = replace(make.ops([make.Row(4, channels * taps, 8)]), taps_count=np.array([[float(taps)]]))
    assert matrix_cycles(ops, [make.unit(walks_kernels=True, **SIMD)])[0, 0] == expected
    assert matrix_cycles(ops, [make.unit(**SIMD)])[0, 0] == np.ceil(channels * taps / 8)


def test_products_without_a_kernel_have_one_position(make):
    """64, 12 and 8 channels on lanes of eight, each product by itself."""
    ops = make.ops([make.Row(4, k, 8) for k in (64, 12, 8)])
    assert matrix_cycles(ops, [make.unit(walks_kernels=True, **SIMD)]).tolist() == [[8], [2], [1]]


def test_a_depthwise_kernel_is_walked_over_whole(make):
    """One channel per group: nine positions of a 3 x 3 kernel, on lanes of eight channels."""
    row = make.Row(4, 9, 1, batch=8, channelwise=True)
    assert cycles(make, row, walks_kernels=True, **SIMD) == 9
    assert cycles(make, row, **SIMD) == 2
