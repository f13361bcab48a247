"""What must hold for any design: monotone, linear, independent of order, of blocks and of how the sweep is
asked for."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldsim.api import simulate, sweep
from foldsim.designs.changes import parse_set
from foldsim.hardware.profile import from_document
from foldsim.model.evaluate import evaluate
from foldsim.schema import InputError
from foldsim.schema.quantity import quantities
from foldsim.sweeps import engine
from foldsim.sweeps.space import DesignSpace

CHUNKS_MS = (40.0, 160.0, 640.0)
ENERGIES = ("_pj", "_pj_per_byte", "_pj_per_mac", "_mw", "_uj", "_uw_per_mhz_v2")


def run(workloads, profiles, sets=(), chunk_ms=CHUNKS_MS, fold=(1, 2), **options):
    """Columns of a sweep; single workloads and profiles stand for lists of one."""
    some, chips = (x if isinstance(x, (list, tuple)) else [x] for x in (workloads, profiles))
    return engine.run(DesignSpace(some, chips, chunk_ms, fold, sets=dict(parse_set(s) for s in sets), **options))


def assert_same(found, expected, rel=0.0, columns=None):
    for name in columns or expected:
        a, b = found[name], expected[name]
        if a.dtype.kind in "fiu":
            assert np.allclose(a, b, rtol=rel, atol=0.0), name
        else:
            assert (a == b).all(), name


def every_energy(node, change):
    """Apply ``change`` to every quantity of energy or power below a YAML node."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, dict) and "value" in value:
            if str(key).endswith(ENERGIES):
                change(value)
        elif isinstance(value, (dict, list)):
            every_energy(value, change)


# ---- bounds -------------------------------------------------------------------------------------------------


def test_low_nominal_high(emformer, shipped_profile):
    """In designs, components and ops; savings too."""
    for by in ("total", "component", "op"):
        t = run(emformer, shipped_profile, by=by)
        slack = 1e-12 * t["power_high_mw"]
        assert (t["power_low_mw"] <= t["power_mw"] + slack).all()
        assert (t["power_mw"] <= t["power_high_mw"] + slack).all()
        assert (t["power_mw"] >= 0).all()
    t = run(emformer, shipped_profile)
    assert (t["power_saving_low_ratio"] <= t["power_saving_ratio"] + 1e-12).all()
    assert (t["power_saving_ratio"] <= t["power_saving_high_ratio"] + 1e-12).all()


def test_no_chunk_is_faster_than_its_bounds(emformer, shipped_profile):
    """MACs over the peak of all cores; off-chip bytes over the peak bandwidth of the outermost level."""
    unit, level = shipped_profile.spec.compute_units[0], shipped_profile.spec.memory_levels[-1]
    fastest_hz = max(p.frequency_hz.value for p in shipped_profile.spec.operating_points)
    macs_per_s = unit.precisions["int8"].macs_per_cycle.value * unit.cores_count.value * fastest_hz
    t = run(emformer, shipped_profile, fold=(1, 2, 4))
    busy_s = t["busy_ms_per_chunk"] / 1e3
    assert (busy_s >= t["macs_per_chunk"] / macs_per_s).all()
    assert (busy_s >= t["dram_bytes_per_chunk"] / (level.bandwidth_gb_per_s.value * 1e9)).all()
    ops = run(emformer, shipped_profile, by="op")
    assert (ops["busy_ms_per_chunk"] / 1e3 >= ops["macs_per_chunk"] / macs_per_s * (1 - 1e-12)).all()


def test_power_at_least_moves_what_it_must(emformer, shipped_profile):
    """Off-chip energy alone bounds power from below."""
    level = shipped_profile.spec.memory_levels[-1]
    if level.on_chip:
        assert (run(emformer, shipped_profile)["dram_bytes_per_chunk"] == 0).all()
        return
    t = run(emformer, shipped_profile)
    cheapest = min(level.read_pj_per_byte.value, level.write_pj_per_byte.value)
    assert (t["power_dram_mw"] >= t["dram_bytes_per_audio_s"] * cheapest / 1e9 * (1 - 1e-12)).all()


# ---- monotone -----------------------------------------------------------------------------------------------


def levels_of(profile):
    return [level.name for level in profile.spec.memory_levels]


