"""Tipping points: closed forms of the literature, and the same designs evaluated one by one.

Closed forms, derived here. A layer of width D has q queries and S keys; N is the folding factor, head width kept.

* Projections cost 4 q D^2 multiply-accumulates, scores and their use 2 q S D. Folded: 4 q D^2 / N and 2 N q S D. Both
  sides are equal at S = 2 D / N, whatever q is. At D = 512, N = 2 and q = 4 that is 512 keys, 6,291,456 each.
* With the feedforward network folded too, 2 q D F becomes 2 q D F / N: equal at S = (2 D + F) / N.
* FAVOR+ with m features costs 4 q D m + q H m instead of 2 q S D: equal at S = 2 m (1 + 1 / (4 dh)).
* Focused linear attention with k taps costs 2 q D dh + q D + q D k: equal at S = dh + (k + 1) / 2.
* With M memory vectors that are projected again, keys and values of f = M + q' tokens are projected for q queries:
  (2 q + 2 f) D^2 against 2 q S D, equal at S = D (q + f) / (q N).
* With relative positions projected again in every chunk, (2 S - 1) D^2 and q (2 S - 1) D come on top. For N = 2 both
  sides are equal at S = (D^2 (4 q - 1) / 2 + q D) / (4 q D - D^2), which no S is unless q > D / 4: folding always pays.
* Energy: projections save q P (1 - 1/N) MACs and P (1 - 1/N^2) weight bytes, read once per chunk; the scores add
  2 q S D (N - 1) MACs and q S (H' N^2 - H) exponentials, H' = H / N heads.
"""

from __future__ import annotations

import doctest
from math import ceil, floor

import numpy as np
import pytest

import foldsim
from foldsim.answers import tipping
from foldsim.answers.tipping import CURVES, METRICS, compare, over_chunk, over_left_context, pair_of, searched_chunks
from foldsim.answers.tipping_rows import Question, tipping_columns
from foldsim.designs.axes import DesignError
from foldsim.designs.changes import change
from foldsim.sweeps.columns import columns
from foldsim.workload.lowering import lower

TOKEN_MS = 40.0
CHUNK_TOKENS = (1, 4, 16, 64)


@pytest.fixture(scope="module")
def chip(load_profile, data_dir):
    """MACs at 0.5 pJ, exponentials at 7 pJ, weights at 40 pJ/byte; all else is free and takes no time."""
    return foldsim.load_profile(data_dir / "closed_form_profile.yaml")


@pytest.fixture(scope="module")
def layer(data_dir):
    """One transformer layer of width 512 with 8 heads and 2048 hidden units, no biases."""
    return foldsim.load_workload(data_dir / "closed_form_workload.yaml")


def crossings(pair, metric, chunk_tokens=CHUNK_TOKENS, limit=65_536):
    """Verdict and keys of every crossing of a metric, by chunk size."""
    chunks = [t * pair.design.spec.token_ms for t in chunk_tokens]
    assert searched_chunks(pair, chunks, limit) == tuple(chunks)
    found = []
    for line in over_left_context(pair, chunks, limit):
        one = line[CURVES.index(metric)]
        keys = pair.keys_tokens(one.chunk_ms, one.left_ms)
        found.append([(verdict, int(keys[at])) for verdict, at in one.crossings] or one.verdict)
    return found


# ---- multiply-accumulates -----------------------------------------------------------------------------------


def sized(changed, layer, width, hidden, heads=8):
    def edit(data):
        data["components"][0]["layers"][0] |= {"width": width, "feedforward": hidden, "heads": heads}

    return changed(layer, edit)


@pytest.mark.parametrize(
    ("width", "hidden", "factor", "scope", "keys"),
    [
        (512, 2048, 2, "attention", 512),
        (512, 2048, 4, "attention", 256),
        (256, 1024, 2, "attention", 256),
        (512, 2048, 2, "attention+feedforward", 1536),
        (512, 2048, 4, "attention+feedforward", 768),
        (256, 2048, 2, "attention+feedforward", 1280),
    ],
)
def test_work_of_folding_breaks_even_at_the_closed_form(changed, layer, chip, width, hidden, factor, scope, keys):
    """S = 2 D / N, or (2 D + F) / N: the last number of keys at which folding does not cost more."""
    both = scope == "attention+feedforward"
    assert keys == (2 * width + hidden * both) / factor
    base = sized(changed, layer, width, hidden)
    pair = pair_of(base.fold(factor, scope=scope), base, chip)
    assert crossings(pair, "macs") == [[("stops", keys)]] * len(CHUNK_TOKENS)


