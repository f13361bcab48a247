"""The tutorial tells the truth: its profile is strictly valid, runs, and has the numbers that the text says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from foldsim import simulate
from foldsim.data import shipped_dram
from foldsim.hardware.derivation import RULES
from foldsim.hardware.memory.dram import STATES, level_values, read_dram
from foldsim.hardware.profile import load_profile, profile_findings
from foldsim.schema import read_yaml
from foldsim.sweeps.engine import run
from foldsim.sweeps.space import DesignSpace

PAGE = (Path(__file__).parents[2] / "docs" / "profile-authoring.md").read_text(encoding="utf-8")
COEFFICIENT = "profile.compute_units.a76-prime.power_law.dynamic_uw_per_mhz_v2"


@pytest.fixture
def example(tmp_path):
    (text,) = re.findall(r"```yaml\n(extends: pixel5-cpu.*?)```", PAGE, re.S)
    path = tmp_path / "rk3588-a76.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_is_strictly_valid(example):
    assert profile_findings(read_yaml(example), strict=True)[1] == []


def test_most_of_its_power_rests_on_assumptions(example):
    assert simulate("emformer-rnnt-base", example, chunk_ms=160).totals["power_assumption_ratio"] > 0.5


def test_the_saving_is_the_same_over_the_range_of_the_coefficient(example, emformer):
    axes = {COEFFICIENT: (254.0, 416.0, 728.0)}
    table = run(DesignSpace([emformer], [load_profile(example)], (160.0,), (2,), sets=axes))
    assert [round(saving, 2) for saving in table["power_saving_ratio"]] == [0.15, 0.15, 0.15]


@pytest.mark.parametrize("name", shipped_dram())
def test_the_table_of_types(name):
    record = read_dram(shipped_dram()[name])[0]
    width, rate = ({"value": x, "low": x, "high": x, "source": "any"} for x in (32, 3200))
    use = {"type": name, "width_bits": width, "data_rate_mt_per_s": rate}
    values = level_values(record, use, "dram")

    def told(number):
        return f"{number['value']:.3g} ({number['low']:.3g}-{number['high']:.3g})"

    states = " / ".join(told(values["background"][state]) for state in STATES)
    assert f"| `{name}` | {told(values['read_pj_per_byte'])} | {states} |" in PAGE


def test_rules_and_commands_that_it_names_are_there():
    table = PAGE.partition("| rule | takes | gives |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    assert named <= set(RULES)
    assert len(named) > 8
