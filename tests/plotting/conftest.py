"""Rows of real sweeps, small enough to draw often."""

from __future__ import annotations

import pytest

from foldsim.answers.tipping import METRICS, pair_of
from foldsim.answers.tipping_rows import Question, tipping_columns
from foldsim.evidence.consistency import consistency_rows, paper_consistency
from foldsim.hardware.profile import load_profile
from foldsim.plotting import KINDS
from foldsim.plotting.kinds import LEFT_CONTEXT, POLICY
from foldsim.sweeps.engine import run
from foldsim.sweeps.provenance import origin, provenance
from foldsim.sweeps.results import Results
from foldsim.sweeps.space import DesignSpace
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
            sets=dict(sets),
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


@pytest.fixture(scope="session")
def by_term(make_rows):
    """One row per energy term."""
    return make_rows("term")


@pytest.fixture(scope="session")
def by_level(make_rows):
    """One row per op and memory level."""
    return make_rows("level")


@pytest.fixture(scope="session")
def by_tensor(make_rows):
    """One row per group of tensors and memory level."""
    return make_rows("tensor")


@pytest.fixture(scope="session")
def by_left(make_rows):
    """One row per design, over left contexts."""
    return make_rows(fold=(1, 2, 4), sets=[(LEFT_CONTEXT, (0, 128, 512, 1024))])


@pytest.fixture(scope="session")
def by_policy(make_rows):
    """One row per design, under two policies."""
    return make_rows(sets=[(POLICY, ("race-to-idle", "slowest-real-time"))])


@pytest.fixture(scope="session")
def validation():
    """Predictions against the published savings of the folding paper."""
    profiles = [load_profile(name) for name in PROFILES]
    return Results(consistency_rows(paper_consistency(load_workload("emformer-rnnt-base"), profiles)))


@pytest.fixture(scope="session")
def tipping():
    """Tipping points of folding by two and of linear attention."""
    workload = load_workload("emformer-rnnt-base")
    designs = {"fold=2": workload.fold(2), "attention=favor": workload.with_attention("favor")}
    profiles = [load_profile(name) for name in PROFILES]
    questions = [
        Question(pair_of(design, workload, profile), text, "baseline", tuple(METRICS), CHUNKS, 65_536)
        for profile in profiles
        for text, design in designs.items()
    ]
    return Results(tipping_columns(questions), origin([workload, *profiles], ["tipping-point"]))


@pytest.fixture(scope="session")
def rows_for(by_op, by_term, by_level, by_tensor, by_left, by_policy, validation, tipping):
    """The rows that a kind takes."""

    def rows(kind):
        found = {"term": by_term, "level": by_level, "tensor": by_tensor}
        found |= {"validation": validation, "tipping": tipping}
        varied = {"left_context_tokens": by_left, "policy": by_policy}
        plot_kind = KINDS[kind]
        return varied[plot_kind.varied[0]] if plot_kind.varied else found.get(plot_kind.by, by_op)

    return rows
