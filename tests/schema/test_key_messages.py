"""What wrong and missing keys are called, where they are shown, and what is suggested; units above all."""

from __future__ import annotations

from typing import Any

import pytest

from foldsim.schema.findings import Finding
from foldsim.schema.reader import parse_yaml
from foldsim.schema.validation import collect_findings

LEVEL = "name: x\nmemory:\n  - name: sram\n    capacity_bytes: 1024\n"  # lines 1 to 4
CHIP_KEYS = (
    "name, memory, layers, extra_layer, by_name, rates, policy, bits, grade, fold, which, power, pair, steps, names, "
    "finite, truth"
)
LEVEL_KEYS = "name, capacity_bytes, clock_hz, bandwidth_gb_per_s, latency_ms, read_pj_per_byte, on_chip"


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
        # missing keys: at the mapping that lacks them
        ("fold: 1\n", "1:1: the key `name` is missing", "text that matches ^[a-z]+$", None),
        (
            "name: x\nmemory:\n  - name: a\n",
            "3:5: the key `capacity_bytes` is missing in `memory[0]`: Usable size",
            "a whole number above 0; unit: bytes",
            None,
        ),
        (
            "name: x\nlayers:\n- {kind: attention}\n",
            "3:3: the key `heads` is missing in `layers[0]`: Heads side by side",
            "a whole number from 1 to 64",
            None,
        ),
        ("name: x\npair: [1]\n", "2:7: `pair` lacks item 1", "a number", None),
        # unknown keys: at the key
        ("name: x\nzzzzz: 1\n", "2:1: unknown key `zzzzz`", CHIP_KEYS, None),
        ("name: x\npolisy: race-to-idle\n", "2:1: unknown key `polisy`", CHIP_KEYS, "policy"),
        ("name: x\nextra-layer:\n", "2:1: unknown key `extra-layer`", CHIP_KEYS, "extra_layer"),
        ("name: x\nfold: 1\nfoldd: 2\n", "3:1: unknown key `foldd`", CHIP_KEYS, "fold, which is there as well"),
        (
            "name: x\nby_name: {a: {kind: conv, widht: 3}}\n",
            "2:27: unknown key `widht` in `by_name.a`",
            "kind, width",
            "width",
        ),
        (
            LEVEL + "    policy: race-to-idle\n",
            "5:5: unknown key `policy` in `memory[0]`; it belongs to the top of the document, so check the indentation",
            LEVEL_KEYS,
            None,
        ),
        (
            "name: x\non_chip: true\n",
            "2:1: unknown key `on_chip`; it belongs inside `memory`, so check the indentation",
            CHIP_KEYS,
            None,
        ),
        ("{name: x, fold:2}\n", "1:11: unknown key `fold:2`; a space must follow the colon", CHIP_KEYS, "fold: 2"),
        ("name: x\nrates: {int16: 1}\n", "2:9: unknown key `int16` in `rates`", "one of int4, int8", "int8"),
        # discriminated unions: the tag in pydantic's location is no key of the document
        (
            "name: x\nlayers:\n  - kind: atention\n    heads: 1\n",
            "3:11: unknown kind in `layers[0]`: found the text `atention`",
            "one of attention, conv, convolution",
            "attention",
        ),
        (
            "name: x\nby_name: {a: {kind: 5}}\n",
            "2:21: unknown kind in `by_name.a`: found the number 5",
            "one of attention, conv, convolution",
            None,
        ),
        (
            "name: x\nextra_layer: {heads: 2}\n",
            "2:14: the key `kind` is missing in `extra_layer`; it says what kind of mapping this is",
            "one of attention, conv, convolution",
            None,
        ),
        (
            "name: x\nlayers: [attention]\n",
            "2:10: `layers[0]` must be a mapping; found the text `attention`",
            "a mapping whose `kind` is one of attention, conv, convolution",
            None,
        ),
    ],
)
def test_keys(chip_model, text, headline, allowed, suggestion):
    check(only(text, chip_model), text, headline, allowed, suggestion)


