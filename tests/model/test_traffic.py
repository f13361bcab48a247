"""Bytes across every boundary, for products small enough to count on paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foldsim.model.placement import place
from foldsim.model.tiling import TileTraffic
from foldsim.model.traffic import port_traffic, traffic


def across(make, row, levels, groups=None, policy="auto"):
    """Bytes inward and outward across the boundary outside the innermost level."""
    recogniser = make.recogniser([row], groups)
    flows = traffic(recogniser.ops, place(recogniser, levels, policy), [make.unit()], levels)
    return flows.inward[1][0, 0], flows.outward[1][0, 0]


def at_port(make, row, **unit):
    inward, outward = port_traffic(make.ops([row]), [make.unit(**unit)])
    return inward[0, 0], outward[0, 0]


def test_the_array_reads_inputs_per_column_tile_and_weights_per_block_of_rows(make):
    """4 x 64 x 96 on 32 columns: inputs 4 x 64 thrice = 768, weights 64 x 96 = 6144 once, results 4 x 96 =
    384."""
    row = make.Row(4, 64, 96)
    assert at_port(make, row, unroll_n_count=32.0, register_rows_count=64.0) == (6912, 384)
    # Accumulators for two rows only: the weights pass twice.
    assert at_port(make, row, unroll_n_count=32.0, register_rows_count=2.0) == (768 + 2 * 6144, 384)
    # A column more than 96 makes a fourth column tile.
    assert at_port(make, make.Row(4, 64, 97), unroll_n_count=32.0)[0] == 4 * 64 * 4 + 64 * 97


def test_products_in_a_batch_and_in_sequence_multiply(make):
    """2 products, 3 times each, 2-byte inputs, half-byte weights, 4-byte results: 6 (768 x 2 + 6144 / 2), 6
    x 384 x 4."""
    row = make.Row(4, 64, 96, batch=2, steps=3, input_width=2, second_width=0.5, output_width=4)
    assert at_port(make, row, unroll_n_count=32.0) == (6 * (1536 + 3072), 6 * 1536)


def test_vector_work_tables_and_state_pass_the_port_once(make):
    row = make.Row(input_bytes=100, output_bytes=40, table_bytes=7, state_read_bytes=5, state_write_bytes=3)
    assert at_port(make, row) == (100 + 7 + 5, 40 + 3)


def test_state_that_a_product_makes_is_written_as_its_result(make):
    """New keys and values leave the array once, as results; 20 bytes of them go on to their home."""
    row = make.Row(4, 64, 96, state_write_bytes=20, state_group=0)
    assert at_port(make, row, unroll_n_count=96.0) == (256 + 6144, 384)
    levels = [make.level(capacity_bytes=1e5), make.dram()]
    assert across(make, row, levels, [make.Group(100, is_state=True)], "dram")[1] == 20


def test_weights_stream_in_once_while_activations_stay_inside(make):
    """64 x 96 bytes of weights live in DRAM; 4 x 64 inputs and 4 x 96 results stay in SRAM."""
    groups = [make.Group(6144)]
    levels = [make.level(capacity_bytes=1e5), make.dram()]
    assert across(make, make.Row(4, 64, 96, group=0), levels, groups, "dram") == (6144, 0)
    assert across(make, make.Row(4, 64, 96, group=0), levels, groups, "auto") == (0, 0)  # all of it fits inside


def test_the_share_that_lives_inside_is_not_fetched(make):
    """1400 bytes of room hold 1400 / 5600 of the weights: three quarters of 5600 cross."""
    row, groups = make.Row(4, 56, 100, group=0), [make.Group(5600)]
    inward, outward = across(make, row, [make.level(capacity_bytes=1600), make.dram()], groups)
    assert inward == pytest.approx(4200, rel=1e-12)
    assert outward == 0


def test_what_comes_from_outside_the_recogniser_crosses(make):
    """Audio in (4 x 64), text out (4 x 96), beside the weights; likewise for vector work."""
    levels = [make.level(capacity_bytes=1e5), make.dram()]
    row = make.Row(4, 64, 96, group=0, input_outside=1, output_outside=1)
    assert across(make, row, levels, [make.Group(6144)], "dram") == (6144 + 256, 384)
    vector = make.Row(input_bytes=100, output_bytes=40, input_outside=1)
    assert across(make, vector, levels) == (100, 0)


def test_tables_and_state_cross_by_the_share_of_their_group(make):
    """Biases (50 bytes) follow the weights, which are outside; state follows its own group."""
    row = make.Row(group=0, state_group=1, table_bytes=50, state_read_bytes=30, state_write_bytes=20)
    groups = [make.Group(1000), make.Group(100, is_state=True)]
    levels = [make.level(capacity_bytes=1e5), make.dram()]
    assert across(make, row, levels, groups, "dram") == (80, 20)
    assert across(make, row, levels, groups, "auto") == (0, 0)


def test_keys_come_partly_from_the_cache_of_earlier_chunks(make):
    """Scores, two heads, 8 x 40 keys each, three quarters of them cached in DRAM: 2 x 320 x 0.75 = 480
    bytes."""
    row = make.Row(4, 8, 40, batch=2, second_is_weight=False, second_state_ratio=0.75, state_group=0)
    levels = [make.level(capacity_bytes=1e5), make.dram()]
    groups = [make.Group(480, is_state=True)]
    inward, outward = across(make, row, levels, groups, "dram")
    assert inward == pytest.approx(480, rel=1e-12)
    assert outward == 0


def test_activations_that_do_not_fit_cross_both_ways(make):
    """1000 live bytes and 700 of room: three tenths of what vector work reads and writes leave and return."""
    row = make.Row(input_bytes=600, output_bytes=400, live_bytes=1000)
    inward, outward = across(make, row, [make.level(capacity_bytes=800), make.dram()])
    assert inward == pytest.approx(180, rel=1e-12)
    assert outward == pytest.approx(120, rel=1e-12)


@pytest.mark.parametrize(("capacity", "passes"), [(2.0e4, 1), (1.0e4, 1), (9.9e3, 5), (4.0e3, 5)])
def test_serial_steps_read_the_weights_again_unless_they_fit(make, capacity, passes):
    """An LSTM's 100 x 100 bytes, five frames one after the other: once if 10,000 bytes stay, else five
    times."""
    row = make.Row(1, 100, 100, steps=5, group=0)
    levels = [make.level(capacity_bytes=capacity), make.dram()]
    inward, _ = across(make, row, levels, [make.Group(1e4)], "dram")
    assert inward == passes * 1e4


def test_residents_and_live_activations_leave_less_room_for_serial_weights(make):
    """16,000 bytes hold the 10,000 twice read, but not beside 7,000 live ones."""
    levels = [make.level(capacity_bytes=1.6e4), make.dram()]
    free = make.Row(1, 100, 100, steps=2, group=0)
    crowded = make.Row(1, 100, 100, steps=2, group=0, live_bytes=7e3)
    assert across(make, free, levels, [make.Group(1e4)], "dram")[0] == 1e4
    assert across(make, crowded, levels, [make.Group(1e4)], "dram")[0] == 2e4


def test_serial_products_in_a_batch_must_fit_together(make):
    """Two products of 100 x 100 bytes, two steps each: 20,000 bytes stay in 20,000, not in 16,000."""
    row = make.Row(1, 100, 100, batch=2, steps=2, group=0)
    for capacity, passes in ((2.0e4, 1), (1.6e4, 2)):
        levels = [make.level(capacity_bytes=capacity), make.dram()]
        assert across(make, row, levels, [make.Group(2e4)], "dram")[0] == passes * 2e4


@pytest.mark.parametrize(("resident", "passes"), [(5000, 1), (7000, 2)])
def test_what_lives_in_the_level_leaves_less_room_for_serial_weights(make, resident, passes):
    """16,000 bytes less 5,000 still hold 10,000 bytes from one step to the next; less 7,000 they do not."""
    recogniser = make.recogniser(
        [make.Row(1, 100, 100, steps=2, group=0)], [make.Group(1e4), make.Group(resident)], chunk_s=(1.0,)
    )
    levels = [make.level(capacity_bytes=1.6e4), make.dram()]
    homes = place(recogniser, levels, "pinned", (1,))
    assert homes.resident_bytes[0, 0] == resident
    assert traffic(recogniser.ops, homes, [make.unit()], levels).inward[1][0, 0] == passes * 1e4


def test_activations_that_pass_a_cache_by_take_no_room_in_it(make):
    """20,000 live bytes do not fit a cache of 16,000, so none stay; the 10,000 of serial weights do.

    2 x 100 bytes of inputs and of results cross in addition.
    """
    row = make.Row(1, 100, 100, steps=2, group=0, live_bytes=2e4)
    levels = [make.level(capacity_bytes=1.6e4, is_cache=True), make.dram()]
    assert across(make, row, levels, [make.Group(1e4)], "dram") == (10_200, 200)


def test_an_eighth_of_a_level_is_always_there_for_streaming(make):
    """L2 of 16,000 bytes, 14,000 resident: 2,000 bytes of serial weights stay from step to step; 2,040 do not."""
    levels = [
        make.level("l1", capacity_bytes=1500, keeps_data=False),
        make.level("l2", capacity_bytes=1.6e4),
        make.dram(),
    ]
    for columns, passes in ((50, 1), (51, 2)):
        row = make.Row(1, 40, columns, steps=2, group=0, live_bytes=1000.0)
        recogniser = make.recogniser([row], [make.Group(40 * columns), make.Group(14_000)])
        flows = traffic(recogniser.ops, place(recogniser, levels, "pinned", (1,)), [make.unit()], levels)
        assert flows.inward[1][0, 0] == 2 * 40 * columns  # L1 is too small for either
        assert flows.inward[2][0, 0] == passes * 40 * columns


def test_fresh_keys_from_outside_cross_beside_cached_ones(make):
    """Inputs arrive from outside (2 x 4 x 8), a quarter of the 2 x 8 x 40 keys too; cached ones are in or out."""
    row = make.Row(4, 8, 40, batch=2, second_is_weight=False, second_state_ratio=0.75, state_group=0, input_outside=1)
    levels = [make.level(capacity_bytes=1e5), make.dram()]
    groups = [make.Group(480, is_state=True)]
    assert across(make, row, levels, groups, "auto") == (64 + 160, 0)
    assert across(make, row, levels, groups, "dram") == (64 + 640, 0)


def test_inputs_and_results_from_outside_cross_in_every_product_and_step(make):
    """2 products, 3 steps, 4 x 64 inputs and 4 x 96 results of each; no weights to fetch."""
    row = make.Row(4, 64, 96, batch=2, steps=3, input_outside=1, output_outside=1)
    levels = [make.level(capacity_bytes=1e5), make.dram()]
    assert across(make, row, levels) == (6 * 256, 6 * 384)


def test_partial_sums_return_inward_and_leave_with_the_results(make, monkeypatch):
    """Per product 1000 bytes of inputs, 200 of weights, 30 of returning partial sums, 4 out; 2 products of 3 steps."""
    one = np.ones((1, 1))
    tiles = TileTraffic(1000 * one, 200 * one, 30 * one, 4 * one)
    monkeypatch.setattr("foldsim.model.traffic.tiled_traffic", lambda *args: tiles)
    row = make.Row(4, 64, 96, batch=2, steps=3, group=0)
    tight, wide = ([make.level(capacity_bytes=size), make.dram()] for size in (1e4, 1e5))
    groups = [make.Group(2 * 64 * 96)]
    assert across(make, row, tight, groups, "dram") == (6 * 1030 + 6 * 200, 24)
    assert across(make, row, wide, groups, "dram") == (6 * 1030 + 2 * 200, 24)  # weights stay from step to step


def test_a_product_that_exceeds_the_level_re_reads(make):
    """256 x 256 x 256 with activations outside, 4 KiB: far more than the 196,608 bytes of its operands cross.

    Keeping t x t results (4 bytes each) with strips of 2 t fits 4096 bytes for t = 31: 9 x 9 tiles, so both
    operands pass 9 times, 2 x 9 x 65,536 + 65,536 = 1,245,184; no schedule of this kind does it with less than
    2 m k n / sqrt(S / 4) = 1,048,576 operand bytes.
    """
    row = make.Row(256, 256, 256, group=0, input_outside=1, output_outside=1)
    levels = [make.level(capacity_bytes=4096), make.dram()]
    inward, outward = across(make, row, levels, [make.Group(65536)], "dram")
    assert outward == 65536
    assert 1_048_576 <= inward <= 2 * 9 * 65536


def test_every_boundary_on_the_way_is_crossed(make):
    """Weights in DRAM pass the cache, the scratchpad and the port."""
    recogniser = make.recogniser([make.Row(4, 64, 96, group=0)], [make.Group(6144)])
    levels = [make.level("l1"), make.level("l2"), make.dram()]
    flows = traffic(recogniser.ops, place(recogniser, levels, "dram"), [make.unit(unroll_n_count=96.0)], levels)
    assert [float(x[0, 0]) for x in flows.inward] == [256 + 6144, 6144, 6144]
    assert [float(x[0, 0]) for x in flows.outward] == [384, 0, 0]
    assert float(flows.served_by(0)[0, 0]) == 256 + 6144 + 384
    assert float(flows.served_by(2)[0, 0]) == 6144


def test_a_recogniser_may_keep_nothing(make):
    """No weights and no state anywhere, as in a bare product of activations: nothing crosses."""
    row = make.Row(4, 8, 16, second_is_weight=False)
    assert across(make, row, [make.level(), make.dram()], []) == (0, 0)
    assert across(make, make.Row(table_bytes=7, state_read_bytes=5), [make.level(), make.dram()], []) == (0, 0)


def swept(make, capacity_bytes, columns, **row):
    """Bytes inward of 100 x 64 x 10 (inputs and results outside, 4-byte sums) where a library does not tile."""
    product = make.Row(100, 64, 10, group=0, input_outside=1, output_outside=1, **row)
    recogniser = make.recogniser([product], [make.Group(640)])
    levels = [make.level(capacity_bytes=capacity_bytes), make.dram()]
    unit = make.unit(columns_per_pass_count=columns)
    flows = traffic(recogniser.ops, place(recogniser, levels, "dram"), [unit], levels)
    return flows.inward[1][0, 0], flows.outward[1][0, 0]


def test_a_library_that_does_not_tile_reads_its_inputs_in_every_pass(make):
    """Inputs 6,400, one column of weights 64 and of sums 400: all fit in 6,864 bytes, else a pass per column."""
    assert swept(make, 6864, 1.0) == (6400 + 640, 1000)
    assert swept(make, 6863, 1.0) == (10 * 6400 + 640, 1000)
    # Four columns per pass: three passes, the last of two columns.
    assert swept(make, 4000, 4.0) == (3 * 6400 + 640, 1000)


def test_only_the_units_whose_library_does_not_tile_sweep(make):
    """The same product on both units: once for the one that tiles, in five passes of two columns for the other."""
    rows = [make.Row(100, 64, 10, group=0, unit=unit, input_outside=1) for unit in (0, 1)]
    recogniser = make.recogniser(rows, [make.Group(640)])
    levels = [make.level(capacity_bytes=6000), make.dram()]
    units = [make.unit(), make.unit(columns_per_pass_count=2.0)]
    inward = traffic(recogniser.ops, place(recogniser, levels, "dram"), units, levels).inward[1]
    assert [float(x) for x in inward[:, 0]] == [6400 + 640, 5 * 6400 + 640]


def test_columns_per_pass_may_differ_between_design_points(make):
    row = make.Row(100, 64, 10, group=0, input_outside=1)
    recogniser = make.recogniser([row], [make.Group(640)], chunk_s=(1.0, 1.0))
    levels = [make.level(capacity_bytes=3000), make.dram()]
    unit = make.unit(columns_per_pass_count=np.array([1.0, 5.0]))
    flows = traffic(recogniser.ops, place(recogniser, levels, "dram"), [unit], levels)
    assert flows.inward[1][0].tolist() == [10 * 6400 + 640, 2 * 6400 + 640]


@pytest.mark.parametrize(
    ("cache", "steps", "expected"),
    [
        (8192, 1, 6144),  # fits: once
        (4096, 1, 3 * 6144),  # five rows in pairs: three passes
        (0, 2, 2 * 3 * 6144),
    ],
)
def test_a_core_reads_weights_in_place_once_per_pass_that_its_cache_does_not_hold(make, cache, steps, expected):
    """64 x 96 weights in flash, SRAM with room for all of them, two rows in registers."""
    levels = [make.level(), make.level("flash", writable=False, read_in_place=True, read_cache_bytes=float(cache))]
    recogniser = make.recogniser([make.Row(5, 64, 96, group=0, steps=steps)], [make.Group(6144)])
    flows = traffic(recogniser.ops, place(recogniser, levels), [make.unit(register_rows_count=2.0)], levels)
    assert (flows.inward[1][0, 0], flows.outward[1][0, 0]) == (expected, 0)


def test_pinned_weights_are_not_read_in_place(make):
    """A quarter of 6144 weights is pinned in SRAM; the rest is read in three passes over five rows."""
    levels = [make.level(capacity_bytes=1536 / 0.875), make.level("flash", writable=False, read_in_place=True)]
    recogniser = make.recogniser([make.Row(5, 64, 96, group=0)], [make.Group(6144)])
    placement = place(recogniser, levels, "pinned", [0])
    flows = traffic(recogniser.ops, placement, [make.unit(register_rows_count=2.0)], levels)
    assert flows.inward[1][0, 0] == pytest.approx(0.75 * 3 * 6144, rel=1e-12)


def test_weights_read_in_place_pass_the_levels_between(make):
    """A buffer, SRAM for activations, flash: 6144 weights and 7 biases go from flash to the buffer; inputs do not."""
    levels = [
        make.level("buffer", keeps_data=False, capacity_bytes=512.0),
        make.level("sram", capacity_bytes=1e5),
        make.level("flash", writable=False, read_in_place=True),
    ]
    row = make.Row(4, 64, 96, group=0, live_bytes=640, table_bytes=7)
    recogniser = make.recogniser([row], [make.Group(6151)])
    flows = traffic(recogniser.ops, place(recogniser, levels), [make.unit()], levels)
    assert flows.inward[2][0, 0] == 6144 + 7  # 4 x 64 inputs and a strip of the rest fit the buffer: once
    copied = [
        make.level("buffer", keeps_data=False, capacity_bytes=512.0),
        *levels[1:2],
        make.level("flash", writable=False),
    ]
    through = traffic(recogniser.ops, place(recogniser, copied, "dram"), [make.unit()], copied)
    assert through.inward[1][0, 0] == flows.inward[1][0, 0] + 6144 + 7


def test_counts_that_do_not_vary_serve_units_that_do(make):
    """An op table of one column at two design points: weights pass thrice with two rows in registers, once with 64."""
    ops = make.ops([make.Row(5, 64, 96, table_bytes=7)])
    ops = replace(ops, live_bytes=np.zeros((1, 2)))
    inward, outward = port_traffic(ops, [make.unit(unroll_n_count=96.0, register_rows_count=np.array([2.0, 64.0]))])
    assert inward.tolist() == [[320 + 3 * 6144 + 7, 320 + 6144 + 7]]
    assert outward.tolist() == [[480, 480]]


def test_the_state_in_a_first_operand_crosses_by_its_own_home(make):
    """A quarter of 4 x 64 inputs is state, which SRAM keeps; the rest comes from outside, and weights stay inside."""
    row = make.Row(4, 64, 96, group=0, state_group=1, first_state_ratio=0.25, input_outside=1)
    groups = [make.Group(6144), make.Group(64, is_state=True)]
    assert across(make, row, [make.level(capacity_bytes=1e5), make.dram()], groups) == (192, 0)
