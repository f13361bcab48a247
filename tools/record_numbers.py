"""Record every shipped result, and compare two recordings: proof that a refactoring changed no number.

    python tools/record_numbers.py record before.npz       # every shipped workload and profile, and foldsim validate
    python tools/record_numbers.py compare before.npz after.npz

Uses the public Python interface and the command line only, so that recordings of different versions can be compared.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import foldsim
from foldsim import data
from foldsim.cli import main as command_line

TOLERANCE_RATIO = 1.0e-12
MAIN_JOB_PROFILES = ("phone-npu", "pixel5-cpu", "watch-npu", "coral-edge-tpu", "gap9")


def record(path: Path) -> None:
    """Write one array per column of every sweep, and of the rows of ``foldsim validate``."""
    arrays: dict[str, np.ndarray] = {}
    for by in ("total", "op"):
        frame = foldsim.sweep("emformer-rnnt-base", MAIN_JOB_PROFILES, by=by)
        arrays |= {f"main/{by}/{name}": _plain(frame[name]) for name in frame}
    for workload in data.shipped("workloads"):
        for profile in data.shipped("hw_profiles"):
            try:
                frame = foldsim.sweep(workload, profile)
            except ValueError:
                arrays[f"{workload}/{profile}/refused"] = np.array([True])
                continue
            arrays |= {f"{workload}/{profile}/{name}": _plain(frame[name]) for name in frame}
    arrays |= {f"validate/{name}": values for name, values in _validate().items()}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    print(f"{len(arrays):,} arrays in {path}")


def _plain(column: object) -> np.ndarray:
    values = np.asarray(column)
    return values.astype(str) if values.dtype == object else values


def _validate() -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "validate.jsonl"
        before = sys.argv
        sys.argv = ["foldsim", "validate", "-o", str(target)]
        try:
            command_line()
        except SystemExit:
            pass
        finally:
            sys.argv = before
        rows = [json.loads(line) for line in target.read_text().splitlines()[1:]]
    return {name: np.array([str(r[name]) if isinstance(r[name], str) else r[name] for r in rows]) for name in rows[0]}


def compare(before: Path, after: Path) -> int:
    """Print what differs by more than :data:`TOLERANCE_RATIO`; 1 if anything does."""
    old, new = np.load(before), np.load(after)
    problems = [f"missing: {name}" for name in sorted(set(old) - set(new))]
    problems += [f"added: {name}" for name in sorted(set(new) - set(old))]
    worst = 0.0
    for name in sorted(set(old) & set(new)):
        a, b = old[name], new[name]
        if a.shape != b.shape:
            problems.append(f"shape: {name}: {a.shape} before, {b.shape} after")
        elif a.dtype.kind in "US" or b.dtype.kind in "US":
            if (a.astype(str) != b.astype(str)).any():
                problems.append(f"text: {name}")
        else:
            first, second = a.astype(float), b.astype(float)
            both_nan = np.isnan(first) & np.isnan(second)
            scale = np.maximum(np.abs(first), np.abs(second))
            ratio = np.where(both_nan | (first == second), 0.0, np.abs(first - second) / np.maximum(scale, 1e-300))
            worst = max(worst, float(np.max(ratio, initial=0.0)))
            if not (ratio <= TOLERANCE_RATIO).all():
                problems.append(f"value: {name}: differs by {np.max(ratio):.3g}")
    print("\n".join(problems[:50]))
    print(f"{len(set(old) & set(new)):,} arrays compared; largest difference {worst:.3g}; {len(problems)} problems")
    return int(bool(problems))


def main() -> int:
    """Run one of the two commands."""
    match sys.argv[1:]:
        case ["record", target]:
            record(Path(target))
            return 0
        case ["compare", before, after]:
            return compare(Path(before), Path(after))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