# ---- units ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message", "suggestion"),
    [
        (
            "capacity_kb: 512",
            "wrong unit; foldsim wants bytes: `capacity_bytes`",
            "capacity_bytes: 524288 (if 1 kb is 1024 bytes; 512000 if it is 1000)",
        ),
        ("capacity_kib: 512", "wrong unit; foldsim wants bytes: `capacity_bytes`", "capacity_bytes: 524288"),
        ("capacity_MiB: 1.5", "wrong unit; foldsim wants bytes: `capacity_bytes`", "capacity_bytes: 1572864"),
        ("capacity_kb: big", "wrong unit; foldsim wants bytes: `capacity_bytes`", "capacity_bytes"),
        ("capacity: 512", "the unit belongs in the name; foldsim wants bytes: `capacity_bytes`", "capacity_bytes"),
        ("capcity_kib: 1", "wrong unit; foldsim wants bytes: `capacity_bytes`", "capacity_bytes: 1024"),
        ("clock_mhz: 800", "wrong unit; foldsim wants hertz: `clock_hz`", "clock_hz: 800000000"),
        ("clock_GHz: 2.4", "wrong unit; foldsim wants hertz: `clock_hz`", "clock_hz: 2400000000"),
        ("clock_ms: 3", "wrong unit; foldsim wants hertz: `clock_hz`", "clock_hz"),
        ("latency_us: 1.5", "wrong unit; foldsim wants milliseconds: `latency_ms`", "latency_ms: 0.0015"),
        ("latency_s: 2", "wrong unit; foldsim wants milliseconds: `latency_ms`", "latency_ms: 2000"),
        ("latency: 2", "the unit belongs in the name; foldsim wants milliseconds: `latency_ms`", "latency_ms"),
        (
            "bandwidth_gbps: 51.2",
            "wrong unit; foldsim wants gigabytes (1e9 bytes) per second: `bandwidth_gb_per_s`",
            "bandwidth_gb_per_s: 51.2 (if gbps is meant as bytes per second; 6.4 if as bits per second)",
        ),
        (
            "bandwidth_mb_per_s: 100",
            "wrong unit; foldsim wants gigabytes (1e9 bytes) per second: `bandwidth_gb_per_s`",
            "bandwidth_gb_per_s: 0.1",
        ),
        (
            "read_pj_per_bit: {value: 10, low: 8, high: 16, source: x}",
            "wrong unit; foldsim wants picojoules per byte: `read_pj_per_byte`",
            "read_pj_per_byte: {value: 80, low: 64, high: 128, ...}",
        ),
        ("read_pj: 3", "wrong unit; foldsim wants picojoules per byte: `read_pj_per_byte`", "read_pj_per_byte"),
    ],
)
def test_unit_mistakes(chip_model, line, message, suggestion):
    # `capacity_bytes` is absent in the cases that misname it: that it is missing goes without saying.
    base = "name: x\nmemory:\n  - name: a\n" if line.startswith("cap") else LEVEL
    finding = only(f"{base}    {line}\n", chip_model)
    key = line.partition(":")[0]
    assert finding.message == f"unknown key `{key}` in `memory[0]`: {message}"
    assert (finding.line, finding.column) == (base.count("\n") + 1, 5)
    assert (finding.path, finding.suggestion) == (f"memory[0].{key}", suggestion)


def test_unit_where_none_is_wanted(chip_model):
    finding = only("name: x\nlayers: [{kind: attention, heads: 1, chunk_ms: 40}]\n", chip_model)
    assert finding.message == "unknown key `chunk_ms` in `layers[0]`: this key carries no unit; it is `chunk`"


def test_wrong_unit_beside_the_right_key(chip_model):
    finding = only(LEVEL + "    capacity_kb: 1\n", chip_model)
    assert finding.message.endswith("foldsim wants bytes: `capacity_bytes`, which is there as well")
