"""DRAM by type: records that follow from data sheets, and levels filled from them."""

from __future__ import annotations

import json

import pytest

from foldsim import simulate
from foldsim.data import shipped_dram
from foldsim.designs.changes import change
from foldsim.hardware.memory.dram import DramSpec, level_values, read_dram, source_key, sourced_ratio
from foldsim.hardware.profile import load_profile
from foldsim.hardware.provenance import derivation_problems
from foldsim.schema.quantity import quantities

HEAD = "extends: phone-npu\nname: mine\ntitle: T\nsummary: S\n"


def exactly(number, source="lpddr5x"):
    return f"{{value: {number}, low: {number}, high: {number}, source: {source}}}"


def level(kind="lpddr4x", width=32, rate=4267, charged=0.5, more=""):
    return (
        f"memory_levels:\n  - name: dram\n    dram:\n      type: {kind}\n      width_bits: {exactly(width)}\n"
        f"      data_rate_mt_per_s: {exactly(rate)}\n"
        f"      charged_ratio: {exactly(charged, 'phone-accounting')}\n{more}"
    )


def dram_of(profile):
    return next(lv for lv in profile.spec.memory_levels if lv.name == "dram")


# ---- records -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=list(shipped_dram()))
def record(request):
    return read_dram(shipped_dram()[request.param])


def test_the_types_that_are_shipped():
    assert list(shipped_dram()) == ["lpddr3", "lpddr4", "lpddr4x", "lpddr5", "lpddr5x"]


def test_records_are_valid_without_a_warning(record):
    spec, document, findings = record
    assert findings == ()
    assert document.file.endswith(f"{spec.name}.yaml")


def test_records_follow_from_their_rules(record):
    spec, document, _ = record
    assert list(derivation_problems(spec, document, load_profile)) == []


def test_every_number_of_a_record_is_derived_or_read_from_a_sheet(record):
    """Where it is neither, its source is an assumption and says so."""
    spec = record[0]
    for path, quantity in quantities(spec):
        kind = spec.sources[quantity.source].kind
        assert quantity.rule or kind in ("datasheet", "paper", "assumption") or quantity.low == quantity.value, path


def test_deeper_states_take_less(record):
    spec = record[0]
    powers = (spec.active_standby_mw, spec.power_down_mw, spec.self_refresh_mw)
    active, down, asleep = (p.value + (i < 2) * spec.refresh_mw.value for i, p in enumerate(powers))
    assert active > down > asleep


# Device energy, core and I/O [pJ per bit], low / nominal / high: the facts page's proposal (2.2).
PROPOSED = {
    "lpddr3": (4.6, 6.5, 10), "lpddr4": (4, 8, 10), "lpddr4x": (3.5, 6, 8), "lpddr5": (3.5, 5, 7), "lpddr5x": (3, 4, 6),
}  # fmt: skip


def test_device_energies_agree_with_the_facts_page(record):
    """Nominal within a tenth, the two ranges overlap by two fifths of the proposed one or more."""
    spec = record[0]
    low, value, high = PROPOSED[spec.name]
    ours = [
        (getattr(spec.core_read_pj_per_byte, end) + getattr(spec.io_read_pj_per_byte, end)) / 8
        for end in ("low", "value", "high")
    ]
    assert ours[1] == pytest.approx(value, rel=0.1)
    assert min(ours[2], high) - max(ours[0], low) > 0.4 * (high - low)


# From the currents on the facts page (2.1): V x I, and energy over 6.4 GB/s. One die.
BY_HAND = {
    "lpddr3": {
        "core_read_pj_per_byte": 5.14 * 8,
        "core_write_pj_per_byte": 5.88 * 8,
        "active_standby_mw": 58,
        "power_down_mw": 2.1,
        "self_refresh_mw": 5.7,
        # (1.8 V x 38 mA + 1.2 V x 115 mA) x 104 / 3120
        "refresh_mw": (1.8 * 38 + 1.2 * 115) / 30,
        # 1.8 V (15 x 60 - 2 x 60) + 1.2 V (80 x 60 - 45 x 45 - 38 x 15)
        "activate_pj": 1.8 * 780 + 1.2 * 2205,
    },
    "lpddr4": {
        "core_read_pj_per_byte": 5.26 * 8,
        "io_read_pj_per_byte": 3.21 * 8,
        "active_standby_mw": 38,
        "power_down_mw": 6.3,
        "self_refresh_mw": 1.2,
        "refresh_mw": (1.8 * 7.75 + 1.1 * 60) * 448 / 6246,
        "activate_pj": 1200,
        "row_bytes": 2048,
    },
}


