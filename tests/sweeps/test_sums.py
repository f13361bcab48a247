"""Parts add up to the whole, to 1e-9: ops to components to designs, energy terms to columns, power parts to
power."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from foldsim.api import simulate
from foldsim.designs.changes import parse_set
from foldsim.model.energy import busy_terms
from foldsim.model.power import chunk_terms
from foldsim.sweeps import engine
from foldsim.sweeps.breakdown import op_activity, op_terms, system_terms
from foldsim.sweeps.columns import columns
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.compression.text import parse_compression

CHUNKS_MS = (40.0, 160.0, 480.0, 1280.0)
FOLD = (1, 2, 4)
REL = 1e-9
ADDITIVE = [name for name, column in columns().items() if column.additive and column.group != "by"]
# Variants that every profile accepts, and what they are meant to stir.
VARIANTS = [
    (),
    ("workload.precision.weights=int4,int8",),
    ("workload.decoding.beam_count=1,4", "workload.streaming.right_context_tokens=0,3"),
    ("workload.streaming.memory_bank_tokens=4", "profile.system.wake_ms=0,5"),
    ("profile.system.idle_mw=0,12", "profile.system.busy_mw=7"),
]


def space_of(workload, profile, sets=(), **options):
    return DesignSpace([workload], [profile], CHUNKS_MS, FOLD, sets=dict(parse_set(s) for s in sets), **options)


def run(space, by):
    return engine.run(dataclasses.replace(space, by=by))


def assert_close(found, expected, what):
    scale = np.maximum(np.abs(expected), 1e-300)
    worst = np.max(np.abs(found - expected) / scale)
    assert worst <= REL, f"{what}: relative difference {worst:.3g}"


def sums_of(table, rows_per_design, name):
    return table[name].astype(float).reshape(-1, rows_per_design).sum(axis=1)


def check_sums(space):
    """Every additive column of components and of ops adds up, design by design; design columns agree."""
    total = run(space, "total")
    for by in ("component", "op"):
        table = run(space, by)
        per_design = len(table["chunk_ms"]) // len(total["chunk_ms"])
        assert per_design * len(total["chunk_ms"]) == len(table["chunk_ms"])
        for name in ("chunk_ms", "fold_factor", *space.sets):
            assert (table[name].reshape(-1, per_design) == total[name][:, None]).all()
        for name in ADDITIVE:
            assert_close(sums_of(table, per_design, name), total[name].astype(float), f"{name} by {by}")
    ops, components = run(space, "op"), run(space, "component")
    key = [ops[n].astype(object) for n in ("chunk_ms", "fold_factor", "component", *space.sets)]
    of = [components[n].astype(object) for n in ("chunk_ms", "fold_factor", "component", *space.sets)]
    index = {row: i for i, row in enumerate(zip(*of, strict=True))}
    owner = np.array([index[row] for row in zip(*key, strict=True)])
    for name in ADDITIVE:
        by_component = np.bincount(owner, ops[name].astype(float), len(index))
        expected = components[name].astype(float)
        assert np.allclose(by_component, expected, rtol=REL, atol=1e-9 * np.abs(expected).max()), name
    return total


@pytest.mark.parametrize("sets", VARIANTS, ids=lambda s: ";".join(s) or "as shipped")
def test_ops_add_up_to_components_and_designs(emformer, shipped_profile, sets):
    check_sums(space_of(emformer, shipped_profile, sets))


@pytest.mark.parametrize("policy", ["race-to-idle", "slowest-real-time", "first", "last"])
@pytest.mark.parametrize("placement", ["auto", "dram", "pinned:joiner"])
def test_sums_hold_under_every_policy_and_placement(emformer, shipped_profile, policy, placement):
    names = [point.name for point in shipped_profile.spec.operating_points]
    policy = {"first": names[0], "last": names[-1]}.get(policy, policy)
    check_sums(space_of(emformer, shipped_profile, policy=policy, placement=placement))


@pytest.mark.parametrize(
    "options",
    [
        {"fold_layers": "1-10", "fold_scope": "attention+feedforward", "fold_heads": "keep_heads"},
        {"fold_layers": "every:3", "fold_scope": "attention", "fold_heads": "keep_head_dim"},
    ],
    ids=str,
)
def test_sums_hold_for_other_foldings(emformer, shipped_profile, options):
    check_sums(space_of(emformer, shipped_profile, **options))


COMPRESSIONS = [
    "all=int4-g32",
    "encoder.attention=lowrank-64+int3,encoder=drop-every4,joiner=codebook",
    "all=prune-0.8-run4-gated,encoder.feedforward=2:4-skips+qsq",
]


@pytest.mark.parametrize("text", COMPRESSIONS)
def test_sums_hold_for_compressed_weights(emformer, shipped_profile, text):
    """Components, ops, terms, levels and tensors; decoding is among the terms."""
    space = space_of(emformer, shipped_profile, compress=[parse_compression(text)])
    total = check_sums(space)
    points = len(total["chunk_ms"])
    terms, tensors = run(space, "term"), run(space, "tensor")
    for name in ("power_mw", "power_low_mw", "power_high_mw", "energy_per_chunk_uj"):
        assert_close(terms[name].reshape(points, -1).sum(axis=1), total[name], name)
    laws = shipped_profile.spec.compute_units[0].power_law is not None
    assert any(name.startswith("decode") for name in terms["term"]) != laws
    stored = tensors["stored_bytes"].reshape(points, -1).sum(axis=1)
    assert_close(stored, total["weights_bytes"] + total["state_bytes"], "stored_bytes")


@pytest.mark.parametrize("text", COMPRESSIONS)
def test_terms_of_a_compressed_design_add_up(emformer, shipped_profile, text):
    """`simulate`; and what decoding takes is the same in the terms and in what it says of compression."""
    result = explained(emformer.compress(text), shipped_profile, 160.0, 2)
    t, terms = result.totals, result.power_terms
    assert sum(x.power_mw for x in terms) == pytest.approx(t["power_mw"], rel=REL)
    assert sum(x.low_mw for x in terms) == pytest.approx(t["power_low_mw"], rel=REL)
    assert sum(x.high_mw for x in terms) == pytest.approx(t["power_high_mw"], rel=REL)
    for name in ADDITIVE:
        assert sum(result.ops[name]) == pytest.approx(t[name], rel=REL), name
    decoding = sum(x.power_mw for x in terms if x.name.startswith("decode"))
    assert sum(x.decode_per_chunk_uj for x in result.compression) == pytest.approx(decoding * 160, rel=REL)


def test_profile_numbers_as_axes_add_up_too(emformer, load_profile):
    """Levels, operating points and shares moved together; two of them move the same number of the model."""
    phone = load_profile("phone-npu")
    sets = (
        "profile.memory_levels.dram.background.charged_ratio=0.2,1",
        "profile.memory_levels.dram.background.active_standby_mw=30,60",
        "profile.memory_levels.vtcm.capacity_bytes=1000000,64000000,500000000",
        "profile.operating_points.low.voltage_v=0.55,0.6",
    )
    total = check_sums(space_of(emformer, phone, sets, policy="low"))
    assert len(np.unique(total["power_mw"])) == len(total["power_mw"])


def test_power_parts_add_up_to_power(emformer, shipped_profile):
    """In designs, components and ops; energy per chunk is power times the chunk."""
    for by in ("total", "component", "op"):
        table = run(space_of(emformer, shipped_profile), by)
        parts = sum(table[f"power_{part}_mw"] for part in ("compute", "onchip", "dram", "static"))
        assert np.allclose(parts, table["power_mw"], rtol=REL, atol=0)
        assert np.allclose(table["energy_per_chunk_uj"], table["power_mw"] * table["chunk_ms"], rtol=REL, atol=0)


def test_rates_follow_from_counts(emformer, shipped_profile):
    """Per second of audio = per chunk over the chunk; real-time factor and verdict; memory; latency."""
    t = run(space_of(emformer, shipped_profile), "total")
    chunk_s = t["chunk_ms"] / 1e3
    assert_close(t["macs_per_audio_s"] * chunk_s, t["macs_per_chunk"], "MACs")
    assert_close(t["dram_bytes_per_audio_s"] * chunk_s + 1, t["dram_bytes_per_chunk"] + 1, "bytes")
    assert_close(t["rtf"] * t["chunk_ms"], t["busy_ms_per_chunk"], "busy time")
    assert (t["realtime"] == (t["rtf"] <= 1)).all()
    runtime = shipped_profile.spec.system.runtime_bytes.value
    memory = t["weights_bytes"] + t["state_bytes"] + t["activation_peak_bytes"] + runtime
    assert_close(memory, t["memory_bytes"], "memory")
    waiting = t["latency_ms"] - t["busy_ms_per_chunk"]
    wake = shipped_profile.spec.system.wake_ms.value
    asleep = t["busy_ms_per_chunk"] + wake < t["chunk_ms"]
    assert np.allclose(waiting, np.where(asleep, wake, 0), atol=1e-9 * np.maximum(t["latency_ms"], 1))


def test_savings_are_against_the_same_design_unfolded(emformer, shipped_profile):
    t = run(space_of(emformer, shipped_profile, ("profile.system.idle_mw=0,12",)), "total")
    index = {(c, s, f): i for i, (c, s, f) in
             enumerate(zip(t["chunk_ms"], t["profile.system.idle_mw"], t["fold_factor"], strict=True))}  # fmt: skip
    for (chunk, idle, _), i in index.items():
        base = index[chunk, idle, 1]
        power = 1 - t["power_mw"][i] / t["power_mw"][base]
        memory = 1 - t["memory_bytes"][i] / t["memory_bytes"][base]
        assert t["power_saving_ratio"][i] == pytest.approx(power, abs=1e-12)
        assert t["memory_saving_ratio"][i] == pytest.approx(memory, abs=1e-12)


def explained(workload, profile, chunk_ms, factor):
    return simulate(workload.fold(factor) if factor > 1 else workload, profile, chunk_ms)


@pytest.mark.parametrize("chunk_ms", CHUNKS_MS)
@pytest.mark.parametrize("factor", FOLD)
def test_energy_terms_add_up_to_power_columns(emformer, shipped_profile, chunk_ms, factor):
    """`simulate`: nominal, low and high, and every part."""
    result = explained(emformer, shipped_profile, chunk_ms, factor)
    t, terms = result.totals, result.power_terms
    assert sum(x.power_mw for x in terms) == pytest.approx(t["power_mw"], rel=REL)
    assert sum(x.low_mw for x in terms) == pytest.approx(t["power_low_mw"], rel=REL)
    assert sum(x.high_mw for x in terms) == pytest.approx(t["power_high_mw"], rel=REL)
    for part in ("compute", "onchip", "dram", "static"):
        mine = sum(x.power_mw for x in terms if x.part == part)
        assert mine == pytest.approx(t[f"power_{part}_mw"], rel=REL)
    assert {x.part for x in terms} <= {"compute", "onchip", "dram", "static"}
    assert len({x.name for x in terms}) == len(terms)


def test_ops_of_simulate_add_up(emformer, shipped_profile):
    result = explained(emformer, shipped_profile, 160.0, 2)
    for name in ADDITIVE:
        assert sum(result.ops[name]) == pytest.approx(result.totals[name], rel=REL), name


def test_homes_hold_every_read_once(emformer, shipped_profile):
    for home in explained(emformer, shipped_profile, 160.0, 2).homes:
        assert sum(home.served_ratio.values()) == pytest.approx(1.0, rel=REL)
        assert all(0 <= share <= 1 for share in home.served_ratio.values())


def test_homes_store_all_weights_and_state(emformer, shipped_profile):
    result = explained(emformer, shipped_profile, 160.0, 2)
    stored = sum(home.stored_bytes for home in result.homes)
    assert stored == pytest.approx(result.totals["weights_bytes"] + result.totals["state_bytes"], rel=REL)


@pytest.mark.parametrize("end", ["nominal", "low", "high"])
def test_terms_of_ops_add_up_to_terms_of_the_design(emformer, shipped_profile, end):
    """Term by term: busy terms of all ops and the terms of the system, against those of the whole chunk."""
    space = space_of(emformer, shipped_profile)
    design = space.common(emformer, shipped_profile)
    chosen = engine.batch_of(design, space.chunks(emformer.spec), space.fold_factors(emformer.spec)).points
    result = chosen.evaluate(chosen.lower(), shipped_profile.bands("int8"))
    hardware = getattr(result.bands, end)
    supply = {"nominal": result.supply, "low": result.low_supply, "high": result.high_supply}[end]
    whole = {t.name: t for t in chunk_terms(result.activity, result.plan, hardware, supply)}
    rows = busy_terms(op_activity(result), hardware, supply)
    if end == "nominal":
        assert [t.name for t in rows] == [t.name for t in op_terms(result)]
    points = chosen.chunk_ms.shape
    found = {t.name: np.broadcast_to(t.energy_pj, (len(result.times_count), *points)).sum(axis=0) for t in rows}
    found.update({t.name: np.broadcast_to(t.energy_pj, points) for t in system_terms(result, hardware, supply)})
    assert found.keys() == whole.keys()
    for name, term in whole.items():
        assert_close(found[name], np.broadcast_to(term.energy_pj, points), name)


def test_terms_levels_and_tensors_add_up_to_the_totals(emformer, shipped_profile):
    """--by term adds up to power and its ends; --by level repeats the traffic; --by tensor stores every byte once."""
    total = engine.run(space_of(emformer, shipped_profile))
    rows = {by: engine.run(space_of(emformer, shipped_profile, by=by)) for by in ("term", "level", "tensor")}
    points = len(total["chunk_ms"])
    for column in ("power_mw", "power_low_mw", "power_high_mw", "energy_per_chunk_uj"):
        assert_close(rows["term"][column].reshape(points, -1).sum(axis=1), total[column], column)
    stored = rows["tensor"]["stored_bytes"].reshape(points, -1).sum(axis=1)
    assert_close(stored, total["weights_bytes"] + total["state_bytes"], "stored_bytes")
    off_chip = [lv.name for lv in shipped_profile.spec.memory_levels if not lv.on_chip]
    moved = np.where(np.isin(rows["level"]["level"], off_chip), rows["level"]["level_bytes_per_chunk"], 0.0)
    assert_close(moved.reshape(points, -1).sum(axis=1), total["dram_bytes_per_chunk"], "dram_bytes_per_chunk")
    busy = rows["level"]["busy_ms_per_chunk"].reshape(points, -1).sum(axis=1)
    assert_close(busy / len(shipped_profile.spec.memory_levels), total["busy_ms_per_chunk"], "busy_ms_per_chunk")


# ---- the finer breakdowns -----------------------------------------------------------------------------------


def rows_per_design(table, total):
    return len(table["chunk_ms"]) // len(total["chunk_ms"])


def test_terms_add_up_to_power_and_to_its_parts(emformer, shipped_profile):
    """`--by term`: power, its low and high ends, energy; and each part's terms to the column of that part."""
    space = space_of(emformer, shipped_profile)
    total, table = run(space, "total"), run(space, "term")
    rows = rows_per_design(table, total)
    for name in ("power_mw", "power_low_mw", "power_high_mw", "energy_per_chunk_uj"):
        assert_close(sums_of(table, rows, name), total[name], name)
    for part in ("compute", "onchip", "dram", "static"):
        mine = np.where(table["part"] == part, table["power_mw"], 0.0).reshape(-1, rows).sum(axis=1)
        assert np.allclose(mine, total[f"power_{part}_mw"], rtol=REL, atol=1e-12)


