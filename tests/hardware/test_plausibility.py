"""Warnings about what no chip is like, and what strict validation refuses."""

from __future__ import annotations

import pytest

from foldsim.data import shipped
from foldsim.hardware.guide import entry_of, field_of, guide
from foldsim.hardware.plausibility import plausibility_problems
from foldsim.hardware.profile import load_profile, profile_findings
from foldsim.hardware.spec import ProfileSpec
from foldsim.schema import read_yaml
from foldsim.schema.quantity import Quantity, quantities

HEAD = "extends: phone-npu\nname: mine\ntitle: T\nsummary: S\n"
SOURCE = "sources:\n  mine: {title: A data sheet, kind: datasheet, url: 'https://example.org'}\n"


def exactly(number, source="mine"):
    return f"{{value: {number}, low: {number}, high: {number}, source: {source}}}"


def unit(text):
    return HEAD + SOURCE + f"compute_units:\n  - name: npu\n{text}"


def level(name, text, head=HEAD + SOURCE):
    return head + f"memory_levels:\n  - name: {name}\n    {text}\n"


# ---- plausible -----------------------------------------------------------------------------------------------------


def test_shipped_profiles_are_plausible_and_strictly_valid(shipped_profile):
    assert profile_findings(read_yaml(shipped_profile.document.file), strict=True)[1] == []


@pytest.mark.parametrize(("name", "node"), [("phone-npu", 4), ("gap9", 22), ("pixel5-cpu", 7), ("watch-npu", 22)])
def test_they_are_plausible_for_their_nodes_too(name, node):
    spec = load_profile(name).spec
    there = Quantity(value=node, low=node, high=node, source="any")
    assert list(plausibility_problems(spec.model_copy(update={"node_nm": there}))) == []


@pytest.mark.parametrize(
    ("text", "told", "allowed", "suggestion"),
    [
        (level("dram", f"read_pj_per_byte: {exactly(0.08)}"), "0.08 is unusual", "25 to 1200", "80, if the unit"),
        (level("dram", f"read_pj_per_byte: {exactly(2)}"), "less than one of 'slc' inside it", "at least 3.6", "order"),
        (
            level("slc", f"bandwidth_gb_per_s: {exactly(5)}"),
            "'dram' streams at 30.2 GB/s, faster than 'slc'",
            None,
            None,
        ),
        (
            level("slc", f"capacity_bytes: {exactly(1000000)}"),
            "'slc' is smaller than 'vtcm'",
            "at least 8.38861e+06",
            "order",
        ),
        (
            unit(f"    precisions:\n      int8:\n        macs_per_cycle: {exactly(4000)}\n      int4: null\n"),
            "64 x 64 = 4096 MACs per cycle, but no number format has that peak (int8 4000",
            "4096 for one format",
            None,
        ),
        (
            HEAD + SOURCE + f"node_nm: {exactly(4)}\n" + "compute_units:\n  - name: npu\n    precisions:\n"
            f"      int8:\n        energy_pj_per_mac: {exactly(0.01)}\n",
            "less than its bare arithmetic at 4 nm",
            "arithmetic alone 0.076",
            "about 0.38",
        ),
        (
            HEAD + SOURCE + f"node_nm: {exactly(4)}\n" + "compute_units:\n  - name: npu\n    precisions:\n"
            f"      int8:\n        energy_pj_per_mac: {exactly(20)}\n",
            "is it the energy of the whole system",
            "usually 0.013 to 5",
            "about 0.38",
        ),
        (
            level("vtcm", f"write_pj_per_byte: {exactly(0.03)}", HEAD + SOURCE + f"node_nm: {exactly(45)}\n"),
            "implausible for an SRAM at 45 nm",
            "usually",
            "about",
        ),
        (level("dram", f"background: {{self_refresh_mw: {exactly(5)}}}"), "takes more than power_down", "3.6", None),
        (
            HEAD + SOURCE + f"operating_points:\n  - name: mid\n    voltage_v: {exactly(0.9)}\n",
            "'nominal' is faster than 'mid' at a lower voltage",
            "at least 0.9",
            None,
        ),
        (HEAD + SOURCE + f"system:\n  wake_ms: {exactly(500)}\n", "500 is unusual", "0 to 100", "0.5, if the unit"),
    ],
)
def test_what_is_implausible_is_warned_of(files, text, told, allowed, suggestion):
    findings = files.findings("mine.yaml", text)
    assert {finding.severity for finding in findings} == {"warning"}
    (finding,) = (f for f in findings if told in f.message)
    assert finding.line is not None
    assert allowed is None or allowed in finding.allowed
    assert suggestion is None or suggestion in finding.suggestion


