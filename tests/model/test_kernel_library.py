"""Time of ops with a kernel library: formats and curves of attention, dispatch by class, overlap of streams."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.model.records import AttentionRate, EfficiencyCurve
from foldsim.model.roofline import dispatch_per_kernel, efficiency, matrix_cycles, times
from foldsim.model.traffic import Traffic

CURVE = EfficiencyCurve((1.0, 4.0), (0.4, 0.8))
OTHER_CURVE = EfficiencyCurve((1.0, 4.0), (0.1, 0.3))


def both(make, unit=0):
    """The same product with weights and of activations."""
    return [make.Row(2, 64, 1, unit=unit, second_is_weight=weights) for weights in (True, False)]


def test_products_of_activations_may_run_in_another_format(make):
    """8 lanes: 64 / 8 x 2 rows = 16 cycles at 8 MACs per cycle, four times that at 2; a unit without is as before."""
    units = [make.unit(unroll_k_count=8.0, attention=AttentionRate(2.0, None)), make.unit(unroll_k_count=8.0)]
    ops = make.ops([*both(make, 0), *both(make, 1)])
    assert matrix_cycles(ops, units)[:, 0].tolist() == [16, 64, 16, 16]


@pytest.mark.parametrize(
    ("own", "attention", "expected"),
    [
        (CURVE, AttentionRate(1.0, OTHER_CURVE), [0.6, 0.2]),
        (CURVE, AttentionRate(1.0, None), [0.6, 0.6]),
        (CURVE, None, [0.6, 0.6]),
        (None, AttentionRate(1.0, OTHER_CURVE), [1.0, 0.2]),
        (None, None, [1.0, 1.0]),
    ],
)
def test_attention_follows_its_own_curve_where_there_is_one(make, own, attention, expected):
    """Two rows, half-way between one and four; half of it all. The unit beside has no curve."""
    units = [make.unit(efficiency_ratio=0.5, efficiency=own, attention=attention), make.unit()]
    ratio = efficiency(make.ops([*both(make, 0), *both(make, 1)]), units)[:, 0]
    assert ratio.tolist() == pytest.approx([0.5 * expected[0], 0.5 * expected[1], 1.0, 1.0], rel=1e-12)


def test_dispatch_by_class_of_op(make):
    """1, 2 and 3 us for products with weights, of activations and the rest; 5 us for everything on the other unit."""
    units = [make.unit(dispatch_by_op_s=(1e-6, 2e-6, 3e-6)), make.unit(dispatch_s=5e-6)]
    ops = make.ops([*both(make, 0), *both(make, 1), make.Row(unit=0), make.Row(unit=1)])
    assert dispatch_per_kernel(ops, units)[:, 0].tolist() == [1e-6, 2e-6, 5e-6, 5e-6, 3e-6, 5e-6]


@pytest.mark.parametrize(
    ("inner_s", "outer_s", "expected_s"),
    [
        (3.0, 6.0, 8.0),  # work 4 + 2 / 2 = 5 hides the overlapped 3; the other 3 come after it
        (3.0, 20.0, 20.0),  # the transfer hides the work
        (30.0, 20.0, 30.0),  # the inner level is the bottleneck
    ],
)
def test_measured_overlap_of_the_outermost_level(make, inner_s, outer_s, expected_s):
    """Matrix 4 s, vector 2 s of which half overlaps; half of the outermost transfer may overlap."""
    row = {"m": 1, "k": 4, "n": 1, "exp": 2}
    ops = make.ops([make.Row(**row, unit=0), make.Row(**row, unit=1)])
    same = {"clock_hz": 1.0, "overlap_ratio": 0.5}
    units = [make.unit(**same, stream_overlap_ratio=0.5), make.unit(**same)]
    levels = [make.level(bandwidth_bytes_per_s=1.0), make.dram(bandwidth_bytes_per_s=1.0)]
    flows = Traffic(tuple(np.full((2, 1), x) for x in (inner_s, outer_s)), (np.zeros((2, 1)),) * 2)
    total_s = times(ops, flows, units, levels).total_s[:, 0]
    largest, total = max(4.0, inner_s, outer_s), 6.0 + inner_s + outer_s
    assert total_s.tolist() == pytest.approx([expected_s, largest + (total - largest) / 2], rel=1e-12)