def test_both_sides_are_equal_at_the_break_even(layer):
    """D = 512, T = 4, S = 512 keys: 4 T D^2 + 2 T S D = 6,291,456, and 4 T D^2 / 2 + 4 T S D as well."""
    assert 4 * 4 * 512**2 + 2 * 4 * 512 * 512 == 4 * 4 * 512**2 // 2 + 4 * 4 * 512 * 512 == 6_291_456
    feedforward = 2 * 4 * 512 * 2048
    for workload in (layer, layer.fold(2)):
        assert workload.macs_per_invocation(chunk_tokens=4)["encoder"] == 6_291_456 + feedforward


def test_right_context_counts_as_keys(emformer, load_profile):
    """The Emformer's queries see L + T + 1 keys: 512 at every chunk size of a whole recogniser, D = 512."""
    pair = pair_of(emformer.fold(2), emformer, load_profile("phone-npu"))
    assert crossings(pair, "macs", (1, 2, 4, 8, 32)) == [[("stops", 512)]] * 5
    line = over_left_context(pair, [160.0], 1000)[0][CURVES.index("macs")]
    assert line.left_ms[line.stops[0]] / TOKEN_MS == 512 - 4 - 1


@pytest.mark.parametrize(("tokens", "bank"), [(4, 8), (1, 32), (16, 4)])
def test_a_memory_bank_moves_the_break_even(emformer, changed, load_profile, tokens, bank):
    """One summary query per chunk; right context 1."""
    base = changed(emformer, lambda data: data["streaming"].update(memory_bank_tokens=bank))
    queries, fresh = tokens + 1 + 1, bank + tokens + 1
    keys = floor(512 * (queries + fresh) / (queries * 2))
    pair = pair_of(base.fold(2), base, load_profile("phone-npu"))
    assert crossings(pair, "macs", (tokens,)) == [[("stops", keys)]]


def test_relative_positions_that_are_projected_again_keep_folding_ahead(layer, changed, chip):
    """Width 512: up to 128 queries folding always saves work."""
    base = changed(layer, lambda data: data["components"][0]["layers"][0].update(positions="relative"))
    pair = pair_of(base.fold(2), base, chip)
    exact = {q: (512**2 * (4 * q - 1) / 2 + q * 512) / (4 * q * 512 - 512**2) for q in (132, 160, 256)}
    assert crossings(pair, "macs", (4, 128)) == ["always", "always"]
    assert crossings(pair, "macs", tuple(exact)) == [[("stops", floor(s))] for s in exact.values()]


@pytest.mark.parametrize(("width", "heads", "features"), [(512, 8, 266), (256, 4, 128), (144, 4, 129)])
def test_work_of_linear_attention_breaks_even_at_the_closed_form(changed, layer, chip, width, heads, features):
    head = width // heads
    base = sized(changed, layer, width, 4 * width, heads)
    favor = 2 * features * (1 + 1 / (4 * head))
    focused = head + (5 + 1) / 2
    for kind, options, exact in (("favor", {"features": features}, favor), ("focused_linear", {}, focused)):
        found = crossings(pair_of(base.with_attention(kind, **options), base, chip), "macs", (1, 4, 16))
        assert found == [[("starts", floor(exact) + 1)]] * 3


# ---- energy -------------------------------------------------------------------------------------------------


def energy_break_even(tokens, weight_pj_per_byte, width=512, heads=8, factor=2):
    """Keys at which folding the attention stops saving energy (facts of the closed form, placeholder energies)."""
    params, mac_pj, exp_pj, score_pj_per_byte, passes = 4 * width**2, 0.5, 5.0, 0.5, 4
    saved = tokens * params * (1 - 1 / factor) * mac_pj + params * (1 - 1 / factor**2) * weight_pj_per_byte
    more = 2 * width * (factor - 1) * mac_pj
    more += (heads / factor * factor**2 - heads) * (exp_pj + passes * score_pj_per_byte)
    return saved / (tokens * more)


