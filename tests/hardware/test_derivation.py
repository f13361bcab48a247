"""Named rules: numbers from the published tables and by hand, and what is said where a number does not follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldsim.hardware.derivation import RULES
from foldsim.hardware.profile import load_profile
from foldsim.hardware.provenance import agrees
from foldsim.hardware.technology import COMPOUNDS, OPERATIONS, Band, datapath_pj, sram_pj_per_byte, stillmaker_baas

HEAD = "extends: phone-npu\nname: mine\ntitle: T\nsummary: S\n"
SOURCE = "sources:\n  mine: {title: A data sheet, kind: datasheet, url: 'https://example.org'}\n"


def rule(name, **parameters):
    return RULES[name].model_validate({"name": name, **parameters})


# ---- technology ----------------------------------------------------------------------------------------------------

# Energy relative to 45 nm at 0.9 V: facts page 1.2, worked out there from the coefficients of Stillmaker and Baas.
FACTORS = {
    0.9: {28: 0.507, 22: 0.305, 16: 0.187, 7: 0.102},
    0.8: {28: 0.421, 22: 0.241, 16: 0.142, 7: 0.077},
    0.7: {28: 0.354, 22: 0.189, 16: 0.105, 7: 0.057},
    0.6: {28: 0.305, 22: 0.148, 16: 0.074, 7: 0.040},
}


@pytest.mark.parametrize("volts", FACTORS)
@pytest.mark.parametrize("node", [28, 22, 16, 7])
def test_stillmaker_and_baas(node, volts):
    found = stillmaker_baas(node, volts) / stillmaker_baas(45, 0.9)
    assert round(found, 3) == FACTORS[volts][node]


def test_below_seven_nanometres_energy_falls_with_the_root_of_the_node():
    """0.845 at 5, 0.756 at 4, 0.655 at 3 nm."""
    found = [stillmaker_baas(node, 0.75) / stillmaker_baas(7, 0.75) for node in (5, 4, 3)]
    assert found == pytest.approx([0.845, 0.756, 0.655], abs=5e-4)


@pytest.mark.parametrize(
    ("name", "at_45", "at_7"),
    [("int8_mac", 0.2 + 0.1, 0.07 + 0.03), ("fp16_mac", 1.1 + 0.9, 0.34 + 0.38), ("fp32_mac", 3.7 + 0.9, 1.31 + 0.38)],
)
def test_a_datapath_is_its_table_where_there_is_one(name, at_45, at_7):
    assert datapath_pj(name, 45, 0.9).value == pytest.approx(at_45)
    assert datapath_pj(name, 7, 0.75).value == pytest.approx(at_7)


# int8 and fp16 MAC by node and voltage, low / nominal / high [pJ]: the facts page's proposal (1.3), found by hand from
# the same tables. Ours must lie within 30 % of the nominal, and the two ranges must be alike.
PROPOSED = [
    ("int8_mac", 45, 0.9, 0.25, 0.30, 0.40),
    ("int8_mac", 28, 0.9, 0.12, 0.15, 0.25),
    ("int8_mac", 22, 0.8, 0.06, 0.10, 0.20),
    ("int8_mac", 16, 0.8, 0.04, 0.08, 0.15),
    ("int8_mac", 7, 0.75, 0.02, 0.08, 0.10),
    ("int8_mac", 5, 0.75, 0.017, 0.07, 0.10),
    ("fp16_mac", 45, 0.9, 1.5, 2.0, 2.5),
    ("fp16_mac", 28, 0.9, 0.8, 1.0, 1.5),
    ("fp16_mac", 22, 0.8, 0.4, 0.7, 1.2),
    ("fp16_mac", 16, 0.8, 0.3, 0.6, 1.0),
    ("fp16_mac", 7, 0.75, 0.13, 0.6, 0.72),
]


@pytest.mark.parametrize(("name", "node", "volts", "low", "value", "high"), PROPOSED)
def test_datapaths_agree_with_the_facts_page(name, node, volts, low, value, high):
    found = datapath_pj(name, node, volts)
    assert found.value == pytest.approx(value, rel=0.3)
    assert found.low == pytest.approx(low, rel=0.25)
    assert found.high == pytest.approx(high, rel=0.15)


@given(st.sampled_from(sorted((*OPERATIONS, *COMPOUNDS))), st.floats(2.0, 130.0), st.floats(0.5, 1.2))
def test_datapaths_are_ordered_and_above_zero(name, node, volts):
    found = datapath_pj(name, node, volts)
    assert 0 < found.low <= found.value <= found.high


@given(st.floats(2.0, 45.0), st.floats(0.5, 1.1), st.floats(0.01, 0.1))
def test_a_higher_voltage_costs_more(node, volts, more):
    """Above 45 nm the fits have their minimum near 0.5 V and do not reach below."""
    for low, high in zip(
        datapath_pj("int8_mac", node, volts), datapath_pj("int8_mac", node, volts + more), strict=True
    ):
        assert low < high


def test_sram_is_cacti_at_its_nodes_and_meets_jouppi():
    """26.6 pJ per 64 bit at 22 nm and 1 MB (CACTI); 14 pJ at 7 nm (Jouppi), 8.5 pJ for 32 KB."""
    assert sram_pj_per_byte(2**20, 22, 0.8, 64, write=False).value == pytest.approx(26.587 / 8)
    assert sram_pj_per_byte(2**21, 22, 0.8, 128, write=True).value == pytest.approx(54.549 / 16)
    assert sram_pj_per_byte(2**20, 7, 0.75, 64, write=False).value == pytest.approx(14 / 8, rel=0.01)
    assert sram_pj_per_byte(2**15, 7, 0.75, 64, write=False).high >= 8.5 / 8


@given(st.floats(1024, 2**25), st.floats(3.0, 60.0))
def test_larger_memories_cost_more(capacity, node):
    small, large = (sram_pj_per_byte(size, node, 0.8, 64, write=False) for size in (capacity, 2 * capacity))
    assert small.value < large.value
    assert small.low <= small.value <= small.high


# ---- rules ---------------------------------------------------------------------------------------------------------


def test_arithmetic():
    two, three = Band(2, 1, 4), Band(3, 3, 6)
    assert rule("ratio", ratio={"value": 0.5, "low": 0.25, "high": 1}).give([two]) == (1, 0.25, 4)
    assert rule("sum", factor=8).give([two, three]) == (40, 32, 80)
    assert rule("product").give([two, three]) == (6, 3, 24)
    assert rule("quotient").give([two, three]) == pytest.approx((2 / 3, 1 / 6, 4 / 3))
    assert rule("geometric_mean").give([two, Band(8, 7, 9)]) == pytest.approx((4, 1, 9))
    assert rule("envelope").give([three, two]) == (3, 1, 6)
    assert rule("bus").give([Band(64, 64, 64), Band(8400, 8400, 8400)]) == pytest.approx((67.2,) * 3)


def test_idd_energies_by_hand():
    """LPDDR4 of the facts page: 5.26 + 3.21 pJ/bit of core and I/O at 16 bits, half at 32; 1.2 nJ per row."""
    width = {"value": 16, "low": 16, "high": 32}
    rails = [
        {"voltage_v": 1.8, "active_ma": 2.25, "standby_ma": 2.25},
        {"voltage_v": 1.1, "active_ma": 275, "standby_ma": 30},
    ]
    core = rule("idd", rails=rails, data_rate_mt_per_s=3200, width_bits=width).give([])
    assert [x / 8 for x in core] == pytest.approx([5.26, 2.63, 5.26], abs=5e-3)
    rails = [{"voltage_v": 1.1, "active_ma": 150, "standby_ma": 0.75}]
    pins = rule("idd", rails=rails, data_rate_mt_per_s=3200, width_bits=width).give([])
    assert pins.value / 8 == pytest.approx(3.21, abs=5e-3)
    rails = [
        {"voltage_v": 1.8, "active_ma": 3.5, "standby_ma": 2.25, "precharged_ma": 2},
        {"voltage_v": 1.1, "active_ma": 45, "standby_ma": 30, "precharged_ma": 27},
    ]
    row = rule("idd_activate", rails=rails, row_cycle_ns=97 * 0.625, row_active_ns=68 * 0.625).give([])
    assert row.value / 1000 == pytest.approx(1.2, abs=0.01)
    asleep = rule("idd_power", rails=[{"voltage_v": 1.8, "active_ma": 0.3}, {"voltage_v": 1.1, "active_ma": 0.6}])
    assert asleep.give([]).value == pytest.approx(1.2)


def test_voltage_within_a_node_is_exact_and_across_nodes_a_range():
    inside = rule("stillmaker_baas", node_nm=22, voltage_v=0.65, from_node_nm=22, from_voltage_v=0.8)
    scale = stillmaker_baas(22, 0.65) / stillmaker_baas(22, 0.8)
    assert inside.give([Band(1, 1, 1)]) == pytest.approx((scale,) * 3)
    across = rule("stillmaker_baas", node_nm=7, voltage_v=0.9, from_node_nm=45, from_voltage_v=0.9)
    found = across.give([Band(1, 1, 1)])
    assert found.low == pytest.approx(0.102, abs=5e-4), "gates"
    assert found.high == pytest.approx(0.32, abs=5e-3), "Horowitz to Jouppi: 0.33 for an int8 MAC"
    assert found.low < found.value < found.high


def test_a_datapath_with_its_overhead():
    bare = datapath_pj("int8_mac", 7, 0.75)
    found = rule(
        "datapath", operation="int8_mac", node_nm=7, voltage_v=0.75, overhead_ratio={"value": 5, "low": 3, "high": 8}
    ).give([])
    assert found == pytest.approx((bare.value * 5, bare.low * 3, bare.high * 8))


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_what_it_does(name):
    assert len(RULES[name].__doc__) > 20
    for field, info in RULES[name].model_fields.items():
        assert field == "name" or info.description or info.metadata, field


# ---- agreement -----------------------------------------------------------------------------------------------------


@given(st.floats(1e-6, 1e9), st.integers(2, 6))
def test_a_number_agrees_with_itself_rounded(number, digits):
    assert agrees(float(f"{number:.{digits - 1}e}"), number)
    assert agrees(number, number)


def test_what_is_more_than_rounding_does_not_agree():
    assert not agrees(80, 81)
    assert not agrees(0.25, 0.256)
    assert agrees(0.25, 0.2599, 1.0), "an end may be rounded either way"
    assert not agrees(0, 1)


def energy(text):
    return HEAD + SOURCE + f"memory_levels:\n  - name: dram\n    read_pj_per_byte: {text}\n"


def test_a_number_that_follows_is_valid(files):
    text = "{value: 40, low: 28, high: 72, source: mine, from: ['phone-npu:memory_levels.dram.read_pj_per_byte'],"
    assert files.findings("mine.yaml", energy(text + " rule: {name: ratio, ratio: 0.5}}")) == []
    text = "{value: 80, low: 56, high: 144, source: mine, from: ['phone-npu:memory_levels.dram.read_pj_per_byte']}"
    assert files.findings("mine.yaml", energy(text)) == []
    text = (
        "{value: 80, low: 24, high: 80, source: mine, rule: {name: sum, factor: 8},"
        " from: [{what: 'energy [pJ per bit]', value: 10, low: 3, source: mine}]}"
    )
    assert files.findings("mine.yaml", energy(text)) == []


def test_a_number_that_does_not_follow_is_located_with_what_does(files):
    text = "{value: 44, low: 28, high: 74, source: mine, from: ['phone-npu:memory_levels.dram.read_pj_per_byte'],"
    (finding,) = files.findings("mine.yaml", energy(text + " rule: {name: ratio, ratio: 0.5}}"))
    assert "value 44 instead of 40; high 74 instead of 72" in finding.message
    assert finding.suggestion == "value: 40, low: 28, high: 72"
    assert (finding.line, finding.column) == (9, 31)


@pytest.mark.parametrize(
    ("text", "told", "suggestion"),
    [
        ("from: ['phone-nup:system.idle_mw']", "profile 'phone-nup' not found", "phone-npu"),
        ("from: ['phone-npu:system.idel_mw']", "'idel_mw' not found in system", "idle_mw"),
        ("from: ['phone-npu:memory_levels.darm.static_mw']", "'darm' not found in memory_levels", "dram"),
        ("from: [':system']", "not a value with a range", None),
        ("from: [idle]", "is not a reference", None),
        ("from: ['dram/lpddr9:activate_pj']", "DRAM type 'lpddr9' not found", None),
        ("rule: {name: rato, ratio: 2}", "rule 'rato' not found", "ratio"),
        ("from: [':system.idle_mw'], rule: {name: ratio, raito: 2}", "unknown key `raito`", "ratio"),
        ("from: twice that, rule: {name: ratio, ratio: 2}", "takes 1 value from a list in `from`, not text", None),
        ("rule: {name: geometric_mean}", "takes 2 or more values from a list in `from`, not 0", None),
        ("from: [':system.idle_mw', ':system.busy_mw']", "no rule that combines them", None),
        ("from: ['phone-npu:memory_levels.vtcm.read_pj_per_byte']", "its rule ratio (1 by default): value 80", None),
        (
            "rule: {name: datapath, operation: int8_mac, node_nm: 7, voltage_v: 7.5}",
            "`voltage_v` must be at most 1.3",
            None,
        ),
        (
            "rule: {name: datapath, operation: int8_mac, node_nm: 7, voltage_v: 0.75}",
            "gives a value in pj or pj_per_mac, which 'read_pj_per_byte' is not",
            None,
        ),
        (
            "from: [':system.busy_mw', ':memory_levels.slc.retention_mw'], rule: {name: quotient}",
            "the rule quotient gives no finite value",
            None,
        ),
    ],
)
def test_what_cannot_be_derived_is_told(files, text, told, suggestion):
    findings = files.findings("mine.yaml", energy("{value: 80, low: 56, high: 144, source: mine, " + text + "}"))
    assert any(told in finding.message for finding in findings), findings
    (finding,) = (f for f in findings if told in f.message)
    assert finding.line == 9
    if suggestion:
        assert finding.suggestion == suggestion


def test_derivations_are_checked_where_they_were_inherited_from(files):
    base = load_profile("phone-npu").document.text
    wrong = base.replace('rule: "times 8"}', "rule: {name: ratio, ratio: 3}}", 1)
    files.write("base.yaml", wrong)
    findings = files.findings("mine.yaml", HEAD.replace("phone-npu", "base.yaml") + "policy: mid\n")
    assert [finding.file.rpartition("/")[2] for finding in findings] == ["base.yaml"]


def test_words_are_left_alone(files):
    text = "{value: 80, low: 56, high: 144, source: mine, from: about 10 pJ/bit, rule: times 8}"
    assert files.findings("mine.yaml", energy(text)) == []
