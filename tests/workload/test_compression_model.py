"""What compression does to traffic, time, energy and savings."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.api import simulate, sweep
from foldsim.sweeps import engine
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.compression.text import parse_compression

FEEDFORWARD = 2 * 512 * 2048  # weights of one layer
JOINER, JOINER_BIAS = 1024 * 4097, 4097


# ---- traffic, time, energy ------------------------------------------------------------------------------------------


def test_off_chip_traffic_shrinks_by_the_stored_bytes(emformer):
    """Everything in DRAM: the encoder is read once per chunk, so a chunk reads what it stores less."""
    plain = simulate(emformer, "phone-npu", 160, placement="dram").totals["dram_bytes_per_chunk"]
    packed = emformer.compress("encoder.feedforward=int4-g32")
    found = simulate(packed, "phone-npu", 160, placement="dram").totals["dram_bytes_per_chunk"]
    assert plain - found == pytest.approx(20 * FEEDFORWARD * (1 - 4.5 / 8), rel=1e-9)


def term(result, name):
    return sum(t.power_mw for t in result.power_terms if t.name == name)


def test_decoding_costs_energy_per_weight_and_fetch(emformer, load_profile):
    """20 x 2,097,152 weights, fetched once (5 rows), a multiply-add and half a comparison each, over 160 ms."""
    vector = load_profile("phone-npu").spec.compute_units[0].vector
    result = simulate(emformer.compress("encoder.feedforward=int4-g32"), "phone-npu", 160)
    scaling_uj, unpacking_uj = (
        20 * FEEDFORWARD * pj / 1e6 for pj in (vector.multiply_add_pj.value, vector.compare_pj.value / 2)
    )
    assert term(result, "decode multiply_add") == pytest.approx(scaling_uj / 160, rel=1e-9)
    assert term(result, "decode compare") == pytest.approx(unpacking_uj / 160, rel=1e-9)
    assert [t.decode_per_chunk_uj for t in result.compression] == pytest.approx([scaling_uj + unpacking_uj], rel=1e-9)
    free = simulate(emformer.compress("encoder.feedforward=int4-g32-free"), "phone-npu", 160)
    assert not [t for t in free.power_terms if t.name.startswith("decode")]
    assert result.totals["power_mw"] > free.totals["power_mw"]


def test_weights_are_decoded_again_with_every_pass(emformer, load_profile):
    """Rows beyond what the accumulators hold take another pass over the weights."""
    phone = load_profile("phone-npu")
    rows = phone.spec.compute_units[0].register_rows_count.value
    packed = emformer.compress("encoder.feedforward=int4-g32")
    terms = {}
    for tokens in (4, 2 * int(rows)):
        result = simulate(packed, phone, tokens * 40)
        terms[tokens] = term(result, "decode multiply_add") * tokens
    passes = np.ceil((2 * rows + 1) / rows)
    assert terms[2 * int(rows)] / terms[4] == pytest.approx(passes, rel=1e-9)


def test_serial_steps_decode_every_time(workload_from, load_profile):
    """An LSTM per chunk reads and decodes its recurrent weights once per frame."""
    text = (
        "name: serial\ntitle: x\nsummary: x\nsources: {s: {title: x, kind: assumption}}\n"
        "precision: {weights: int8, activations: int8, state: int8}\n"
        "audio: {frame_ms: 10.0, subsampling_frames: 4}\n"
        "streaming: {chunk_tokens: 4, left_context_tokens: 0, right_context_tokens: 0}\n"
        "decoding: {symbols_per_s: {value: 4.0, low: 2.0, high: 6.0, source: s}}\n"
        "components:\n- name: encoder\n  invoked_per: [chunk]\n  layers:\n"
        "  - {kind: lstm, name: a, inputs: 64, width: 64, rows: chunk_tokens}\n"
        "compression:\n- {component: encoder, method: integer, bits: 4, group_size: 32}\n"
    )
    phone = load_profile("phone-npu")
    result = simulate(workload_from(text), phone, 160)
    price = phone.spec.compute_units[0].vector.multiply_add_pj.value
    weights = 64 * 256 + 4 * 64 * 256  # input gates once, recurrent gates in each of four frames
    assert term(result, "decode multiply_add") * 160 == pytest.approx(weights * price / 1e6, rel=1e-9)


def test_gated_zeros_save_energy_and_no_time(emformer):
    plain, idle, gated = (
        simulate(emformer.compress(f"all=prune-0.75{end}-free") if end is not None else emformer, "phone-npu", 160)
        for end in (None, "", "-gated")
    )
    assert term(gated, "MACs") == pytest.approx(0.25 * term(idle, "MACs") + 0.75 * _not_weights(emformer), rel=1e-6)
    assert term(idle, "MACs") == pytest.approx(term(plain, "MACs"), rel=1e-12)
    assert gated.totals["busy_ms_per_chunk"] == idle.totals["busy_ms_per_chunk"]
    assert gated.totals["macs_per_chunk"] == plain.totals["macs_per_chunk"]


def _not_weights(workload):
    """Power of the MACs of scores and context [mW], which have no weights to prune."""
    result = simulate(workload, "phone-npu", 160)
    scores = sum(
        m for m, op in zip(result.ops["macs_per_chunk"], result.ops["op"], strict=True) if op in ("scores", "context")
    )
    return term(result, "MACs") * scores / result.totals["macs_per_chunk"]


def test_skipped_zeros_save_cycles(emformer):
    """Half of every reduction: the matrix time of all products with weights halves, scores and context stay."""
    gated = simulate(emformer.compress("encoder=2:4-gated-free"), "phone-npu", 160)
    skipped = simulate(emformer.compress("encoder=2:4-skips"), "phone-npu", 160)
    idle = simulate(emformer.compress("encoder=2:4-free"), "phone-npu", 160)
    assert gated.time_terms_ms["matrix"] == idle.time_terms_ms["matrix"]
    assert 0.45 < skipped.time_terms_ms["matrix"] / idle.time_terms_ms["matrix"] < 0.65
    assert term(skipped, "MACs") == pytest.approx(term(gated, "MACs"), rel=1e-12)
    assert skipped.totals["weights_bytes"] == idle.totals["weights_bytes"]


def test_codewords_are_read_from_the_innermost_level(emformer, load_profile):
    """2 bytes per weight of the joiner on top, in each of its 4.64 calls."""
    phone = load_profile("phone-npu")
    inner = phone.spec.memory_levels[0]
    one, free = (
        simulate(emformer.compress(f"joiner=codebook-g4-b8{end}"), phone, 160, placement="dram")
        for end in ("", "-free")
    )
    more = term(one, f"{inner.name} reads") - term(free, f"{inner.name} reads")
    assert more * 160 == pytest.approx(4.64 * JOINER * 2 * inner.read_pj_per_byte.value / 1e6, rel=1e-9)


def test_compressed_weights_may_live_on_chip(emformer):
    """What counts is what is stored: with QSQ the joiner is 1.6 MB instead of 4.2."""
    frames = [
        simulate(emformer.compress(t), "phone-npu", 160, placement="pinned:joiner") for t in ("none", "joiner=qsq")
    ]
    plain, packed = ({h.group: h.stored_bytes for h in f.homes}["joiner weights"] for f in frames)
    assert plain == JOINER + JOINER_BIAS
    assert packed == 4097 * (1024 * 3 + 16) / 8 + JOINER_BIAS


# ---- savings --------------------------------------------------------------------------------------------------------


def test_savings_are_against_the_plain_unfolded_design(emformer):
    texts = ["none", "joiner=int4-g32", "encoder=int4-g32,joiner=qsq"]
    frame = sweep(emformer, ["phone-npu", "gap9"], [40, 160], [1, 2], compress=texts)
    assert len(frame) == 2 * 2 * 2 * 3
    for (profile, chunk), rows in frame.groupby(["profile", "chunk_ms"]):
        base = rows[(rows.fold_factor == 1) & (rows.compression == "none")].iloc[0]
        assert np.allclose(rows.power_saving_ratio, 1 - rows.power_mw / base.power_mw, atol=1e-12), (profile, chunk)
        assert np.allclose(rows.memory_saving_ratio, 1 - rows.memory_bytes / base.memory_bytes, atol=1e-12)
        assert (rows.power_saving_low_ratio <= rows.power_saving_ratio + 1e-12).all()
        assert (rows.power_saving_ratio <= rows.power_saving_high_ratio + 1e-12).all()
        assert (rows.power_low_mw <= rows.power_mw).all()
        assert (rows.power_mw <= rows.power_high_mw).all()


def test_a_design_does_not_depend_on_its_neighbours(emformer):
    """Alone, in a sweep, beside a profile axis, from Python's `simulate`: the same numbers."""
    text = "encoder.feedforward=2:4+int4-g32,joiner=qsq"
    together = sweep(emformer, "phone-npu", [40, 160], [1, 2], compress=["none", text])
    alone = sweep(emformer, "phone-npu", [160], [2], compress=text)
    row = together[(together.compression == text) & (together.chunk_ms == 160) & (together.fold_factor == 2)].iloc[0]
    one = simulate(emformer.compress(text).fold(2), "phone-npu", 160).totals
    path = "profile.memory_levels.dram.read_pj_per_byte"
    phone = sweep(emformer, "phone-npu", [160], [2], compress=text, sets={path: [40.0, 80.0]})
    for name in (
        "power_mw",
        "power_saving_ratio",
        "power_saving_low_ratio",
        "memory_saving_ratio",
        "busy_ms_per_chunk",
    ):
        assert row[name] == pytest.approx(alone[name][0], rel=1e-12)
        assert row[name] == pytest.approx(one[name], rel=1e-12)
    assert phone["power_saving_ratio"][0] < phone["power_saving_ratio"][1]