def test_terms_are_those_of_simulate(emformer, shipped_profile):
    table = run(space_of(emformer, shipped_profile), "term")
    for factor in FOLD:
        mine = (table["chunk_ms"] == 160.0) & (table["fold_factor"] == factor)
        rows = dict(zip(table["term"][mine], table["power_mw"][mine], strict=True))
        for term in explained(emformer, shipped_profile, 160.0, factor).power_terms:
            assert rows[term.name] == pytest.approx(term.power_mw, rel=REL), term.name


def test_traffic_of_off_chip_levels_is_what_leaves_the_chip(emformer, shipped_profile):
    """`--by level`: what off-chip levels exchange with their inner side, added up over ops."""
    space = space_of(emformer, shipped_profile)
    total, table = run(space, "total"), run(space, "level")
    off_chip = [lv.name for lv in shipped_profile.spec.memory_levels if not lv.on_chip]
    moved = np.where(np.isin(table["level"].astype(str), off_chip), table["level_bytes_per_chunk"], 0.0)
    found = moved.reshape(-1, rows_per_design(table, total)).sum(axis=1)
    assert np.allclose(found, total["dram_bytes_per_chunk"], rtol=REL, atol=0)


def test_time_of_levels_adds_up_to_the_time_terms(emformer, shipped_profile):
    table = run(space_of(emformer, shipped_profile), "level")
    mine = (table["chunk_ms"] == 160.0) & (table["fold_factor"] == 2)
    spent = explained(emformer, shipped_profile, 160.0, 2).time_terms_ms
    for level in shipped_profile.spec.memory_levels:
        here = table["level_ms_per_chunk"][mine & (table["level"] == level.name)].sum()
        assert here == pytest.approx(spent[level.name], rel=REL)