def test_power_rises_with_the_price_of_a_byte(emformer, shipped_profile):
    """Reads and writes of every level: never less power; strictly more where bytes move."""
    for level, what in product(levels_of(shipped_profile), ("read", "write")):
        path = f"profile.memory_levels.{level}.{what}_pj_per_byte"
        t = run(emformer, shipped_profile, [f"{path}=0,1,50,300"])
        power = t["power_mw"].reshape(4, -1)[np.argsort(t[path].reshape(4, -1)[:, 0])]
        assert (np.diff(power, axis=0) >= 0).all(), path
        if what == "read":
            assert (np.diff(power, axis=0) > 0).all(), path


@pytest.mark.parametrize("name", ["idle_mw", "busy_mw", "wake_uj"])
def test_power_rises_with_what_the_rest_of_the_chip_takes(emformer, shipped_profile, name):
    t = run(emformer, shipped_profile, [f"profile.system.{name}=0,5,50"], fold=[1])
    power = t["power_mw"].reshape(3, -1)
    rise = np.diff(power, axis=0)
    slept = t["latency_ms"].reshape(3, -1)[0] > t["busy_ms_per_chunk"].reshape(3, -1)[0]  # waking is in the latency
    assert (rise[:, slept] > 0).all()
    assert (rise >= 0).all()


def test_power_and_traffic_rise_with_bytes_per_weight(emformer, shipped_profile):
    """4, 8, 16 and 32 bits of storage; MACs and the arithmetic stay."""
    t = run(emformer, shipped_profile, ["workload.precision.weights=int4,int8,fp16,fp32"])
    by_bits = {name: t[name].reshape(4, -1) for name in ("power_mw", "weights_bytes", "macs_per_chunk", "weight_bits")}
    assert (by_bits["weight_bits"] == np.array([[4], [8], [16], [32]])).all()
    assert (np.diff(by_bits["power_mw"], axis=0) > 0).all()
    assert (np.diff(by_bits["weights_bytes"], axis=0) > 0).all()
    assert (np.diff(by_bits["macs_per_chunk"], axis=0) == 0).all()


@pytest.mark.parametrize("path", ["left_context_tokens=0,10,30,100,1000", "right_context_tokens=0,1,2,4,16"])
def test_more_context_never_costs_less(emformer, shipped_profile, path):
    t = run(emformer, shipped_profile, [f"workload.streaming.{path}"])
    for name in ("macs_per_chunk", "busy_ms_per_chunk", "power_mw", "memory_bytes"):
        assert (np.diff(t[name].reshape(5, -1), axis=0) >= 0).all(), name


def test_off_chip_traffic_falls_as_on_chip_memory_grows(load_profile, emformer):
    """From 0.5 MB to more than the whole model; within the 2 % by which the tile search may miss the
    optimum."""
    sizes = "500000,1000000,4000000,8000000,16000000,64000000,256000000"
    t = run(emformer, load_profile("phone-npu"), [f"profile.memory_levels.vtcm.capacity_bytes={sizes}"])
    off_chip = t["dram_bytes_per_chunk"].reshape(7, -1)
    assert (off_chip[1:] <= 1.02 * off_chip[:-1]).all()
    assert (off_chip[-1] < 0.01 * off_chip[0]).all()
    assert (np.diff(t["onchip_bytes"].reshape(7, -1), axis=0) >= 0).all()


def test_larger_chunks_read_weights_less_often(emformer, shipped_profile):
    """Encoder traffic per second of audio falls with the chunk; that is what chunk size is for."""
    t = run(emformer, shipped_profile, chunk_ms=(40.0, 80.0, 160.0, 320.0, 640.0, 1280.0), fold=[1], placement="dram")
    if t["dram_bytes_per_audio_s"].any():
        assert (np.diff(t["dram_bytes_per_audio_s"]) < 0).all()


# ---- linear -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2.0, 0.25])
def test_scaling_every_energy_and_power_scales_power_exactly(emformer, shipped_profile, changed, factor):
    """Powers of two, so that not a bit may differ; time, memory and traffic stay."""

    def scale(quantity):
        quantity.update({end: factor * quantity[end] for end in ("value", "low", "high")})

    scaled = run(emformer, changed(shipped_profile, lambda data: every_energy(data, scale)))
    plain = run(emformer, shipped_profile)
    moved = [n for n in plain if n.startswith(("power_", "energy_")) and not n.endswith("_ratio")]
    assert len(moved) == 8
    for name in moved:
        assert (scaled[name] == factor * plain[name]).all(), name
    assert_same(scaled, plain, columns=[n for n in plain if n not in moved])