@pytest.mark.parametrize(
    ("weight_pj_per_byte", "published"),
    [(40.0, (55_844, 14_307, 3_923, 1_327)), (1.5, (2_538, 981, 591, 494))],
)
def test_energy_of_folding_breaks_even_at_the_closed_form(layer, chip, weight_pj_per_byte, published):
    """The profile charges an exponential 5 pJ and the four passes over its 1-byte score 4 x 0.5 pJ."""
    exact = [energy_break_even(t, weight_pj_per_byte) for t in CHUNK_TOKENS]
    assert tuple(round(s) for s in exact) == published
    profile = change(chip, "profile.memory_levels.flash.read_pj_per_byte", weight_pj_per_byte)
    pair = pair_of(layer.fold(2), layer, profile, placement="dram")
    assert crossings(pair, "energy") == [[("stops", floor(s))] for s in exact]


def test_energy_break_even_moves_little_when_memories_cost_energy(layer, chip):
    """SRAM at 0.5 pJ/byte on a 32 x 32 array instead of a price per score: operands are read through the port, and
    weights are written to the SRAM on their way in. Within 1 % of the closed form here; the formula leaves it out."""
    profile = chip
    for path, value in (
        ("memory_levels.sram.read_pj_per_byte", 0.5),
        ("memory_levels.sram.write_pj_per_byte", 0.5),
        ("compute_units.array.vector.exp_pj", 5.0),
        ("compute_units.array.unroll_k_count", 32),
        ("compute_units.array.unroll_n_count", 32),
        ("compute_units.array.precisions.int8.macs_per_cycle", 1024),
    ):
        profile = change(profile, f"profile.{path}", value)
    found = crossings(pair_of(layer.fold(2), layer, profile, placement="dram"), "energy")
    for ((_, keys),), tokens in zip(found, CHUNK_TOKENS, strict=True):
        assert keys == pytest.approx(energy_break_even(tokens, 40.0), rel=0.01)
        assert keys > energy_break_even(tokens, 40.0)


def test_energy_break_even_falls_as_chunks_grow(emformer, shipped_profile):
    """Weights are read once per chunk, scores cost per token: long chunks have less to save per token.

    Not on a chip whose power is known only as a whole while busy: there bytes have no price of their own. A core that
    reads weights in place reads them once per two rows, so that a chunk of one token stands apart.
    """
    found = crossings(pair_of(emformer.fold(2), emformer, shipped_profile), "energy", (1, 2, 4, 8, 16, 32))
    keys = [65_536 if one == "always" else one[0][1] for one in found]
    if any(level.read_cache_bytes is not None for level in shipped_profile.spec.memory_levels):
        keys = keys[1:]
    assert keys == sorted(keys, reverse=True)
    bytes_cost = any(level.read_pj_per_byte.high > 0 for level in shipped_profile.spec.memory_levels)
    assert keys[-1] < keys[0] if bytes_cost else len(set(keys)) == 1


# ---- the search ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("metric", "column"), METRICS.items())
@pytest.mark.parametrize("chunk_ms", [160.0, 1280.0])
def test_a_sweep_changes_sign_where_the_search_says(emformer, load_profile, chunk_ms, metric, column):
    """The same designs one by one: a left context at the tipping point, and one token more."""
    pair = pair_of(emformer.fold(2), emformer, load_profile("watch-npu"))
    line = over_left_context(pair, [chunk_ms], 65_536)[0][CURVES.index(metric)]
    if not line.crossings:
        assert metric == "memory"
        return
    left = round(line.left_ms[line.stops[0]] / TOKEN_MS)
    rows = foldsim.sweep(
        emformer,
        pair.design.profile,
        chunk_ms,
        [1, 2],
        sets={"workload.streaming.left_context_tokens": [left, left + 1]},
    )
    extra = {
        tokens: float(mine[mine.fold_factor == 2][column].iloc[0] - mine[mine.fold_factor == 1][column].iloc[0])
        for tokens, mine in rows.groupby("left_context_tokens")
    }
    scale = float(rows[column].max()) * 1e-12
    assert extra[left] <= scale
    assert extra[left + 1] > scale


def fake_search(monkeypatch, load_profile, emformer, sign):
    """Crossings that the search finds in a made-up curve over the left context [tokens]."""

    def made_up(pair, chunk_ms, left_ms):
        values = np.where(sign(np.round(left_ms / TOKEN_MS)), -0.1, 0.1)
        flags = np.ones(len(left_ms), dtype=bool)
        return tipping.Comparison(np.stack([values] * len(CURVES)), flags, flags)

    monkeypatch.setattr(tipping, "compare", made_up)
    pair = pair_of(emformer.fold(2), emformer, load_profile("phone-npu"))
    line = over_left_context(pair, [TOKEN_MS], 65_536)[0][0]
    return [(verdict, round(line.left_ms[at] / TOKEN_MS)) for verdict, at in line.crossings]


