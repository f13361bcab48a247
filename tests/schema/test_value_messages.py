"""What wrong values are called, where they are shown, and what is suggested."""

from __future__ import annotations

from typing import Any

import pytest

from foldsim.schema.findings import Finding
from foldsim.schema.reader import parse_yaml
from foldsim.schema.validation import collect_findings

LEVEL = "name: x\nmemory:\n  - name: sram\n    capacity_bytes: 1024\n"  # lines 1 to 4
NAME = "text that matches ^[a-z]+$"
SHORT_TEXT = "text with at least 1 character and with at most 8 characters"
STEPS = "a whole number that is a multiple of 8"


def only(text: str, model: Any) -> Finding:
    _, (finding,) = collect_findings(parse_yaml(text, "f.yaml"), model)
    return finding


def check(finding: Finding, text: str, headline: str, allowed: str | None, suggestion: str | None) -> None:
    assert finding.headline() == "f.yaml:" + headline.replace(": ", ": error: ", 1)
    assert (finding.allowed, finding.suggestion) == (allowed, suggestion)
    assert finding.snippet is not None
    assert finding.snippet.endswith(text.split("\n")[int(headline.split(":")[0]) - 1])


@pytest.mark.parametrize(
    ("text", "headline", "allowed", "suggestion"),
    [
        # wrong types: at the value
        (
            "name: x\nmemory: 5\n",
            "2:9: `memory` must be a list; found the number 5",
            "a list of mappings with at most 3 items",
            None,
        ),
        (
            "name: x\nmemory: [7]\n",
            "2:10: `memory[0]` must be a mapping; found the number 7",
            "a mapping with the keys name, capacity_bytes (optional: clock_hz, bandwidth_gb_per_s, latency_ms, "
            "read_pj_per_byte, on_chip)",
            None,
        ),
        (
            "name: x\nby_name: [a]\n",
            "2:10: `by_name` must be a mapping; found a list of 1 item",
            "a mapping with values that are each a mapping",
            None,
        ),
        ("name: x\ntruth: 1\n", "2:8: `truth` must be true or false; found the number 1", "true or false", "true"),
        ('name: x\ntruth: "no"\n', "2:8: `truth` must be true or false; found the text `no`", "true or false", "false"),
        ("name: x\nsteps: true\n", "2:8: `steps` must be a whole number; found the truth value true", STEPS, None),
        ("name: x\nfinite: true\n", "2:9: `finite` must be a number; found the truth value true", "a number", None),
        ("name: x\nsteps: 8.0\n", "2:8: `steps` must be a whole number; found the number 8.0", STEPS, "8"),
        (
            "name: x\nsteps:\n",
            "2:7: `steps` must be a whole number; found nothing (the value is empty or null)",
            STEPS,
            None,
        ),
        (
            'name: x\nfinite: "1.5"\n',
            "2:9: `finite` must be a number; found the text `1.5` (without quotes it is one)",
            "a number",
            "1.5",
        ),
        ('name: x\nfinite: "1e-3"\n', "2:9: `finite` must be a number; found the text `1e-3`", "a number", "1.0e-3"),
        ("name: x\nfinite: 1,000\n", "2:9: `finite` must be a number; found the text `1,000`", "a number", "1000"),
        (
            "name: x\nfinite: 5#five\n",
            "2:9: `finite` must be a number; found the text `5#five` (a space must stand before the `#` of a comment)",
            "a number",
            "5",
        ),
        ("name: x\ngrade: 1\n", "2:8: `grade` must be one of good, bad; found the number 1", "one of good, bad", None),
        ("name: 1.10\n", "1:7: `name` must be text; found the number 1.1", NAME, '"1.10"'),
        ("name: {a: 1}\n", "1:7: `name` must be text; found a mapping with the key a", NAME, None),
        ("name: x\nnames: [a, 1]\n", "2:12: `names[1]` must be text; found the number 1", "text", '"1"'),
        ("name: x\nnames: a, b\n", "2:8: `names` must be a list; found the text `a, b`", "a list of texts", "[a, b]"),
        # numbers with units
        (
            "name: x\nmemory: [{name: a, capacity_bytes: 8 MB}]\n",
            "2:36: `capacity_bytes` must be a whole number; found the text `8 MB` (the unit belongs to the key)",
            "a whole number above 0; unit: bytes",
            "8388608 (if 1 mb is 1048576 bytes; 8000000 if it is 1000000)",
        ),
        (
            LEVEL + "    clock_hz: 1.5GHz\n",
            "5:15: `clock_hz` must be a number; found the text `1.5GHz` (the unit belongs to the key)",
            "a number above 0 and below 1000000000000; unit: hertz",
            "1500000000",
        ),
        # out of range
        (
            LEVEL.replace("1024", "0"),
            "4:21: `capacity_bytes` must be above 0; found the number 0",
            "a whole number above 0; unit: bytes",
            None,
        ),
        (
            LEVEL + "    clock_hz: 1.0e+12\n",
            "5:15: `clock_hz` must be below 1000000000000; found the number 1000000000000.0",
            "a number above 0 and below 1000000000000; unit: hertz",
            None,
        ),
        (
            "name: x\nextra_layer: {kind: attention, heads: 0}\n",
            "2:39: `heads` must be at least 1; found the number 0",
            "a whole number from 1 to 64",
            None,
        ),
        (
            "name: x\nextra_layer: {heads: 65, kind: attention}\n",
            "2:22: `heads` must be at most 64; found the number 65",
            "a whole number from 1 to 64",
            None,
        ),
        ("name: x\nsteps: 12\n", "2:8: `steps` must be a multiple of 8; found the number 12", STEPS, None),
        (
            LEVEL.replace("sram", '""'),
            "3:11: `name` must have at least 1 character; found empty text",
            SHORT_TEXT,
            None,
        ),
        (
            LEVEL.replace("sram", "scratchpad"),
            "3:11: `name` must have at most 8 characters; found the text `scratchpad`",
            SHORT_TEXT,
            None,
        ),
        (
            "name: x\npair: [1, 2, 3]\n",
            "2:7: `pair` must have at most 2 entries; found a list of 3 items",
            "a list of 2 items: a whole number, then a number",
            None,
        ),
        ("name: X1\n", "1:7: `name` does not have the form that is wanted; found the text `X1`", NAME, None),
        # literals and enums
        (
            "name: x\npolicy: race_to_idle\n",
            "2:9: `policy` must be one of race-to-idle, slowest-real-time; found the text `race_to_idle`",
            "one of race-to-idle, slowest-real-time",
            "race-to-idle",
        ),
        (
            "name: x\ngrade: god\n",
            "2:8: `grade` must be one of good, bad; found the text `god`",
            "one of good, bad",
            "good",
        ),
        ("name: x\nbits: 6\n", "2:7: `bits` must be one of 4, 8; found the number 6", "one of 4, 8", None),
        # plain unions: one finding about what was meant, not one for each member
        (
            "name: x\nfold: Auto\n",
            "2:7: `fold` must be auto or a whole number; found the text `Auto`",
            "auto or a whole number above 0",
            "auto",
        ),
        ("name: x\nfold: 0\n", "2:7: `fold` must be above 0; found the number 0", "a whole number above 0", None),
        (
            "name: x\nwhich: {a: 1}\n",
            "2:8: `which` must be text or a list; found a mapping with the key a",
            "text or a list of whole numbers",
            None,
        ),
        (
            "name: x\nwhich: [1, b]\n",
            "2:12: `which[1]` must be a whole number; found the text `b`",
            "a whole number",
            None,
        ),
        ("name: x\npower: {value: 1, low: 1, high: 2}\n", "2:8: the key `source` is missing in `power`", "text", None),
        (
            "name: x\npower: {value: 1, low: 1, high: x, source: z}\n",
            "2:33: `high` must be a number; found the text `x`",
            "a number",
            None,
        ),
        # records
        (
            LEVEL + "    read_pj_per_byte: 2.5\n",
            "5:23: `read_pj_per_byte` must be a mapping; found the number 2.5 (it must say its range and its source)",
            "a mapping with the keys value, low, high, source (optional: from)",
            "{value: 2.5, low: ..., high: ..., source: ...}",
        ),
        (
            LEVEL + "    read_pj_per_byte: 10 pJ/bit\n",
            "5:23: `read_pj_per_byte` must be a mapping; found the text `10 pJ/bit` (it must say its range and its "
            "source)",
            "a mapping with the keys value, low, high, source (optional: from)",
            "{value: 80, low: ..., high: ..., source: ...}",
        ),
        # what a model's author says
        (
            LEVEL + "    read_pj_per_byte: {value: 3, low: 1, high: 2, source: x}\n",
            "5:23: the range 1.0 to 2.0 is out of order",
            None,
            None,
        ),
        (
            LEVEL + "    read_pj_per_byte: {value: 1, low: -1, high: 2, source: x}\n",
            "5:23: must not be negative",
            None,
            None,
        ),
    ],
)
def test_values(chip_model, text, headline, allowed, suggestion):
    check(only(text, chip_model), text, headline, allowed, suggestion)


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        ("name:x\n", "1:1: the document must be a mapping; found the text `name:x` (a space must follow a colon)"),
        ("- 1\n", "1:1: the document must be a mapping; found a list of 1 item"),
        ("null\n", "1:1: the document must be a mapping; found nothing (the value is empty or null)"),
    ],
)
def test_document_that_is_no_mapping(chip_model, text, headline):
    keys = ", ".join(name for name in chip_model.model_fields if name != "name")
    check(only(text, chip_model), text, headline, f"a mapping with the keys name (optional: {keys})", None)