def test_without_energies_there_is_no_power(emformer, shipped_profile, changed):
    """Every term comes from a coefficient of the profile: all at zero leave nothing."""

    def nothing(quantity):
        quantity.update(value=1e-300 if quantity["low"] > 0 else 0.0, low=0.0 if quantity["low"] == 0 else 1e-300)

    silent = changed(shipped_profile, lambda data: every_energy(data, nothing))
    silent_power = [float(t.power_mw) for t in simulate(emformer, silent, 160).power_terms]
    assert max(silent_power, default=0.0) < 1e-200


@settings(max_examples=20)
@given(st.lists(st.floats(0, 200), min_size=3, max_size=3))
def test_power_is_linear_in_a_coefficient(emformer, load_profile, prices):
    """Three prices of a DRAM byte lie on a straight line, whose slope is the bytes read per second."""
    a, b, c = prices
    path = "profile.memory_levels.dram.read_pj_per_byte"
    t = sweep(emformer, load_profile("watch-npu"), [160], [1], sets={path: [0.0, 1.0]})
    intercept, slope = t["power_mw"][0], t["power_mw"][1] - t["power_mw"][0]
    found = sweep(emformer, load_profile("watch-npu"), [160], [1], sets={path: [a, b, c]})
    assert found["power_mw"].to_numpy() == pytest.approx(intercept + slope * np.array(prices), rel=1e-9)


# ---- order, blocks, and ways of asking ------------------------------------------------------------------------


def test_permuting_the_axes_permutes_the_rows(emformer, load_profile):
    """Values of `--set`, profiles and chunks in another order: the same designs."""
    phone, watch = load_profile("phone-npu"), load_profile("watch-npu")
    path = "profile.memory_levels.dram.read_pj_per_byte"
    one = run(emformer, [phone, watch], [f"{path}=40,80,120"])
    two = run(emformer, [watch, phone], [f"{path}=120,40,80"], CHUNKS_MS[::-1], (2, 1))

    def key(t):
        return list(zip(t["profile"], t[path], t["chunk_ms"], t["fold_factor"], strict=True))

    index = {row: i for i, row in enumerate(key(two))}
    order = np.array([index[row] for row in key(one)])
    assert sorted(order) == list(range(len(order)))
    assert_same({name: values[order] for name, values in two.items()}, one, rel=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_permuting_design_points_permutes_results(emformer, shipped_profile, seed):
    """Inside the model: any order (and repetition) of points gives each point its own result."""
    lowered = emformer.lower([1, 2, 4, 8, 16, 32, 5, 7])
    bands = shipped_profile.bands("int8")
    index = np.random.default_rng(seed).integers(0, 8, 13)
    plain, mixed = (evaluate(x.recogniser, bands) for x in (lowered, lowered.take(index)))
    for name in ("energy_per_chunk_uj", "power_mw", "compute_mw", "onchip_mw", "dram_mw", "static_mw"):
        assert getattr(mixed.nominal, name) == pytest.approx(getattr(plain.nominal, name)[index], rel=1e-12)
    for name in ("low_mw", "high_mw", "latency_s", "dram_bytes_per_chunk"):
        assert getattr(mixed, name) == pytest.approx(getattr(plain, name)[index], rel=1e-12)


SETS = [
    (),
    ("profile.memory_levels.dram.read_pj_per_byte=40,60,80,100,120", "profile.system.idle_mw=0,1,2"),
    ("workload.precision.weights=int4,int8", "profile.memory_levels.dram.capacity_bytes=1e7,1e9"),
]


@pytest.mark.parametrize("sets", SETS, ids=lambda s: ";".join(s) or "none")
@pytest.mark.parametrize("block", [1, 5, 6, 7, 17, 100_000])
def test_the_size_of_blocks_does_not_matter(emformer, load_profile, monkeypatch, sets, block):
    """Fewer points than chunks, one variant and a part, everything at once."""
    phone = load_profile("phone-npu")
    for by in ("total", "component"):
        expected = run(emformer, phone, sets, fold=(2, 4), by=by)
        with monkeypatch.context() as patch:
            patch.setattr(engine, "BLOCK_POINTS", block)
            found = run(emformer, phone, sets, fold=(2, 4), by=by)
        assert list(found) == list(expected)
        assert_same(found, expected, rel=1e-12)


def test_a_sweep_of_one_point_is_the_simulation_of_it(emformer, shipped_profile):
    for chunk, factor in product(CHUNKS_MS, (1, 2, 4)):
        result = simulate(emformer.fold(factor) if factor > 1 else emformer, shipped_profile, chunk)
        point = run(emformer, shipped_profile, chunk_ms=[chunk], fold=[factor])
        assert {n: v for n, v in result.totals.items() if n not in point} == {}
        for name, value in result.totals.items():
            (swept,) = point[name].tolist()
            assert swept == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), name
        for name in ("operating_point", "policy", "placement", "fold_layers", "fold_scope", "fold_heads"):
            assert point[name].tolist() == [result.design[name]]