@pytest.mark.parametrize("name", BY_HAND)
def test_records_are_what_the_currents_give(name):
    spec = read_dram(shipped_dram()[name])[0]
    for field, number in BY_HAND[name].items():
        assert getattr(spec, field).value == pytest.approx(number, rel=0.01), field


def test_writing_lpddr4_by_hand():
    """5.0 pJ/bit: core (210 - 30) mA and I/O (55 - 0.75) mA at 1.1 V over 51.2 Gbit/s."""
    spec = read_dram(shipped_dram()["lpddr4"])[0]
    total = spec.core_write_pj_per_byte.value + spec.io_write_pj_per_byte.value
    assert total / 8 == pytest.approx(1.1 * (180 + 54.25) / 51.2, rel=0.005)
    assert total / 8 == pytest.approx(5.0, abs=0.05)


EXACT = {"source": "s"}
# LPDDR4 of 32 bits at 3200 MT/s from the record: value, low, high. A row: 1205 / (2048 x 0.5) = 1.177 pJ per byte,
# 1205 / (4096 x 1) = 0.294 at least, 1205 / (2048 x 0.125) = 4.707 at most; dies: 32 / 16, 32 / 32 at least.
LPDDR4_LEVEL = {
    "bandwidth_gb_per_s": (12.8, 12.8, 12.8),  # 4 bytes x 3.2 G/s
    "bandwidth_efficiency_ratio": (0.512, 0.3, 0.7),
    "read_pj_per_byte": (108.97676, 58.19419, 152.50703),  # 42.1 + 25.7 + 40, 21.1 + 12.8 + 24, 42.1 + 25.7 + 80
    "write_pj_per_byte": (81.39676, 44.45419, 124.92703),  # 30.9 + 9.32 + 40, 15.5 + 4.66 + 24, 30.9 + 9.32 + 80
    "static_mw": (0, 0, 0),
    "retention_mw": (0, 0, 0),
}
LPDDR4_BACKGROUND = {
    "active_standby_mw": (87.26, 39.83, 87.26),  # 2 (37.9 + 5.73), 34.1 + 5.73
    "power_down_mw": (24.04, 7.85, 24.04),  # 2 (6.29 + 5.73), 2.12 + 5.73
    "self_refresh_mw": (2.4, 1.2, 11.44),  # 2 x 1.2, 1.2, 2 x 5.72
}


def _exact(number):
    return {"value": number, "low": number, "high": number, **EXACT}


def _ends(value):
    return (value["value"], value["low"], value["high"])


def _lpddr4_values(**changes):
    record = read_dram(shipped_dram()["lpddr4"])[0]
    use = {"type": "lpddr4", "width_bits": _exact(32), "data_rate_mt_per_s": _exact(3200), **changes}
    return record, level_values(record, use, "dram")


def test_an_lpddr4_level_by_numbers():
    record, values = _lpddr4_values()
    for key, numbers in LPDDR4_LEVEL.items():
        assert _ends(values[key]) == pytest.approx(numbers, rel=1e-6), key
    for key, numbers in LPDDR4_BACKGROUND.items():
        assert _ends(values["background"][key]) == pytest.approx(numbers, rel=1e-9), key
    assert _ends(values["background"]["charged_ratio"]) == (1, 1, 1)
    assert values["bandwidth_gb_per_s"]["source"] == "s"
    assert values["read_pj_per_byte"]["source"] == "dram:lpddr4"
    assert sourced_ratio(record, "read_pj_per_byte") == pytest.approx(67.8 / 108.97676, rel=1e-6)
    assert sourced_ratio(record, "write_pj_per_byte") == pytest.approx(40.22 / 81.39676, rel=1e-6)
    assert [sourced_ratio(record, key) for key in (*LPDDR4_BACKGROUND, "static_mw")] == [1, 1, 1, 1]


