"""One encoder layer as ZigZag 3.9.1 and AccelForge 1.0.467 price it: six unconnected int8 products on a 32 x 32 array.

Every operand crosses DRAM (120 pJ/B) once; 1 MiB of SRAM at 1.5 pJ/B read or written; 0.2 pJ per MAC; nothing static.
With weight registers and output accumulators free, ZigZag finds 399.1258 uJ, AccelForge 399.1263 uJ.

    product        batch  m   k     n     MACs       inputs  weights    outputs  inputs x column tiles of 32
    qkv            1      4   512   1536  3,145,728  2,048   786,432    6,144    x 48 = 98,304
    scores         8      4   64    34       69,632  2,048    17,408    1,088    x  2 =  4,096
    context        8      4   34    64       69,632  1,088    17,408    2,048    x  2 =  2,176
    out            1      4   512   512   1,048,576  2,048   262,144    2,048    x 16 = 32,768
    ffn1           1      4   512   2048  4,194,304  2,048  1,048,576   8,192    x 64 = 131,072
    ffn2           1      4   2048  512   4,194,304  8,192  1,048,576   2,048    x 16 = 131,072
    sum                                  12,722,176  17,472 3,180,544  21,568            399,488
"""

from __future__ import annotations

import pytest

from foldsim import simulate

ZIGZAG_UJ, ACCELFORGE_UJ = 399.1258, 399.1263
PRODUCTS = {
    "qkv": 2_048 + 786_432 + 6_144,
    "scores": 2_048 + 17_408 + 1_088,
    "context": 1_088 + 17_408 + 2_048,
    "out": 2_048 + 262_144 + 2_048,
    "ffn1": 2_048 + 1_048_576 + 8_192,
    "ffn2": 8_192 + 1_048_576 + 2_048,
}
PERIOD_S = 0.16


@pytest.fixture(scope="module")
def job(data_dir):
    return simulate(data_dir / "matched_job_workload.yaml", data_dir / "matched_job_profile.yaml", placement="dram")


@pytest.fixture(scope="module")
def energy_uj(job):
    """Energy by term: mW for 160 ms."""
    return {term.name: term.power_mw * PERIOD_S * 1e3 for term in job.power_terms}


def test_dram_bytes(job):
    """17,472 + 3,180,544 + 21,568, as both tools report."""
    assert job.totals["dram_bytes_per_chunk"] == 3_219_584 == sum(PRODUCTS.values())


def test_dram_bytes_of_each_product(job):
    found = dict(zip(job.ops["layer"], job.ops["dram_bytes_per_chunk"], strict=True))
    assert {name: found[name] for name in PRODUCTS} == PRODUCTS


def test_mac_energy(job, energy_uj):
    """12,722,176 x 0.2 pJ."""
    assert job.totals["macs_per_chunk"] == 12_722_176
    assert energy_uj["MACs"] == pytest.approx(2.5444352, rel=1e-9)


def test_dram_energy_split(energy_uj):
    """Inputs and weights are read, outputs written: 3,198,016 and 21,568 bytes at 120 pJ; in all 386.350 uJ."""
    assert energy_uj["dram reads"] == pytest.approx(383.76192, rel=1e-9)
    assert energy_uj["dram writes"] == pytest.approx(2.58816, rel=1e-9)
    assert energy_uj["dram reads"] + energy_uj["dram writes"] == pytest.approx(386.350, abs=5e-4)


def test_sram_bytes_split(energy_uj):
    """Reads: inputs per column tile 399,488 + weights once 3,180,544 + draining outputs 21,568 = 3,601,600.
    Writes: filling 3,198,016 + outputs 21,568 = 3,219,584. In all 6,821,184 bytes, 10.2318 uJ."""
    assert energy_uj["sram reads"] / 1.5 * 1e6 == pytest.approx(3_601_600, rel=1e-9)
    assert energy_uj["sram writes"] / 1.5 * 1e6 == pytest.approx(3_219_584, rel=1e-9)
    fill_and_drain, weights, inputs, outputs = 3_219_584, 3_180_544, 399_488, 21_568
    total = (energy_uj["sram reads"] + energy_uj["sram writes"]) / 1.5 * 1e6
    assert total == pytest.approx(fill_and_drain + weights + inputs + outputs, rel=1e-9)


def test_total_energy(job, energy_uj):
    """2.5444352 + 10.231776 + 386.35008 = 399.1262912 uJ and not a term more; within 0.01 % of both tools."""
    total = job.totals["energy_per_chunk_uj"]
    assert set(energy_uj) == {"MACs", "sram reads", "sram writes", "dram reads", "dram writes"}
    assert total == pytest.approx(399.1262912, rel=1e-9)
    assert total == pytest.approx(ACCELFORGE_UJ, rel=1e-4)
    assert total == pytest.approx(ZIGZAG_UJ, rel=1e-4)
    assert job.totals["power_mw"] == pytest.approx(399.1262912 / 160, rel=1e-9)


def test_array_cycles(job):
    """Tiles of 32 x 32 weights take 32 cycles to load, 4 to stream, hidden: 32 each. 16 x 48 + 8 x 2 x 2 + 8
    x 2 x 2 + 16 x 16 + 16 x 64 + 64 x 16 = 3136 tiles, 100,352 cycles at 1 GHz; MACs alone would take
    12,424."""
    assert job.time_terms_ms["matrix"] == pytest.approx(0.100352, rel=1e-9)


def test_dram_bounds_the_job(job):
    """3,219,584 B at 16 GB/s; DRAM's term is the largest of every product."""
    assert job.time_terms_ms["dram"] == pytest.approx(0.201224, rel=1e-9)
    assert job.totals["busy_ms_per_chunk"] == pytest.approx(0.201224, rel=1e-9)
    assert job.totals["bottleneck"] == "dram"
    assert set(job.ops["bottleneck"]) == {"dram", "none"}
