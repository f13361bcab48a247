"""Storage and decoding of compressed weights: closed forms, exact to the byte.

A weight matrix ``(k x n)`` is ``n`` output columns of ``length`` k (times the batch). Codes, scales and indices are
stored by column. All values may be arrays over design points. Sources: ``docs/compression.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foldsim import units as u
from foldsim.model.records import Number
from foldsim.workload.compression.records import (
    CodebookCodes,
    Compression,
    IntegerCodes,
    LowRank,
    Pruning,
    QsqCodes,
    StructuredPruning,
)
from foldsim.workload.ops import Packed

QSQ_BITS = 3  # arXiv 2407.11260
RUN_BITS = 4  # EIE, arXiv 1602.01528: four bits for the zeros before a weight

# Vector work of decoding, in elements per weight (or entry) each time it is fetched. Our assumption: a software kernel
# on the vector unit; hardware decoders are `decoder: free`.
SCALE_MULTIPLY_ADDS = 1.0  # code x scale + zero point, per stored weight with a group scale
UNPACK_COMPARES = 0.5  # shift and mask on four codes at a time, bytes of a lane, each counted as a comparison
QSQ_MULTIPLY_ADDS = 1.0  # one shift and one addition per coded weight
LOOKUP_MULTIPLY_ADDS = 1.0  # index x size + base, per codebook vector; its elements are read from the innermost level
BITMAP_COMPARES = 1.0  # test one bit, per weight, zero or not
POSITION_MULTIPLY_ADDS = 1.0  # position of an entry: running sum of runs, or base + index
METADATA_COMPARES = 1.0  # place one kept weight of N:M
RESULT_MULTIPLY_ADDS = 1.0  # scale (and, if there is one, zero point) of a column, per result

_ROUNDING = 1.0e-9  # tolerance for share x count that is whole except for rounding


@dataclass(frozen=True)
class Recipe:
    """Transformations of one tensor: at most one of each group."""

    code: Compression | None = None
    zeros: Compression | None = None
    low_rank: LowRank | None = None


NOTHING = Packed(0.0, 0.0)  # a product without compressed weights


def pack(recipe: Recipe, length: Number, columns: Number, weight_bits: int, arithmetic_bits: int) -> Packed:
    """Store ``columns`` columns of ``length`` weights.

    Parameters
    ----------
    length, columns : weights per column and columns, (P,) or numbers.
    weight_bits : the workload's weight format, for weights without a code.
    arithmetic_bits : format of the array; codes of the same width need no unpacking.

    Valid for recipes that pass ``compression_check``: no codebook with zeros, groups of whole N:M patterns.

    >>> eight = pack(Recipe(CodebookCodes(method="codebook", component="all")), 512.0, 512.0, 8, 8)
    >>> float(eight.stored_bytes)  # 512 x 512 / 4 indices of a byte and 256 x 4 entries of two
    67584.0
    """
    length, columns = np.asarray(length, dtype=np.float64), np.asarray(columns, dtype=np.float64)
    code, zeros = recipe.code, recipe.zeros
    if isinstance(code, CodebookCodes):
        return _codebook(code, length, columns)
    parts = _coded_columns(code, columns, weight_bits)
    if isinstance(zeros, Pruning):
        stored, payload, entries_ratio = _unstructured(zeros, parts, length)
        kept_ratio: Number = 1.0 - zeros.zero_ratio
    else:
        stored, payload = _blocks(zeros, parts, length)
        kept_ratio = entries_ratio = _kept(zeros, length) / length
    coded_ratio = parts[0].columns / np.maximum(columns, 1.0)
    adds, compares = _decode(code, zeros, entries_ratio, coded_ratio, arithmetic_bits)
    gated = isinstance(zeros, (Pruning, StructuredPruning)) and (
        zeros.zero_gating or (isinstance(zeros, StructuredPruning) and zeros.skips)
    )
    energy = kept_ratio if gated else 1.0
    if isinstance(code, QsqCodes):
        alive = 1.0 - code.zero_ratio if code.zero_gating else 1.0
        energy = energy * (1.0 - coded_ratio * (1.0 - alive * code.mac_energy_ratio))
    return Packed(
        stored,
        stored - payload,
        multiply_adds=adds,
        compares=compares,
        result_multiply_adds=_per_result(code),
        mac_energy_ratio=energy,
        mac_time_ratio=kept_ratio if isinstance(zeros, StructuredPruning) and zeros.skips else 1.0,
    )


@dataclass(frozen=True)
class _Part:
    """Columns of one format."""

    columns: Number
    bits: float
    group_size: int | None = None  # weights that share the side bits; None: the whole column
    side_bits: float = 0.0
    whole_bytes: bool = True  # blocks of codes are padded to whole bytes, weights in the workload's format are not


def _coded_columns(code: Compression | None, columns: Number, weight_bits: int) -> list[_Part]:
    """Columns by format: coded ones and, with QSQ, uncoded ones."""
    if isinstance(code, IntegerCodes):
        return [_Part(columns, code.bits, code.group_size, code.scale_bits + code.zero_bits)]
    if isinstance(code, QsqCodes):
        coded = np.rint(code.coded_ratio * columns)
        plain = _Part(columns - coded, weight_bits, whole_bytes=False)
        return [_Part(coded, QSQ_BITS, code.group_size, code.scale_bits), plain]
    return [_Part(columns, weight_bits, whole_bytes=False)]


def _kept(zeros: Compression | None, weights: Number) -> Number:
    """Weights stored out of ``weights`` consecutive ones of a column."""
    if not isinstance(zeros, StructuredPruning):
        return weights
    patterns = np.floor(weights / zeros.m)
    return patterns * zeros.n + np.minimum(weights - patterns * zeros.m, zeros.n)


def _blocks(zeros: Compression | None, parts: list[_Part], length: Number) -> tuple[Number, Number]:
    """Stored bytes, and those of codes: every group is a block of whole bytes, the last of a column shorter."""
    index_bits = math.ceil(math.log2(zeros.m)) if isinstance(zeros, StructuredPruning) else 0
    stored: Number = 0.0
    payload: Number = 0.0
    for part in parts:
        size = length if part.group_size is None else np.minimum(float(part.group_size), length)
        full = np.floor(length / size)
        rest = length - full * size
        payload = payload + part.columns * _kept(zeros, length) * part.bits / u.BITS_PER_BYTE

        def block(weights: Number, part: _Part = part) -> Number:
            bits = _kept(zeros, weights) * (part.bits + index_bits) + part.side_bits
            exact = bits / u.BITS_PER_BYTE
            return np.ceil(exact) if part.whole_bytes or index_bits else exact

        column = full * block(size) + np.where(rest > 0, block(rest), 0.0)
        stored = stored + part.columns * column
    return stored, payload


def _unstructured(zeros: Pruning, parts: list[_Part], length: Number) -> tuple[Number, Number, Number]:
    """Stored bytes, those of codes, and entries per weight. Values, index and scales are each padded to whole bytes.

    Runs that do not fit their bits need filler entries; their count is the mean for zeros at random positions.
    """
    columns = sum((part.columns for part in parts), start=np.zeros(()))
    stored: Number = 0.0
    payload: Number = 0.0
    entries_ratio: Number = 0.0
    for part in parts:
        weights = part.columns * length
        survivors = weights - np.floor(zeros.zero_ratio * weights + _ROUNDING)
        entries = survivors
        if zeros.index == "run_length":
            reach = 2.0 ** (zeros.run_bits or RUN_BITS)
            entries = np.ceil(survivors / (1.0 - zeros.zero_ratio**reach) - _ROUNDING)
            index = entries * (zeros.run_bits or RUN_BITS)
        elif zeros.index == "csr":
            pointer = np.ceil(np.log2(survivors + 1.0))
            index = survivors * np.ceil(np.log2(np.maximum(length, 2.0))) + (part.columns + 1.0) * pointer
        else:
            index = weights
        groups = part.columns * (1.0 if part.group_size is None else np.ceil(length / part.group_size))
        for bits in (entries * part.bits, index, groups * part.side_bits):
            stored = stored + np.where(part.columns > 0, np.ceil(bits / u.BITS_PER_BYTE), 0.0)
        payload = payload + survivors * part.bits / u.BITS_PER_BYTE
        entries_ratio = entries_ratio + entries / np.maximum(columns * length, 1.0)
    return stored, payload, entries_ratio


def _codebook(code: CodebookCodes, length: Number, columns: Number) -> Packed:
    """Packed indices and one codebook."""
    vectors = columns * np.ceil(length / code.group_size)
    indices = vectors * code.index_bits / u.BITS_PER_BYTE
    book = math.ceil(2**code.index_bits * code.group_size * code.entry_bits / u.BITS_PER_BYTE)
    stored = np.where(columns > 0, np.ceil(indices) + book, 0.0)
    if code.decoder == "free":
        return Packed(stored, stored - indices)
    per_weight = vectors / np.maximum(columns * length, 1.0)
    return Packed(
        stored,
        stored - indices,
        codeword_bytes=per_weight * code.group_size * code.entry_bits / u.BITS_PER_BYTE,
        multiply_adds=per_weight * LOOKUP_MULTIPLY_ADDS,
    )


def _decode(
    code: Compression | None,
    zeros: Compression | None,
    entries_ratio: Number,
    coded_ratio: Number,
    arithmetic_bits: int,
) -> tuple[Number, Number]:
    """Multiply-adds and comparisons per weight fetched."""
    adds: Number = 0.0
    compares: Number = 0.0
    if isinstance(code, IntegerCodes) and code.decoder != "free":
        if code.group_size is not None and code.scale_bits + code.zero_bits:
            adds = adds + SCALE_MULTIPLY_ADDS * entries_ratio
        if code.bits < arithmetic_bits:
            compares = compares + UNPACK_COMPARES * entries_ratio
    if isinstance(code, QsqCodes) and code.decoder != "free":
        adds = adds + QSQ_MULTIPLY_ADDS * coded_ratio * entries_ratio
    if isinstance(zeros, Pruning) and zeros.decoder != "free":
        if zeros.index == "bitmap":
            compares = compares + BITMAP_COMPARES
        else:
            adds = adds + POSITION_MULTIPLY_ADDS * entries_ratio
    if isinstance(zeros, StructuredPruning) and zeros.decoder != "free" and not zeros.skips:
        compares = compares + METADATA_COMPARES * entries_ratio
    return adds, compares


def _per_result(code: Compression | None) -> float:
    """Multiply-adds per result: scale and zero point of a whole column."""
    if not isinstance(code, IntegerCodes) or code.decoder == "free" or code.group_size is not None:
        return 0.0
    return RESULT_MULTIPLY_ADDS * ((code.scale_bits > 0) + (code.zero_bits > 0))
