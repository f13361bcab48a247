"""Draw docs/architecture.svg: the packages of foldsim and which imports which, read from the code and pyproject.toml.

    python docs/architecture_diagram.py            # draw
    python docs/architecture_diagram.py --check    # exit 1 if the drawing is not current

Arrows that follow from others (a package imports what another imported package imports) are left out.
"""

from __future__ import annotations

import ast
import io
import sys
import tomllib
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "simulator" / "foldsim"
TARGET = ROOT / "docs" / "architecture.svg"
BOX_WIDTH, BOX_HEIGHT, ROW_HEIGHT = 2.6, 0.8, 1.25
SUMMARIES = {
    "cli": "options, tables, messages",
    "report": "one HTML page",
    "plotting": "figures",
    "answers": "explain, tipping points, diff",
    "evidence": "validation, calibration",
    "sweeps": "spaces, engine, results",
    "designs": "one design, axes, changes",
    "workload": "layers, attention, lowering",
    "hardware": "profiles, DRAM, measurement",
    "schema": "YAML in, located errors out",
    "model": "physics: arrays in and out",
}


def packages() -> list[str]:
    """Names of the packages in the import contract of layers, outermost first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    listed = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    names = [name.strip("() ").removeprefix("foldsim.") for row in listed for name in row.split("|")]
    return [name for name in names if name in SUMMARIES]


def rows(edges: set[tuple[str, str]]) -> list[list[str]]:
    """Packages by the length of the longest way to them."""
    depth: dict[str, int] = {}
    for name in packages():  # an importer comes before what it imports
        depth[name] = max((depth[a] + 1 for a, b in edges if b == name), default=0)
    return [[name for name in depth if depth[name] == level] for level in range(max(depth.values()) + 1)]


def imports() -> set[tuple[str, str]]:
    """Pairs of packages of which the first imports the second, imports inside functions too."""
    names = set(packages())
    found = set()
    for path in PACKAGE.rglob("*.py"):
        owner = path.relative_to(PACKAGE).parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("foldsim."):
                imported = str(node.module).split(".")[1]
                if owner in names and imported in names and owner != imported:
                    found.add((owner, imported))
    return found


def reduced(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges that do not follow from longer ways."""
    beyond: dict[str, set[str]] = {}

    def reach(name: str) -> set[str]:
        if name not in beyond:
            beyond[name] = set()
            for a, b in edges:
                if a == name:
                    beyond[name] |= {b} | reach(b)
        return beyond[name]

    return {(a, b) for a, b in edges if not any(b in reach(c) for x, c in edges if x == a and c != b)}


def drawing() -> bytes:
    """The picture as SVG."""
    edges = reduced(imports())
    levels = rows(edges)
    mpl.rcParams.update({"svg.hashsalt": "foldsim", "svg.fonttype": "path", "font.family": "DejaVu Sans"})
    figure, axes = plt.subplots(figsize=(8.4, 0.95 * len(levels)))
    place = {}
    for depth, row in enumerate(levels):
        for column, name in enumerate(row):
            place[name] = (3.0 * (column - (len(row) - 1) / 2), -ROW_HEIGHT * depth)
    for first, second in sorted(edges):
        (x0, y0), (x1, y1) = place[first], place[second]
        start, end = (x0, y0 - BOX_HEIGHT / 2), (x1, y1 + BOX_HEIGHT / 2)
        axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color="#5b6b7b", lw=1))
    for name, (x, y) in place.items():
        corner = (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2)
        axes.add_patch(
            FancyBboxPatch(corner, BOX_WIDTH, BOX_HEIGHT, boxstyle="round,pad=0.02", fc="#eef4fb", ec="#2f6db3", lw=1)
        )
        axes.text(x, y + 0.13, name, ha="center", va="center", fontsize=9, weight="bold", color="#14324f")
        axes.text(x, y - 0.2, SUMMARIES[name], ha="center", va="center", fontsize=6.5, color="#333333")
    axes.set_xlim(-6.0, 6.0)
    axes.set_ylim(-ROW_HEIGHT * (len(levels) - 1) - 0.6, 0.6)
    axes.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return buffer.getvalue()


def edges_text() -> str:
    """The arrows as text; it is a comment in the picture, so that a test need not compare pixels."""
    return "; ".join(f"{a} -> {b}" for a, b in sorted(reduced(imports())))


def main() -> int:
    """Draw, or check."""
    comment = f"<!-- {edges_text()} -->"
    if "--check" in sys.argv[1:]:
        current = TARGET.is_file() and comment in TARGET.read_text(encoding="utf-8")
        print("" if current else "docs/architecture.svg is not current; run: python docs/architecture_diagram.py")
        return int(not current)
    TARGET.write_text(drawing().decode().rstrip() + f"\n{comment}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
