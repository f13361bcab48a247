"""Levels filled from a DRAM type: where messages point, what bad input gives, and filling twice."""

from __future__ import annotations

import pytest
from tests.hardware.test_dram import HEAD, level

from foldsim.hardware.inheritance import with_base
from foldsim.hardware.memory.dram import band_or_none, dram_path
from foldsim.hardware.memory.dram_levels import with_dram
from foldsim.hardware.profile import profile_findings
from foldsim.schema import parse_yaml


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"value": 2, "low": 1, "high": 3}, (2.0, 1.0, 3.0)),
        ({"value": 0.5, "low": 0.25, "high": 0.75}, (0.5, 0.25, 0.75)),  # a low end below one
        ({"value": 2, "low": 2, "high": 2}, (2.0, 2.0, 2.0)),
        ({"value": 2, "low": 0, "high": 3}, None),
        ({"value": 2, "low": 3, "high": 4}, None),
        ({"value": 5, "low": 1, "high": 4}, None),
        ({"value": 2, "low": 1}, None),
        ({"value": True, "low": 1, "high": 3}, None),
        (7, None),
    ],
)
def test_a_band_needs_ordered_ends_above_zero(raw, expected):
    band = band_or_none(raw)
    assert (band if band is None else (band.value, band.low, band.high)) == expected


def test_a_type_is_a_shipped_name_or_a_path(tmp_path):
    assert dram_path("lpddr5", tmp_path).stem == "lpddr5"
    assert dram_path("lpddr9", tmp_path) is None
    assert dram_path("mine.yaml", tmp_path) == tmp_path / "mine.yaml"
    assert dram_path("mine.YML", tmp_path) == tmp_path / "mine.YML"
    assert dram_path("sub/mine", tmp_path) == tmp_path / "sub" / "mine"


def test_a_message_about_a_filled_value_points_at_its_dram():
    """The energies are written nowhere: the reader must look at the type."""
    document = with_dram(with_base(parse_yaml(HEAD + level(), "mine.yaml")))
    index = next(i for i, lv in enumerate(document.data["memory_levels"]) if lv["name"] == "dram")
    home, path = document.home(("memory_levels", index, "read_pj_per_byte"))
    assert home.file == "mine.yaml"
    assert path == ("memory_levels", 0, "dram")
    other, own = document.home(("memory_levels", 0, "read_pj_per_byte"))  # inherited, not filled
    assert (other.file.endswith("phone-npu.yaml"), own) == (True, ("memory_levels", 0, "read_pj_per_byte"))


def test_filling_twice_reports_once():
    """The warning of a rate above the type's, and what the layering found."""
    text = HEAD + level(rate=5000) + "removes: [memory_levels.nowhere]\n"
    once = with_dram(with_base(parse_yaml(text, "mine.yaml")))
    messages = [finding.message for finding in once.findings]
    assert len(messages) == len(set(messages)) == 2
    assert any("5000 MT/s is above" in message for message in messages)
    assert any(
        "takes away nothing" in message or "not found" in message or "removes" in message for message in messages
    )
    again = with_dram(once)
    assert again.data == once.data
    assert len({finding.message for finding in again.findings}) <= 2


@pytest.mark.parametrize("kind", ["5", "[lpddr5]", "''", "null"])
def test_a_type_that_is_no_name_is_the_only_error(kind):
    _, findings = profile_findings(parse_yaml(HEAD + level(kind), "mine.yaml"))
    errors = [finding for finding in findings if finding.severity == "error"]
    assert errors
    assert all("type" in finding.path for finding in errors), errors


def test_levels_that_are_no_records_are_reported():
    spec, findings = profile_findings(
        parse_yaml("name: x\nmemory_levels: [5, {name: dram, dram: {type: lpddr5}}]\n", "x.yaml")
    )
    assert spec is None
    assert any(finding.path == "memory_levels[0]" for finding in findings)
