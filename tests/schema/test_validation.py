"""Validation as a whole: instances, checks, warnings, order, places, and that no data can break it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldsim.schema.findings import Finding, InputError, Problem, format_findings
from foldsim.schema.reader import MAX_FINDINGS, Document, parse_yaml
from foldsim.schema.validation import collect_findings, locate, validate_document

LEVEL = "name: x\nmemory:\n  - name: sram\n    capacity_bytes: 1024\n"  # lines 1 to 4


def findings_of(text: str, model: Any, checks: Any = ()) -> list[Finding]:
    instance, findings = collect_findings(parse_yaml(text, "f.yaml"), model, checks)
    assert (instance is None) == any(finding.severity == "error" for finding in findings)
    return findings


def test_valid_document(chip_model):
    text = """\
name: chip
memory:
  - name: sram
    capacity_bytes: 1_024
    clock_hz: 800000000
    read_pj_per_byte: {value: 1, low: 1, high: 2.0, source: x, from: z}
layers: [{kind: attention, heads: 8}, {kind: convolution, width: 3}]
grade: bad
fold: 2
pair: [1, 2]
names: [a, b]
"""
    chip = validate_document(parse_yaml(text, "f"), chip_model)
    assert chip.memory[0].clock_hz == 8e8  # a whole number will do where a number is wanted
    assert chip.memory[0].read_pj_per_byte.origin == "z"
    assert isinstance(chip.layers, tuple)
    assert [(layer.kind, getattr(layer, "width", None)) for layer in chip.layers] == [
        ("attention", None),
        ("convolution", 3),
    ]
    assert (chip.grade.value, chip.fold, chip.pair, chip.names.root) == ("bad", 2, (1, 2.0), ["a", "b"])


# ---- several mistakes, checks, warnings ----------------------------------------------------------------------


def test_all_mistakes_in_the_order_of_the_file(chip_model):
    text = """\
polisy: x
memory:
  - capacity_kb: 5
    on_chip: 1
    name: ""
layers:
  - {kind: attention, heads: 0, hats: 1}
  - {kind: lstm}
