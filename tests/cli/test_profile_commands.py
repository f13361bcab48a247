"""``foldsim profile`` as a user types it: validate in its formats, rules, sources, extends from the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from foldsim.data import shipped, shipped_dram

Foldsim = Callable[..., Result]

DERIVED = """\
extends: phone-npu
name: mine
title: A variant
summary: Of the shipped phone.
sources:
  sheet: {title: A data sheet, kind: datasheet, url: "https://example.org"}
memory_levels:
  - name: dram
    read_pj_per_byte: {value: 2, low: 1, high: 3, source: sheet}
system:
  idle_mw: {value: 2, low: 3, high: 3, source: shet}
"""


@pytest.fixture
def derived(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(DERIVED)
    return path


def test_validate_as_text(foldsim: Foldsim, derived: Path) -> None:
    result = foldsim("profile", "validate", "mine.yaml", "phone-npu")
    assert result.exit_code == 1
    assert "mine.yaml:11:12: error: the range is out of order" in result.stdout
    assert "did you mean: sheet" in result.stdout
    assert result.stderr.splitlines() == ["mine.yaml: 2 errors", "phone-npu: valid"]


def test_validate_as_json(foldsim: Foldsim, derived: Path) -> None:
    result = foldsim("profile", "validate", "mine.yaml", "phone-npu", "--format", "json")
    assert result.exit_code == 1
    details = json.loads(result.stdout)
    assert [(file["errors"], file["warnings"]) for file in details["files"]] == [(2, 0), (0, 0)]
    first, second = details["findings"]
    assert (first["line"], first["column"], first["severity"], first["path"]) == (11, 12, "error", "system.idle_mw")
    assert second["suggestion"] == "sheet"
    assert set(first) == {"file", "line", "column", "severity", "path", "message", "allowed", "suggestion"}
    assert json.loads(foldsim("profile", "validate", "phone-npu", "--format", "json").stdout)["findings"] == []


def test_validate_as_annotations(foldsim: Foldsim, derived: Path) -> None:
    derived.write_text(DERIVED.replace("low: 3, high: 3, source: shet", "low: 2, high: 2, source: sheet"))
    result = foldsim("profile", "validate", "mine.yaml", "--format", "github")
    assert result.exit_code == 0, "warnings alone do not fail"
    first, second = result.stdout.splitlines()
    assert first.startswith("::warning file=mine.yaml,line=9,col=31,title=memory_levels[2].read_pj_per_byte.value::")
    assert "%0Aallowed: usually 25 to 1200%0Adid you mean: " in first
    assert "less than one of 'slc' inside it" in second
    assert foldsim("profile", "validate", "phone-npu", "--format", "github").stdout == ""


@pytest.mark.parametrize("kind", ["profile", "workload"])
def test_a_file_that_cannot_be_read_is_no_finding(foldsim: Foldsim, kind: str) -> None:
    """2 is for usage and unreadable input, also beside a file that is only wrong."""
    Path("wrong.yaml").write_text("name: 1\n", encoding="utf-8")
    assert foldsim(kind, "validate", "wrong.yaml").exit_code == 1
    result = foldsim(kind, "validate", "wrong.yaml", "nofile.yaml")
    assert result.exit_code == 2
    assert "there is no such file" in result.stdout


def test_unknown_formats_are_refused(foldsim: Foldsim) -> None:
    result = foldsim("profile", "validate", "phone-npu", "--format", "xml")
    assert result.exit_code == 2
    assert "allowed: text, json, github" in result.stderr


def test_strict(foldsim: Foldsim, derived: Path) -> None:
    assert foldsim("profile", "validate", "--strict", *shipped("hw_profiles")).exit_code == 0
    text = DERIVED.partition("memory_levels")[0] + "policy: mid\n"
    derived.write_text(text)
    assert foldsim("profile", "validate", "mine.yaml").exit_code == 0
    result = foldsim("profile", "validate", "mine.yaml", "--strict")
    assert result.exit_code == 1
    assert "error: source 'sheet' is not used by any value" in result.stdout


def test_records_of_dram_are_validated_too(foldsim: Foldsim, tmp_path: Path) -> None:
    assert foldsim("profile", "validate", *map(str, shipped_dram().values())).exit_code == 0
    text = shipped_dram()["lpddr4"].read_text().replace("value: 42.1", "value: 40.1")
    (tmp_path / "ram.yaml").write_text(text)
    result = foldsim("profile", "validate", "ram.yaml")
    assert result.exit_code == 1
    assert "does not follow from its rule idd: value 40.1 instead of 42.11" in result.stdout


def test_a_derived_profile_works_everywhere(foldsim: Foldsim, derived: Path) -> None:
    derived.write_text(DERIVED.replace("low: 3, high: 3, source: shet", "low: 2, high: 2, source: sheet"))
    assert "memory_levels.dram.read_pj_per_byte" in foldsim("profile", "show", "mine.yaml").stdout
    assert foldsim("sweep", "-p", "mine.yaml", "--chunk-ms", "160", "-o", "r.csv").exit_code == 0
    head = json.loads((derived.parent / "r.csv").read_text().partition("\n")[0].removeprefix("# foldsim "))
    assert [part["file"] for part in head["inputs"][1]["parts"]] == ["mine.yaml", "phone-npu.yaml"]
    assert foldsim("simulate", "emformer-rnnt-base", "mine.yaml").exit_code == 0
    assert foldsim("plot", "r.csv", "-k", "power-vs-chunk", "-o", "p.svg").exit_code == 0


def test_show_sources_says_what_rests_on_each(foldsim: Foldsim) -> None:
    shown = " ".join(foldsim("profile", "show", "gap9", "--sources").stdout.split())
    assert "busy-clocks (derived" in shown
    assert "-> compute_units.ne16.static_mw, system.busy_mw, operating_points.370mhz.static_mw" in shown


def test_simulate_says_what_rests_on_assumptions(foldsim: Foldsim) -> None:
    result = foldsim("simulate", "emformer-rnnt-base", "phone-npu", "--chunk-ms", "160")
    assert "13.7 % of it rests on assumptions" in result.stdout


def test_rules_are_listed_with_their_parameters(foldsim: Foldsim) -> None:
    every = foldsim("profile", "rules")
    assert every.exit_code == 0
    assert "stillmaker_baas" in every.stdout
    assert max(map(len, every.stdout.splitlines())) <= 140
    one = foldsim("profile", "rules", "datapath")
    assert "Horowitz (ISSCC 2014, 45 nm)" in one.stdout
    assert "overhead_ratio: Energy of the whole over that of the arithmetic. [default: 1.0]" in one.stdout
    wrong = foldsim("profile", "rules", "datpath")
    assert wrong.exit_code == 2
    assert "did you mean 'datapath'" in wrong.stderr


def test_the_schema_of_dram_records(foldsim: Foldsim) -> None:
    assert "core_read_pj_per_byte" in json.loads(foldsim("profile", "schema", "--dram").stdout)["properties"]


def test_new_writes_a_profile_that_validates(foldsim: Foldsim, tmp_path: Path) -> None:
    result = foldsim("profile", "new", "my-chip", "--from", "gap9", "-o", "my-chip.yaml")
    assert result.exit_code == 0, result.output
    assert "a copy of gap9 to change; next: foldsim profile validate my-chip.yaml" in result.stderr
    assert foldsim("profile", "validate", "--strict", "my-chip.yaml").exit_code == 0
    first = (tmp_path / "my-chip.yaml").read_text().splitlines()[0]
    assert Path(first.partition("$schema=")[2]).is_file()
    again = foldsim("profile", "new", "my-chip", "-o", "my-chip.yaml")
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert foldsim("profile", "new", "my-chip", "-o", "my-chip.yaml", "--force").exit_code == 0
    assert "name: my-chip" in foldsim("profile", "new", "my-chip").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("My Chip",), "such as my-chip"),
        (("my-chip", "--from", "gap8"), "did you mean 'gap9'"),
        (("my-chip", "-o", "chip.txt"), "ends in .yaml"),
        (("my-chip", "-o", "none/chip.yaml"), "does not exist"),
    ],
)
def test_new_refuses(foldsim: Foldsim, arguments: tuple[str, ...], message: str) -> None:
    result = foldsim("profile", "new", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_diff_shows_values_ratio_and_effect(foldsim: Foldsim) -> None:
    result = foldsim("profile", "diff", "phone-npu", "watch-npu", "--top", "5")
    assert result.exit_code == 0, result.output
    assert re.search(
        r"mean power of emformer-rnnt-base over 12 designs: A [\d.]+ mW, B [\d.]+ mW \(B / A", result.stdout
    )
    row = next(line for line in result.stdout.splitlines() if "dram.read_pj_per_byte" in line)
    words = ["memory_levels.dram.read_pj_per_byte", "80", "(56-144)", "104", "(56-160)", "1.3"]
    assert row.split()[:-2] == words
    assert re.search(r"\+\d+\.\d\d %$", row)
    assert "more with less effect; --top 0 lists all" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 140
    assert "The two have the same values." in foldsim("profile", "diff", "gap9", "gap9").stdout


def test_diff_of_chips_that_are_built_differently_says_so(foldsim: Foldsim) -> None:
    text = foldsim("profile", "diff", "stm32u575", "phone-npu", "--top", "1").stdout
    assert "The memory levels differ (A: sram, flash; B: vtcm, slc, dram)" in " ".join(text.split())
    assert "levels differ" not in foldsim("profile", "diff", "stm32u575", "stm32l4r5", "--top", "1").stdout


def test_diff_as_json(foldsim: Foldsim) -> None:
    details = json.loads(foldsim("profile", "diff", "phone-npu", "watch-npu", "--json").stdout)
    first = details["differences"][0]
    assert set(first) == {"path", "first", "second", "ratio", "effect_ratio"}
    assert set(first["first"]) == {"value", "low", "high", "source"}
    assert details["second_mw"] > details["first_mw"] > 0


def test_diff_without_powers(foldsim: Foldsim) -> None:
    result = foldsim("profile", "diff", "gap9", "phone-npu", "-w", "none")
    assert result.exit_code == 2
    assert "no workload named 'none'" in result.stderr
