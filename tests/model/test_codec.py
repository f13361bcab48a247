"""Compressed weights in the model: shorter reductions, decoding, codewords and the energy of MACs, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foldsim.model.energy import Supply, busy_terms, total_activity
from foldsim.model.records import CodecTable
from foldsim.model.roofline import matrix_cycles, times
from foldsim.model.traffic import Traffic, decode_work, port_traffic, weight_fetches

AT_REFERENCE = Supply(1.0, 0.75, 1.0, np.array([np.nan]))


def column(*values):
    return np.array(values, dtype=float)[:, None]


def compressed(make, *, time=0.25, **shape):
    """A product with weights, one of activations and vector work; weights take half of the energy of a MAC.

    Each weight fetched takes 2 multiply-adds, half a comparison, and a quarter of a byte of codewords.
    """
    size = {"m": 5, "k": 8, "n": 6, "batch": 2, "steps": 3, "second_width": 0.5, **shape}
    rows = [make.Row(**size), make.Row(**size, second_is_weight=False), make.Row(exp=10)]
    codec = CodecTable(
        mac_energy_ratio=column(0.5, 1.0),
        mac_time_ratio=column(time, 1.0),
        decode_ratio=(column(2.0, 2.0), column(0.5, 0.5)),
        codeword_bytes_per_element=column(0.25, 0.25),
    )
    return replace(make.ops(rows), codec=codec)


def test_weights_are_decoded_each_time_they_enter_the_array(make):
    """Two rows in registers: 5 rows take 3 passes over 2 x 3 x 8 x 6 = 288 weights, 864 fetches."""
    ops, units = compressed(make), [make.unit(register_rows_count=2.0)]
    assert weight_fetches(ops, units)[:, 0].tolist() == [864, 0]
    multiply_adds, comparisons = decode_work(ops, units)
    assert multiply_adds[:, 0].tolist() == [1728, 0, 0]
    assert comparisons[:, 0].tolist() == [432, 0, 0]
    assert decode_work(make.ops([make.Row(5, 8, 6)]), units) == ()


def test_codewords_pass_the_port_beside_the_indices(make):
    """Six products: inputs 40 for each of two column tiles, weights 48 in three passes at half a byte: 912; 864 / 4
    of codewords."""
    units = [make.unit(register_rows_count=2.0, unroll_n_count=4.0)]
    inward, outward = port_traffic(compressed(make), units)
    assert inward[:, 0].tolist() == [912 + 216, 912, 0]
    assert outward[:, 0].tolist() == [180, 180, 0]


@pytest.mark.parametrize(
    ("time", "k", "tiles"),
    [
        (0.25, 8, 1),  # 2 of 8
        (0.3, 8, 2),  # 2.4 of 8
        (0.1 + 0.2, 20, 3),  # 6, and a rounding error that is no seventh element
    ],
)
def test_skipped_zeros_shorten_the_reduction(make, time, k, tiles):
    """3 steps x 2 products x 6 columns x 5 rows = 180 cycles per tile of two elements."""
    ops = compressed(make, time=time, k=k)
    cycles = matrix_cycles(ops, [make.unit(unroll_k_count=2.0)])[:, 0]
    assert cycles.tolist() == [180 * tiles, 180 * k / 2]


def test_decoding_takes_vector_cycles(make):
    """1728 multiply-adds at 2 and 432 comparisons at 4 per cycle, 972 ns at 1 GHz; exponentials of another op 10 ns."""
    ops = compressed(make)
    unit = make.unit(register_rows_count=2.0, vector_per_cycle=(1.0, 1.0, 2.0, 4.0))
    none = np.zeros((3, 1))
    flows = Traffic((none,), (none,), decode_work(ops, [unit]))
    spent = times(ops, flows, [unit], [make.dram()])
    assert spent.vector_s[:, 0].tolist() == pytest.approx([972e-9, 0.0, 10e-9], rel=1e-12)


def test_energy_of_macs_and_of_decoding(make):
    """1440 MACs at half of 0.3 pJ and 1440 at 0.3; decoding 1728 at 3 and 432 at 4; x 0.64 at 0.8 of the voltage."""
    ops = compressed(make)
    unit = make.unit(register_rows_count=2.0, energy_pj_per_mac=0.3, vector_pj=(1.0, 2.0, 3.0, 4.0))
    none = np.zeros((3, 1))
    flows = Traffic((none, none), (none, none), decode_work(ops, [unit]))
    hardware = make.hardware([unit])
    spent = times(ops, flows, [unit], hardware.levels)
    activity = total_activity(ops, flows, spent, np.ones((3, 1)), 1)
    for supply, scale in ((AT_REFERENCE, 1.0), (replace(AT_REFERENCE, voltage_ratio=0.8), 0.64)):
        terms = {term.name: term for term in busy_terms(activity, hardware, supply)}
        energies = {name: float(np.ravel(term.energy_pj)[0]) for name, term in terms.items()}
        assert energies["MACs"] == pytest.approx((216 + 432) * scale, rel=1e-12)
        assert energies["vector exp"] == pytest.approx(10 * scale, rel=1e-12)
        assert energies["decode multiply_add"] == pytest.approx(5184 * scale, rel=1e-12)
        assert energies["decode compare"] == pytest.approx(1728 * scale, rel=1e-12)
    decode = terms["decode compare"]
    assert (decode.part, decode.cause, decode.decoding) == ("compute", "vector compare", True)
    assert not terms["vector compare"].decoding