def test_a_workload_brings_its_own_compression(emformer):
    """Swept beside none, as its own folding is; --compress takes its place."""
    own = emformer.compress("joiner=int4-g32")
    assert sweep(own, "phone-npu", 160, 1)["compression"].tolist() == ["none", "joiner=int4-g32"]
    assert sweep(own, "phone-npu", 160, 1, compress="joiner=qsq")["compression"].tolist() == ["joiner=qsq"]
    assert sweep(own, "phone-npu", 160, 1, compress="none")["compression"].tolist() == ["none"]
    assert simulate(own, "phone-npu", 160).design["compression"] == "joiner=int4-g32"
    assert own.compress("none").spec == emformer.spec


def test_blocks_of_a_large_sweep_agree(emformer, load_profile, monkeypatch):
    """Profile variants cut into blocks find the same baselines."""
    path = "profile.memory_levels.dram.read_pj_per_byte"
    entries = [parse_compression("joiner=int4-g32")]
    space = DesignSpace(
        [emformer], [load_profile("phone-npu")], (40.0, 80.0, 160.0), (1, 2), sets={path: (40, 60, 80)},
        compress=entries,
    )  # fmt: skip
    whole = engine.run(space)
    monkeypatch.setattr(engine, "BLOCK_POINTS", 4)
    cut = engine.run(space)
    for name in ("power_saving_ratio", "power_saving_low_ratio", "memory_saving_ratio", "power_mw", path, "chunk_ms"):
        assert np.allclose(whole[name], cut[name], rtol=1e-12), name


