"""Energy terms: what happened times what one of it costs, at the voltage in force. Energies in pJ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foldsim.model.energy import (
    Activity,
    Supply,
    busy_terms,
    idle_terms,
    ops_activity,
    stack_by_cause,
    sum_by_part,
    total_activity,
)
from foldsim.model.records import PowerLawParams
from foldsim.model.roofline import Times, times
from foldsim.model.traffic import Traffic

AT_REFERENCE = Supply(1.0, 0.75, 1.0, np.array([np.nan]))
AT_LOW = Supply(0.5, 0.60, 0.8, np.array([np.nan]))  # 0.60 V / 0.75 V


def one(x):
    return np.array([float(x)])


def activity(macs=0, vector=(0, 0, 0, 0), busy_s=0, active_s=0, reads=(0, 0), writes=(0, 0)):
    """Activity of one unit and two levels at one design point."""
    return Activity(
        macs=(one(macs),),
        vector=(tuple(one(v) for v in vector),),
        unit_busy_s=(one(busy_s),),
        unit_active_s=(one(active_s),),
        read_bytes=tuple(one(x) for x in reads),
        write_bytes=tuple(one(x) for x in writes),
        busy_s=one(busy_s),
    )


def pj(terms):
    """Energy by term, those that cost nothing left out."""
    named = {t.name: float(np.ravel(t.energy_pj)[0]) for t in terms}
    assert len(named) == len(terms), "terms share a name"
    return {name: energy for name, energy in named.items() if energy}


def by_part(terms):
    return {part: float(np.ravel(energy)[0]) for part, energy in sum_by_part(terms).items()}


def chip(make):
    unit = make.unit(energy_pj_per_mac=0.3, vector_pj=(28.0, 15.0, 2.0, 0.5), static_mw=30.0, idle_mw=2.0)
    sram = make.level(read_pj_per_byte=2.0, write_pj_per_byte=3.0, static_mw=8.0, retention_mw=1.6, core_clock=True)
    dram = make.dram(read_pj_per_byte=80.0, write_pj_per_byte=90.0, background_active_mw=22.5, background_idle_mw=1.3)
    return make.hardware([unit], [sram, dram], make.system(idle_mw=3.0, busy_mw=80.0, wake_uj=100.0))


DONE = activity(1000, (10, 20, 300, 40), 1e-3, 1e-3, (500, 70), (600, 30))


def test_at_the_reference_point_each_term_is_a_count_times_its_coefficient(make):
    """1000 x 0.3; 10 x 28, 20 x 15, 300 x 2, 40 x 0.5; 500 x 2, 600 x 3, 70 x 80, 30 x 90; for 1 ms 30, 8,
    80 and 22.5 mW (1 mW ms = 1e6 pJ)."""
    assert pj(busy_terms(DONE, chip(make), AT_REFERENCE)) == pytest.approx(
        {
            "MACs": 300, "vector exp": 280, "vector divide": 300, "vector multiply_add": 600, "vector compare": 20,
            "sram reads": 1000, "sram writes": 1800, "dram reads": 5600,
            "dram writes": 2700, "compute static": 30e6, "sram static": 8e6, "system while busy": 80e6,
            "dram background, busy": 22.5e6,
        },
        rel=1e-12,
    )  # fmt: skip


def test_at_a_lower_voltage_core_energy_falls_with_its_square_and_leakage_with_it(make):
    """V / Vref = 0.8: MACs, vector work and core-clocked SRAM times 0.64, core leakage times 0.8, DRAM and
    system as before."""
    assert pj(busy_terms(DONE, chip(make), AT_LOW)) == pytest.approx(
        {
            "MACs": 192, "vector exp": 179.2, "vector divide": 192, "vector multiply_add": 384, "vector compare": 12.8,
            "sram reads": 640, "sram writes": 1152, "dram reads": 5600,
            "dram writes": 2700, "compute static": 24e6, "sram static": 6.4e6, "system while busy": 80e6,
            "dram background, busy": 22.5e6,
        },
        rel=1e-12,
    )  # fmt: skip


def test_a_stated_static_power_replaces_that_of_the_units_only(make):
    """11 mW at this point, whatever the voltage; SRAM leakage still follows V."""
    stated = Supply(0.5, 0.60, 0.8, np.array([11.0]))
    found = pj(busy_terms(DONE, chip(make), stated))
    assert found["compute static"] == pytest.approx(11e6, rel=1e-12)
    assert found["sram static"] == pytest.approx(6.4e6, rel=1e-12)


def test_levels_with_their_own_clock_keep_their_voltage(make):
    """A system cache on its own rail: neither its energy nor its leakage moves."""
    own = make.level("slc", read_pj_per_byte=3.0, static_mw=5.0, core_clock=False)
    hardware = make.hardware(levels=[own, make.dram()])
    found = pj(busy_terms(activity(busy_s=1e-3, reads=(100, 0)), hardware, AT_LOW))
    assert found == pytest.approx({"slc reads": 300, "slc static": 5e6}, rel=1e-12)


def test_parts_take_their_terms(make):
    """Compute 300 + 1200; on chip 1000 + 1800; off chip 5600 + 2700 + background 22.5e6; static 30 + 8 + 80
    mW."""
    expected = {"compute": 1500, "onchip": 2800, "dram": 8300 + 22.5e6, "static": 118e6}
    assert by_part(busy_terms(DONE, chip(make), AT_REFERENCE)) == pytest.approx(expected, rel=1e-12)


def test_an_on_chip_outermost_level_is_not_off_chip_memory(make):
    """MRAM on the die: its reads are on-chip energy."""
    mram = make.level("mram", read_pj_per_byte=35.0, on_chip=True)
    hardware = make.hardware(levels=[make.level(), mram])
    assert by_part(busy_terms(activity(reads=(0, 10)), hardware, AT_REFERENCE))["onchip"] == 350


CORE = PowerLawParams(static_mw=133.4, dynamic_uw_per_mhz_v2=350.3, activity_ratio=1.0, stalled_ratio=1.0)
LAW = {"power_law": CORE, "clock_hz": 2.4e9}
AT_2400_MHZ = Supply(1.0, 0.94, 1.0, np.array([np.nan]))
AT_806_MHZ = Supply(806.4 / 2400, 0.564, 0.564 / 0.94, np.array([np.nan]))


@pytest.mark.parametrize(
    ("supply", "dynamic_mw"),
    [
        (AT_2400_MHZ, 742.860192),  # 350.3 x 2400 x 0.8836 / 1000; with s = 133.4: 876.26 mW
        (AT_806_MHZ, 89.856366),  # 350.3 x 806.4 x 0.318096 / 1000; with s: 223.26 mW, measured 213.97 (4 %)
    ],
)
def test_the_measured_power_law_of_a_phone_core(make, supply, dynamic_mw):
    """P = s + k f V^2 for one busy core, as fitted to freqbench's Snapdragon 765G prime core
    (cpu_dvfs_fit.csv)."""
    found = pj(busy_terms(activity(busy_s=1, active_s=1), make.hardware([make.unit(**LAW)]), supply))
    assert found["power law, computing"] / 1e9 == pytest.approx(dynamic_mw, rel=1e-7)
    assert "power law, waiting for memory" not in found
    assert found["power law, static"] / 1e9 == pytest.approx(133.4, rel=1e-12)


def test_waiting_for_memory_draws_part_of_the_dynamic_power(make):
    """Of 1 s busy 0.25 s compute; vector code draws 1.2 of CoreMark, 891.4322304 mW, waiting half of that:
    222.8580576 and 334.2870864 mJ; two cores draw twice that, and twice the static."""
    for cores in (1.0, 2.0):
        law = replace(CORE, activity_ratio=1.2, stalled_ratio=0.5)
        unit = make.unit(power_law=law, clock_hz=2.4e9, cores_count=cores)
        found = pj(busy_terms(activity(busy_s=1, active_s=0.25), make.hardware([unit]), AT_2400_MHZ))
        assert found["power law, computing"] / 1e9 == pytest.approx(cores * 222.8580576, rel=1e-9)
        assert found["power law, waiting for memory"] / 1e9 == pytest.approx(cores * 334.2870864, rel=1e-9)
        assert found["power law, static"] / 1e9 == pytest.approx(cores * 133.4, rel=1e-12)


def test_the_power_law_stands_instead_of_energies_per_mac(make):
    unit = make.unit(**LAW, energy_pj_per_mac=0.3, vector_pj=(1.0, 1.0, 1.0, 1.0))
    found = pj(busy_terms(activity(1000, (1, 1, 1, 1)), make.hardware([unit]), AT_2400_MHZ))
    assert found == {}


def test_sleep_costs_retention_and_background_and_waking_costs_once(make):
    """0.1 s: unit 2, system 3, SRAM 1.6, DRAM 1.3 mW (1e8 pJ per mW); two wakes of 100 uJ."""
    terms = idle_terms(one(0.1), one(0), one(2), chip(make), AT_REFERENCE)
    assert pj(terms) == pytest.approx(
        {
            "compute idle": 2e8,
            "system idle": 3e8,
            "sram retention": 1.6e8,
            "dram background, idle": 1.3e8,
            "waking": 2e8,
        },
        rel=1e-12,
    )
    assert by_part(terms) == pytest.approx({"compute": 0, "onchip": 0, "dram": 1.3e8, "static": 8.6e8}, rel=1e-12)


def test_a_gap_too_short_to_sleep_in_costs_what_being_busy_costs(make):
    """1 ms awake without work: 30 + 80 + 8 mW, DRAM's 22.5 mW of active standby; at 0.8 of the voltage 24 +
    80 + 6.4."""
    for supply, static_pj in ((AT_REFERENCE, 118e6), (AT_LOW, 110.4e6)):
        terms = idle_terms(one(0), one(1e-3), one(0), chip(make), supply)
        expected = {"compute": 0, "onchip": 0, "dram": 22.5e6, "static": static_pj}
        assert by_part(terms) == pytest.approx(expected, rel=1e-12)


def test_a_core_with_a_power_law_draws_its_static_power_while_it_waits_awake(make):
    """133.4 mW each of two cores for 1 ms: they are on, as they are when busy."""
    hardware = make.hardware([make.unit(**LAW, cores_count=2.0)])
    terms = idle_terms(one(0), one(1e-3), one(0), hardware, AT_2400_MHZ)
    assert by_part(terms)["static"] == pytest.approx(266.8e6, rel=1e-12)


def test_a_transfer_is_a_read_on_one_side_and_a_write_on_the_other(make):
    """Port 900 in, 80 out; SRAM-DRAM boundary 500 in, 20 out. SRAM reads 900 + 20 (drain) and writes 80 +
    500 (fill); DRAM reads 500 and writes 20. Taken three times."""
    ops = make.ops([make.Row(2, 10, 50)])
    flows = Traffic(tuple(one(x)[None] for x in (900, 500)), tuple(one(x)[None] for x in (80, 20)))
    spent = times(ops, flows, [make.unit()], [make.level(), make.dram()])
    done = total_activity(ops, flows, spent, np.array([[3.0]]), 1)
    assert [float(x[0]) for x in done.read_bytes] == [3 * 920, 3 * 500]
    assert [float(x[0]) for x in done.write_bytes] == [3 * 580, 3 * 20]
    assert float(done.macs[0][0]) == 3 * 2 * 10 * 50


def test_a_middle_level_is_read_inwards_and_drained_outwards(make):
    """Port 7 in and 1 out; L1-L2 50 in and 11 out; L2-DRAM 300 in and 13 out.

    L1 reads 7 + 11, writes 1 + 50; L2 reads 50 + 13, writes 11 + 300; DRAM reads 300, writes 13.
    """
    ops = make.ops([make.Row(1, 1, 1)])
    flows = Traffic(tuple(one(x)[None] for x in (7, 50, 300)), tuple(one(x)[None] for x in (1, 11, 13)))
    spent = times(ops, flows, [make.unit()], [make.level("l1"), make.level("l2"), make.dram()])
    done = total_activity(ops, flows, spent, np.array([[1.0]]), 1)
    assert [float(x[0]) for x in done.read_bytes] == [18, 63, 300]
    assert [float(x[0]) for x in done.write_bytes] == [51, 311, 13]


def test_activity_goes_to_the_unit_that_runs_the_op(make):
    """MACs and exponentials of unit 0 and unit 1; waiting is what is left of an op's time after its own
    work."""
    ops = make.ops([make.Row(2, 10, 50, unit=1, batch=4, steps=2), make.Row(exp=7, unit=0)])
    at = [np.array([[4e-6], [0.0]]), np.array([[1e-6], [2e-6]])]  # matrix, vector
    spent = Times(at[0], at[1], (np.array([[9e-6], [1e-6]]),), np.array([[1e-6], [0.0]]), np.array([[10e-6], [2e-6]]))
    flows = Traffic((np.zeros((2, 1)),), (np.zeros((2, 1)),))
    count = np.array([[1.0], [10.0]])
    done = total_activity(ops, flows, spent, count, 2)
    assert [float(x[0]) for x in done.macs] == [0, 8000]
    assert [float(v[0][0]) for v in done.vector] == [70, 0]
    assert [float(x[0]) for x in done.unit_busy_s] == pytest.approx([20e-6, 10e-6], rel=1e-12)
    # Unit 1: 4 + 1 + 1 of 10 us; unit 0: all of its 2 us.
    assert [float(x[0]) for x in done.unit_active_s] == pytest.approx([20e-6, 6e-6], rel=1e-12)
    assert float(done.busy_s[0]) == pytest.approx(30e-6, rel=1e-12)
    per_op = ops_activity(ops, flows, spent, count, 2)
    assert per_op.macs[1].tolist() == [[8000.0], [0.0]]
    assert per_op.unit_busy_s[0].tolist() == [[0.0], [pytest.approx(20e-6, rel=1e-12)]]


def test_two_units_keep_their_terms_apart(make):
    """The NPU's 1000 MACs at 0.3 and the DSP's 50 exponentials at 4."""
    hardware = make.hardware(
        [make.unit(name="npu", energy_pj_per_mac=0.3), make.unit(name="dsp", vector_pj=(4, 4, 4, 4))]
    )
    zero, none = one(0), (one(0),) * 4
    done = Activity(
        (one(1000), zero), (none, (one(50), *none[1:])), (zero, zero), (zero, zero), (zero,) * 2, (zero,) * 2, zero
    )
    assert pj(busy_terms(done, hardware, AT_REFERENCE)) == pytest.approx({"npu MACs": 300, "dsp vector exp": 200})


def test_terms_of_one_cause_are_added_up(make):
    """Leakage busy and asleep move together; reads, writes and kinds of work are independent. Nothing is lost."""
    hardware = chip(make)
    terms = busy_terms(DONE, hardware, AT_REFERENCE) + idle_terms(one(0.1), one(1e-3), one(2), hardware, AT_REFERENCE)
    stacked = stack_by_cause(terms, (1,))
    assert stacked.sum() == pytest.approx(sum(pj(terms).values()), rel=1e-12)
    sums = stacked[:, 0].tolist()
    # Unit 30 mW busy 1 ms + 2 mW asleep 100 ms; SRAM 8 and 1.6; system 80 and 3; DRAM background 22.5 and 1.3.
    for cause in (30e6 + 2e8, 8e6 + 1.6e8, 80e6 + 3e8, 22.5e6 + 1.3e8):
        assert any(x == pytest.approx(cause, rel=1e-12) for x in sums), cause
