"""Rows to report: real ones, a large synthetic sweep, and rows with hostile names."""

from __future__ import annotations

import base64
import gzip
import json
import re

import numpy as np
import pytest

from foldsim.hardware.profile import load_profile
from foldsim.sweeps.engine import run
from foldsim.sweeps.provenance import provenance
from foldsim.sweeps.results import Results
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.workload import load_workload

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"quotes\" & 'more' &lt;b&gt; <b>bold</b> %{x} $x$ @@ROWS@@",
    "gnp.\u202eexe",
    "<!--<script> \u2028 \u2029 ]]>",
    '=HYPERLINK("x")',
)


@pytest.fixture(scope="session")
def make_rows():
    """Rows of the Emformer transducer on shipped profiles."""

    def make(profiles=("phone-npu", "gap9"), chunk_ms=(40.0, 80.0, 160.0, 640.0), fold=(1, 2), sets=(), by="total"):
        space = DesignSpace(
            [load_workload("emformer-rnnt-base")],
            [load_profile(name) for name in profiles],
            chunk_ms,
            fold,
            by=by,
            sets=dict(sets),
        )
        return Results(run(space), provenance(space, ["sweep", "--by", by, "-o", "rows.csv"]))

    return make


@pytest.fixture(scope="session")
def totals(make_rows):
    """One row per design."""
    return make_rows()


@pytest.fixture(scope="session")
def renamed():
    """Rows in which every name, and the provenance, is hostile."""

    def rename(results, name):
        columns = dict(results.columns)
        for key in ("workload", "profile", "operating_point", "bottleneck"):
            columns[key] = np.array([f"{value} {name}" for value in columns[key].tolist()], dtype=object)
        columns[f"workload.{name}"] = np.array([name] * (len(results) - 1) + ["other"], dtype=object)
        origin = {"foldsim_version": name, "arguments": ["sweep", name], "inputs": []}
        origin["inputs"] = [{"kind": "profile", "name": name, "file": name, "sha256": name}]
        return Results(columns, origin)

    return rename


@pytest.fixture(scope="session")
def large(totals):
    """20,000 designs whose numbers share no digits: harder to pack than any real sweep."""
    count = 20_000
    random = np.random.default_rng(1)
    columns = {}
    for name, values in totals.columns.items():
        repeated = np.resize(values, count)
        if values.dtype.kind == "f" and name != "chunk_ms":
            repeated = repeated * random.uniform(0.5, 2.0, count)
        columns[name] = repeated
    columns["profile.memory_levels.dram.read_pj_per_byte"] = np.arange(count) // len(totals) * 0.1
    return Results(columns, totals.provenance)


@pytest.fixture(params=HOSTILE)
def hostile_name(request):
    """Every hostile name in turn."""
    return request.param


@pytest.fixture(scope="session")
def part_of():
    """Text of one of the page's data elements."""

    def find(page, name):
        found = re.findall(rf'<script type="[a-z/]+" id="report-{name}">(.*?)</script>', page, re.DOTALL)
        assert len(found) == 1
        return found[0]

    return find


@pytest.fixture(scope="session")
def unpacked():
    """A data element unpacked, as the script of the page does."""
    return lambda text: gzip.decompress(base64.b64decode(text))


@pytest.fixture(scope="session")
def data_of(part_of, unpacked):
    """Values of the rows in a page by column, decoded as the script of the page does."""

    def value_lists(page):
        plain = {}
        for name, column in json.loads(unpacked(part_of(page, "rows")))["columns"].items():
            if column["kind"] == "text":
                plain[name] = [column["texts"][code] for code in column["codes"]]
            else:
                plain[name] = [bool(v) for v in column["values"]] if column["kind"] == "flag" else column["values"]
        return plain

    return value_lists