# ---- properties -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["int{}", "int{}-g32", "2:4+int{}-g32", "prune-0.6+int{}-g64", "lowrank-128+int{}"])
def test_fewer_bits_never_cost_bytes_or_traffic(emformer, shipped_profile, method):
    texts = [f"encoder={method.format(bits)}" for bits in range(2, 9)]
    frame = sweep(emformer, shipped_profile, [40, 640], [1, 2], compress=texts)
    for name in ("weights_bytes", "dram_bytes_per_chunk", "memory_bytes", "weight_bits"):
        by_bits = frame[name].to_numpy().reshape(len(texts), -1)
        assert (np.diff(by_bits, axis=0) >= -1e-9 * by_bits[1:]).all(), name


@pytest.mark.parametrize("text", ["all=int4-g32", "all=codebook", "all=prune-0.9-run4", "encoder=lowrank-32+2:4"])
def test_results_are_finite_and_ordered(emformer, shipped_profile, text):
    frame = sweep(emformer, shipped_profile, [40, 1280], [1, 2, 8], compress=text, by="op")
    for name, values in frame.items():
        if values.dtype.kind == "f":
            assert np.isfinite(values).all(), name
    assert (frame["power_low_mw"] <= frame["power_mw"] * (1 + 1e-9)).all()
    assert (frame["power_mw"] <= frame["power_high_mw"] * (1 + 1e-9)).all()