@pytest.mark.parametrize("at", [0, 1, 17, 1023, 1024, 1025, 5000, 31_337, 65_000])
def test_a_single_crossing_is_found_exactly(monkeypatch, load_profile, emformer, at):
    assert fake_search(monkeypatch, load_profile, emformer, lambda left: left <= at) == [("stops", at)]
    assert fake_search(monkeypatch, load_profile, emformer, lambda left: left > at) == [("starts", at + 1)]


def test_every_crossing_is_found_where_they_are_apart(monkeypatch, load_profile, emformer):
    found = fake_search(
        monkeypatch, load_profile, emformer, lambda left: (left < 700) | ((left >= 20_000) & (left < 20_500))
    )
    assert found == [("stops", 699), ("starts", 20_000), ("stops", 20_499)]


def test_ties_belong_to_what_came_before():
    def paying(*signs):
        return tipping._paying(np.array(signs, dtype=float)).tolist()

    assert paying(-1, 0, 1) == [True, True, False]
    assert paying(1, 0, -1) == [False, False, True]
    assert paying(0, 0, 1) == [True, True, False]
    assert paying(0, 0, 0) == [False, False, False]
    assert doctest.testmod(tipping).failed == 0


def test_equal_designs_are_told(emformer, load_profile):
    pair = pair_of(emformer, emformer, load_profile("phone-npu"))
    assert crossings(pair, "energy", (4,), 1000) == ["equal"]
    assert {one.verdict for one in over_chunk(pair)} == {"equal"}


def test_over_chunks_is_every_chunk_size(emformer, load_profile):
    """The verdict at each chunk size is that of the two designs there."""
    pair = pair_of(emformer.fold(4), emformer, load_profile("watch-npu"))
    line = over_chunk(pair)[CURVES.index("energy")]
    assert line.chunk_ms.tolist() == [TOKEN_MS * n for n in range(1, 257)]
    assert set(line.left_ms.tolist()) == {30 * TOKEN_MS}
    rows = foldsim.sweep(emformer, pair.design.profile, "40:10240:40", [1, 4])
    saving = rows[rows.fold_factor == 4].power_saving_ratio.to_numpy()
    edges = np.flatnonzero((saving[1:] >= 0) != (saving[:-1] >= 0))
    assert [at for _, at in line.crossings] == [e if saving[e] >= 0 else e + 1 for e in edges.tolist()]
    assert len(edges)


def test_left_contexts_in_an_array_are_left_contexts_one_by_one(emformer, changed):
    """``lower`` at P left contexts gives what P workloads give."""
    lefts = [0, 7, 30, 512]
    together = lower(emformer.spec, np.full(4, 4.0), np.full(4, 2.0), None, np.array(lefts, dtype=float)).recogniser
    for p, left in enumerate(lefts):
        alone = changed(emformer, lambda data, left=left: data["streaming"].update(left_context_tokens=left))
        one = lower(alone.spec, np.array([4.0]), np.array([2.0])).recogniser
        names = list(one.group_names)
        for g, name in enumerate(together.group_names):
            # Alone, a group without bytes is left out.
            stored = one.group_bytes[names.index(name), 0] if name in names else 0.0
            assert together.group_bytes[g, p] == stored
        for field in ("m", "k", "n", "batch", "live_bytes", "state_read_bytes", "state_write_bytes"):
            many, single = getattr(together.ops, field), getattr(one.ops, field)
            mine = many[:, p] if many.shape[1] > 1 else many[:, 0]
            assert np.array_equal(mine, single[:, 0]), field


# ---- pairs of workloads -------------------------------------------------------------------------------------


def test_workloads_of_different_tokens_meet_on_common_durations(changed, layer, chip):
    """Tokens of 40 ms and of 60 ms: chunks and left contexts in steps of 120 ms."""
    other = changed(layer, lambda data: data["audio"].update(subsampling_frames=6))
    pair = pair_of(layer, other, chip)
    assert (pair.chunk_step_ms, pair.left_step_ms) == (120, 120)
    assert searched_chunks(pair, None, 4096) == (120.0,)
    seen = compare(pair, np.array([240.0]), np.array([1200.0]))
    for workload, tokens, left in ((layer, 6, 30), (other, 4, 20)):
        alone = changed(workload, lambda data, left=left: data["streaming"].update(left_context_tokens=left))
        macs = alone.macs_per_invocation(tokens)["encoder"]
        if workload is layer:
            mine = macs
    assert seen.excess_ratio[0, 0] == pytest.approx(mine / macs - 1, rel=1e-12)


