"""``--json`` of every list and show: one JSON value on stdout, with the documented keys."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from foldsim.data import shipped
from foldsim.hardware.derivation import RULES
from foldsim.plotting import KINDS

Foldsim = Callable[..., Result]

PROFILE_KEYS = [
    "name",
    "title",
    "device_class",
    "grade",
    "peak_macs_per_s",
    "peak_precision",
    "onchip_bytes",
    "outermost_level",
    "outermost_bandwidth_gb_per_s",
]
WORKLOAD_KEYS = [
    "name",
    "title",
    "params_count",
    "params_count_by_component",
    "token_ms",
    "chunk_ms",
    "chunk_ms_published",
    "chunk_step_ms",
    "source",
]


@pytest.mark.parametrize(
    ("kind", "folder", "keys"),
    [("profile", "hw_profiles", PROFILE_KEYS), ("workload", "workloads", WORKLOAD_KEYS)],
)
def test_lists(foldsim: Foldsim, kind: str, folder: str, keys: list[str]) -> None:
    result = foldsim(kind, "list", "--json")
    records = json.loads(result.stdout)
    assert result.stderr == ""
    assert sorted(record["name"] for record in records) == list(shipped(folder))  # type: ignore[arg-type]
    assert all(list(record) == keys for record in records)


def test_profiles_are_listed_with_whole_titles(foldsim: Foldsim) -> None:
    records = json.loads(foldsim("profile", "list", "--json").stdout)
    text = foldsim("profile", "list").stdout
    assert all(record["title"] in text for record in records)
    assert "…" not in text
    gap9 = next(record for record in records if record["name"] == "gap9")
    assert "53.3 G int8" in text
    assert gap9["peak_macs_per_s"] == pytest.approx(53.3e9, rel=0.01)


@pytest.mark.parametrize("name", ["gap9", "apple-a15-ane"])
def test_profile_show(foldsim: Foldsim, name: str) -> None:
    details = json.loads(foldsim("profile", "show", name, "--json").stdout)
    text = foldsim("profile", "show", name).stdout
    assert details["name"] == name
    for value in details["values"]:
        assert set(value) == {"path", "value", "low", "high", "source"}
        assert value["low"] <= value["value"] <= value["high"]
        assert value["path"] in text
    used = {path for source in details["sources"].values() for path in source["used_by"]}
    assert {value["path"] for value in details["values"]} == used
    assert [level["name"] for level in details["memory_levels"]]
    assert details["calibration"] is None


def test_rules(foldsim: Foldsim) -> None:
    rules = json.loads(foldsim("profile", "rules", "--json").stdout)
    assert list(rules) == list(RULES)
    one = json.loads(foldsim("profile", "rules", "datapath", "--json").stdout)
    assert one == {"datapath": rules["datapath"]}
    assert one["datapath"]["parameters"]["overhead_ratio"]["default"] == 1.0


def test_plot_kinds(foldsim: Foldsim) -> None:
    records = json.loads(foldsim("plot", "--list", "--json").stdout)
    assert [record["kind"] for record in records] == list(KINDS)
    assert all(record["answers"].endswith("?") for record in records)
    refused = foldsim("plot", "r.csv", "--json")
    assert refused.exit_code == 2
    assert "needs --list" in refused.stderr