grade: fine
"""
    found = [(f.line, f.column, f.path) for f in findings_of(text, chip_model)]
    assert found == [
        (1, 1, "polisy"),
        (1, 1, "name"),  # missing
        (3, 5, "memory[0].capacity_kb"),
        (4, 14, "memory[0].on_chip"),
        (5, 11, "memory[0].name"),
        (7, 30, "layers[0].heads"),
        (7, 33, "layers[0].hats"),
        (8, 12, "layers[1].kind"),
        (9, 8, "grade"),
    ]


def test_missing_key_is_reported_unless_an_unknown_one_surely_stands_for_it(chip_model):
    assert [f.path for f in findings_of("nam: x\n", chip_model)] == ["nam"]
    assert [f.path for f in findings_of("nix: x\n", chip_model)] == ["nix", "name"]


def test_aliased_mistakes_are_shown_where_they_are_written(chip_model):
    text = "name: x\nlayers:\n  - &l {kind: conv, width: a}\n  - *l\n"
    assert [(f.line, f.column, f.path) for f in findings_of(text, chip_model)] == [
        (3, 28, "layers[0].width"),
        (3, 28, "layers[1].width"),
    ]


def _check_names(chip: Any) -> Iterable[Problem]:
    for index, level in enumerate(chip.memory):
        if level.name == chip.name:
            yield Problem(("memory", index, "name"), "named like the chip", allowed="another name", suggestion="y")
    if chip.policy == "slowest-real-time":
        yield Problem(("policy",), "rarely wise", severity="warning", at_key=True)


def _check_memory(chip: Any) -> Iterable[Problem]:
    if not chip.memory:
        yield Problem(("memory",), "a chip without memory", severity="warning")


def test_checks_run_on_a_valid_instance_only(chip_model):
    checks = (_check_names, _check_memory)
    assert [f.message for f in findings_of("name: x\nfold: 0\n", chip_model, checks)] == [
        "`fold` must be above 0; found the number 0"
    ]
    findings = findings_of("policy: slowest-real-time\nname: sram\n" + LEVEL.partition("\n")[2], chip_model, checks)
    assert [(f.line, f.column, f.severity, f.message, f.allowed, f.suggestion) for f in findings] == [
        (1, 1, "warning", "rarely wise", None, None),
        (4, 11, "error", "named like the chip", "another name", "y"),
    ]


def test_warnings_do_not_raise(chip_model):
    document = parse_yaml("name: x\npolicy: slowest-real-time\n", "f.yaml")
    checks = (_check_names, _check_memory)
    assert validate_document(document, chip_model, checks).name == "x"
    chip, findings = collect_findings(document, chip_model, checks)
    assert chip is not None
    # `memory` is not in the file: the finding points at the mapping that lacks it.
    assert [f.headline() for f in findings] == [
        "f.yaml:1:1: warning: a chip without memory",
        "f.yaml:2:1: warning: rarely wise",
    ]


def test_errors_raise_with_everything(chip_model):
    document = parse_yaml("policy: slowest-real-time\n" + LEVEL.replace("name: x", "name: sram"), "f.yaml")
    with pytest.raises(InputError) as caught:
        validate_document(document, chip_model, (_check_names,))
    assert [f.severity for f in caught.value.findings] == ["warning", "error"]


@pytest.mark.parametrize(
    ("path", "at_key", "position"),
    [
        ((), False, (1, 1)),
        (("name",), False, (1, 7)),
        (("name",), True, (1, 1)),
        (("memory", 0, "capacity_bytes"), False, (4, 21)),
        (("memory", 0, "capacity_bytes"), True, (4, 5)),
        (("memory", 0), True, (3, 5)),  # an item has no key
        (("memory", 0, "latency_ms"), False, (3, 5)),  # a default: not in the file
        (("memory", 0, "latency_ms", "value"), True, (3, 5)),
        (("memory", 7), False, (3, 3)),
        (("nope", "nope"), False, (1, 1)),
    ],
)
def test_locate(path, at_key, position):
    finding = locate(parse_yaml(LEVEL, "f"), Problem(path, "m", at_key=at_key))
    assert (finding.line, finding.column) == position


# ---- robustness ----------------------------------------------------------------------------------------------

KEYS = st.sampled_from(
    [
        "name",
        "memory",
        "layers",
        "extra_layer",
        "by_name",
        "rates",
        "policy",
        "bits",
        "grade",
        "fold",
        "which",
        "power",
        "pair",
        "names",
        "capacity_bytes",
        "clock_hz",
        "clock_mhz",
        "read_pj_per_byte",
        "value",
        "low",
        "high",
        "source",
        "from",
        "kind",
        "heads",
        "width",
        "[key]",
        "conv",
        "int8",
    ]
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 100), st.floats(-9, 9), st.text(max_size=8), KEYS)
    | st.sampled_from(["attention", "conv", "auto", "8 MB", "1e-3", "Auto", "a:b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@given(VALUES)
@settings(max_examples=500)
def test_any_data_gives_an_instance_or_findings_in_the_file(chip_model, data):
    try:
        document = parse_yaml(json.dumps(data, indent=1, ensure_ascii=False), "f")
    except InputError:
        return
    chip, findings = collect_findings(document, chip_model)
    assert (chip is None) == bool(findings)
    for finding in findings:
        assert finding.line is not None
        assert 1 <= finding.line <= len(document.lines)
    assert all(ch == "\n" or ch.isprintable() for ch in format_findings(findings))


def test_many_errors_are_counted_not_explained(chip_model):
    text = "name: x\nnames: [" + "1, " * (MAX_FINDINGS + 5) + "]\n"
    *findings, last = findings_of(text, chip_model)
    assert len(findings) == MAX_FINDINGS
    assert last.message == "there are 5 more errors; correct these first"


def test_hand_made_document_without_positions(chip_model):
    document = Document("f", "", {"name": 5}, {}, {})
    instance, (finding,) = collect_findings(document, chip_model)
    assert instance is None
    assert finding.headline() == "f: error: `name` must be text; found the number 5"
    assert locate(document, Problem(("x",), "m")).snippet is None


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 1e300, -0.0, 10**30])
def test_numbers_that_no_file_can_hold(chip_model, number):
    """Programs change documents too (`--set`); their numbers need not be what the reader lets through."""
    level = {"name": "a", "capacity_bytes": number, "clock_mhz": number, "read_pj_per_byte": number}
    data = {"name": "x", "finite": number, "names": number, "truth": number, "steps": number, "memory": [level]}
    instance, findings = collect_findings(Document("f", "", data, {}, {}), chip_model)
    assert instance is None
    assert "memory[0].clock_mhz" in [finding.path for finding in findings]
    assert format_findings(findings).startswith("f: error: ")
    if abs(number) == float("inf"):
        assert f"`finite` must be a finite number; found the number {number}" in [f.message for f in findings]