def test_what_cannot_be_compared_is_told(emformer, layer, chip, load_profile):
    pair = pair_of(emformer.fold(2), emformer, load_profile("phone-npu"))
    with pytest.raises(DesignError, match="not a multiple of the 40 ms token"):
        searched_chunks(pair, [45.0], 1000)
    with pytest.raises(DesignError, match="max_keys: 20"):
        searched_chunks(pair, [1280.0], 20)
    with pytest.raises(DesignError, match="neither a policy nor an operating point"):
        pair_of(emformer.fold(2), emformer, pair.design.profile, policy="fast").check([40.0], 1000)


# ---- rows ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows(emformer, load_profile):
    profile = load_profile("phone-npu")
    designs = {"fold=2": emformer.fold(2), "attention=favor": emformer.with_attention("favor")}
    return tipping_columns(
        [
            Question(pair_of(design, emformer, profile), text, "baseline", tuple(METRICS), (40.0, 160.0), 65_536)
            for text, design in designs.items()
        ]
    )


def test_rows_are_those_of_the_dictionary(rows):
    assert list(rows) == [name for name in columns() if name in rows]
    assert {name for name, column in columns().items() if column.group == "tipping"} <= set(rows)
    assert len({len(values) for values in rows.values()}) == 1


def picked(rows, **wanted):
    mask = np.ones(len(rows["metric"]), dtype=bool)
    for name, value in wanted.items():
        mask &= rows[name] == value
    return {name: values[mask] for name, values in rows.items()}


def test_rows_hold_the_crossing_its_place_and_the_saving(rows, emformer, load_profile):
    row = picked(rows, variant="fold=2", over="left_context", metric="macs", chunk_ms=160.0)
    assert row["verdict"].tolist() == ["stops"]
    assert row["keys_tokens"].tolist() == row["keys_low_tokens"].tolist() == row["keys_high_tokens"].tolist() == [512]
    assert row["left_context_tokens"].tolist() == [507]
    assert row["own_keys_tokens"].tolist() == [35]
    row = picked(rows, variant="fold=2", over="left_context", metric="energy", chunk_ms=160.0)
    own = foldsim.sweep(emformer, "phone-npu", 160, [1, 2]).power_saving_ratio.iloc[1]
    assert row["saving_ratio"][0] == pytest.approx(own, rel=1e-12)
    assert row["keys_low_tokens"][0] < row["keys_tokens"][0] < row["keys_high_tokens"][0]
    never = picked(rows, variant="attention=favor", over="chunk")
    assert set(never["verdict"].tolist()) == {"never"}
    assert set(never["crossings_count"].tolist()) == set(never["keys_tokens"].tolist()) == {0}


def test_range_of_energy_is_where_the_band_of_the_saving_crosses_zero(rows, emformer):
    """At the low end the least saving that the ranges allow is still above zero, a token later it is not."""
    row = picked(rows, variant="fold=2", over="left_context", metric="energy", chunk_ms=160.0)
    for end, column in (("low", "power_saving_low_ratio"), ("high", "power_saving_high_ratio")):
        left = int(row[f"keys_{end}_tokens"][0]) - 4 - 1
        swept = foldsim.sweep(
            emformer, "phone-npu", 160, [1, 2], sets={"workload.streaming.left_context_tokens": [left, left + 1]}
        )
        saving = swept[swept.fold_factor == 2].set_index("left_context_tokens")[column]
        assert saving[left] >= 0 > saving[left + 1]


def test_range_of_what_starts_paying_runs_from_best_to_worst(rows):
    row = picked(rows, variant="attention=favor", over="left_context", metric="energy", chunk_ms=160.0)
    assert row["verdict"].tolist() == ["starts"]
    assert row["keys_low_tokens"][0] < row["keys_tokens"][0] < row["keys_high_tokens"][0]
    work = picked(rows, variant="attention=favor", over="left_context", metric="macs", chunk_ms=160.0)
    assert work["keys_tokens"].tolist() == [ceil(2 * 266 * (1 + 1 / 256))]
