"""Blocks, baselines and rows of parts: what the engine adds to the model."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.designs.design import read_compression
from foldsim.sweeps import engine
from foldsim.sweeps.space import DesignSpace

ENERGY = "profile.memory_levels.dram.read_pj_per_byte"
CHUNK_MS = (40.0, 80.0, 160.0, 320.0, 640.0)


def space_of(emformer, profile, **options):
    options.setdefault("sets", {ENERGY: (40.0, 80.0, 120.0)})
    return DesignSpace([emformer], [profile], CHUNK_MS, (1, 2, 4), **options)


@pytest.mark.parametrize("points", [1, 3, 4, 7, 15, 16, 31])
@pytest.mark.parametrize("rules", ["none", "encoder=int4-g32"])
def test_rows_do_not_depend_on_the_size_of_blocks(emformer, load_profile, monkeypatch, points, rules):
    """Blocks that end within a variant, or hold several: every point keeps its baseline."""
    space = space_of(emformer, load_profile("phone-npu"), compress=[read_compression(rules)])
    whole = engine.run(space)
    seen = []
    real = engine._Grid._block

    def recorded(self, index, chosen, stacked):
        seen.append(len(index) * len(chosen))
        return real(self, index, chosen, stacked)

    monkeypatch.setattr(engine, "BLOCK_POINTS", points)
    monkeypatch.setattr(engine._Grid, "_block", recorded)
    blocks = engine.run(space)
    assert sum(seen) == 45
    assert max(seen) <= max(points, 3)  # whole chunk sizes: three factors
    order = [np.lexsort((rows["fold_factor"], rows["chunk_ms"], rows[ENERGY])) for rows in (whole, blocks)]
    for name in whole:
        first, second = whole[name][order[0]], blocks[name][order[1]]
        if first.dtype.kind == "f":
            np.testing.assert_allclose(first, second, rtol=1e-10, err_msg=name)
        else:
            assert first.tolist() == second.tolist(), name


def test_a_saving_is_relative_to_the_baseline_with_the_same_values(emformer, load_profile):
    """Folded and compressed designs against the plain one, at every chunk size and energy."""
    profile = load_profile("phone-npu")
    rows = engine.run(space_of(emformer, profile, compress=[read_compression("joiner=int4-g32")]))
    plain = engine.run(space_of(emformer, profile, compress=[()]))
    base = {
        (chunk, energy): power
        for chunk, energy, factor, power in zip(
            plain["chunk_ms"], plain[ENERGY], plain["fold_factor"], plain["power_mw"], strict=True
        )
        if factor == 1
    }
    expected = [
        1.0 - power / base[chunk, energy]
        for chunk, energy, power in zip(rows["chunk_ms"], rows[ENERGY], rows["power_mw"], strict=True)
    ]
    np.testing.assert_allclose(rows["power_saving_ratio"], expected, rtol=1e-9)


@pytest.mark.parametrize(("by", "totals"), [("component", True), ("op", True), ("term", False), ("level", False)])
def test_rows_of_parts_carry_only_totals_that_cannot_be_mistaken(emformer, load_profile, by, totals):
    """Terms and levels leave out sums of the design; every kind keeps what is no sum."""
    rows = engine.run(space_of(emformer, load_profile("phone-npu"), by=by, sets={}))
    assert ("weights_bytes" in rows) == totals
    assert "rtf" in rows
    assert set(rows["fold_factor"].tolist()) == {1, 2, 4}
