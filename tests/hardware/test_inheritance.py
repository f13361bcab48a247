"""`extends`: what a profile inherits, what it replaces, what it takes away, and where errors point."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from foldsim.designs.changes import change
from foldsim.hardware.profile import load_profile, profile_findings
from foldsim.schema import InputError, read_yaml
from foldsim.schema.quantity import quantities
from foldsim.sweeps.provenance import provenance
from foldsim.sweeps.space import DesignSpace

HEAD = "extends: phone-npu\nname: mine\ntitle: A variant\nsummary: Of the shipped phone.\n"
SOURCE = "sources:\n  mine: {title: A data sheet, kind: datasheet, url: 'https://example.org'}\n"
ONE = "{value: 1.0, low: 0.5, high: 2.0, source: mine}"


def numbers(profile):
    return {path: (q.value, q.low, q.high, q.source) for path, q in quantities(profile.spec)}


# ---- what is inherited ---------------------------------------------------------------------------------------------


def test_one_number_is_replaced_and_all_others_stay(files):
    text = HEAD + SOURCE + f"memory_levels:\n  - name: dram\n    read_pj_per_byte: {ONE}\n"
    mine, base = numbers(files.load("mine.yaml", text)), numbers(load_profile("phone-npu"))
    assert mine.keys() == base.keys()
    path = ("memory_levels", 2, "read_pj_per_byte")
    assert mine[path] == (1.0, 0.5, 2.0, "mine")
    assert {p for p in base if mine[p] != base[p]} == {path}


def test_what_a_profile_calls_itself_is_not_inherited(files):
    findings = files.findings("mine.yaml", "extends: phone-npu\nname: mine\n")
    assert [f.path for f in findings if f.severity == "error"] == ["title", "summary"]


def test_a_number_is_replaced_whole(files):
    """A range, note or derivation of the old number would be told of the new one."""
    base = load_profile("phone-npu").spec.compute_units[0].precisions["int8"].energy_pj_per_mac
    assert base.rule is not None
    assert base.origin is not None
    head = HEAD + SOURCE + "compute_units:\n  - name: npu\n    precisions:\n      int8:\n        energy_pj_per_mac: "
    changed = files.load("mine.yaml", head + ONE).spec.compute_units[0].precisions
    assert changed["int8"].energy_pj_per_mac.rule is None
    assert changed["int8"].energy_pj_per_mac.origin is None
    assert set(changed) == set(load_profile("phone-npu").spec.compute_units[0].precisions)
    findings = files.findings("mine.yaml", head + "{value: 1.0, source: mine}\n")
    assert [f.path.rpartition(".")[2] for f in findings] == ["low", "high"]
    assert {f.line for f in findings} == {11}


def test_sources_merge_by_key_and_those_no_longer_used_go(files):
    text = HEAD + "sources:\n  slc: {title: Mine, kind: measured, url: 'https://example.org'}\n"
    text += "memory_levels:\n  - name: dram\n    bandwidth_gb_per_s: {value: 40, low: 30, high: 50, source: slc}\n"
    sources = files.load("mine.yaml", text).spec.sources
    base = load_profile("phone-npu").spec.sources
    assert sources["slc"].title == "Mine"
    assert sources["slc"].note is None, "a source is replaced whole"
    assert set(base) - set(sources) == {"lpddr5x"}
    assert files.findings("mine.yaml", text) == []


def test_plain_lists_are_replaced(files):
    base = load_profile("pixel5-cpu").spec.compute_units[0].efficiency_by_rows
    text = HEAD.replace("phone-npu", "pixel5-cpu") + SOURCE + "compute_units:\n  - name: a76-prime\n"
    text += "    efficiency_by_rows:\n"
    one = "{value: 1, low: 1, high: 1, source: mine}"
    text += f"      - {{rows_count: {one}, efficiency_ratio: {{value: 0.5, low: 0.5, high: 0.5, source: mine}}}}\n"
    assert len(base) == 3
    assert len(files.load("mine.yaml", text).spec.compute_units[0].efficiency_by_rows) == 1


def test_a_chain_of_bases(files):
    files.write("middle.yaml", HEAD + SOURCE + f"system:\n  idle_mw: {ONE}\n")
    text = "extends: middle.yaml\nname: top\ntitle: T\nsummary: S\n"
    text += "system:\n  busy_mw: {value: 7, low: 7, high: 7, source: mine}\n"
    top = files.load("top.yaml", text)
    assert (top.spec.system.idle_mw.value, top.spec.system.busy_mw.value) == (1.0, 7.0)
    assert top.spec.system.wake_uj == load_profile("phone-npu").spec.system.wake_uj
    assert [name for name, _ in top.files()] == ["top.yaml", "middle.yaml", "phone-npu.yaml"]


def test_new_items_stand_where_their_neighbours_say(files):
    level = "\n".join(
        line.replace("name: vtcm", "name: new") for line in load_profile("phone-npu").document.text.splitlines()
    )
    start = level.index("  - name: new")
    item = level[start : level.index("  - name: slc")]

    def order(before, after=""):
        text = HEAD + f"memory_levels:\n{before}{item}\n{after}"
        return [lv.name for lv in files.load("mine.yaml", text).spec.memory_levels]

    assert order("  - name: vtcm\n") == ["vtcm", "new", "slc", "dram"]
    assert order("", "  - name: dram\n") == ["vtcm", "slc", "new", "dram"]
    findings = files.findings("mine.yaml", HEAD + f"memory_levels:\n{item}\n")
    assert ["where does 'new' stand" in f.message for f in findings] == [True]
    assert findings[0].allowed == "vtcm, slc, dram"


def test_the_order_of_levels_is_inherited(files):
    findings = files.findings("mine.yaml", HEAD + "memory_levels:\n  - name: dram\n  - name: vtcm\n")
    assert any("'vtcm' stands before 'dram' in the base" in f.message and f.line == 7 for f in findings)


# ---- what is taken away --------------------------------------------------------------------------------------------


def test_null_takes_a_key_away(files):
    text = HEAD + "compute_units:\n  - name: npu\n    precisions:\n      int4: null\n"
    assert set(files.load("mine.yaml", text).spec.compute_units[0].precisions) == {"int8", "int16", "fp16"}


def test_a_required_key_taken_away_is_missed_where_it_was(files):
    (finding,) = files.findings("mine.yaml", HEAD + "system:\n  busy_mw: null\n")
    assert finding.message.startswith("the key `busy_mw` is missing in `system`")
    assert (finding.file.rpartition("/")[2], finding.line, finding.column) == ("mine.yaml", 6, 12)


def test_removes_takes_away_items_and_whole_lists(files):
    kept = files.load("mine.yaml", HEAD + "removes: [operating_points.low, memory_levels.slc]\n").spec
    assert [p.name for p in kept.operating_points] == ["mid", "nominal"]
    assert [lv.name for lv in kept.memory_levels] == ["vtcm", "dram"]
    assert "slc" not in kept.sources, "no number uses it any more"
    clock = "{value: 800000000, low: 800000000, high: 800000000, source: voltages}"
    volts = "{value: 0.7, low: 0.7, high: 0.7, source: voltages}"
    text = HEAD + "removes: [operating_points]\nreference_operating_point: only\noperating_points:\n"
    text += f"  - {{name: only, frequency_hz: {clock}, voltage_v: {volts}}}\n"
    assert [p.name for p in files.load("mine.yaml", text).spec.operating_points] == ["only"]


def test_what_is_missing_since_it_was_removed_is_told_where_it_was_removed(files):
    text = HEAD + "removes: [system.wake_uj, operating_points, compute_units.npu.clock_hz]\nsystem:\n  idle_mw: null\n"
    found = sorted(files.findings("mine.yaml", text), key=lambda f: (f.line, f.column))
    missing = [(f.file.rpartition("/")[2], f.line, f.column, f.message.split("`")[1]) for f in found]
    assert missing == [
        ("mine.yaml", 5, 11, "wake_uj"),
        ("mine.yaml", 5, 27, "operating_points"),
        ("mine.yaml", 5, 45, "clock_hz"),
        ("mine.yaml", 7, 12, "idle_mw"),
    ]


def test_what_takes_nothing_away_is_told_with_what_is_there(files):
    text = HEAD + "removes: [operating_points.lwo, memory_levels.slc.size]\nsystem:\n  idel_mw: null\n"
    first, second, third = files.findings("mine.yaml", text)
    assert (first.line, first.column, first.suggestion) == (5, 11, "low")
    assert first.allowed == "low, mid, nominal"
    assert (second.line, second.column) == (5, 33)
    assert "no 'size' in memory_levels.slc" in second.message
    assert (third.line, third.suggestion) == (7, "idle_mw")


def test_removes_needs_a_base(files):
    text = load_profile("phone-npu").document.text
    (finding,) = files.findings("phone-npu.yaml", text + "removes: [operating_points.low]\n")
    assert "extends no other" in finding.message


# ---- errors --------------------------------------------------------------------------------------------------------


def test_errors_point_to_the_file_that_says_it(files):
    base = load_profile("phone-npu").document.text
    wrong = base.replace("wake_ms: {value: 1.0, low: 0.2", "wake_ms: {value: 1.0, low: 2.0")
    files.write("base.yaml", wrong)
    text = HEAD.replace("phone-npu", "base.yaml") + "system:\n  busy_mw: {value: 1, low: 2, high: 3, source: nowhere}\n"
    in_base, *in_derived = sorted(files.findings("mine.yaml", text), key=lambda f: (f.file, f.line))
    line = next(i for i, x in enumerate(wrong.splitlines(), 1) if "wake_ms:" in x)
    assert (in_base.file.rpartition("/")[2], in_base.line, in_base.path) == ("base.yaml", line, "system.wake_ms")
    assert "wake_ms" in in_base.snippet
    assert [(f.file.rpartition("/")[2], f.line, f.column) for f in in_derived] == [
        ("mine.yaml", 6, 12),
        ("mine.yaml", 6, 48),
    ]


def test_an_item_that_overrides_nothing(files):
    text = HEAD + "memory_levels:\n  - name: drma\n    kind: dram\n"
    (finding,) = files.findings("mine.yaml", text)
    assert "nothing called 'drma' is inherited in memory_levels" in finding.message
    assert (finding.line, finding.column) == (6, 11)
    assert (finding.allowed, finding.suggestion) == ("vtcm, slc, dram", "dram")


def test_wrong_keys_of_an_item_that_overrides_nothing(files):
    text = HEAD + "memory_levels:\n  - name: drma\n    capacity_byte: 1\n"
    name, key = sorted(files.findings("mine.yaml", text), key=lambda f: f.line)
    assert "nothing called 'drma' is inherited" in name.message
    assert (key.message, key.line, key.column, key.suggestion) == (
        "unknown key `capacity_byte` in `memory_levels[0]`",
        7,
        5,
        "capacity_bytes",
    )


def test_a_new_item_with_a_slip_is_judged_as_a_new_one(files):
    """Twelve keys are needed besides the name; this one has eleven and one with another unit."""
    one = ONE.replace("mine", "slc")
    keys = ["usable_ratio", "bandwidth_gb_per_s", "bandwidth_efficiency_ratio", "read_pj_per_byte", "write_pj_per_byte"]
    keys += ["static_mw", "retention_mw", "capacity_kb"]
    lines = "".join(f"    {key}: {one}\n" for key in keys)
    head = "memory_levels:\n  - name: vtcm\n  - name: llc\n    kind: scratchpad\n    on_chip: true\n"
    found = files.findings("mine.yaml", HEAD + head + "    keeps_data: true\n    clock: own\n" + lines)
    (slip,) = (f for f in found if "capacity" in f.message)
    assert slip.message.startswith("unknown key `capacity_kb` in `memory_levels[1]`: wrong unit")
    assert (slip.line, slip.column) == (19, 5)
    assert not any("inherited" in f.message for f in found)


def test_a_key_that_overrides_nothing(files):
    (finding,) = files.findings("mine.yaml", HEAD + f"system:\n  bsy_mw: {ONE.replace('mine', 'slc')}\n")
    assert finding.message.startswith("unknown key `bsy_mw` in `system`")
    assert finding.suggestion == "busy_mw, which is there as well"


def test_a_profile_that_changes_nothing_is_warned_of(files):
    (finding,) = files.findings("mine.yaml", HEAD)
    assert finding.severity == "warning"
    assert "changes nothing of its base, phone-npu" in finding.message


def test_unknown_bases(files):
    (finding,) = files.findings("mine.yaml", HEAD.replace("phone-npu", "phone-nup"))
    assert (finding.line, finding.column, finding.suggestion) == (1, 10, "phone-npu")
    assert "watch-npu" in finding.allowed
    files.write("base.yaml", "x: 1\n")
    (finding,) = files.findings("mine.yaml", HEAD.replace("phone-npu", "bsae.yaml"))
    assert finding.message.startswith("file ")
    assert finding.message.endswith("bsae.yaml' not found")
    assert finding.suggestion == "base.yaml"
    files.write("list.yaml", "- 1\n")
    (finding,) = files.findings("mine.yaml", HEAD.replace("phone-npu", "list.yaml"))
    assert "contains no mapping" in finding.message


def test_a_broken_base_is_told_in_its_own_file(files):
    files.write("base.yaml", "name: [\n")
    (finding,) = files.findings("mine.yaml", HEAD.replace("phone-npu", "base.yaml"))
    assert finding.file.endswith("base.yaml")


def test_circles(files):
    one = HEAD.replace("phone-npu", "two.yaml")
    files.write("two.yaml", HEAD.replace("phone-npu", "./three.yaml"))
    files.write("three.yaml", HEAD.replace("phone-npu", "one.yaml"))
    (finding,) = files.findings("one.yaml", one)
    assert "one.yaml -> two.yaml -> three.yaml -> one.yaml" in finding.message
    assert finding.file.endswith("three.yaml")
    (finding,) = files.findings("self.yaml", HEAD.replace("phone-npu", "self.yaml"))
    assert "self.yaml -> self.yaml" in finding.message


def test_endless_chains(files):
    for number in range(20):
        files.write(f"p{number}.yaml", HEAD.replace("phone-npu", f"p{number + 1}.yaml"))
    (finding,) = files.findings("top.yaml", HEAD.replace("phone-npu", "p0.yaml"))
    assert "more than 16 bases" in finding.message


def test_a_calibration_is_not_inherited(files):
    """It is of the numbers it was made on."""
    fitted = "{name: system.idle_mw, value: 1, low: 0, high: 2, numbers: [system.idle_mw]}"
    row = "{row: a, quantity: power_mw, measured: 1, fitted: true, error_before_ratio: 1, error_after_ratio: 0}"
    record = (
        f"calibration:\n  base: phone-npu\n  measurements: m.csv\n  measurements_sha256: abc\n  fitted: [{fitted}]\n"
    )
    record += f"  correlation: [[1.0]]\n  rows: [{row}]\n"
    base = files.load("base.yaml", HEAD + "policy: mid\n" + record)
    top = files.load("top.yaml", HEAD.replace("phone-npu", "base.yaml") + "policy: low\n")
    assert base.spec.calibration is not None
    assert top.spec.calibration is None


@pytest.mark.parametrize("value", ["3", "[a]", "null", "''"])
def test_extends_that_is_no_name(files, value):
    text = HEAD.replace("phone-npu", value)
    assert files.findings("mine.yaml", text)


def test_loading_raises_what_validating_finds(files):
    path = files.write("mine.yaml", HEAD + "removes: [nothing]\n")
    with pytest.raises(InputError) as caught:
        load_profile(path)
    assert list(caught.value.findings) == profile_findings(read_yaml(path))[1]


# ---- what comes after ----------------------------------------------------------------------------------------------


def test_the_hash_covers_every_file(files, emformer):
    files.write("base.yaml", load_profile("phone-npu").document.text)
    text = HEAD.replace("phone-npu", "base.yaml") + SOURCE + f"system:\n  idle_mw: {ONE}\n"
    mine = files.load("mine.yaml", text)
    digests = [hashlib.sha256((files.folder / name).read_bytes()).hexdigest() for name in ("mine.yaml", "base.yaml")]
    assert mine.files() == list(zip(("mine.yaml", "base.yaml"), digests, strict=True))
    assert mine.sha256 == hashlib.sha256("\n".join(digests).encode()).hexdigest()
    told = provenance(DesignSpace([emformer], [mine, load_profile("phone-npu")]), [])["inputs"]
    assert told[1]["sha256"] == mine.sha256
    assert [part["sha256"] for part in told[1]["parts"]] == digests
    assert "parts" not in told[2]
    before = mine.sha256
    files.write("base.yaml", load_profile("phone-npu").document.text + "# changed\n")
    assert load_profile(files.folder / "mine.yaml").sha256 != before


def test_set_reaches_what_is_inherited(files):
    mine = files.load("mine.yaml", HEAD + SOURCE + f"system:\n  idle_mw: {ONE}\n")
    for path in ("system.idle_mw", "system.busy_mw", "memory_levels.dram.read_pj_per_byte"):
        variant = change(mine, f"profile.{path}", 42.0)
        node = variant.spec
        for key in path.split("."):
            node = next(x for x in node if x.name == key) if isinstance(node, list) else getattr(node, key)
        assert (node.value, node.source) == (42.0, "set-option")
        assert variant.sha256 == mine.sha256


def test_a_layered_document_with_other_data_is_not_laid_again(files):
    mine = files.load("mine.yaml", HEAD + SOURCE + f"system:\n  idle_mw: {ONE}\n")
    data = {**mine.document.data, "title": "Other"}
    assert profile_findings(replace(mine.document, data=data))[0].title == "Other"
