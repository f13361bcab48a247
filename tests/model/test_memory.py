"""Footprints added up by hand."""

from __future__ import annotations

import pytest

from foldsim.model.memory import footprint
from foldsim.model.placement import place


def counted(make, levels, groups, live=(300, 120), runtime=50, policy="auto", pinned=()):
    recogniser = make.recogniser([make.Row(live_bytes=x) for x in live], groups)
    placement = place(recogniser, levels, policy, pinned)
    return footprint(recogniser, placement, levels, make.system(runtime_bytes=float(runtime)))


def test_totals_add_up(make):
    """1000 + 400 weights, 200 state, the largest of 300 and 120 live bytes, 50 of runtime: 1950."""
    groups = [make.Group(1000), make.Group(400), make.Group(200, is_state=True)]
    found = counted(make, [make.level(capacity_bytes=1e5), make.dram()], groups)
    assert found.weights_bytes[0] == 1400
    assert found.state_bytes[0] == 200
    assert found.activation_peak_bytes[0] == 300
    assert found.memory_bytes[0] == 1950
    assert found.onchip_bytes[0] == 1900  # all but the runtime
    assert found.fits.tolist() == [True]


def test_on_chip_bytes_are_what_found_room_there(make):
    """1400 of room, 300 for activations: 1100 of the 2000 weight bytes; off chip the rest."""
    found = counted(make, [make.level(capacity_bytes=1600), make.dram()], [make.Group(2000)])
    assert found.onchip_bytes[0] == pytest.approx(1400, rel=1e-12)
    assert found.memory_bytes[0] == 2350
    assert found.fits.tolist() == [True]


def test_activations_that_spill_are_on_chip_in_part(make):
    """1000 live bytes in 700 of room: 700 of them on chip, 300 in DRAM, and no weights beside them."""
    found = counted(make, [make.level(capacity_bytes=800), make.dram()], [make.Group(2000)], live=(1000,))
    assert found.activation_peak_bytes[0] == 1000
    assert found.onchip_bytes[0] == pytest.approx(700, rel=1e-12)
    assert found.memory_bytes[0] == 3050


def test_on_chip_levels_add_up(make):
    """300 live bytes in the inner level; 1000 weight bytes in the next."""
    levels = [
        make.level("l1", capacity_bytes=400, keeps_data=False),
        make.level("l2", capacity_bytes=1600),
        make.dram(),
    ]
    assert counted(make, levels, [make.Group(1000)]).onchip_bytes[0] == 1300


@pytest.mark.parametrize(("dram", "fits"), [(1e4, True), (500, False)])
def test_a_design_that_overflows_its_memories_does_not_fit(make, dram, fits):
    """2000 bytes of weights: 1100 on chip, 900 off; 500 are too few."""
    levels = [make.level(capacity_bytes=1600), make.dram(capacity_bytes=dram)]
    assert counted(make, levels, [make.Group(2000)]).fits.tolist() == [fits]


@pytest.mark.parametrize(("size", "fits"), [(1100, True), (1101, False)])
def test_a_pinned_component_that_needs_more_room_does_not_fit(make, size, fits):
    levels = [make.level(capacity_bytes=1600), make.dram()]
    assert counted(make, levels, [make.Group(size)], policy="pinned", pinned=(0,)).fits.tolist() == [fits]


def test_state_that_only_flash_could_hold_does_not_fit(make):
    levels = [make.level(capacity_bytes=1600), make.level("flash", writable=False)]
    assert counted(make, levels, [make.Group(1200, is_state=True)]).fits.tolist() == [False]
    assert counted(make, levels, [make.Group(1000, is_state=True)]).fits.tolist() == [True]
    assert counted(make, levels, [make.Group(1200)]).fits.tolist() == [True]


def test_a_chip_of_on_chip_memories_only(make):
    """Everything is on chip, weights in MRAM included."""
    levels = [make.level(capacity_bytes=1600), make.level("mram", writable=False, capacity_bytes=1e4)]
    assert counted(make, levels, [make.Group(5000)]).onchip_bytes[0] == pytest.approx(5300)