def test_dies_are_counted_where_their_number_is_given():
    _, values = _lpddr4_values(dies_count=_exact(3))
    assert _ends(values["background"]["active_standby_mw"]) == pytest.approx((130.89, 119.49, 130.89))
    assert _ends(values["background"]["self_refresh_mw"]) == pytest.approx((3.6, 3.6, 17.16))


def test_by_default_a_level_is_one_die_at_the_fastest_rate():
    """16 (to 32) bits at 4267 (from 3200) MT/s."""
    record = read_dram(shipped_dram()["lpddr4"])[0]
    values = level_values(record, {"type": "lpddr4"}, "dram")
    assert _ends(values["bandwidth_gb_per_s"]) == pytest.approx((8.534, 6.4, 17.068))
    assert values["background"]["idle_state"] == "self_refresh"


# ---- levels --------------------------------------------------------------------------------------------------------


def test_a_level_is_filled_by_hand(files):
    """LPDDR4X, 32 bits at 4267 MT/s: 17.068 GB/s, the sum of four terms per byte, two dies of 16 bits."""
    dram = dram_of(files.load("mine.yaml", HEAD + level()))
    assert dram.bandwidth_gb_per_s.value == pytest.approx(4 * 4.267)
    spec = read_dram(shipped_dram()["lpddr4x"])[0]
    row = spec.activate_pj.value / (2048 * 0.5)
    by_hand = spec.core_read_pj_per_byte.value + spec.io_read_pj_per_byte.value + 40 + row
    assert dram.read_pj_per_byte.value == pytest.approx(by_hand)
    assert row == pytest.approx(1.18, abs=0.01)
    assert dram.read_pj_per_byte.source == source_key("lpddr4x")
    assert dram.background.active_standby_mw.value == pytest.approx(2 * (37.9 + 5.73))
    assert dram.background.self_refresh_mw.value == pytest.approx(2 * 1.2)
    assert (dram.background.idle_state, dram.background.charged_ratio.value) == ("self_refresh", 0.5)
    assert (dram.kind, dram.on_chip, dram.keeps_data, dram.clock) == ("dram", False, True, "own")
    assert dram.bandwidth_efficiency_ratio.value == 0.45, "inherited: a property of the system"


def test_the_range_of_a_filled_energy_adds_all_ends(files):
    dram = dram_of(files.load("mine.yaml", HEAD + level()))
    spec = read_dram(shipped_dram()["lpddr4x"])[0]
    parts = (spec.core_read_pj_per_byte, spec.io_read_pj_per_byte, spec.controller_pj_per_byte)
    low = sum(p.low for p in parts) + spec.activate_pj.low / (4096 * 1.0)
    high = sum(p.high for p in parts) + spec.activate_pj.high / (2048 * 0.125)
    assert (dram.read_pj_per_byte.low, dram.read_pj_per_byte.high) == pytest.approx((low, high))


def test_a_filled_level_is_valid_and_follows(files):
    assert files.findings("mine.yaml", HEAD + level()) == []


def test_what_is_written_goes_before_the_record(files):
    more = f"    read_pj_per_byte: {exactly(99)}\n    background:\n      self_refresh_mw: {exactly(7)}\n"
    dram = dram_of(files.load("mine.yaml", HEAD + level(more=more)))
    assert (dram.read_pj_per_byte.value, dram.read_pj_per_byte.source) == (99, "lpddr5x")
    assert (dram.background.self_refresh_mw.value, dram.background.power_down_mw.value) == (
        7,
        pytest.approx(2 * (6.29 + 5.73)),
    )


def test_dies_can_be_counted(files):
    more = f"      dies_count: {exactly(4)}\n      idle_state: power_down\n"
    dram = dram_of(files.load("mine.yaml", HEAD + level(more=more)))
    assert dram.background.active_standby_mw.value == pytest.approx(4 * (37.9 + 5.73))
    assert dram.background.self_refresh_mw.value == pytest.approx(4 * 1.2)
    assert dram.background.idle_state == "power_down"
    assert files.findings("mine.yaml", HEAD + level(more=more)) == []


