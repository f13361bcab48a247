"""What the measurement reads of a machine: files as Linux lays them out, in a folder of the test."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.hardware.measurement.bandwidth import working_sets
from foldsim.hardware.measurement.machine import Cache, describe, find_meter
from foldsim.hardware.measurement.runtime import COPY, ELEMENTWISE
from foldsim.hardware.measurement.runtime_numpy import NumpyRuntime
from foldsim.hardware.measurement.runtimes import RuntimeMissingError, open_runtime


@pytest.fixture
def system(tmp_path):
    """Write files below a root; the root."""

    def write(files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text, encoding="utf-8")
        return tmp_path

    return write


def cache_files(index, level, kind, size, shared):
    """One cache of the first processor."""
    folder = f"sys/devices/system/cpu/cpu0/cache/index{index}"
    values = {"level": level, "type": kind, "size": size, "shared_cpu_list": shared}
    return {f"{folder}/{name}": f"{text}\n" for name, text in values.items()}


def test_a_linux_machine(system):
    root = system(
        {
            "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some  Core\ncpu MHz\t\t: 1800.5\n",
            "proc/meminfo": "MemTotal:        8000000 kB\n",
            "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "3000000\n",
            **cache_files(0, 1, "Data", "48K", "0"),
            **cache_files(1, 1, "Instruction", "32K", "0"),
            **cache_files(2, 2, "Unified", "1M", "0"),
            **cache_files(3, 3, "Unified", "32768K", "0-3,8"),
        }
    )
    machine = describe(root)
    assert machine.model == "Some Core"
    assert machine.clock_hz == 3.0e9
    assert machine.memory_bytes == 8_000_000 * 1024
    assert machine.caches == (Cache(1, 48 << 10, 1), Cache(2, 1 << 20, 1), Cache(3, 32 << 20, 5))


def test_the_clock_of_the_moment_stands_in(system):
    assert describe(system({"proc/cpuinfo": "cpu MHz : 1800.5\n"})).clock_hz == 1800.5e6


def test_a_machine_that_tells_nothing(tmp_path):
    machine = describe(tmp_path)
    assert machine.clock_hz is None
    assert machine.caches == ()
    assert machine.memory_bytes is None
    assert machine.model
    assert find_meter(tmp_path) is None


def test_rapl(system):
    """5 J in 2 s over the end of the counter."""
    folder = "sys/class/powercap/intel-rapl:0"
    root = system(
        {
            f"{folder}/name": "package-0\n",
            f"{folder}/energy_uj": "9000000\n",
            f"{folder}/max_energy_range_uj": "10000000\n",
        }
    )
    ticks = iter([0.0, 0.0, 2.0, 2.0])
    meter = find_meter(root, lambda: next(ticks))
    assert meter is not None
    assert meter.watts(lambda: (root / folder / "energy_uj").write_text("4000000"), 1.0) == pytest.approx(2.5)


@pytest.mark.parametrize("reading", [{"power_now": "6000000"}, {"current_now": "500000", "voltage_now": "12000000"}])
def test_a_discharging_battery(system, reading):
    """6 W, or 0.5 A at 12 V."""
    folder = "sys/class/power_supply/BAT0"
    files = {"type": "Battery", "status": "Discharging", **reading}
    root = system({f"{folder}/{name}": text for name, text in files.items()})
    ticks = iter([0.0, 0.0, 2.0])
    meter = find_meter(root, lambda: next(ticks))
    assert meter is not None
    assert meter.watts(lambda: None, 1.0) == pytest.approx(6.0)


def test_a_charging_battery_says_nothing_of_the_load(system):
    folder = "sys/class/power_supply/BAT0"
    assert find_meter(system({f"{folder}/type": "Battery", f"{folder}/status": "Charging"})) is None


def test_working_sets_grow_outwards():
    sets = working_sets([48 << 10, 1 << 20, 32 << 20])
    assert sets == sorted(sets)
    assert sets[-1] == 4 * (32 << 20)


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime"])
def test_a_missing_runtime_is_said(monkeypatch, runtime):
    module = {"torch": "torch", "onnxruntime": "onnx"}[runtime]
    monkeypatch.setitem(__import__("sys").modules, module, None)
    monkeypatch.delitem(__import__("sys").modules, f"foldsim.hardware.measurement.runtime_{module}", raising=False)
    with pytest.raises(RuntimeMissingError, match="pip install"):
        open_runtime(runtime, 1)


def test_every_piece_of_work_of_numpy_runs():
    runtime = NumpyRuntime(1)
    weights = [np.eye(8, dtype=np.float32)] * 2
    runtime.products(weights, "fp32")(3)()
    for operator in (*ELEMENTWISE, COPY):
        runtime.elementwise(operator, 2, 4, 2)()
    for block, ops in {"none": 0, "vector": 4, "attention": 3, "linear": 2}.items():
        between = runtime.between(weights, 3, block, "fp32")
        between.work()
        assert between.ops_count == ops
        assert (between.calls_count > ops) == (ops > 0)
