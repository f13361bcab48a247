"""The chunk period divided into waking, work and sleep, and average power worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.model.energy import Activity, Supply
from foldsim.model.power import average_power, latency_band, schedule

NAN = np.array([np.nan])


def plan(busy_s, chunk_s=0.16, wake_s=0.001):
    return schedule(np.array([busy_s]), np.array([chunk_s]), wake_s)


def test_a_device_wakes_works_and_sleeps():
    """160 ms = 1 waking + 40 working + 119 asleep."""
    p = plan(0.040)
    assert (p.wake_s[0], p.wakes[0], p.realtime[0]) == (0.001, 1.0, True)
    assert p.idle_s[0] == pytest.approx(0.119, rel=1e-12)


def test_work_that_takes_longer_than_the_chunk_is_not_real_time_and_never_sleeps():
    p = plan(0.3)
    assert (p.idle_s[0], p.wakes[0], p.wake_s[0], p.realtime[0]) == (0.0, 0.0, 0.0, False)


def test_work_that_just_fills_the_chunk_is_real_time():
    p = plan(0.16)
    assert (p.idle_s[0], p.wakes[0], p.realtime[0]) == (0.0, 0.0, True)


def test_without_time_to_wake_the_device_stays_awake():
    """159.5 ms of work leave 0.5 ms, less than the 1 ms of waking: it does not sleep, so it does not wake
    either."""
    p = plan(0.1595)
    assert (p.wakes[0], p.wake_s[0], p.idle_s[0], p.realtime[0]) == (0.0, 0.0, 0.0, True)
    assert p.waiting_s[0] == pytest.approx(0.0005, rel=1e-9)


def test_a_gap_as_long_as_waking_is_not_slept_in():
    """125 ms of work and 125 ms of waking in 250: sleep would last no time at all."""
    p = plan(0.125, 0.25, 0.125)
    assert (p.wakes[0], p.idle_s[0], p.waiting_s[0]) == (0.0, 0.0, 0.125)


def test_the_period_is_always_spent_once():
    """Waking + work + sleep + waiting awake = the chunk if the work fits in it; never both of the
    last."""
    busy = np.linspace(0.0, 0.16, 1001)
    p = schedule(busy, np.full(busy.shape, 0.16), 0.003)
    assert p.wake_s + p.busy_s + p.idle_s + p.waiting_s == pytest.approx(np.full(busy.shape, 0.16), rel=1e-12)
    assert (np.minimum(p.idle_s, p.waiting_s) == 0).all()
    assert (np.maximum(p.idle_s, p.waiting_s) >= 0).all()


def worked(make, busy_s, chunk_s=0.16):
    """1e9 MACs of 0.3 pJ, 50e6 B of SRAM reads at 2 pJ, 40e6 B of DRAM reads at 80 pJ, statics and sleep."""
    unit = make.unit(energy_pj_per_mac=0.3, static_mw=30.0, idle_mw=2.0)
    levels = [
        make.level(read_pj_per_byte=2.0, static_mw=8.0, retention_mw=1.6),
        make.dram(read_pj_per_byte=80.0, background_active_mw=22.5, background_idle_mw=1.3),
    ]
    hardware = make.hardware([unit], levels, make.system(idle_mw=3.0, busy_mw=80.0, wake_uj=100.0, wake_s=0.001))
    one = np.array([1.0])
    done = Activity(
        macs=(1e9 * one,),
        vector=((0 * one,) * 4,),
        unit_busy_s=(busy_s * one,),
        unit_active_s=(busy_s * one,),
        read_bytes=(50e6 * one, 40e6 * one),
        write_bytes=(0 * one, 0 * one),
        busy_s=busy_s * one,
    )
    return average_power(done, plan(busy_s, chunk_s), hardware, Supply(1.0, 0.75, 1.0, NAN))


def test_average_power_of_one_chunk(make):
    """10 ms of work in 160 ms, 1 ms of waking, 149 ms asleep.

    MACs 300 uJ; SRAM 100 uJ; DRAM 3200 uJ; busy 10 ms x (30 + 8 + 80) mW = 1180 uJ static and 225 uJ of DRAM
    background; asleep 149 ms x (2 + 3 + 1.6) mW = 983.4 uJ and 193.7 uJ of self-refresh; waking 100 uJ. In total
    6282.1 uJ per 0.16 s.
    """
    p = worked(make, 0.010)
    assert p.energy_per_chunk_uj[0] == pytest.approx(6282.1, rel=1e-12)
    assert p.power_mw[0] == pytest.approx(6.2821 / 0.16, rel=1e-12)
    assert p.compute_mw[0] == pytest.approx(0.300 / 0.16, rel=1e-12)
    assert p.onchip_mw[0] == pytest.approx(0.100 / 0.16, rel=1e-12)
    assert p.dram_mw[0] == pytest.approx((3.2 + 0.225 + 0.1937) / 0.16, rel=1e-12)
    assert p.static_mw[0] == pytest.approx((1.180 + 0.9834 + 0.100) / 0.16, rel=1e-12)


def test_a_longer_chunk_with_the_same_work_pays_the_sleep_only(make):
    """160 ms more asleep at 7.9 mW: 1264 uJ more."""
    longer = worked(make, 0.010, 0.32)
    assert longer.energy_per_chunk_uj[0] == pytest.approx(6282.1 + 1264.0, rel=1e-12)
    assert longer.power_mw[0] == pytest.approx(7.5461 / 0.32, rel=1e-12)


def test_power_of_a_design_that_is_not_real_time_is_energy_per_second_of_audio(make):
    """320 ms of work per 160 ms of audio: 3600 uJ of work, 320 ms x 118 mW and 22.5 mW, no sleep, no waking."""
    p = worked(make, 0.320)
    assert p.energy_per_chunk_uj[0] == pytest.approx(300 + 100 + 3200 + 37_760 + 7_200, rel=1e-12)
    assert p.power_mw[0] == pytest.approx(48.56 / 0.16, rel=1e-12)


def test_power_of_a_design_that_waits_awake(make):
    """159.5 ms of work, 0.5 ms awake: 160 ms x (118 + 22.5) mW = 22,480 uJ, and 3600 uJ of work."""
    p = worked(make, 0.1595)
    assert p.energy_per_chunk_uj[0] == pytest.approx(3600 + 22_480, rel=1e-9)


def test_power_does_not_jump_where_sleep_begins_but_for_waking(make):
    """A hair less work and the device sleeps: the gap is spent waking (100 uJ) instead of awake (1 ms x
    140.5 mW)."""
    before, after = (worked(make, busy).energy_per_chunk_uj[0] for busy in (0.159 - 1e-9, 0.159 + 1e-9))
    assert after - before == pytest.approx(140.5 - 100, rel=1e-3)


@pytest.mark.parametrize(
    ("busy_s", "wake_s", "band_s"),
    [
        ((0.02, 0.04), (0.001, 0.01), (0.021, 0.05)),  # sleeps at both ends
        ((0.10, 0.20), (0.001, 0.01), (0.101, 0.20)),  # late at the slow end
        ((0.17, 0.20), (0.001, 0.01), (0.17, 0.20)),  # late at both
        ((0.15, 0.155), (0.001, 0.02), (0.15, 0.16)),  # slow to wake: stays awake, and 0.15 s of work are all
        ((0.10, 0.155), (0.03, 0.045), (0.115, 0.16)),  # stays awake from 0.16 - 0.045 s of work on
        ((0.125, 0.125), (0.035, 0.035), (0.125, 0.125)),  # the gap is as long as waking: no sleep
        ((0.08, 0.125), (0.035, 0.035), (0.115, 0.16)),  # likewise at the slow end only
    ],
)
def test_latency_over_ranges_of_work_and_of_waking(busy_s, wake_s, band_s):
    """A chunk of 0.16 s. Latency is work + waking where these leave time to sleep, else work."""
    ends = (np.array([x]) for x in busy_s)
    low, high = latency_band(*ends, *wake_s, np.array([0.16]))
    assert (low[0], high[0]) == pytest.approx(band_s, rel=1e-9)


def test_the_latency_band_is_that_of_every_schedule_inside_it():
    """Latencies of schedules on a grid of work and waking lie in the band and come within its spacing of both ends."""
    chunk = np.array([0.16])
    for busy_s, wake_s in (((0.02, 0.15), (0.0, 0.05)), ((0.1, 0.2), (0.01, 0.08)), ((0.05, 0.3), (0.02, 0.02))):
        low, high = latency_band(*(np.array([x]) for x in busy_s), *wake_s, chunk)
        busy, wake = (x.ravel() for x in np.meshgrid(np.linspace(*busy_s, 401), np.linspace(*wake_s, 401)))
        p = schedule(busy, np.full(busy.shape, 0.16), wake)
        latency = p.busy_s + p.wake_s
        assert low[0] - 1e-12 <= latency.min() <= low[0] + 1e-3
        assert high[0] - 1e-3 <= latency.max() <= high[0] + 1e-12
