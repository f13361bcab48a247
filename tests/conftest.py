"""What all tests share: reproducible property tests, the shipped data, and variants of it."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from foldsim.hardware import profile as profiles
from foldsim.schema import parse_yaml
from foldsim.workload import workload as workloads

# The same examples on every machine; no test depends on how long anything takes.
settings.register_profile("foldsim", deadline=None, derandomize=True, database=None)
settings.load_profile("foldsim")

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def data_dir():
    """Recorded counts and the matched job."""
    return DATA


@pytest.fixture(scope="session")
def emformer():
    """The shipped Emformer transducer."""
    return workloads.load_workload("emformer-rnnt-base")


# One shipped profile of every structure: arrays and SIMD cores, power laws and energies, caches and scratchpads, DRAM,
# flash and neither. tests/hardware goes through all of them.
STRUCTURES = (
    "phone-npu", "pixel5-cpu", "watch-npu", "coral-edge-tpu", "gap9", "pixel7-cpu", "stm32u575", "ndp120",
    "jetson-xavier-nx",
)  # fmt: skip


@pytest.fixture(scope="session", params=STRUCTURES)
def shipped_profile(request):
    """A shipped profile of every structure in turn."""
    return profiles.load_profile(request.param)


@pytest.fixture(scope="session")
def load_profile():
    """Load a shipped profile by name."""
    return profiles.load_profile


@pytest.fixture(scope="session")
def workload_from():
    """A workload from YAML text."""
    return lambda text: workloads.from_document(parse_yaml(text, "workload.yaml"))


@pytest.fixture(scope="session")
def changed():
    """A workload or profile whose YAML data a function has edited in place."""

    def change(holder, edit):
        new = copy.deepcopy(holder.document.data)
        edit(new)
        module = workloads if isinstance(holder, workloads.Workload) else profiles
        return module.from_document(replace(holder.document, data=new))

    return change
