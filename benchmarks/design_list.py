"""Speed of a list of unlike designs beside a grid over the same axes: designs per second of each, in one run.

The list is a random sample of the product of the axes, so that no two designs are alike and every axis varies from one
design to the next. The grid is a part of the same product with as many designs. Both start from resolved inputs.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from foldsim.designs.design import Design, resolve
from foldsim.hardware.profile import load_profile
from foldsim.sweeps.design_list import evaluate
from foldsim.sweeps.engine import run
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.workload import load_workload

COUNT = 1000
SEED = 20261201
WORKLOADS = ("emformer-rnnt-base", "icefall-conformer")
PROFILES = ("phone-npu", "pixel5-cpu", "watch-npu")
CHUNK_MS = tuple(160.0 * n for n in range(1, 9))
FOLD = (1, 2, 4)
COMPRESS = ("none", "joiner=int4-g32")
LAYERS = ("all", "every:2")
POLICIES = ("race-to-idle", "slowest-real-time")
PLACEMENTS = ("auto", "dram")
ENERGY = "profile.memory_levels.dram.read_pj_per_byte"
ENERGIES = tuple(40.0 + 10.0 * n for n in range(8))


def designs() -> list[Design]:
    """A random sample of the product of the axes."""
    workloads = [load_workload(name) for name in WORKLOADS]
    profiles = [load_profile(name) for name in PROFILES]
    axes = (workloads, profiles, CHUNK_MS, FOLD, COMPRESS, LAYERS, POLICIES, PLACEMENTS, ENERGIES)
    every = list(itertools.product(*(range(len(axis)) for axis in axes)))
    chosen = np.random.default_rng(SEED).choice(len(every), COUNT, replace=False)
    found = []
    for number in chosen.tolist():
        workload, profile, chunk, fold, rules, layers, policy, placement, energy = (
            axis[i] for axis, i in zip(axes, every[number], strict=True)
        )
        found.append(
            resolve(
                workload,
                profile,
                chunk,
                fold=fold,
                fold_layers=layers,
                compress=rules,
                policy=policy,
                placement=placement,
                changes={ENERGY: energy},
            )
        )
    return found


def grid() -> DesignSpace:
    """As many designs of the same axes, as a product."""
    from foldsim.designs.design import read_compression

    return DesignSpace(
        [load_workload(name) for name in WORKLOADS],
        [load_profile(name) for name in PROFILES],
        CHUNK_MS[: COUNT // (2 * 3 * 3 * 2 * 8) + 1],
        FOLD,
        compress=[read_compression(text) for text in COMPRESS],
        sets={ENERGY: ENERGIES},
    )


def timed(action: Callable[[], Any], runs: int = 5) -> float:
    """Median seconds of an action, after one run that is not counted."""
    action()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Print both speeds and their ratio as JSON."""
    listed, space = designs(), grid()
    count = space.point_count()
    of_list, of_grid = COUNT / timed(lambda: evaluate(listed)), count / timed(lambda: run(space))
    one = timed(lambda: evaluate(listed[:1]))
    record = {
        "list_designs": COUNT,
        "list_designs_per_s": round(of_list),
        "grid_designs": count,
        "grid_designs_per_s": round(of_grid),
        "list_over_grid_ratio": round(of_list / of_grid, 3),
        "one_design_ms": round(1000 * one, 2),
    }
    json.dump(record, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
