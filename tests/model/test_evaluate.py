"""The whole chain on records small enough for paper; policies and operating points."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldsim.model.evaluate import Bands, evaluate
from foldsim.model.records import map_numbers, stack, take


def chip(make, **unit):
    """32 x 32 array, SRAM of 8 kB at 2 pJ/B, DRAM of 16 GB/s at 80 pJ/B."""
    return make.hardware(
        [make.unit(weight_stationary=True, unroll_k_count=32.0, unroll_n_count=32.0, energy_pj_per_mac=0.3, **unit)],
        [
            make.level(capacity_bytes=8000, read_pj_per_byte=2.0, write_pj_per_byte=2.0, bandwidth_bytes_per_s=64e9),
            make.dram(bandwidth_bytes_per_s=16e9, read_pj_per_byte=80.0, write_pj_per_byte=80.0),
        ],
        make.system(idle_mw=3.0),
    )


def product(make, **changes):
    """One product of 4 x 64 x 96, its 6144 bytes of weights in DRAM, ten such layers, once per chunk of 1
    ms."""
    row = make.Row(4, 64, 96, group=0, repeat=10, **{"live_bytes": 640.0, **changes})
    return make.recogniser([row], [make.Group(61_440)], chunk_s=(1e-3,))


def test_ten_layers_end_to_end(make):
    """4 x 64 x 96, ten times per 1 ms chunk, weights in DRAM.

    DRAM: 10 x 6144 = 61,440 B, 3.84 us, 4.9152 uJ. SRAM: read by the array 10 x (3 x 256 + 6144) = 69,120 B,
    filled and written 10 x (6144 + 384) = 65,280 B, 0.2688 uJ; its port passes 72,960 B in 1.14 us. Array: 10 x
    192 cycles = 1.92 us; 245,760 MACs, 0.073728 uJ. Each layer takes its largest term, DRAM's 0.384 us. Asleep
    996.16 us at 3 mW: 2.98848 uJ. In total 8.246208 uJ in 1 ms.
    """
    result = evaluate(product(make), make.bands(chip(make)), placement_policy="dram")
    assert result.dram_bytes_per_chunk[0] == 61_440
    assert result.plan.busy_s[0] == pytest.approx(3.84e-6, rel=1e-12)
    assert result.latency_s[0] == pytest.approx(3.84e-6, rel=1e-12)
    assert result.bottleneck_names[result.bottleneck[0]] == "dram"
    assert result.nominal.dram_mw[0] == pytest.approx(4.9152, rel=1e-12)
    assert result.nominal.onchip_mw[0] == pytest.approx(0.2688, rel=1e-12)
    assert result.nominal.compute_mw[0] == pytest.approx(0.073728, rel=1e-12)
    assert result.nominal.static_mw[0] == pytest.approx(2.98848, rel=1e-12)
    assert result.nominal.power_mw[0] == pytest.approx(8.246208, rel=1e-12)
    assert result.op_times.total_s[0, 0] == pytest.approx(0.384e-6, rel=1e-12)


def test_a_component_at_another_rate(make):
    """A joiner called 30 times in a chunk of 1 s, 1000 bytes of DRAM each: 30,000 B/s; a predictor 4 times,
    8000."""
    rows = [make.Row(1, 10, 100, component=0, group=0), make.Row(1, 80, 100, component=1, group=1)]
    groups = [make.Group(1000, component=0), make.Group(8000, component=1)]
    recogniser = make.recogniser(rows, groups, calls=(30, 4))
    result = evaluate(recogniser, make.bands(chip(make)), placement_policy="dram")
    assert result.dram_bytes_per_chunk[0] == 30_000 + 32_000
    # 7000 bytes of SRAM hold the joiner and three quarters of the predictor.
    auto = evaluate(recogniser, make.bands(chip(make)))
    assert auto.dram_bytes_per_chunk[0] == pytest.approx(4 * 2000, rel=1e-12)


def test_the_bottleneck_is_the_term_with_most_time(make):
    """Slow exponentials; slow array; slow SRAM; slow start of kernels."""

    def bound(hardware, **row):
        result = evaluate(product(make, **row), make.bands(hardware))
        return result.bottleneck_names[result.bottleneck[0]]

    assert bound(chip(make), exp=1e6) == "vector"
    assert bound(chip(make, efficiency_ratio=1e-3)) == "matrix"
    assert bound(chip(make, dispatch_s=1e-4), kernels=1) == "dispatch"
    slow = make.hardware(levels=[make.level(bandwidth_bytes_per_s=1e6), make.dram()])
    assert bound(slow) == "sram"


def timed(make, points, cycles, wake_s=0.0, chunk_s=(0.16,), static_mw=0.0):
    """Work of so many cycles at 800 MHz, the last point and the reference; everything else is free."""
    recogniser = make.recogniser([make.Row(exp=cycles)], chunk_s=chunk_s)
    unit = make.unit(clock_hz=800e6, static_mw=static_mw)
    reference = int(np.argmax([p.frequency_hz for p in points]))
    return recogniser, make.bands(make.hardware([unit], None, make.system(wake_s=wake_s), points, reference))


def three_points(make):
    """400 MHz 0.6 V, 600 MHz 0.675 V, 800 MHz 0.75 V (the reference)."""
    return [make.point(400e6, 0.60), make.point(600e6, 0.675), make.point(800e6, 0.75)]


@pytest.mark.parametrize(
    ("policy", "chosen", "busy_ms"),
    [
        ("race-to-idle", "p2", 100.0),
        ("slowest-real-time", "p1", 100.0 * 800 / 600),  # 133 ms of 160; at 400 MHz it would be 200
        ("p0", "p0", 200.0),
        ("p1", "p1", 100.0 * 800 / 600),
    ],
)
def test_policies_choose_the_operating_point(make, policy, chosen, busy_ms):
    """80e6 cycles take 100 ms at 800 MHz."""
    recogniser, bands = timed(make, three_points(make), 80e6)
    result = evaluate(recogniser, bands, policy)
    assert result.hardware.point_names[result.point[0]] == chosen
    assert result.plan.busy_s[0] == pytest.approx(busy_ms * 1e-3, rel=1e-12)
    assert result.plan.realtime[0] == (busy_ms <= 160)


def test_slowest_real_time_is_chosen_point_by_point(make):
    """The same work per chunk in 160, 240 and 90 ms: 600 MHz, 400 MHz, and nothing will do: the fastest."""
    recogniser, bands = timed(make, three_points(make), 80e6, chunk_s=(0.16, 0.24, 0.09))
    result = evaluate(recogniser, bands, "slowest-real-time")
    assert [result.hardware.point_names[p] for p in result.point] == ["p1", "p0", "p2"]
    assert result.plan.realtime.tolist() == [True, True, False]


def test_a_point_that_just_meets_the_deadline_is_slow_enough(make):
    """50e6 cycles take 125 ms at 400 MHz, the whole chunk."""
    recogniser, bands = timed(make, three_points(make), 50e6, chunk_s=(0.125,))
    result = evaluate(recogniser, bands, "slowest-real-time")
    assert result.hardware.point_names[result.point[0]] == "p0"
    assert result.plan.realtime.tolist() == [True]


def test_two_operating_points_are_a_choice(make):
    """50e6 cycles in 160 ms: 125 ms at 400 MHz will do."""
    recogniser, bands = timed(make, [make.point(400e6, 0.60), make.point(800e6, 0.75)], 50e6)
    assert evaluate(recogniser, bands, "slowest-real-time").point.tolist() == [0]


def test_the_order_of_operating_points_does_not_matter(make):
    low, mid, high = three_points(make)
    for policy, expected in (("race-to-idle", 100.0), ("slowest-real-time", 400 / 3)):
        for points in ([high, low, mid], [mid, high, low]):
            recogniser, bands = timed(make, points, 80e6)
            assert evaluate(recogniser, bands, policy).plan.busy_s[0] * 1e3 == pytest.approx(expected, rel=1e-12)


def test_clock_ratio_is_to_the_reference_point(make):
    """Reference 800 MHz: 400 MHz runs at half the clock, at 0.8 of the voltage."""
    recogniser, bands = timed(make, three_points(make), 80e6)
    supply = evaluate(recogniser, bands, "p0").supply
    assert np.ravel(supply.clock_ratio).tolist() == [0.5]
    assert np.ravel(supply.voltage_v).tolist() == [0.60]
    assert np.ravel(supply.voltage_ratio).tolist() == [pytest.approx(0.8, rel=1e-12)]
    assert np.isnan(supply.static_mw).all()


@pytest.mark.parametrize(("policy", "static_mw"), [("p2", 10.0), ("p0", 8.0)])
def test_static_power_follows_the_voltage(make, policy, static_mw):
    """10 mW at 0.75 V are 8 mW at 0.60 V, while busy 100 or 200 ms; a chunk is 400 ms."""
    recogniser, bands = timed(make, three_points(make), 80e6, chunk_s=(0.4,), static_mw=10.0)
    result = evaluate(recogniser, bands, policy)
    assert result.nominal.static_mw[0] == pytest.approx(static_mw * result.plan.busy_s[0] / 0.4, rel=1e-12)


def test_a_point_may_state_its_static_power(make):
    """3 mW at 400 MHz for 200 of 400 ms."""
    points = [make.point(400e6, 0.60, 3.0), *three_points(make)[1:]]
    recogniser, bands = timed(make, points, 80e6, chunk_s=(0.4,), static_mw=10.0)
    assert evaluate(recogniser, bands, "p0").nominal.static_mw[0] == pytest.approx(1.5, rel=1e-12)
    assert evaluate(recogniser, bands, "p2").nominal.static_mw[0] == pytest.approx(2.5, rel=1e-12)


def test_waking_is_part_of_the_latency(make):
    """2 ms of waking, 100 ms of work."""
    recogniser, bands = timed(make, three_points(make), 80e6, wake_s=2e-3)
    result = evaluate(recogniser, bands)
    assert result.latency_s[0] == pytest.approx(0.102, rel=1e-12)
    assert result.plan.idle_s[0] == pytest.approx(0.058, rel=1e-12)


def test_an_unknown_policy_is_refused(make):
    recogniser, bands = timed(make, three_points(make), 80e6)
    with pytest.raises(ValueError, match=r"policy .* not found; allowed: race-to-idle, slowest-real-time, p0"):
        evaluate(recogniser, bands, "as-fast-as-possible")


def test_low_and_high_use_their_own_coefficients_and_the_nominal_time(make):
    """DRAM at 80 (56 to 144) pJ/B, sleep at 3 (0 to 15) mW, the rest as nominal.

    61,440 B: 4.9152 mW nominal, 3.44064 low, 8.84736 high; 0.342528 mW of compute and SRAM; asleep 0.99616 of
    the time.
    """
    nominal = chip(make)

    def at(pj, idle_mw):
        dram = dataclasses.replace(nominal.levels[1], read_pj_per_byte=pj)
        return dataclasses.replace(nominal, levels=(nominal.levels[0], dram), system=make.system(idle_mw=idle_mw))

    result = evaluate(product(make), Bands(nominal, at(56.0, 0.0), at(144.0, 15.0)), placement_policy="dram")
    assert result.low_mw[0] == pytest.approx(0.342528 + 3.44064, rel=1e-12)
    assert result.nominal.power_mw[0] == pytest.approx(0.342528 + 4.9152 + 3 * 0.99616, rel=1e-12)
    assert result.high_mw[0] == pytest.approx(0.342528 + 8.84736 + 15 * 0.99616, rel=1e-12)


def test_the_saving_has_its_own_band(make):
    """Half the weights, DRAM at 56 to 144 pJ/B, asleep at 0 to 15 mW: one chip, so one value of each for both designs.

    61,440 and 30,720 bytes per ms, asleep 996.16 and 998.08 us. Least saving at 56 pJ/B and 15 mW: 1 - (1,720,320 +
    14,971,200) / (3,440,640 + 14,942,400) pJ = 0.0920; greatest without sleep power: one half, whatever DRAM costs.
    """
    rows = [make.Row(4, 64, [96, 48], group=0, repeat=10)]
    recogniser = make.recogniser(rows, [make.Group([61_440, 30_720])], chunk_s=(1e-3, 1e-3))

    def at(pj, idle_mw):
        levels = [make.level(capacity_bytes=8000), make.dram(bandwidth_bytes_per_s=16e9, read_pj_per_byte=pj)]
        unit = make.unit(weight_stationary=True, unroll_k_count=32.0, unroll_n_count=32.0)
        return make.hardware([unit], levels, make.system(idle_mw=idle_mw))

    result = evaluate(recogniser, Bands(at(80.0, 3.0), at(56.0, 0.0), at(144.0, 15.0)), placement_policy="dram")
    low, high = result.saving_band(np.array([0, 0]))
    assert (low[0], high[0]) == (0.0, 0.0)  # the baseline against itself
    assert low[1] == pytest.approx(1 - 16_691_520 / 18_383_040, rel=1e-9)
    assert high[1] == pytest.approx(0.5, rel=1e-9)


def test_numbers_may_be_arrays_over_design_points(make):
    """DRAM at 80, 40 and 0 pJ/B and SRAM of 8 kB, 8 kB and 1 MB (which then holds all weights)."""
    base = chip(make)
    variants = [
        dataclasses.replace(base, levels=(
            dataclasses.replace(base.levels[0], capacity_bytes=size),
            dataclasses.replace(base.levels[1], read_pj_per_byte=pj),
        ))
        for pj, size in ((80.0, 8e3), (40.0, 8e3), (0.0, 1e6))
    ]  # fmt: skip
    row = make.Row(4, 64, 96, group=0, repeat=10, live_bytes=640.0)
    three = make.recogniser([row], [make.Group(61_440)], chunk_s=(1e-3,) * 3)
    together = evaluate(three, make.bands(stack(variants)))
    alone = [evaluate(product(make), make.bands(v)) for v in variants]
    assert together.nominal.power_mw.tolist() == pytest.approx([r.nominal.power_mw[0] for r in alone], rel=1e-12)
    assert together.dram_bytes_per_chunk.tolist() == pytest.approx(
        [r.dram_bytes_per_chunk[0] for r in alone], rel=1e-12
    )
    assert together.dram_bytes_per_chunk[2] == 0


def test_stack_and_take_rebuild_records(make):
    """Numbers stack to arrays and are picked from them; text and flags must agree."""
    a, b = make.level(capacity_bytes=1.0), make.level(capacity_bytes=2.0)
    both = stack([a, b])
    assert both.capacity_bytes.tolist() == [1.0, 2.0]
    assert both.name == "sram"
    assert take(both, np.array([1, 0, 1])).capacity_bytes.tolist() == [2.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="structure"):
        stack([a, make.level(is_cache=True)])
    with pytest.raises(ValueError, match="structure"):
        stack([make.hardware(levels=[a]), make.hardware(levels=[a, b])])
    for units in ([make.unit(), make.unit(call_s=1.0)], [make.unit(call_s=1.0), make.unit()]):
        with pytest.raises(ValueError, match="structure"):
            stack(units)
    assert map_numbers(lambda numbers: numbers[0] * 2, [a]).capacity_bytes == 2.0


@given(
    k=st.integers(1, 600), n=st.integers(1, 600), m=st.integers(1, 40), chunk=st.floats(0.01, 2),
    more=st.integers(1, 500), read=st.floats(0, 300), extra=st.floats(0.1, 300), sram=st.floats(1e3, 1e6),
)  # fmt: skip
def test_a_larger_product_and_a_dearer_byte_cost_more(make, k, n, m, chunk, more, read, extra, sram):
    """Hand-made chip: widening the product adds MACs and weight bytes, so energy; so does a dearer byte."""

    def power(columns, pj):
        unit = make.unit(unroll_k_count=8.0, unroll_n_count=8.0, energy_pj_per_mac=0.3, static_mw=10.0)
        levels = [
            make.level(capacity_bytes=sram, read_pj_per_byte=1.0, bandwidth_bytes_per_s=1e10),
            make.dram(read_pj_per_byte=pj, bandwidth_bytes_per_s=1e9),
        ]
        row = make.Row(m, k, columns, group=0, input_outside=1, output_outside=1)
        recogniser = make.recogniser([row], [make.Group(k * columns)], chunk_s=(chunk,))
        result = evaluate(recogniser, make.bands(make.hardware([unit], levels)), placement_policy="dram")
        return float(result.nominal.power_mw[0])

    assert power(n + more, read) > power(n, read) * (1 - 1e-12)
    assert power(n, read + extra) > power(n, read)


def test_the_share_of_power_that_rests_on_assumptions(make):
    """DRAM reads take 4.9152 of 8.246208 mW; without sources nothing counts, nor where the power is zero."""
    nominal = chip(make)
    dram = dataclasses.replace(nominal.levels[1], read_pj_per_byte=0.0, write_pj_per_byte=0.0)
    sourced = dataclasses.replace(nominal, levels=(nominal.levels[0], dram))

    def share(bands):
        return evaluate(product(make), bands, placement_policy="dram").assumption_ratio.tolist()

    assert share(Bands(nominal, nominal, nominal, sourced)) == pytest.approx([4.9152 / 8.246208], rel=1e-12)
    assert share(make.bands(nominal)) == [0.0]
    free = make.hardware()
    assert share(Bands(free, free, free, free)) == [0.0]


def test_latency_at_the_ends_of_speed(make):
    """DRAM at 16 (8 to 32) GB/s: 3.84 us (7.68 to 1.92, as long as the array takes); waking 1 to 2 us."""
    nominal = chip(make)

    def at(bandwidth_bytes_per_s, wake_s):
        dram = dataclasses.replace(nominal.levels[1], bandwidth_bytes_per_s=bandwidth_bytes_per_s)
        system = make.system(idle_mw=3.0, wake_s=wake_s)
        return dataclasses.replace(nominal, levels=(nominal.levels[0], dram), system=system)

    fast, slow = at(32e9, 1e-6), at(8e9, 2e-6)
    result = evaluate(product(make), Bands(nominal, nominal, nominal, None, fast, slow), placement_policy="dram")
    low_s, high_s = result.latency_band_s
    assert (low_s[0], high_s[0]) == pytest.approx((2.92e-6, 9.68e-6), rel=1e-12)
    for ends in ((None, None), (fast, None), (None, slow)):
        one = evaluate(product(make), Bands(nominal, nominal, nominal, None, *ends), placement_policy="dram")
        assert [x[0] for x in one.latency_band_s] == pytest.approx([3.84e-6] * 2, rel=1e-12)


def test_each_end_has_its_own_supply(make):
    """Static power of the chosen point 2 (1 to 4) mW; another point's does not count."""
    low, nominal, high = (
        make.hardware(points=[make.point(1e9, 0.8, static_mw), make.point(5e8, 0.7, 9.0)])
        for static_mw in (1.0, 2.0, 4.0)
    )
    result = evaluate(product(make), Bands(nominal, low, high), "p0")
    supplies = (result.low_supply, result.supply, result.high_supply)
    assert [x.static_mw.tolist() for x in supplies] == [[1.0], [2.0], [4.0]]


def test_savings_against_another_evaluation_have_a_band_even_at_the_same_index(make):
    """Against a reference of twice the weights, point 0 saves; against itself it saves nothing."""
    halves = make.recogniser([make.Row(4, 64, 48, group=0, repeat=10)], [make.Group(30_720)], chunk_s=(1e-3,))
    wholes = make.recogniser([make.Row(4, 64, 96, group=0, repeat=10)], [make.Group(61_440)], chunk_s=(1e-3,))
    levels = [make.level(capacity_bytes=8000), make.dram(read_pj_per_byte=80.0)]
    bands = make.bands(make.hardware(levels=levels))
    half, whole = (evaluate(x, bands, placement_policy="dram") for x in (halves, wholes))
    for bound in half.saving_band(np.array([0]), whole):
        assert bound.tolist() == pytest.approx([0.5], rel=1e-12)
    for bound in half.saving_band(np.array([0])):
        assert bound.tolist() == [0.0]
