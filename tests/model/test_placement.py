"""Homes of weights and state. Every level keeps one eighth free for streaming: 1600 bytes leave 1400 for
residents."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.model.placement import activations_outside, place


def served(placement, level, group, point=0):
    return placement.served_ratio[level, group, point]


def test_a_scratchpad_is_filled_by_reads_per_second_per_byte(make):
    """1400 bytes: the 1000 read 10 times a second whole, then 400 of the 800 read 5 times; nothing of the
    rarest."""
    groups = [make.Group(500, component=2), make.Group(800, component=1), make.Group(1000, component=0)]
    recogniser = make.recogniser(groups=groups, calls=(10, 5, 1))
    placement = place(recogniser, [make.level(capacity_bytes=1600), make.dram()])
    assert served(placement, 0, 2) == 1.0
    assert served(placement, 0, 1) == pytest.approx(0.5, rel=1e-12)
    assert served(placement, 0, 0) == 0.0
    assert placement.served_ratio.sum(axis=0) == pytest.approx(np.ones((3, 1)), rel=1e-12)
    assert placement.resident_bytes[:, 0].tolist() == pytest.approx([1400, 900], rel=1e-12)
    assert placement.outside(0)[:, 0].tolist() == pytest.approx([1.0, 0.5, 0.0], rel=1e-12)
    assert placement.overflow_bytes[0] == 0


def test_a_table_of_which_one_row_is_read_comes_last(make):
    """A 1000-byte table of which 10 bytes are read 50 times a second: 0.5 reads per byte and second, less
    than 1."""
    groups = [make.Group(1000, read=10, component=0), make.Group(1200, component=1)]
    recogniser = make.recogniser(groups=groups, calls=(50, 1))
    placement = place(recogniser, [make.level(capacity_bytes=1600), make.dram()])
    assert served(placement, 0, 1) == 1.0
    assert served(placement, 0, 0) == pytest.approx(0.2, rel=1e-12)  # (1400 - 1200) / 1000


def test_the_chunk_decides_who_is_read_more_often(make):
    """Once per chunk against 4 times per second: at 160 ms the former wins (6.25 / s), at 320 ms the latter
    (3.125)."""
    groups = [make.Group(1400, component=0), make.Group(1400, component=1)]
    recogniser = make.recogniser(groups=groups, calls=(1, [4 * 0.16, 4 * 0.32]), chunk_s=(0.16, 0.32))
    placement = place(recogniser, [make.level(capacity_bytes=1600), make.dram()])
    assert placement.served_ratio[0].tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_room_for_peak_activations_is_kept_free(make):
    """1400 - 300 of activations = 1100: 1000 of the first group and 100 / 800 of the second."""
    groups = [make.Group(1000, component=0), make.Group(800, component=1)]
    rows = [make.Row(live_bytes=300), make.Row(live_bytes=120)]
    recogniser = make.recogniser(rows, groups, calls=(2, 1))
    placement = place(recogniser, [make.level(capacity_bytes=1600), make.dram()])
    assert served(placement, 0, 0) == 1.0
    assert served(placement, 0, 1) == pytest.approx(0.125, rel=1e-12)


def test_activations_that_an_inner_level_holds_take_no_room_further_out(make):
    """350 bytes of room inside hold the 300: the outer 1400 bytes take 1000 + 400 / 800."""
    groups = [make.Group(1000, component=0), make.Group(800, component=1)]
    recogniser = make.recogniser([make.Row(live_bytes=300)], groups, calls=(2, 1))
    levels = [make.level("l1", capacity_bytes=400, keeps_data=False), make.level(capacity_bytes=1600), make.dram()]
    placement = place(recogniser, levels)
    assert placement.served_ratio[0].tolist() == [[0.0], [0.0]]  # does not keep data
    assert placement.served_ratio[1, :, 0].tolist() == pytest.approx([1.0, 0.5], rel=1e-12)


def test_only_the_usable_share_is_filled(make):
    """0.5 of 1600 bytes, less an eighth: 700 of 1000."""
    recogniser = make.recogniser(groups=[make.Group(1000)])
    placement = place(recogniser, [make.level(capacity_bytes=1600, usable_ratio=0.5), make.dram()])
    assert served(placement, 0, 0) == pytest.approx(0.7, rel=1e-12)


def test_two_scratchpads_fill_one_after_the_other(make):
    """1000 bytes: 350 inside, then up to 525 in the next, 125 in DRAM."""
    recogniser = make.recogniser(groups=[make.Group(1000)])
    levels = [make.level("a", capacity_bytes=400), make.level("b", capacity_bytes=600), make.dram()]
    placement = place(recogniser, levels)
    assert placement.served_ratio[:, 0, 0].tolist() == pytest.approx([0.35, 0.525, 0.125], rel=1e-12)
    assert [float(placement.outside(i)[0, 0]) for i in range(3)] == pytest.approx([0.65, 0.125, 0.0], rel=1e-12)


def test_a_group_of_a_few_bytes_is_split_as_a_large_one(make):
    """1.6 bytes, 1.4 of room."""
    placement = place(make.recogniser(groups=[make.Group(1.6)]), [make.level(capacity_bytes=1.6), make.dram()])
    assert served(placement, 0, 0) == pytest.approx(0.875, rel=1e-12)


def test_placement_dram_puts_nothing_inside(make):
    recogniser = make.recogniser(groups=[make.Group(10), make.Group(10, is_state=True)])
    placement = place(recogniser, [make.level(), make.dram()], policy="dram")
    assert placement.served_ratio[1].tolist() == [[1.0], [1.0]]
    assert placement.resident_bytes[0, 0] == 0


def test_pinned_groups_count_under_their_own_policy_only(make):
    recogniser = make.recogniser(groups=[make.Group(10)])
    placement = place(recogniser, [make.level(), make.dram()], "dram", (0,))
    assert placement.served_ratio[:, 0, 0].tolist() == [0.0, 1.0]


def test_pinned_groups_go_first_and_alone(make):
    """The rarer group is pinned: whole inside; the more frequent one stays out although 400 bytes are left."""
    groups = [make.Group(1000, component=0), make.Group(1000, component=1)]
    recogniser = make.recogniser(groups=groups, calls=(1, 50))
    placement = place(recogniser, [make.level(capacity_bytes=1600), make.dram()], "pinned", (0,))
    assert placement.served_ratio[0].tolist() == [[1.0], [0.0]]
    assert placement.pins_fit.tolist() == [True]


def test_a_pinned_group_that_does_not_fit_is_told(make):
    recogniser = make.recogniser(groups=[make.Group(2000)])
    placement = place(recogniser, [make.level(capacity_bytes=1600), make.dram()], "pinned", (0,))
    assert served(placement, 0, 0) == pytest.approx(0.7, rel=1e-12)
    assert placement.pins_fit.tolist() == [False]


def test_state_goes_before_weights_when_only_flash_is_further_out(make):
    """Flash cannot be written: the 600 bytes of state take SRAM first, then 800 of the 1000 far busier
    weight bytes."""
    groups = [make.Group(1000, component=0), make.Group(600, component=1, is_state=True)]
    recogniser = make.recogniser(groups=groups, calls=(100, 1))
    flash = make.level("flash", writable=False, capacity_bytes=1e6)
    placement = place(recogniser, [make.level(capacity_bytes=1600), flash])
    assert placement.served_ratio[0, :, 0].tolist() == pytest.approx([0.8, 1.0], rel=1e-12)
    assert placement.overflow_bytes[0] == 0
    with_dram = place(recogniser, [make.level(capacity_bytes=1600), make.dram()])
    assert with_dram.served_ratio[0, :, 0].tolist() == pytest.approx([1.0, 400 / 600], rel=1e-12)


@pytest.mark.parametrize(("policy", "pinned"), [("auto", ()), ("dram", ()), ("pinned", (0,))])
def test_state_keeps_its_only_home_under_every_policy(make, policy, pinned):
    """600 bytes of state beside flash: in SRAM even when weights were asked to stay out or were pinned
    there."""
    groups = [make.Group(1400 if policy == "auto" else 800, component=0), make.Group(600, component=1, is_state=True)]
    recogniser = make.recogniser(groups=groups, calls=(100, 1))
    flash = make.level("flash", writable=False, capacity_bytes=1e6)
    placement = place(recogniser, [make.level(capacity_bytes=1600), flash], policy, pinned)
    assert placement.served_ratio[:, 1, 0].tolist() == [1.0, 0.0]
    assert placement.overflow_bytes[0] == 0


def test_activations_cannot_spill_into_flash(make):
    """1000 live bytes, 700 of room in SRAM; flash outside takes none of the other 300."""
    recogniser = make.recogniser([make.Row(live_bytes=1000)])
    flash = make.level("flash", writable=False, capacity_bytes=1e6)
    assert place(recogniser, [make.level(capacity_bytes=800), flash]).overflow_bytes[0] == pytest.approx(300)
    assert place(recogniser, [make.level(capacity_bytes=800), make.dram()]).overflow_bytes[0] == 0


def test_state_goes_to_the_last_writable_level_inside_flash(make):
    """SRAM, then DRAM, then flash: SRAM goes by use, DRAM takes what is left of the state, flash never holds
    any."""
    groups = [make.Group(1400, component=0), make.Group(600, component=1, is_state=True)]
    recogniser = make.recogniser(groups=groups, calls=(100, 1))
    levels = [make.level(capacity_bytes=1600), make.dram(capacity_bytes=1e4), make.level("flash", writable=False)]
    placement = place(recogniser, levels)
    assert placement.served_ratio[:, 0, 0].tolist() == [1.0, 0.0, 0.0]
    assert placement.served_ratio[:, 1, 0].tolist() == [0.0, 1.0, 0.0]


def test_state_without_a_writable_home_overflows_by_what_does_not_fit(make):
    """2000 bytes of state, 1400 of room, flash outside: 600 bytes have no home."""
    recogniser = make.recogniser(groups=[make.Group(2000, is_state=True)])
    flash = make.level("flash", writable=False, capacity_bytes=1e6)
    placement = place(recogniser, [make.level(capacity_bytes=1600), flash])
    assert placement.overflow_bytes[0] == pytest.approx(600)


def test_weights_beyond_the_last_level_overflow_and_are_still_read_from_it(make):
    """5000 bytes of weights in 1400 inside and 1000 outside (all of it usable but what activations take):
    2600 lost."""
    recogniser = make.recogniser(groups=[make.Group(5000)])
    placement = place(recogniser, [make.level(capacity_bytes=1600), make.dram(capacity_bytes=1000)])
    assert placement.overflow_bytes[0] == pytest.approx(2600)
    assert placement.served_ratio[:, 0, 0].tolist() == pytest.approx([0.28, 0.72])
    assert placement.resident_bytes[:, 0].tolist() == pytest.approx([1400, 1000])


@pytest.mark.parametrize(
    ("sizes", "calls", "shares"),
    [
        # All of it fits the 1400 bytes: every read hits.
        ((400, 300, 600), (10, 10, 1), (1.0, 1.0, 1.0)),
        # A once-per-chunk group of 800 does not fit beside 400 + 300 (1500 > 1400) and never hits; it runs in one
        # of ten gaps between two uses of the frequent ones and throws them out: they hit 9 times in 10.
        ((400, 300, 800), (10, 10, 1), (0.9, 0.9, 0.0)),
        # 1400 bytes just fit.
        ((400, 300, 700), (10, 10, 1), (1.0, 1.0, 1.0)),
        # Every second gap is interrupted.
        ((400, 300, 800), (10, 10, 5), (0.5, 0.5, 0.0)),
        # Swept cyclically, 1500 bytes in 1400 never hit: least recently used throws out what comes next.
        ((400, 300, 800), (10, 10, 10), (0.0, 0.0, 0.0)),
        # The frequent group alone is too large: nothing survives anywhere.
        ((1500, 100), (10, 1), (0.0, 0.0)),
        # A large rare group and a small one rarer still: the large one interrupts one gap in ten.
        ((400, 1500, 10), (10, 1, 0.5), (0.9, 0.0, 0.0)),
    ],
)
def test_a_cache_holds_what_survives_between_two_uses(make, sizes, calls, shares):
    """Least recently used, 1600 bytes of which 1400 are for residents."""
    groups = [make.Group(size, component=i) for i, size in enumerate(sizes)]
    recogniser = make.recogniser(groups=groups, calls=calls)
    placement = place(recogniser, [make.level("llc", is_cache=True, capacity_bytes=1600), make.dram()])
    assert placement.served_ratio[0, :, 0].tolist() == pytest.approx(shares, abs=1e-12)


def test_a_scratchpad_spills_the_excess_and_a_cache_everything():
    """2000 bytes of activations in 1400: three tenths spill; a cache swept end to end keeps none of it."""
    live, room = np.array([[2000.0], [1000.0]]), np.array([1400.0])
    assert activations_outside(live, room, False)[:, 0].tolist() == pytest.approx([0.3, 0.0], rel=1e-12)
    assert activations_outside(live, room, True)[:, 0].tolist() == [1.0, 0.0]


def test_what_just_fits_does_not_spill():
    for is_cache in (False, True):
        assert activations_outside(np.array([[1400.0]]), np.array([1400.0]), is_cache)[0, 0] == 0.0


def test_activations_that_just_fit_an_inner_level_take_no_room_further_out(make):
    """350 live bytes in 350 of room: the outer level has all of its 1400 for weights."""
    recogniser = make.recogniser([make.Row(live_bytes=350)], [make.Group(1400)])
    levels = [make.level("l1", capacity_bytes=400, keeps_data=False), make.level(capacity_bytes=1600), make.dram()]
    assert served(place(recogniser, levels), 1, 0) == 1.0


def test_what_an_inner_level_holds_does_not_spill_from_an_outer_one(make):
    """300 bytes fit inside; the smaller level around it has no part in them."""
    recogniser = make.recogniser([make.Row(live_bytes=300)])
    levels = [make.level("a", capacity_bytes=400), make.level("b", capacity_bytes=80, is_cache=True), make.dram()]
    assert place(recogniser, levels).activation_outside[:, 0, 0].tolist() == [0.0, 0.0, 0.0]


def test_activations_larger_than_every_level_overflow(make):
    """1000 bytes alive, 700 of room in the only level: 300 have no place."""
    recogniser = make.recogniser([make.Row(live_bytes=1000)])
    assert place(recogniser, [make.level(capacity_bytes=800)]).overflow_bytes[0] == pytest.approx(300)


def test_a_workload_that_keeps_nothing(make):
    """A bare function has neither weights nor state: nothing lives anywhere, and all of it fits."""
    recogniser = make.recogniser([make.Row(live_bytes=10)], groups=[])
    for kind in ("cache", "scratchpad"):
        placement = place(recogniser, [make.level(capacity_bytes=1600, is_cache=kind == "cache"), make.dram()])
        assert placement.resident_bytes.tolist() == [[0.0], [0.0]]
        assert placement.overflow_bytes.tolist() == [0.0]


def test_weights_stay_where_they_are_read_in_place(make):
    """SRAM has room for both groups; only state lives there, unless weights are pinned."""
    levels = [make.level(capacity_bytes=1e5), make.level("flash", writable=False, read_in_place=True)]
    recogniser = make.recogniser(groups=[make.Group(500), make.Group(300, is_state=True)])
    assert place(recogniser, levels).served_ratio[0, :, 0].tolist() == [0.0, 1.0]
    assert place(recogniser, levels, "pinned", [0]).served_ratio[0, :, 0].tolist() == [1.0, 1.0]


def test_state_beside_weights_read_in_place_needs_a_level_that_can_be_written(make):
    """Read-only memory inside, then SRAM: the state is in SRAM."""
    rom = make.level("rom", writable=False)
    levels = [rom, make.level(), make.level("flash", writable=False, read_in_place=True)]
    placement = place(make.recogniser(groups=[make.Group(300, is_state=True)]), levels)
    assert placement.served_ratio[:, 0, 0].tolist() == [0.0, 1.0, 0.0]
