"""Bands: exact corners of the latency, and joint samples of every ranged number."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldsim import units as u
from foldsim.designs.axes import DesignError
from foldsim.designs.changes import parse_set
from foldsim.hardware.coefficients import SPEEDS
from foldsim.hardware.numbers import numbers_by_name
from foldsim.model.power import latency_band, schedule
from foldsim.schema.quantity import quantities
from foldsim.sweeps import engine
from foldsim.sweeps.sampling import METHODS, Sampling, _between, cause, draw, quantile
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.compression.text import parse_compression

CHUNKS_MS = (40.0, 160.0, 640.0)
BANDS = {
    "power": ("mw", "power_mw"),
    "latency": ("ms", "latency_ms"),
    "energy_per_chunk": ("uj", "energy_per_chunk_uj"),
    "power_saving": ("ratio", "power_saving_ratio"),
}


def run(workload, profile, sampling=None, chunk_ms=CHUNKS_MS, fold=(1, 2), sets=(), **options):
    axes = dict(parse_set(text) for text in sets)
    return engine.run(DesignSpace([workload], [profile], chunk_ms, fold, sets=axes, sampling=sampling, **options))


def every_range(node, change):
    """Apply ``change`` to the key and the mapping of every number with a range below a YAML node."""
    for name, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, dict) and "value" in value:
            change(str(name), value)
        elif isinstance(value, (dict, list)):
            every_range(value, change)


def closed(number):
    number["low"] = number["high"] = number["value"]


def node_at(data, path):
    for key in path:
        data = data[key]
    return data


def ends(table, name, kind):
    unit = BANDS[name][0]
    return table[f"{name}_{kind}low_{unit}"], table[f"{name}_{kind}high_{unit}"]


# ---- one number ---------------------------------------------------------------------------------------------


@given(st.floats(0.0, 1.0), st.floats(0.0, 5.0), st.floats(0.0, 5.0), st.floats(1e-6, 1.0))
def test_a_quantile_lies_between_the_ends_and_moves_outward_with_them(share, below, above, more):
    low, value, high = 10.0 - below, 10.0, 10.0 + above
    at = quantile(np.array([share]), low, value, high)[0]
    assert low - 1e-12 <= at <= high + 1e-12
    wider = quantile(np.array([share]), low - more, value, high + more)[0]
    assert (wider - value) * (at - value) >= 0
    assert abs(wider - value) >= abs(at - value) - 1e-12


def test_the_value_is_the_median_and_the_middle_range_is_triangular():
    shares = np.linspace(0.0, 1.0, 1001)
    assert quantile(shares, 1.0, 2.0, 9.0)[500] == 2.0
    # Symmetric triangular on (0, 2): a share x^2 / 2 lies below x <= 1.
    x = np.linspace(0.0, 1.0, 11)
    assert quantile(x**2 / 2, 0.0, 1.0, 2.0) == pytest.approx(x)


@pytest.mark.parametrize("method", METHODS)
def test_draws_are_uniform_independent_and_reproducible(method):
    names = ["a", "b", "c", "a"]
    sampling = Sampling(1024, method, seed=5)
    drawn = sampling.shares(names)
    assert list(drawn) == ["a", "b", "c"]
    for values in drawn.values():
        assert values.shape == (1024,)
        assert (values > 0).all()
        assert (values < 1).all()
        assert values.mean() == pytest.approx(0.5, abs=0.03)  # 1 / sqrt(12 x 1024) is 0.009
    assert abs(np.corrcoef(drawn["a"], drawn["b"])[0, 1]) < 0.12
    again, other = sampling.shares(names), Sampling(1024, method, seed=6).shares(names)
    assert all((again[name] == drawn[name]).all() for name in drawn)
    assert all((other[name] != drawn[name]).any() for name in drawn)


def test_a_latin_hypercube_has_one_sample_in_every_stratum():
    for values in Sampling(50).shares(["x", "y"]).values():
        assert sorted((values * 50).astype(int)) == list(range(50))


def test_other_numbers_do_not_move_a_draw():
    for method in ("lhs", "random"):
        alone, beside = Sampling(30, method).shares(["b"]), Sampling(30, method).shares(["a", "b"])
        assert (alone["b"] == beside["b"]).all()


def test_numbers_of_one_cause_are_drawn_together(emformer, load_profile):
    profile = load_profile("phone-npu")
    hardware = draw(Sampling(200), profile, emformer.spec).hardware

    def rank(values):
        return np.argsort(np.argsort(values))

    unit, dram, system = hardware.units[0], hardware.levels[-1], hardware.system
    assert (rank(unit.static_mw) == rank(unit.idle_mw)).all()
    assert (rank(system.busy_mw) == rank(system.idle_mw)).all()
    assert (rank(dram.read_pj_per_byte) != rank(dram.write_pj_per_byte)).any()


# ---- samples of whole designs -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["phone-npu", "gap9", "pixel5-cpu"])
def test_each_sample_is_what_a_profile_with_those_numbers_gives(emformer, load_profile, changed, monkeypatch, name):
    """The vectorised samples against one profile and workload file per sample, evaluated as any other."""
    profile, sampling = load_profile(name), Sampling(20, seed=3)
    kept = {}

    def keep(result, baseline, reference):
        kept.update(vars(result))
        return {}

    monkeypatch.setattr(engine, "band_columns", keep)
    space = DesignSpace([emformer], [profile], CHUNKS_MS, (1, 2), sampling=sampling)
    batch = engine.batch_of(space.common(emformer, profile), CHUNKS_MS, (1, 2))
    engine.sampled_columns(batch, np.arange(len(batch.points)), sampling)

    shares = {}
    real = Sampling.shares
    monkeypatch.setattr(Sampling, "shares", lambda self, names: shares.setdefault("all", real(self, names)))
    draws = draw(sampling, profile, emformer.spec)
    (rates,) = draws.rates.values()
    for sample in (0, 7, 19):

        def fix(data, sample=sample):
            for key, (path, quantity) in numbers_by_name(profile.spec).items():
                share = shares["all"][f"profile.{cause(profile.spec, path, key)}"]
                number = node_at(data, path)
                value = float(_between(share, quantity, key)[sample])
                number.update(value=value, low=value, high=value)
                number.pop("rule", None)

        def rate(data, sample=sample):
            value = float(rates[sample])
            data["decoding"]["symbols_per_s"].update(value=value, low=value, high=value)

        table = run(changed(emformer, rate), changed(profile, fix))
        assert kept["power_mw"][:, sample] == pytest.approx(table["power_mw"], rel=1e-9)
        assert kept["energy_uj"][:, sample] == pytest.approx(table["energy_per_chunk_uj"], rel=1e-9)
        assert kept["latency_s"][:, sample] * u.MS_PER_S == pytest.approx(table["latency_ms"], rel=1e-9)
        assert (kept["realtime"][:, sample] == table["realtime"]).all()


def test_the_nominal_lies_in_the_band(emformer, shipped_profile):
    table = run(emformer, shipped_profile, Sampling(256), chunk_ms=(40.0, 160.0, 1280.0))
    for name, (_, nominal) in BANDS.items():
        low, high = ends(table, name, "sampled_")
        slack = 1e-9 * np.abs(table[nominal])
        assert (low <= table[nominal] + slack).all(), name
        assert (high >= table[nominal] - slack).all(), name
    assert (table["power_saving_sampled_high_ratio"][::2] == 0).all()  # the baseline against itself
    assert ((table["realtime_sampled_ratio"] >= 0) & (table["realtime_sampled_ratio"] <= 1)).all()


@pytest.mark.parametrize("method", METHODS)
def test_seeds_reproduce_and_methods_agree(emformer, load_profile, method):
    profile = load_profile("phone-npu")
    first, again = (run(emformer, profile, Sampling(256, method, seed=1)) for _ in range(2))
    plain = run(emformer, profile)
    for name in first:
        assert (first[name] == again[name]).all(), name
        if name in plain:
            assert (first[name] == plain[name]).all(), name
    many = run(emformer, profile, Sampling(4096, "random", seed=9))
    for name in ("power", "latency"):
        for found, expected in zip(ends(first, name, "sampled_"), ends(many, name, "sampled_"), strict=True):
            assert found == pytest.approx(expected, rel=0.15)  # a 5 % quantile of 256 samples


def test_bands_do_not_depend_on_blocks(emformer, load_profile, monkeypatch):
    profile = load_profile("phone-npu")
    options = {"compress": [(), parse_compression("joiner=int4-g32")], "sets": ("profile.system.idle_mw=1,2",)}
    whole = run(emformer, profile, Sampling(50), **options)
    monkeypatch.setattr(engine, "BLOCK_POINTS", 7)
    monkeypatch.setattr(engine, "SAMPLES_HELD", 60)
    parts = run(emformer, profile, Sampling(50), **options)
    assert len(whole["power_mw"]) == 2 * 2 * 6
    for name in whole:
        if whole[name].dtype.kind == "f":
            assert np.allclose(whole[name], parts[name], rtol=1e-12, atol=0), name


def test_without_ranges_the_band_is_the_value(emformer, load_profile, changed):
    bare = changed(load_profile("phone-npu"), lambda data: every_range(data, lambda _, number: closed(number)))
    steady = changed(emformer, lambda data: every_range(data, lambda _, number: closed(number)))
    table = run(steady, bare, Sampling(20))
    for name, (_, nominal) in BANDS.items():
        for end in ends(table, name, "sampled_"):
            assert end == pytest.approx(table[nominal], rel=1e-12, abs=1e-15)
    assert (table["latency_low_ms"] == table["latency_ms"]).all()
    assert (table["latency_high_ms"] == table["latency_ms"]).all()


@settings(max_examples=15)
@given(st.floats(0.0, 0.95), st.integers(0, 3))
def test_shrinking_every_energy_range_shrinks_the_band_in_proportion(emformer, load_profile, changed, share, seed):
    """Power is linear in one coefficient of each term: with common samples the band scales exactly."""
    single = ("read_pj_per_byte", "write_pj_per_byte", "energy_pj_per_mac", "wake_uj", "exp_pj", "multiply_add_pj")

    def energies(scale):
        def edit(data):
            def change(key, number):
                if key in single:
                    for end in ("low", "high"):
                        number[end] = number["value"] + scale * (number[end] - number["value"])
                else:
                    closed(number)

            every_range(data, change)

        return changed(load_profile("phone-npu"), edit)

    steady = changed(emformer, lambda data: every_range(data, lambda _, number: closed(number)))
    wide, narrow = (run(steady, energies(scale), Sampling(64, seed=seed)) for scale in (1.0, share))
    for end_wide, end_narrow in zip(ends(wide, "power", "sampled_"), ends(narrow, "power", "sampled_"), strict=True):
        assert end_narrow - narrow["power_mw"] == pytest.approx(share * (end_wide - wide["power_mw"]), abs=1e-9)
    for table in (wide, narrow):
        assert (table["power_sampled_low_mw"] >= table["power_low_mw"] - 1e-9).all()
        assert (table["power_sampled_high_mw"] <= table["power_high_mw"] + 1e-9).all()


# ---- exact ends ---------------------------------------------------------------------------------------------


def test_latency_ends_are_what_a_fast_and_a_slow_chip_give(emformer, shipped_profile, changed):
    def at(end):
        def edit(data):
            def change(key, number):
                if key in SPEEDS and number["low"] < number["high"]:
                    fast, slow = (number["low"], number["high"])[:: -SPEEDS[key]]
                    number["value"] = fast if end == "fast" else slow
                    number.pop("rule", None)
                closed(number)

            clock = shipped_profile.spec.compute_units[0].clock_hz.value
            every_range(data, change)
            # Operating points keep their frequencies relative to the reference, which is the first unit's clock.
            faster = data["compute_units"][0]["clock_hz"]["value"] / clock
            for point in data["operating_points"]:
                point["frequency_hz"]["value"] *= faster
                closed(point["frequency_hz"])

        return changed(shipped_profile, edit)

    table = run(emformer, shipped_profile, chunk_ms=(160.0, 1280.0))
    asleep = table["latency_ms"] > table["busy_ms_per_chunk"]
    compared = 0
    for end, name in (("fast", "latency_low_ms"), ("slow", "latency_high_ms")):
        found = run(emformer, at(end), chunk_ms=(160.0, 1280.0))
        same = asleep == (found["latency_ms"] > found["busy_ms_per_chunk"])
        compared += same.sum()
        assert table[name][same] == pytest.approx(found["latency_ms"][same], rel=1e-12)
    assert compared  # a slow end may be too slow to sleep at all
    assert (table["latency_low_ms"] <= table["latency_ms"]).all()
    assert (table["latency_ms"] <= table["latency_high_ms"]).all()


@given(st.data())
def test_the_latency_band_holds_every_work_and_waking_between_the_ends(data):
    times = st.floats(1e-4, 0.4)
    fast, slow = sorted((data.draw(times), data.draw(times)))
    wake_fast, wake_slow = sorted((data.draw(times), data.draw(times)))
    chunk = np.array([0.3])
    low, high = latency_band(np.array([fast]), np.array([slow]), wake_fast, wake_slow, chunk)
    for busy in np.linspace(fast, slow, 7):
        for wake in np.linspace(wake_fast, wake_slow, 7):
            plan = schedule(np.array([busy]), chunk, wake)
            latency = (plan.busy_s + plan.wake_s)[0]
            assert low[0] - 1e-12 <= latency <= high[0] + 1e-12


NUMBERS = ("phone-npu", "gap9")


@settings(max_examples=60)
@given(st.data())
def test_widening_a_range_never_narrows_an_exact_band(emformer, load_profile, changed, data):
    """Of a number that is uncertain alone, or of all that are uncertain together by the same factor.

    Widening one of two that move together changes what they are together, which may well rule out more.
    """
    profile = load_profile(data.draw(st.sampled_from(NUMBERS)))
    groups = {}
    for name, (path, quantity) in numbers_by_name(profile.spec).items():
        if path[-1] != "charged_ratio":  # scales numbers that move together
            groups.setdefault(cause(profile.spec, path, name), []).append((path, quantity))
    members = groups[data.draw(st.sampled_from(sorted(groups)))]
    more = data.draw(st.floats(1.0, 4.0))
    down = up = more
    for path, q in members:
        least = 1.0 if str(path[-1]).endswith("_count") else 0.0
        most = 1.0 if str(path[-1]).endswith("_ratio") and q.high <= 1 else np.inf
        if q.low < q.value:
            down = min(down, max(1.0, 0.999 * (q.value - least) / (q.value - q.low)))
        if q.high > q.value:
            up = min(up, max(1.0, (1 - 1e-9) * (most - q.value) / (q.high - q.value)))

    def widen(tree):
        for path, q in members:
            number = node_at(tree, path)
            number["low"] = q.value - down * (q.value - q.low)
            number["high"] = q.value + up * (q.high - q.value)

    wide, narrow = (run(emformer, p, chunk_ms=(160.0,)) for p in (changed(profile, widen), profile))
    for name in ("power", "latency", "power_saving"):
        (low, high), (was_low, was_high) = ends(wide, name, ""), ends(narrow, name, "")
        slack = 1e-9 * np.abs(was_high)
        assert (low <= was_low + slack).all(), (name, members)
        assert (high >= was_high - slack).all(), (name, members)


@settings(max_examples=25)
@given(st.data())
def test_widening_the_only_range_never_narrows_a_sampled_band(emformer, load_profile, changed, data):
    """Of one number alone, with common samples; of many the quantiles of a sum may move either way by chance."""
    profile = load_profile("phone-npu")
    choices = [p for p, q in quantities(profile.spec) if str(p[-1]) in SPEEDS or str(p[-1]).endswith(("_pj", "_mw"))]
    path = data.draw(st.sampled_from(choices))
    share = data.draw(st.floats(0.0, 1.0))

    def only(scale):
        def edit(tree):
            original = copy.deepcopy(node_at(tree, path))
            every_range(tree, lambda _, number: closed(number))
            number = node_at(tree, path)
            for end in ("low", "high"):
                number[end] = number["value"] + scale * (original[end] - number["value"])

        return changed(profile, edit)

    steady = changed(emformer, lambda tree: every_range(tree, lambda _, number: closed(number)))
    wide, narrow = (run(steady, only(s), Sampling(40), chunk_ms=(160.0,)) for s in (1.0, share))
    for name in ("power", "latency", "energy_per_chunk"):
        (low, high), (was_low, was_high) = ends(wide, name, "sampled_"), ends(narrow, name, "sampled_")
        slack = 1e-9 * np.abs(was_high)
        assert (low <= was_low + slack).all(), (name, path)
        assert (high >= was_high - slack).all(), (name, path)


# ---- refusals -----------------------------------------------------------------------------------------------


def test_refusals_say_what_is_allowed(emformer, load_profile):
    with pytest.raises(DesignError) as caught:
        run(emformer, load_profile("gap9"), Sampling(3, "dice", -1), by="op")
    told = str(caught.value)
    for part in ("20 to 1,000,000", "lhs, sobol, random", "seed: -1", "leave out by op"):
        assert part in told
    with pytest.raises(DesignError, match="samples; at most"):
        run(emformer, load_profile("gap9"), Sampling(1_000_000), chunk_ms=[40.0 * i for i in range(1, 60)])
