"""Stored bytes and decoding of every method, by hand, and the published sizes and ratios."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldsim.workload.compression.codec import Recipe, pack
from foldsim.workload.compression.records import (
    CodebookCodes,
    Compression,
    IntegerCodes,
    LowRank,
    Pruning,
    QsqCodes,
    StructuredPruning,
)


def made(kind: Any, **fields: Any) -> Any:
    method = kind.model_fields["method"].annotation.__args__[0]
    return kind(method=method, component="all", **fields)


def integer(bits: int, group: int | None = None, scale: int = 16, zero: int = 0, **more: Any) -> IntegerCodes:
    return made(IntegerCodes, bits=bits, group_size=group, scale_bits=scale, zero_bits=zero, **more)


def packed(*entries: Compression, k: float = 512, n: float = 512, weights: int = 8, arithmetic: int = 8) -> Any:
    by_group = {entry.group: entry for entry in entries}
    return pack(Recipe(by_group.get("code"), by_group.get("zeros")), k, n, weights, arithmetic)


def stored(*entries: Compression, **shape: Any) -> float:
    return float(packed(*entries, **shape).stored_bytes)


# ---- integer codes --------------------------------------------------------------------------------------------------

# Blocks of ggml (ggml-common.h asserts these sizes): 32 weights with an fp16 scale, _1 with an fp16 minimum too.
GGML = {"q4_0": (4, 0, 18), "q4_1": (4, 16, 20), "q5_0": (5, 0, 22), "q5_1": (5, 16, 24), "q8_0": (8, 0, 34)}


@pytest.mark.parametrize(("bits", "zero", "expected"), GGML.values(), ids=GGML)
def test_a_block_of_32_is_as_large_as_ggmls(bits, zero, expected):
    assert stored(integer(bits, 32, 16, zero), k=32, n=1) == expected
    assert stored(integer(bits, 32, 16, zero), k=4096, n=100) == 4096 / 32 * expected * 100


def test_four_bits_without_scales_are_half_a_byte():
    assert stored(integer(4, scale=0)) == 512 * 512 / 2


def test_without_groups_a_column_has_one_scale():
    """512 x 3 + 16 = 1552 bits = 194 bytes a column."""
    assert stored(integer(3)) == 512 * 194


def test_the_last_group_of_a_column_is_shorter():
    """80 = 32 + 32 + 16 weights: 18 + 18 + (64 + 16) / 8 = 46 bytes."""
    assert stored(integer(4, 32), k=80, n=128) == 46 * 128


def test_groups_are_padded_to_whole_bytes():
    """5 codes of 3 bits and a scale of 6 are 21 bits, 3 bytes."""
    result = packed(integer(3, 5, scale=6), k=10, n=7)
    assert result.stored_bytes == 2 * 3 * 7
    assert result.overhead_bytes == pytest.approx(42 - 70 * 3 / 8)


def test_a_group_longer_than_the_column_is_the_column():
    assert stored(integer(4, 1000), k=80, n=3) == 3 * (40 + 2)


def test_shapes_may_be_arrays():
    """Folded by 1, 2, 4: columns of 512, 256, 128, and as many."""
    widths = np.array([512.0, 256.0, 128.0])
    found = packed(integer(4, 32), k=widths, n=widths).stored_bytes
    assert found.tolist() == [w * w / 32 * 18 for w in (512, 256, 128)]


def test_integer_decoding():
    """Group scales are applied weight by weight, those of a column to the results; narrow codes are unpacked."""
    grouped, whole = packed(integer(4, 32)), packed(integer(4, zero=8))
    assert (grouped.multiply_adds, grouped.compares, grouped.result_multiply_adds) == (1, 0.5, 0)
    assert (whole.multiply_adds, whole.compares, whole.result_multiply_adds) == (0, 0.5, 2)
    same = packed(integer(8))
    assert (same.multiply_adds, same.compares, same.result_multiply_adds) == (0, 0, 1)
    assert packed(integer(8), arithmetic=16).compares == 0.5
    free = packed(integer(4, decoder="free"))
    assert (free.multiply_adds, free.compares, free.result_multiply_adds) == (0, 0, 0)


# ---- quality-scalable codes (facts: attention_variants.md, section 1; arXiv 2407.11260) ------------------------------

QSQ_SAVING = 0.824919  # memory saving that the abstract reports
QSQ_SHARE = 0.9103  # of the weights at 3 bits against fp32, derived from it


def test_the_published_saving_of_qsq():
    """91.03 % of fp32 weights at 3 bits: 0.9103 x 3 + 0.0897 x 32 = 5.60 bits per weight, 82.49 % less than 32."""
    columns = 10_000
    bytes_ = stored(made(QsqCodes, coded_ratio=QSQ_SHARE, scale_bits=0), k=512, n=columns, weights=32)
    assert bytes_ == 9_103 * 512 * 3 / 8 + 897 * 512 * 4
    assert 8 * bytes_ / (512 * columns) == pytest.approx(5.60, abs=0.005)
    assert 1 - bytes_ / (512 * columns * 4) == pytest.approx(QSQ_SAVING, abs=5e-5)  # the share has four digits
    assert round(QSQ_SAVING / (1 - 3 / 32), 4) == QSQ_SHARE


def test_the_published_saving_of_qsq_needs_a_base_of_32_bits():
    whole = stored(made(QsqCodes, scale_bits=0), weights=16)
    assert 1 - whole / (512 * 512 * 2) == 0.8125 < QSQ_SAVING


def test_qsq_bytes():
    """A column: 512 x 3 + 16 bits = 194 bytes; in groups of 16: (48 + 16) / 8 = 8 bytes each."""
    assert stored(made(QsqCodes)) == 512 * 194
    assert stored(made(QsqCodes, group_size=16)) == 512 * 32 * 8
    assert stored(made(QsqCodes, coded_ratio=0.5, scale_bits=0)) == 256 * 512 * 3 / 8 + 256 * 512


def test_qsq_energy():
    """(1 - z) of the coded share at the price of a short multiplier, the rest in full; shift and add per weight."""
    result = packed(made(QsqCodes, coded_ratio=0.75, zero_ratio=0.06, mac_energy_ratio=0.5))
    assert result.mac_energy_ratio == pytest.approx(0.25 + 0.75 * 0.94 * 0.5)
    assert result.mac_time_ratio == 1
    assert result.multiply_adds == pytest.approx(0.75)
    assert packed(made(QsqCodes, zero_ratio=0.06, zero_gating=False)).mac_energy_ratio == 1


# ---- codebooks (facts: attention_variants.md, section 7; attention_vectors.json, system vqad) ------------------------


def test_the_codebook_vector():
    """512 x 512 weights, g = 4, b = 8, entries of 16 bits: 65,536 indices and 256 x 4 x 2 bytes."""
    assert stored(made(CodebookCodes, group_size=4, index_bits=8, entry_bits=16)) == 65_536 + 2_048 == 67_584


@pytest.mark.parametrize(("entry_bits", "ratio"), [(16, 20), (32, 40)])
def test_the_published_ratios_of_vqad(entry_bits, ratio):
    """Vectors of 5 at 4 bits: 5 x 16 / 4 = 20 against fp16 and 40 against fp32, for large tables."""
    k, n = 5_000, 10_000
    bytes_ = stored(made(CodebookCodes, group_size=5, index_bits=4, entry_bits=entry_bits), k=k, n=n)
    book = 16 * 5 * entry_bits / 8
    assert bytes_ == k / 5 * n / 2 + book
    assert k * n * entry_bits / 8 / bytes_ == pytest.approx(ratio, rel=1e-4)


def test_codebook_vectors_do_not_cross_columns():
    """10 = 4 + 4 + 2 weights: three indices a column; 7 columns of 3 x 5 bits are 105 bits, 14 bytes."""
    book = 2**5 * 4 * 2
    assert stored(made(CodebookCodes, group_size=4, index_bits=5), k=10, n=7) == 14 + book


def test_codebook_decoding():
    """One look-up per vector: its 4 elements of 2 bytes are read from the innermost level."""
    result = packed(made(CodebookCodes, group_size=4, index_bits=8, entry_bits=16))
    assert result.multiply_adds == 0.25
    assert result.codeword_bytes == 2
    assert packed(made(CodebookCodes, decoder="free")).codeword_bytes == 0


# ---- pruning --------------------------------------------------------------------------------------------------------


def test_a_bitmap_takes_a_bit_per_weight():
    """262,144 weights, half of them zero: 131,072 bytes and 32,768 of bitmap."""
    assert stored(made(Pruning, zero_ratio=0.5)) == 131_072 + 32_768
    assert stored(made(Pruning, zero_ratio=0.9)) == 262_144 - 235_929 + 32_768


def test_runs_need_fillers():
    """Four bits reach 16 places (EIE, arXiv 1602.01528): at 90 % zeros 0.9^16 = 18.5 % of the entries are fillers."""
    survivors = 262_144 - 235_929
    entries = math.ceil(survivors / (1 - 0.9**16))
    assert entries == 32_178
    assert stored(made(Pruning, zero_ratio=0.9, index="run_length")) == entries + math.ceil(entries / 2)
    long = stored(made(Pruning, zero_ratio=0.9, index="run_length", run_bits=8))
    assert long == 2 * math.ceil(survivors / (1 - 0.9**256))


def test_fillers_are_those_of_zeros_at_random_places():
    """Counted on a random column: a filler wherever more than 15 zeros stand before an entry."""
    random = np.random.default_rng(0)
    places = np.flatnonzero(random.random(2_000_000) > 0.9)
    gaps = np.diff(np.concatenate([[-1], places])) - 1
    counted = len(places) + int((gaps // 16).sum())
    survivors = 2_000_000 - 1_800_000
    assert counted / len(places) == pytest.approx(math.ceil(survivors / (1 - 0.9**16)) / survivors, rel=0.005)


def test_csr_points_into_columns():
    """512 places take 9 bits; 513 pointers to 26,215 entries take 15."""
    survivors = 26_215
    index = math.ceil((survivors * 9 + 513 * 15) / 8)
    assert stored(made(Pruning, zero_ratio=0.9, index="csr")) == survivors + index


def test_pruned_codes():
    """Half of 512 x 512 at 4 bits: 65,536 bytes, the bitmap, and a scale per 32 dense weights: 8,192 x 2."""
    assert stored(made(Pruning, zero_ratio=0.5), integer(4, 32)) == 65_536 + 32_768 + 16_384


def test_pruning_decodes_and_gates():
    bitmap = packed(made(Pruning, zero_ratio=0.8, zero_gating=True), integer(4, 32))
    assert bitmap.compares == pytest.approx(1 + 0.5 * 0.2, abs=1e-5)
    assert bitmap.multiply_adds == pytest.approx(0.2, abs=1e-5)
    assert bitmap.mac_energy_ratio == pytest.approx(0.2)
    assert bitmap.mac_time_ratio == 1
    runs = packed(made(Pruning, zero_ratio=0.8, index="run_length"))
    assert runs.multiply_adds == pytest.approx(0.2 / (1 - 0.8**16), rel=1e-4)
    assert (runs.compares, runs.mac_energy_ratio) == (0, 1)


# Storage of 2:4 over dense (Mishra et al., arXiv 2104.08378): two values of four and two bits for each.
TWO_OF_FOUR = {16: (2 * 16 + 4) / 64, 8: (2 * 8 + 4) / 32, 4: (2 * 4 + 4) / 16}


@pytest.mark.parametrize(("bits", "ratio"), TWO_OF_FOUR.items())
def test_two_of_four(bits, ratio):
    """44 %, 37.5 % and 25 % less at 16, 8 and 4 bits."""
    assert stored(made(StructuredPruning), weights=bits) == 512 * 512 * bits / 8 * ratio
    if bits < 16:
        assert stored(made(StructuredPruning), integer(bits, scale=0)) == 512 * 512 * bits / 8 * ratio


def test_n_of_m_with_group_scales():
    """32 weights: 16 x (4 + 2) + 16 bits = 14 bytes."""
    assert stored(made(StructuredPruning), integer(4, 32)) == 512 * 16 * 14


def test_a_column_that_is_no_multiple_of_m():
    """10 = 4 + 4 + 2: 2 + 2 + 2 kept, 6 x (8 + 2) bits = 8 bytes a column; 1:4 keeps 3, of 2 bits of place each."""
    assert stored(made(StructuredPruning), k=10, n=3) == 8 * 3
    assert stored(made(StructuredPruning, n=1), k=10, n=3) == 4 * 3


def test_skipping_saves_time_gating_does_not():
    idle, gates, skips = (packed(made(StructuredPruning, **x)) for x in ({}, {"zero_gating": True}, {"skips": True}))
    assert (idle.mac_energy_ratio, idle.mac_time_ratio, idle.compares) == (1, 1, 0.5)
    assert (gates.mac_energy_ratio, gates.mac_time_ratio, gates.compares) == (0.5, 1, 0.5)
    assert (skips.mac_energy_ratio, skips.mac_time_ratio, skips.compares) == (0.5, 0.5, 0)


def test_nothing_changes_what_is_not_packed():
    assert stored(weights=4) == 512 * 512 / 2
    assert stored(weights=4, k=3, n=3) == 4.5


# ---- properties -----------------------------------------------------------------------------------------------------

sizes = st.integers(1, 700)
groups = st.one_of(st.none(), st.integers(1, 300))


@given(sizes, sizes, groups, st.integers(0, 32), st.integers(2, 7))
def test_fewer_bits_never_take_more(k, n, group, scale, bits):
    shape = {"k": float(k), "n": float(n)}
    assert stored(integer(bits, group, scale), **shape) <= stored(integer(bits + 1, group, scale), **shape)
    assert stored(integer(bits, group, scale), **shape) >= k * n * bits / 8
    zeros = made(Pruning, zero_ratio=0.3)
    assert stored(zeros, integer(bits, group, scale), **shape) <= stored(
        zeros, integer(bits + 1, group, scale), **shape
    )


@given(sizes, sizes, st.floats(0.01, 0.98), st.sampled_from(["bitmap", "csr", "run_length"]))
def test_more_zeros_never_take_more(k, n, share, index):
    def of(zero_ratio: float) -> float:
        return stored(made(Pruning, zero_ratio=zero_ratio, index=index), k=float(k), n=float(n))

    if index != "run_length":  # runs get fillers; past a point more zeros cost more
        assert of(min(0.99, share + 0.01)) <= of(share)
    assert of(share) >= k * n * (1 - share) - 1


@given(sizes, sizes, groups, st.sampled_from([4, 8, 16]))
def test_overhead_is_what_is_not_code(k, n, group, multiple):
    if group is not None:
        group = math.ceil(group / 4) * 4
    for entries in (
        [integer(3, group)],
        [made(QsqCodes, group_size=group)],
        [made(StructuredPruning), integer(5, group)],
        [made(Pruning, zero_ratio=0.7), integer(3, group)],
        [made(CodebookCodes, group_size=multiple)],
    ):
        result = packed(*entries, k=float(k), n=float(n))
        assert 0 <= result.overhead_bytes <= result.stored_bytes
        assert 0 < result.mac_energy_ratio <= 1
        assert 0 < result.mac_time_ratio <= 1


def test_low_rank_packs_nothing_itself():
    assert float(pack(Recipe(low_rank=made(LowRank, rank=3)), 4.0, 4.0, 8, 8).stored_bytes) == 16