def test_every_op_stands_at_every_level_once(emformer, shipped_profile):
    """Its MACs and its time are repeated at each: at any one level they are those of `--by op`."""
    space = space_of(emformer, shipped_profile)
    ops, table = run(space, "op"), run(space, "level")
    for level in shipped_profile.spec.memory_levels:
        here = table["level"] == level.name
        for name in ("macs_per_chunk", "busy_ms_per_chunk"):
            assert table[name][here].sum() == pytest.approx(ops[name].sum(), rel=REL)


def test_tensors_add_up_to_weights_and_state(emformer, shipped_profile):
    """`--by tensor`: what is stored over the levels is what there is, and every read is served once."""
    space = space_of(emformer, shipped_profile)
    total, table = run(space, "total"), run(space, "tensor")
    stored = sums_of(table, rows_per_design(table, total), "stored_bytes")
    assert_close(stored, total["weights_bytes"] + total["state_bytes"], "stored")
    levels = len(shipped_profile.spec.memory_levels)
    assert np.allclose(table["served_ratio"].reshape(-1, levels).sum(axis=1), 1.0, rtol=REL)
    assert (table["served_ratio"] >= 0).all()
    encoder = table["tensors"] == "encoder weights"
    assert np.allclose(table["uses_per_s"][encoder], 1e3 / table["chunk_ms"][encoder], rtol=REL)