def test_a_large_sweep_holds_the_same_points_as_small_ones(emformer, shipped_profile):
    together = run(emformer, shipped_profile, fold=(1, 2, 4))
    for at, (chunk, factor) in enumerate(product(CHUNKS_MS, (1, 2, 4))):
        alone = run(emformer, shipped_profile, chunk_ms=[chunk], fold=[factor])
        assert_same({name: values[at : at + 1] for name, values in together.items()}, alone, rel=1e-12)


STACKED_SETS: dict[str, list[tuple[str, ...]]] = {
    "phone-npu": [
        # Two numbers of one record.
        ("profile.memory_levels.dram.read_pj_per_byte=40,80", "profile.memory_levels.dram.write_pj_per_byte=30,90"),
        # Two quantities that make one number of the model (share times power).
        (
            "profile.memory_levels.dram.background.charged_ratio=0.1,0.5,1",
            "profile.memory_levels.dram.background.active_standby_mw=34,45",
        ),
        # One of three axes meets another.
        (
            "profile.memory_levels.dram.background.charged_ratio=0.1,1",
            "profile.system.idle_mw=0,3",
            "profile.memory_levels.dram.background.self_refresh_mw=1,2",
        ),
        # Numbers that set time and capacity.
        (
            "profile.memory_levels.vtcm.capacity_bytes=1000000,8388608,1e9",
            "profile.compute_units.npu.cores_count=1,4",
            "profile.memory_levels.slc.usable_ratio=0.1,0.9",
        ),
        # Operating points, one of which overtakes another; the reference's own voltage.
        (
            "profile.operating_points.low.frequency_hz=4e8,9e8",
            "profile.operating_points.nominal.voltage_v=0.7,0.75,0.8",
        ),
        # An axis that does not move anything, and one whose first value is the profile's own.
        ("profile.memory_levels.slc.retention_mw=0", "profile.memory_levels.dram.read_pj_per_byte=80,100"),
        # Both sides.
        ("workload.precision.weights=int4,int8", "profile.system.wake_ms=0,1", "workload.decoding.symbols_per_s=2,4"),
    ],
    "pixel5-cpu": [
        (
            "profile.compute_units.a76-prime.power_law.static_mw=93,178",
            "profile.compute_units.a76-prime.power_law.stalled_ratio=0.3,0.8",
        ),
        (
            "profile.compute_units.a76-prime.efficiency_by_rows.0.efficiency_ratio=0.3,0.5",
            "profile.system.busy_mw=0,50",
        ),
    ],
    "gap9": [("profile.operating_points.240mhz.static_mw=15,23", "profile.memory_levels.l2.capacity_bytes=1e6,2e6")],
}
STACKED = [(name, sets) for name, every in STACKED_SETS.items() for sets in every]


@pytest.mark.parametrize(("name", "sets"), STACKED, ids=str)
@pytest.mark.parametrize("policy", ["race-to-idle", "slowest-real-time"])
def test_stacked_axes_equal_variants_one_by_one(emformer, load_profile, name, sets, policy):
    """A product of `--set` axes gives what each combination gives alone."""
    profile = load_profile(name)
    axes = dict(parse_set(s) for s in sets)
    together = run(emformer, profile, sets, policy=policy)
    workload_first = sorted(axes, key=lambda path: not path.startswith("workload"))
    at = 0
    for values in product(*(axes[path] for path in workload_first)):
        single = [f"{path}={value}" for path, value in zip(workload_first, values, strict=True)]
        alone = run(emformer, profile, single, policy=policy)
        rows = len(alone["chunk_ms"])
        assert_same({n: v[at : at + rows] for n, v in together.items()}, alone, rel=1e-12)
        at += rows
    assert at == len(together["chunk_ms"])


def test_stacked_axes_move_what_they_name(emformer, load_profile):
    """Two axes on one record: the effect of both is the sum of their effects, 1 pJ more per byte read and
    written."""
    dram = "profile.memory_levels.dram"
    t = run(emformer, load_profile("phone-npu"), [f"{dram}.read_pj_per_byte=80,81", f"{dram}.write_pj_per_byte=80,81"])
    power = t["power_mw"].reshape(2, 2, -1)
    assert power[1, 1] - power[0, 0] == pytest.approx(t["dram_bytes_per_audio_s"][: power.shape[2]] / 1e9, rel=1e-6)
    assert (power[1, 0] - power[0, 0] > power[0, 1] - power[0, 0]).all()  # weights are read, little is written


