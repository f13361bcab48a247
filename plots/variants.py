"""Draw the figures of docs/variants: each attention variant against softmax attention, computed by foldsim.

python plots/variants.py            write plots/gallery/variants/*.png and hashes.json
python plots/variants.py --check    write nothing; exit 1 and name the figures whose data has changed

Every figure shows the ratio of the variant to softmax attention in the same recogniser on the same chip; the variant
is better below 1, and lines cross 1 at the tipping points.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from foldsim.designs.changes import change
from foldsim.hardware.profile import load_profile
from foldsim.plotting.style import styled
from foldsim.sweeps.engine import run
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.workload import Workload, load_workload

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).resolve().parent / "gallery" / "variants"
PROFILE, CPU_PROFILE, CPU_UNIT = "phone-npu", "pixel5-cpu", "a76-prime"
STREAMING, WINDOWED = "emformer-rnnt-base", "hubert-base"
LEFT_TOKENS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
WINDOW_S = (0.5, 1, 2, 5, 10, 20, 40, 60)
CHUNKS_MS = (80.0, 640.0)
METRICS = {
    "macs_per_chunk": "MACs",
    "energy_per_chunk_uj": "energy",
    "busy_ms_per_chunk": "busy time",
    "memory_bytes": "memory",
}
MOST_LINEAR_RATIO = 5.0  # above it the axis is logarithmic
CORES = (1, 2, 3, 4, 5, 6, 7, 8)
LEAN_LEFT_TOKENS = 2044  # and a chunk of 4 tokens: 2,048 keys
Axis = Literal["left", "window", "cores"]
LABELS = {"left": "left context [tokens]", "window": "window [s]", "cores": "cores"}
Lines = dict[str, np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """A figure: a variant against softmax attention."""

    name: str
    title: str
    variant: Callable[[Workload], Workload]
    over: Axis = "left"  # left context of a stream, length of a whole window, or cores of the chip
    workload: str = STREAMING
    against: Callable[[Workload], Workload] = lambda workload: workload
    against_name: str = "softmax attention"
    metrics: tuple[str, ...] = tuple(METRICS)


COMPARISONS = (
    Comparison("folded", "Folding attention, N = 2", lambda w: w.fold(2)),
    Comparison(
        "folded-feedforward",
        "Folding attention and feedforward, N = 2",
        lambda w: w.fold(2, scope="attention+feedforward"),
    ),
    Comparison("favor", "FAVOR+ (Performer), 266 features", lambda w: w.with_attention("favor", features=266)),
    Comparison("focused-linear", "Focused linear attention, 5 taps", lambda w: w.with_attention("focused_linear")),
    Comparison(
        "channel-mixing",
        "Channel mixing, one channel in 8",
        lambda w: w.with_attention("channel_mixing", divisions=8),
    ),
    Comparison(
        "local",
        "Sliding window of 50 tokens, band alone",
        lambda w: w.with_attention("local", window_tokens=50),
        over="window",
        workload=WINDOWED,
    ),
    Comparison(
        "local-chunked",
        "Sliding window of 50 tokens, chunked kernel",
        lambda w: w.with_attention("local", window_tokens=50, kernel="chunked"),
        over="window",
        workload=WINDOWED,
    ),
    Comparison(
        "spatial-reduction",
        "Spatial reduction, 4 tokens to one key",
        lambda w: w.with_attention("spatial_reduction", reduction=4),
        over="window",
        workload=WINDOWED,
    ),
    Comparison(
        "token-fusion",
        "Token fusion, half of the tokens kept, 16 pooled keys",
        lambda w: w.with_attention("token_fusion", kept_ratio=0.5, pooled_tokens=16),
        over="window",
        workload=WINDOWED,
    ),
    Comparison(
        "serialized",
        "Patches of 128 tokens",
        lambda w: w.with_attention("serialized", patch_tokens=128),
        over="window",
        workload=WINDOWED,
    ),
    Comparison(
        "augmented-memory",
        "Left context computed again with every chunk",
        lambda w: change(w, "workload.components.encoder.layers.emformer.left_context", "recomputed"),
        against_name="cached left context",
    ),
    Comparison(
        "lean",
        "Tiles of 64 keys assigned to cores",
        lambda w: w.with_attention("softmax", partition="lean", tile_keys=64),
        over="cores",
        against=lambda w: w.with_attention("softmax", partition="heads"),
        against_name="whole heads assigned to cores",
        metrics=("busy_ms_per_chunk", "energy_per_chunk_uj"),
    ),
    Comparison(
        "pooling",
        "SAEP with a sliding window of 50 frames",
        lambda w: w.with_attention("local", window_tokens=50),
        over="window",
        workload="saep-speaker",
    ),
)


def _columns(workload: Workload, over: Axis, chunk_ms: float) -> Lines:
    """Metrics of a recogniser over the x axis of a figure."""
    fold = (workload.spec.folding.factor,) if workload.spec.folding else (1,)
    if over == "window":
        chunks: list[float] = [1000.0 * s for s in WINDOW_S]
        sets = {}
    else:
        chunks = [chunk_ms]
        sets = {"workload.streaming.left_context_tokens": LEFT_TOKENS}
    if over == "cores":
        sets = {
            "workload.streaming.left_context_tokens": (LEAN_LEFT_TOKENS,),
            f"profile.compute_units.{CPU_UNIT}.cores_count": CORES,
        }
    profile = load_profile(CPU_PROFILE if over == "cores" else PROFILE)
    found = run(DesignSpace([workload], [profile], chunks, fold, sets=sets))
    return {name: np.asarray(found[name], dtype=float) for name in METRICS}


@cache
def panels(comparison: Comparison) -> list[tuple[str, np.ndarray, Lines]]:
    """Panels of a figure: title, x, and the ratio of each metric."""
    base = load_workload(comparison.workload)
    pair = comparison.against(base), comparison.variant(base)
    over = comparison.over
    x = np.array({"left": LEFT_TOKENS, "window": WINDOW_S, "cores": CORES}[over], dtype=float)
    found = []
    for chunk in {"left": CHUNKS_MS, "window": (0.0,), "cores": (160.0,)}[over]:
        plain, other = (_columns(w, over, chunk) for w in pair)
        title = f"{base.name}, " + ("whole windows" if over == "window" else f"chunks of {chunk:g} ms")
        found.append((title, x, {name: other[name] / plain[name] for name in comparison.metrics}))
    return found


def draw(comparison: Comparison) -> Figure:
    """The figure of a comparison."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = panels(comparison)
    figure = Figure(figsize=(3.6 * max(2, len(shown)), 3.1), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = None
    for number, (title, x, ratios) in enumerate(shown):
        axes = figure.add_subplot(1, len(shown), number + 1, sharey=axes)
        axes.axhline(1.0, color="0.3", linewidth=0.8)
        for (name, values), marker in zip(ratios.items(), "osD^", strict=False):
            axes.plot(x, values, marker=marker, markersize=3.5, linewidth=1.3, label=METRICS[name])
        if comparison.over != "cores":
            axes.set_xscale("log")
        if max(values.max() for values in ratios.values()) > MOST_LINEAR_RATIO:
            axes.set_yscale("log")
        axes.set_xticks(x, [f"{v:g}" for v in x], minor=False)
        axes.minorticks_off()
        axes.set_xlabel(LABELS[comparison.over])
        axes.set_title(title, fontsize=9)
        axes.grid(axis="y", alpha=0.4)
        if number == 0:
            axes.set_ylabel("ratio")
            axes.legend(fontsize=8, frameon=False)
    chip = CPU_PROFILE if comparison.over == "cores" else PROFILE
    figure.suptitle(f"{comparison.title}, against {comparison.against_name} ({chip})", fontsize=10)
    return figure


def data_hash(comparison: Comparison) -> str:
    """Hash of the plotted ratios, to five digits."""
    lines = [
        f"{title},{name}," + ",".join(f"{v:.5g}" for v in (*x, *values))
        for title, x, ratios in panels(comparison)
        for name, values in ratios.items()
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def hashes() -> dict[str, str]:
    """Hash of the data of each figure, by name."""
    return {comparison.name: data_hash(comparison) for comparison in COMPARISONS}


def changed() -> list[str]:
    """Figures whose data differs from the committed ones."""
    committed = json.loads((FOLDER / "hashes.json").read_text(encoding="utf-8"))
    now = hashes()
    return sorted(name for name in committed | now if committed.get(name) != now.get(name))


def main(arguments: list[str]) -> int:
    """Write or check the figures."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if arguments:
        found = changed()
        if found:
            print(
                f"the figures of docs/variants show old data of {', '.join(found)}; run: make gallery", file=sys.stderr
            )
        return 1 if found else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for comparison in COMPARISONS:
        with styled():
            draw(comparison).savefig(FOLDER / f"{comparison.name}.png", dpi=110)
        print(FOLDER.name, comparison.name, file=sys.stderr)
    (FOLDER / "hashes.json").write_text(json.dumps(hashes(), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
