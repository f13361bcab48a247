"""Energy of arithmetic and SRAM by node and voltage: published tables, and the interpolation between them.

Sources
-------
HOROWITZ : M. Horowitz, Computing's Energy Problem, ISSCC 2014; energies at 45 nm, 0.9 V.
JOUPPI : N. Jouppi et al., Ten Lessons From Three Generations Shaped Google's TPUv4i, ISCA 2021, Table 2; 7 nm.
STILLMAKER_BAAS : A. Stillmaker and B. Baas, Integration 58 (2017) 74-81; fits of energy against supply voltage by node,
    as coded in Accelergy-Project/hwcomponents@e67d7f10 hwcomponents/scaling/techscaling.py, with its rule below 7 nm.
CACTI : CACTI 7, itrs-lstp cells, 330 K, one read/write port; run for this project.

The two scalings from 45 to 7 nm disagree: gates gain 10 to 15 times (Stillmaker and Baas), arithmetic of products with
clocks and wires 3 times (Horowitz against Jouppi). The range of :func:`datapath_pj` covers both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from foldsim.units import BITS_PER_BYTE, BYTES_PER_KIB


class Band(NamedTuple):
    """A value with its range."""

    value: float
    low: float
    high: float


SCALABLE_NM: Final = (2.0, 130.0)
SCALABLE_V: Final = (0.4, 1.3)
HOROWITZ_NM, HOROWITZ_V = 45.0, 0.9
JOUPPI_NM = 7.0
# Jouppi gives no voltage; 0.75 V is usual for 7 nm logic.
JOUPPI_V = 0.75
# Range of the 45 nm table around its values: 0.25 to 0.40 pJ for an int8 MAC of 0.30 pJ, the spread of its readers.
HOROWITZ_LOW_RATIO, HOROWITZ_HIGH_RATIO = 0.83, 1.33
# CACTI agrees with Horowitz within 40 %, high-performance with low-power cells within 30 %.
SRAM_RANGE_RATIO: Final = 2.0

# Energy is proportional to a V^2 + b V + c.
STILLMAKER_BAAS: Final[Mapping[float, tuple[float, float, float]]] = {
    130.0: (7.171, -6.709, 2.904),
    90.0: (4.762, -4.781, 2.092),
    65.0: (3.755, -4.398, 1.975),
    45.0: (1.103, -0.362, 0.2767),
    32.0: (0.9559, -0.7823, 0.471),
    20.0: (0.373, -0.1582, 0.04104),
    16.0: (0.2958, -0.1241, 0.03024),
    14.0: (0.2363, -0.09675, 0.02239),
    10.0: (0.2068, -0.09311, 0.02375),
    7.0: (0.1776, -0.09097, 0.02447),
}

# pJ of one operation at 45 nm (Horowitz) and 7 nm (Jouppi); None where the table has no such entry.
OPERATIONS: Final[Mapping[str, tuple[float | None, float | None]]] = {
    "int8_add": (0.03, 0.007),
    "int16_add": (0.05, None),
    "int32_add": (0.1, 0.03),
    "int8_multiply": (0.2, 0.07),
    "int32_multiply": (3.1, 1.48),
    "bf16_add": (None, 0.11),
    "bf16_multiply": (None, 0.21),
    "fp16_add": (0.4, 0.16),
    "fp16_multiply": (1.1, 0.34),
    "fp32_add": (0.9, 0.38),
    "fp32_multiply": (3.7, 1.31),
}
# Operations per MAC or multiply-add. A 16-bit multiplier counts as four 8-bit ones, a 4-bit one as a quarter; sums have
# 32 bits.
COMPOUNDS: Final[Mapping[str, Mapping[str, float]]] = {
    "int4_mac": {"int8_multiply": 0.25, "int32_add": 1},
    "int8_mac": {"int8_multiply": 1, "int32_add": 1},
    "int16_mac": {"int8_multiply": 4, "int32_add": 1},
    "fp16_mac": {"fp16_multiply": 1, "fp32_add": 1},
    "bf16_mac": {"bf16_multiply": 1, "fp32_add": 1},
    "fp32_mac": {"fp32_multiply": 1, "fp32_add": 1},
    "fp16_multiply_add": {"fp16_multiply": 1, "fp16_add": 1},
    "int16_multiply_add": {"int8_multiply": 4, "int32_add": 1},
}

# pJ per 64 bit by capacity [KiB]: Horowitz at 45 nm and Jouppi at 7 nm.
SRAM_TABLES: Final[Mapping[float, tuple[float, float]]] = {8.0: (10.0, 7.5), 32.0: (20.0, 8.5), 1024.0: (100.0, 14.0)}
# CACTI: node [nm], bits of the port -> capacity [KiB], pJ per read, pJ per write.
CACTI: Final[Mapping[tuple[float, int], Sequence[tuple[float, float, float]]]] = {
    (45.0, 64): (
        (8, 7.069, 9.028), (32, 19.504, 17.654), (256, 50.900, 43.901),
        (1024, 105.954, 86.451), (2048, 147.515, 128.012), (8192, 296.015, 258.137),
    ),
    (45.0, 128): (
        (8, 9.280, 16.183), (32, 23.595, 31.717), (256, 82.176, 78.477),
        (1024, 175.455, 148.112), (2048, 250.754, 223.410), (8192, 491.429, 463.711),
    ),
    (22.0, 64): (
        (8, 1.831, 2.035), (32, 4.347, 3.580), (256, 12.835, 10.125),
        (1024, 26.587, 19.875), (2048, 36.543, 29.830), (8192, 69.749, 63.036),
    ),
    (22.0, 128): (
        (8, 2.353, 3.732), (32, 6.108, 6.516), (256, 20.129, 18.594),
        (1024, 41.707, 36.209), (2048, 60.047, 54.549), (8192, 121.750, 111.001),
    ),
}  # fmt: skip
CACTI_NODES = (45.0, 22.0)
CACTI_V = (0.9, 0.8)  # usual voltages of the two nodes, taken for CACTI's; only the ratio to another voltage matters


def stillmaker_baas(node_nm: float, voltage_v: float) -> float:
    """Energy of a gate at a node and voltage, in arbitrary units: only ratios are meaningful.

    Linear between the nodes of the fit; below 7 nm the energy falls with the square root of the node.

    >>> round(stillmaker_baas(7, 0.9) / stillmaker_baas(45, 0.9), 3)
    0.102
    """
    nodes = sorted(STILLMAKER_BAAS)
    fitted = min(max(node_nm, nodes[0]), nodes[-1])
    upper = next(n for n in nodes if n >= fitted)
    lower = next(n for n in reversed(nodes) if n <= fitted)
    share = 0.0 if upper == lower else (fitted - lower) / (upper - lower)
    ends = [a * voltage_v**2 + b * voltage_v + c for a, b, c in (STILLMAKER_BAAS[lower], STILLMAKER_BAAS[upper])]
    shrink = math.sqrt(node_nm / nodes[0]) if node_nm < nodes[0] else 1.0
    return (ends[0] + share * (ends[1] - ends[0])) * shrink


def operation_pj(name: str) -> tuple[float | None, float | None]:
    """Energy of an operation or a compound at 45 nm (Horowitz) and at 7 nm (Jouppi) [pJ]."""
    parts = COMPOUNDS.get(name, {name: 1})
    energies: list[float | None] = []
    for table in (0, 1):
        entries = [(OPERATIONS[part][table], times) for part, times in parts.items()]
        listed = [entry * times for entry, times in entries if entry is not None]
        energies.append(sum(listed) if len(listed) == len(entries) else None)
    return energies[0], energies[1]


def datapath_pj(name: str, node_nm: float, voltage_v: float) -> Band:
    """Energy of an operation of bare arithmetic, without registers, control, clocks and buffers [pJ].

    Low: the 45 nm table scaled as gates scale (Stillmaker and Baas). High: along the line between the two tables, log
    energy against log node, which products with their wires and clocks followed; constant below 7 nm. Value: between
    the two, weighted by the distance to each table, so that it equals the table at 45 and at 7 nm. Within a node both
    scale with voltage as gates do. Above 45 nm only gate scaling is available. An operation missing in one table is
    scaled from the other as gates.

    >>> [round(x, 2) for x in datapath_pj("int8_mac", 22, 0.8)]
    [0.1, 0.06, 0.18]
    """
    at_45, at_7 = operation_pj(name)
    gates_45 = stillmaker_baas(HOROWITZ_NM, HOROWITZ_V)
    if at_45 is None:
        assert at_7 is not None
        at_45 = at_7 * gates_45 / stillmaker_baas(JOUPPI_NM, JOUPPI_V)
    gates = at_45 * stillmaker_baas(node_nm, voltage_v) / gates_45
    low, high = gates * HOROWITZ_LOW_RATIO, gates * HOROWITZ_HIGH_RATIO
    if at_7 is None or node_nm >= HOROWITZ_NM:
        return Band(gates, low, high)
    nearness = min(1.0, math.log(HOROWITZ_NM / node_nm) / math.log(HOROWITZ_NM / JOUPPI_NM))
    at_node = math.exp((1.0 - nearness) * math.log(at_45) + nearness * math.log(at_7))
    usual_v = HOROWITZ_V + nearness * (JOUPPI_V - HOROWITZ_V)
    clamped = max(node_nm, JOUPPI_NM)
    products = at_node * stillmaker_baas(clamped, voltage_v) / stillmaker_baas(clamped, usual_v)
    shrink = math.sqrt(node_nm / JOUPPI_NM) if node_nm < JOUPPI_NM else 1.0
    value = math.exp((1.0 - nearness) * math.log(gates) + nearness * math.log(products * shrink))
    return Band(value, min(low, value), max(high, products))


def sram_pj_per_byte(capacity_bytes: float, node_nm: float, voltage_v: float, port_bits: int, write: bool) -> Band:
    """Energy of one byte of an SRAM macro of a capacity, without the interconnect to it [pJ per byte].

    Value: CACTI at 45 and 22 nm, log energy against log capacity and log node; below 22 nm it falls with the square
    root of the gain of gates, because wires hardly scale. Low: half of that. High: twice it, or the tables
    of Horowitz and Jouppi at that node if more.

    >>> [round(x, 2) for x in sram_pj_per_byte(2**20, 7, 0.75, 64, write=False)]  # Jouppi: 14 pJ per 64 bit = 1.75
    [1.74, 0.87, 3.49]
    """
    kib = capacity_bytes / BYTES_PER_KIB
    kind = 2 if write else 1
    bytes_per_access = port_bits / BITS_PER_BYTE
    ends = [_loglog(kib, [(row[0], row[kind]) for row in CACTI[node, port_bits]]) for node in CACTI_NODES]
    within = min(max(node_nm, CACTI_NODES[1]), CACTI_NODES[0])
    usual_v = _loglog(within, list(zip(CACTI_NODES, CACTI_V, strict=True)))
    gates = stillmaker_baas(node_nm, voltage_v) / stillmaker_baas(within, usual_v)
    value = _loglog(within, list(zip(CACTI_NODES, ends, strict=True))) / bytes_per_access
    value *= math.sqrt(gates) if node_nm < within else gates
    tables = [_loglog(kib, [(size, row[i]) for size, row in SRAM_TABLES.items()]) for i in (0, 1)]
    between = min(max(node_nm, JOUPPI_NM), HOROWITZ_NM)
    published = _loglog(between, [(HOROWITZ_NM, tables[0]), (JOUPPI_NM, tables[1])])
    per_byte = published / (64 / BITS_PER_BYTE)
    return Band(value, value / SRAM_RANGE_RATIO, max(value * SRAM_RANGE_RATIO, per_byte))


def _loglog(at: float, points: Sequence[tuple[float, float]]) -> float:
    """Log-log interpolation between neighbouring points, extrapolated beyond the ends."""
    ordered = sorted(points)
    index = next((i for i in range(1, len(ordered) - 1) if at <= ordered[i][0]), len(ordered) - 1)
    (x0, y0), (x1, y1) = ordered[index - 1], ordered[index]
    slope = math.log(y1 / y0) / math.log(x1 / x0)
    return y0 * math.exp(slope * math.log(at / x0))