def test_python_and_design_space_agree(emformer, shipped_profile):
    frame = sweep(emformer, shipped_profile, list(CHUNKS_MS), [1, 2])
    table = run(emformer, shipped_profile)
    assert list(frame.columns) == list(table)
    assert_same({name: frame[name].to_numpy() for name in table}, table)


def test_duplicate_values_are_one_point(emformer, load_profile):
    t = run(emformer, load_profile("phone-npu"), chunk_ms=(160.0, 40.0, 160.0), fold=(2, 2, 1))
    assert t["chunk_ms"].tolist() == [40.0, 40.0, 160.0, 160.0]
    assert sorted(t["fold_factor"].tolist()) == [1, 1, 2, 2]


def test_every_pair_of_neighbours_saves_less_at_larger_chunks(emformer, load_profile):
    """Folding saves weight bytes, which larger chunks read less often: the saving of power falls on a
    DRAM-bound chip."""
    t = run(emformer, load_profile("phone-npu"), chunk_ms=(40.0, 80.0, 160.0, 320.0, 640.0, 1280.0), fold=[2])
    assert all(a > b for a, b in pairwise(t["power_saving_ratio"].tolist()))


def test_folding_gains_less_at_lower_precision_on_a_cpu(emformer, load_profile):
    """Saved bytes get cheaper while kernels and exponentials stay (measured on a CPU; see the facts on
    streaming models)."""
    t = run(emformer, load_profile("pixel5-cpu"), ["workload.precision.weights=int4,int8,fp16,fp32"], [160.0], [1, 2])
    busy = t["busy_ms_per_chunk"].reshape(4, 2)
    gain = 1 - busy[:, 1] / busy[:, 0]
    assert (np.diff(gain) > 0).all()


# ---- extremes -----------------------------------------------------------------------------------------------

EXTREMES = {"_ratio": (0.0, 1e-6, 0.5, 1.0), "_count": (1, 2, 3, 7, 64, 1000, 100_000)}
OTHERWISE = (0.0, 1e-9, 1e-3, 1.0, 1e3, 1e9, 1e15)


def with_extremes(profile, random):
    """The profile with six of its numbers at random extremes; None where the schema refuses them."""
    data = copy.deepcopy(profile.document.data)
    every = list(quantities(profile.spec))
    for i in random.choice(len(every), 6, replace=False):
        path = every[i][0]
        node = data
        for key in path:
            node = node[key]
        values = next((v for suffix, v in EXTREMES.items() if str(path[-1]).endswith(suffix)), OTHERWISE)
        value = float(random.choice(values))
        node.update(value=value, low=value, high=value)
    try:
        return from_document(replace(profile.document, data=data))
    except InputError:
        return None


@pytest.mark.parametrize("seed", range(10))
def test_extreme_numbers_give_finite_results_that_add_up(emformer, shipped_profile, changed, seed):
    """What the schema admits, the model computes: no warning, nothing infinite or negative, parts add up."""
    random = np.random.default_rng(seed)
    profile = next(p for p in iter(lambda: with_extremes(shipped_profile, random), 0) if p is not None)

    def edit(data):
        data["streaming"].update(
            left_context_tokens=int(random.choice([0, 1, 30, 5000])),
            right_context_tokens=int(random.choice([0, 1, 9])),
            memory_bank_tokens=int(random.choice([0, 1, 50])),
        )
        data["decoding"].update(beam_count=int(random.choice([1, 16])), beam_batched=bool(random.integers(2)))
        data["precision"].update({key: str(random.choice(["int4", "fp32"])) for key in ("weights", "state")})

    workload = changed(emformer, edit)
    options = {
        "policy": random.choice([None, "slowest-real-time"]),
        "placement": str(random.choice(["auto", "dram", "pinned:joiner"])),
    }
    t = run(workload, profile, fold=(1, 8), **options)
    for name, values in t.items():
        if values.dtype.kind == "f":
            assert np.isfinite(values).all(), name
            assert (values >= 0).all() or name.endswith("_ratio"), name
    ops = run(workload, profile, fold=(1, 8), by="op", **options)
    assert np.allclose(ops["power_mw"].reshape(len(t["power_mw"]), -1).sum(axis=1), t["power_mw"], rtol=1e-9)
    assert (ops["power_mw"] >= 0).all()
    assert (t["power_low_mw"] <= t["power_mw"] * (1 + 1e-9)).all()
    assert (t["power_mw"] <= t["power_high_mw"] * (1 + 1e-9)).all()
