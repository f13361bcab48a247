"""Tiles at an outer border may be as large as the roomiest level inside it holds them."""

from __future__ import annotations

from foldsim.model.placement import place
from foldsim.model.traffic import traffic

# 512 x 1024 x 4096 in fp16, all operands in DRAM: inputs 1 MiB, weights 8 MiB, results 4 MiB.
SHAPE = {"m": 512, "k": 1024, "n": 4096, "input_width": 2, "second_width": 2, "output_width": 2}
ONCE = 2 * (512 * 1024 + 1024 * 4096)
CACHE, REGISTERS = 4.0e5, 6.0e6


def dram_bytes(make, *capacities):
    """Bytes inward from DRAM through caches that hold nothing between invocations, and none of the activations."""
    levels = [make.level(capacity_bytes=c, is_cache=True, keeps_data=False) for c in capacities]
    recogniser = make.recogniser([make.Row(**SHAPE, group=0, live_bytes=1.0e9)], [make.Group(8.0 * 2**20)])
    levels.append(make.dram())
    flows = traffic(recogniser.ops, place(recogniser, levels, "auto"), [make.unit()], levels)
    return flows.inward[len(capacities)][0, 0]


def test_a_small_cache_alone_loads_operands_again(make):
    assert dram_bytes(make, CACHE) > 1.5 * ONCE


def test_registers_larger_than_the_cache_hold_the_tiles(make):
    """3 MB of results in 32-bit partial sums leave room for strips: each operand passes little more than once."""
    assert dram_bytes(make, REGISTERS) == dram_bytes(make, REGISTERS, CACHE)
    assert dram_bytes(make, REGISTERS, CACHE) < 0.75 * dram_bytes(make, CACHE)


def test_a_smaller_level_inside_changes_nothing(make):
    assert dram_bytes(make, CACHE / 8, CACHE) == dram_bytes(make, CACHE)