def test_an_inherited_number_is_warned_of_where_it_was_written(files):
    files.write("base.yaml", level("dram", f"read_pj_per_byte: {exactly(2000)}").replace("mine", "base"))
    (finding,) = files.findings("top.yaml", HEAD.replace("phone-npu", "base.yaml") + "policy: mid\n")
    assert (finding.file.rpartition("/")[2], finding.line) == ("base.yaml", 9)


# ---- the guide -----------------------------------------------------------------------------------------------------


def fields_of(spec):
    """Every place of a number that a profile may have, and those that the shipped ones do have."""
    return {field_of(path) for path, _ in quantities(spec)}


def test_the_guide_knows_every_number():
    known = {field for field, _ in guide()}
    found = set().union(*(fields_of(load_profile(name).spec) for name in shipped("hw_profiles")))
    assert found <= known


def test_the_guide_names_nothing_else():
    """Every entry leads to a field of the format."""
    for field, kind in guide():
        record = ProfileSpec
        for part in field.split("."):
            info = record.model_fields[part]
            record = next(iter(_records(info.annotation)), None)
        assert record is Quantity, field
        assert kind in ("", "scratchpad", "cache", "dram", "flash", "mram")


def _records(annotation):
    from typing import get_args

    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _records(inner)


def test_entries_are_ordered_and_say_where():
    for place, entry in guide().items():
        assert entry.low < entry.high, place
        assert len(entry.where) > 20, place


def test_entries_by_kind():
    assert entry_of(("memory_levels", 2, "read_pj_per_byte"), "dram").low == 25
    assert entry_of(("memory_levels", 2, "read_pj_per_byte"), "cache").low == 0.02
    assert entry_of(("memory_levels", 2, "nothing"), "cache") is None


# ---- strict --------------------------------------------------------------------------------------------------------


def strict(files, text):
    return profile_findings(read_yaml(files.write("mine.yaml", text)), strict=True)[1]


def test_strict_refuses_unused_sources(files):
    text = HEAD + SOURCE + "policy: mid\n"
    (warned,) = files.findings("mine.yaml", text)
    (refused,) = strict(files, text)
    assert (warned.severity, refused.severity) == ("warning", "error")
    assert "source 'mine' is not used by any value" in refused.message
    assert profile_findings(read_yaml(files.folder / "mine.yaml"), strict=True)[0] is None


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{title: T, kind: measured}", "is measured, but has no reference"),
        ("{title: T, kind: paper, page: three}", "is paper, but has no reference"),
        ("{title: T, kind: assumption}", "is an assumption without a reason"),
        ("{title: T, kind: derived}", "neither the value nor its source states from what"),
    ],
)
def test_strict_refuses_sources_that_say_nothing(files, source, told):
    text = HEAD + f"sources:\n  mine: {source}\nsystem:\n  idle_mw: {exactly(1)}\n"
    assert files.findings("mine.yaml", text) == []
    (finding,) = strict(files, text)
    assert told in finding.message
    assert finding.line in (6, 8)


def test_strict_refuses_energies_that_are_assumed(files):
    assumed = HEAD + "sources:\n  mine: {title: T, kind: assumption, note: a guess}\n"
    text = (
        assumed
        + f"memory_levels:\n  - name: dram\n    read_pj_per_byte: {exactly(90)}\nsystem:\n  idle_mw: {exactly(1)}\n"
    )
    (finding,) = strict(files, text)
    assert "the energy `read_pj_per_byte` is only an assumption ('mine')" in finding.message
    assert "rule" in finding.suggestion
    derived = text.replace("high: 90, source: mine}", "high: 90, source: mine, from: 10 pJ/bit, rule: times 9}")
    assert strict(files, derived) == []
    facts = "from: [{what: a guess, value: 90, source: mine}]"
    (finding,) = strict(files, text.replace("high: 90, source: mine}", f"high: 90, source: mine, {facts}}}"))
    assert "is only an assumption" in finding.message


def test_an_energy_per_bit_is_recognised(load_profile, changed):
    """10 pJ where LPDDR takes 80 or so per byte: per bit, most likely."""

    def edit(data):
        data["memory_levels"][-1]["read_pj_per_byte"].update(value=10.0, low=10.0, high=10.0)

    profile = changed(load_profile("phone-npu"), edit)
    found = [p for p in plausibility_problems(profile.spec) if p.path[-2] == "read_pj_per_byte"]
    assert "80, if it is per bit" in {p.suggestion for p in found}