def test_set_moves_what_follows(files):
    mine = files.load("mine.yaml", HEAD + level())

    def changed(path, value):
        variant = change(mine, f"profile.memory_levels.dram.{path}", value)
        return dram_of(variant)

    assert changed("dram.width_bits", 64.0).bandwidth_gb_per_s.value == pytest.approx(8 * 4.267)
    assert changed("dram.type", "lpddr5").read_pj_per_byte.source == source_key("lpddr5")
    assert changed("dram.charged_ratio", 1.0).background.charged_ratio.value == 1.0
    assert changed("read_pj_per_byte", 50.0).read_pj_per_byte.value == 50.0
    assert changed("background.charged_ratio", 0.9).background.charged_ratio.value == 0.9
    assert changed("bandwidth_gb_per_s", 3.0).bandwidth_gb_per_s.value == 3.0


def test_the_hash_covers_the_record(files):
    mine = files.load("mine.yaml", HEAD + level())
    assert [name for name, _ in mine.files()] == ["mine.yaml", "phone-npu.yaml", "lpddr4x.yaml"]


def test_a_derived_profile_may_change_the_type_only(files):
    files.write("base.yaml", HEAD + level())
    text = "extends: base.yaml\nname: top\ntitle: T\nsummary: S\n"
    top = dram_of(files.load("top.yaml", text + "memory_levels:\n  - name: dram\n    dram: {type: lpddr4}\n"))
    assert top.read_pj_per_byte.source == source_key("lpddr4")
    assert top.bandwidth_gb_per_s.value == pytest.approx(4 * 4.267)


def test_a_new_level_needs_little(files):
    text = HEAD + "removes: [memory_levels.dram]\nmemory_levels:\n  - name: slc\n  - name: far\n"
    text += level().partition("name: dram\n")[2]
    text += f"    capacity_bytes: {exactly(1000000000)}\n    usable_ratio: {exactly(0.5)}\n"
    assert files.findings("mine.yaml", text) == []
    far = files.load("mine.yaml", text).spec.memory_levels[-1]
    assert (far.name, far.bandwidth_efficiency_ratio.value) == ("far", 0.512)
    assert simulate("emformer-rnnt-base", files.folder / "mine.yaml").totals["power_mw"] > 0


def test_a_record_of_ones_own(files):
    text = shipped_dram()["lpddr4x"].read_text().replace("name: lpddr4x", "name: mine-ram")
    files.write(
        "ram.yaml", text.replace("value: 40\n", "value: 39\n").replace("value: 5, low: 3", "value: 4.88, low: 3")
    )
    dram = dram_of(files.load("mine.yaml", HEAD + level("./ram.yaml")))
    assert dram.read_pj_per_byte.source == source_key("mine-ram")


# ---- errors --------------------------------------------------------------------------------------------------------


def test_unknown_types_are_told_once(files):
    (finding,) = files.findings("mine.yaml", HEAD + level("LPDDR4Y"))
    assert (finding.line, finding.column, finding.suggestion) == (8, 13, "lpddr4")
    assert finding.allowed == "lpddr3, lpddr4, lpddr4x, lpddr5, lpddr5x"
    (finding,) = files.findings("mine.yaml", HEAD + level("./none.yaml"))
    assert finding.message.startswith("file ")
    assert finding.message.endswith("none.yaml' not found")


def test_a_broken_section_is_told_without_what_follows_from_it(files):
    text = HEAD + level().replace("width_bits", "width_bytes")
    assert {f.line for f in files.findings("mine.yaml", text)} == {9}


def test_a_broken_record_is_told_in_its_own_file(files):
    files.write("ram.yaml", shipped_dram()["lpddr4x"].read_text().replace("low: 24", "low: 99"))
    findings = files.findings("mine.yaml", HEAD + level("./ram.yaml"))
    assert any(f.file.endswith("ram.yaml") and "out of order" in f.message for f in findings)


def test_a_rate_beyond_the_type_is_warned_of(files):
    (finding,) = files.findings("mine.yaml", HEAD + level(rate=6400))
    assert (finding.severity, finding.allowed, finding.line) == ("warning", "at most 4267", 10)


def test_filled_values_are_plain_data():
    spec: DramSpec = read_dram(shipped_dram()["lpddr5x"])[0]
    values = level_values(spec, {"type": "lpddr5x"}, "dram")
    assert json.loads(json.dumps(values)) == values
