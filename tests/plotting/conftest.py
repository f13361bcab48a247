"""Rows of real sweeps, small enough to draw often."""

from __future__ import annotations

import pytest

from foldsim.explore.engine import run
from foldsim.explore.results import Results, provenance
from foldsim.explore.space import DesignSpace
from foldsim.explore.variants import SetAxis
from foldsim.hardware.profile import load_profile
from foldsim.workload.workload import load_workload

CHUNKS = (40.0, 160.0, 640.0)
# One chip with DRAM on which everything is real-time, one without on which small chunks are not and nothing fits.
PROFILES = ("phone-npu", "gap9")


@pytest.fixture(scope="session")
def make_rows():
    """Rows of the Emformer transducer on shipped profiles."""

    def make(by="total", profiles=PROFILES, chunk_ms=CHUNKS, fold=(1, 2), sets=()):
        space = DesignSpace(
            [load_workload("emformer-rnnt-base")],
            [load_profile(name) for name in profiles],
            chunk_ms,
            fold,
            by=by,
            sets=[SetAxis(path, values) for path, values in sets],
        )
        return Results(run(space), provenance(space, ["sweep", "-w", "emformer-rnnt-base", "-o", "rows.csv"]))

    return make


@pytest.fixture(scope="session")
def totals(make_rows):
    """One row per design."""
    return make_rows()


@pytest.fixture(scope="session")
def by_component(make_rows):
    """One row per component."""
    return make_rows("component")


@pytest.fixture(scope="session")
def by_op(make_rows):
    """One row per op."""
    return make_rows("op")
