"""Draw the figure of docs/compression.md: power saved by weight transformations, by chunk size, computed by foldsim.

python plots/compression.py            write plots/gallery/compression/saving.png and hashes.json
python plots/compression.py --check    write nothing; exit 1 if the figure shows old data
"""

from __future__ import annotations

import hashlib
import json
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.hardware.profile import load_profile
from foldsim.plotting.style import styled
from foldsim.sweeps.engine import run
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.compression.text import parse_compression
from foldsim.workload.workload import load_workload

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).resolve().parent / "gallery" / "compression"
NAME = "saving"
WORKLOAD = "emformer-rnnt-base"
PROFILES = ("phone-npu", "pixel5-cpu")
CHUNKS_MS = (40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
RULES = ("all=int4", "all=int4-g32", "all=int4-g4", "all=codebook-g4-b8", "all=prune-0.8", "all=2:4-skips")
FOLDED = "folded, N = 2"


@cache
def savings() -> dict[str, dict[str, np.ndarray]]:
    """Power saving over the plain unfolded design, by profile and line; (chunks,)."""
    workload, found = load_workload(WORKLOAD), {}
    for name in PROFILES:
        profile = load_profile(name)
        folded = run(DesignSpace([workload], [profile], CHUNKS_MS, (2,)))
        packed = run(DesignSpace([workload], [profile], CHUNKS_MS, (1,), compress=list(map(parse_compression, RULES))))
        found[name] = {FOLDED: folded["power_saving_ratio"]} | {
            rule: packed["power_saving_ratio"][packed["compression"] == rule] for rule in RULES
        }
    return found


def draw() -> Figure:
    """One panel per profile, one line per transformation."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = None
    for number, (profile, lines) in enumerate(savings().items()):
        axes = figure.add_subplot(1, len(PROFILES), number + 1, sharey=axes)
        axes.axhline(0.0, color="0.3", linewidth=0.8)
        for (label, values), marker in zip(lines.items(), "xosD^v*", strict=True):
            style = {"color": "0.5", "linestyle": "--"} if label == FOLDED else {}
            axes.plot(CHUNKS_MS, 100 * values, marker=marker, markersize=4, linewidth=1.3, label=label, **style)
        axes.set_xscale("log")
        axes.set_xticks(CHUNKS_MS, [f"{v:g}" for v in CHUNKS_MS])
        axes.minorticks_off()
        axes.set_xlabel("Chunk [ms]")
        axes.set_title(profile, fontsize=9)
        axes.grid(axis="y", alpha=0.4)
        if number == 0:
            axes.set_ylabel("Power saving [%]")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)
    figure.suptitle(f"{WORKLOAD}: power saved by compression, against the plain design", fontsize=10)
    return figure


def hashes() -> dict[str, str]:
    """Hash of the data of the figure, to five digits."""
    lines = [
        f"{profile},{label}," + ",".join(f"{v:.5g}" for v in values)
        for profile, shown in savings().items()
        for label, values in shown.items()
    ]
    return {NAME: hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]}


def main(arguments: list[str]) -> int:
    """Write or check the figure."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if arguments:
        stale = json.loads((FOLDER / "hashes.json").read_text(encoding="utf-8")) != hashes()
        if stale:
            print("the figure of docs/compression.md shows old data; run: make gallery", file=sys.stderr)
        return int(stale)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with styled():
        draw().savefig(FOLDER / f"{NAME}.png", dpi=110)
    (FOLDER / "hashes.json").write_text(json.dumps(hashes(), indent=1) + "\n", encoding="utf-8")
    print(f"{FOLDER.name}/{NAME}.png", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
