"""`profile new`: a copy under a new name in which every number is explained."""

from __future__ import annotations

import pytest

from foldsim import simulate
from foldsim.data import shipped
from foldsim.errors import UserError
from foldsim.hardware.guide import advice
from foldsim.hardware.profile import from_document, load_profile, profile_findings
from foldsim.hardware.skeleton import new_profile, written
from foldsim.schema import parse_yaml
from foldsim.schema.quantity import quantities

SCHEMA = "profile.schema.json"
DRAM = """\
extends: phone-npu
name: by-type
title: T
summary: S
memory_levels:
  - name: dram
    dram:
      type: lpddr4x
      width_bits: {value: 32, low: 32, high: 32, source: lpddr5x}
      data_rate_mt_per_s: {value: 4266, low: 4266, high: 4266, source: lpddr5x}
      charged_ratio: {value: 0.5, low: 0.1, high: 1.0, source: phone-accounting}
"""


def made(profile):
    return parse_yaml(new_profile("my-chip", profile, SCHEMA), "my-chip.yaml")


def numbers(spec):
    return {path: (q.value, q.low, q.high, q.source) for path, q in quantities(spec)}


def test_a_skeleton_is_strictly_valid_as_it_is(shipped_profile):
    spec, findings = profile_findings(made(shipped_profile), strict=True)
    assert findings == []
    assert numbers(spec) == numbers(shipped_profile.spec)
    assert (spec.name, spec.grade) == ("my-chip", "D")
    assert "phone" not in spec.summary or shipped_profile.name in spec.summary


def test_it_begins_with_a_modeline_and_says_what_to_do(shipped_profile):
    lines = new_profile("my-chip", shipped_profile, SCHEMA, "./its.yaml").splitlines()
    assert lines[0] == f"# yaml-language-server: $schema={SCHEMA}"
    assert "foldsim profile new my-chip --from ./its.yaml" in lines[1]
    assert max(map(len, lines)) <= 260, "only a long word may be wider"


def test_every_number_says_what_is_usual_and_where_to_find_it():
    """Once, where it first stands."""
    text = " ".join(new_profile("my-chip", load_profile("phone-npu"), SCHEMA).replace("#", " ").split())
    absent = ("EfficiencyPoint", "KernelLibrary", "StreamPoint", "StreamCurve", "PowerLaw", "DramUse")
    for (record, key), told in advice().items():
        if record not in absent:  # left out of this preset, so not spelled out
            assert " ".join(told.split()) in text, (record, key)


def test_what_is_inherited_is_written_out_and_dram_stays_by_type(files):
    preset = files.load("by-type.yaml", DRAM)
    document = made(preset)
    dram = document.data["memory_levels"][2]
    assert dram["dram"]["type"] == "lpddr4x"
    assert "read_pj_per_byte" not in dram
    assert "background" not in dram
    assert "extends" not in document.data
    assert not any(key.startswith("dram:") for key in document.data["sources"])
    assert numbers(from_document(document).spec) == numbers(preset.spec)


def test_the_power_is_that_of_the_preset(files):
    preset = load_profile("gap9")
    copy = from_document(made(preset))
    job = {"chunk_ms": 160}
    powers = [simulate("emformer-rnnt-base", chip, **job).totals["power_mw"] for chip in (preset, copy)]
    assert powers[0] == powers[1]


def test_written_leaves_the_document_alone(files):
    preset = files.load("by-type.yaml", DRAM)
    assert "read_pj_per_byte" not in written(preset.document)["memory_levels"][2]
    assert "read_pj_per_byte" in preset.document.data["memory_levels"][2]


@pytest.mark.parametrize(
    ("name", "told"), [("My Chip", "such as my-chip"), ("", "cannot name"), ("a/b", "such as a-b")]
)
def test_names_that_are_none(name, told):
    with pytest.raises(UserError, match=told):
        new_profile(name, load_profile("phone-npu"), SCHEMA)


def test_every_preset_is_shipped():
    assert "phone-npu" in shipped("hw_profiles"), "the default of --from"
