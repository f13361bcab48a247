"""Create the gallery: plots/gallery/*.png, plots/gallery/hashes.json and plots/README.md, from the shipped data.

python plots/gallery.py            write everything
python plots/gallery.py --readme   write the page only
python plots/gallery.py --check    write nothing; exit 1 and name the figures whose plotted data has changed
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from foldsim import plotting
from foldsim.plotting.kinds import LEFT_CONTEXT, POLICY
from foldsim.plotting.style import styled
from foldsim.sweeps.results import Results

HERE = Path(__file__).resolve().parent
FOLDER = "gallery"
WORKLOAD = "emformer-rnnt-base"
PROFILES = ("phone-npu", "pixel5-cpu", "watch-npu", "coral-edge-tpu", "gap9")
Values = tuple[float | str, ...]


@dataclass(frozen=True)
class Picture:
    """One figure of the gallery and the rows it shows."""

    kind: str
    fold: tuple[int, ...] = (1, 2)
    by: str = "total"
    profiles: tuple[str, ...] = PROFILES
    varied: tuple[str, Values] | None = None  # a --set path and its values

    @property
    def command(self) -> str:
        """The command that creates its rows."""
        if self.by == "validation":
            return "foldsim validate --group folding-paper -o results.csv"
        if self.by == "tipping":
            return f"foldsim tipping-point {WORKLOAD} {' '.join(self.profiles)} -o results.csv"
        words = ["foldsim sweep", f"-w {WORKLOAD}", *(f"-p {name}" for name in self.profiles)]
        words.append(f"--fold {','.join(map(str, self.fold))}")
        if self.varied:
            path, values = self.varied
            words.append(f"--set {path}={','.join(map(str, values))}")
        return " ".join([*words, *([f"--by {self.by}"] if self.by != "total" else []), "-o results.csv"])


_TWO = ("phone-npu", "watch-npu")
_LEFT = (LEFT_CONTEXT, (0, 32, 64, 128, 256, 512, 1024))
PICTURES = (
    Picture("power-vs-chunk"),
    Picture("power-breakdown"),
    Picture("power-waterfall", by="term"),
    Picture("power-by-component", by="component"),
    Picture("top-ops", by="op"),
    Picture("saving-vs-chunk", fold=(1, 2, 4)),
    Picture("saving-map", fold=(1, 2, 4), profiles=_TWO, varied=_LEFT),
    Picture("tipping-points", fold=(1, 2, 4), profiles=_TWO, varied=_LEFT),
    Picture("break-even", by="tipping"),
    Picture("sensitivity", by="term", profiles=("phone-npu", "pixel5-cpu", "gap9")),
    Picture("memory-vs-chunk", fold=(1, 2, 4)),
    Picture("residency", by="tensor", profiles=("phone-npu", "watch-npu", "gap9")),
    Picture("latency-vs-chunk"),
    Picture("policy-comparison", varied=(POLICY, ("race-to-idle", "slowest-real-time"))),
    Picture("trade-off"),
    Picture("roofline", by="op"),
    Picture("roofline-levels", by="level"),
    Picture("predicted-vs-measured", by="validation"),
)


def rows_of(picture: Picture) -> Results:
    """The rows of a picture."""
    return _rows(replace(picture, kind=""))


@cache
def _rows(picture: Picture) -> Results:
    from foldsim.answers.tipping import KEYS_LIMIT_TOKENS, METRICS, pair_of, searched_chunks
    from foldsim.answers.tipping_rows import Question, tipping_columns
    from foldsim.evidence.consistency import consistency_rows, paper_consistency
    from foldsim.hardware.profile import load_profile
    from foldsim.sweeps.engine import run
    from foldsim.sweeps.provenance import origin, provenance
    from foldsim.sweeps.space import DesignSpace
    from foldsim.workload.workload import load_workload

    workload, profiles = load_workload(WORKLOAD), [load_profile(name) for name in picture.profiles]
    if picture.by == "validation":
        return Results(consistency_rows(paper_consistency(workload, profiles)))
    if picture.by == "tipping":
        pairs = [pair_of(workload.fold(2), workload, profile) for profile in profiles]
        questions = [
            Question(p, "fold=2", "baseline", tuple(METRICS), searched_chunks(p), KEYS_LIMIT_TOKENS) for p in pairs
        ]
        origin = provenance(DesignSpace([workload], profiles), picture.command.split()[1:])
        return Results(tipping_columns(questions), origin)
    sets = dict([picture.varied]) if picture.varied else {}
    space = DesignSpace([workload], profiles, fold=picture.fold, by=picture.by, sets=sets)
    return Results(run(space), provenance(space, picture.command.split()[1:]))


def points_hash(points: Results) -> str:
    """Hash of plotted points with numbers to five digits, to be independent of rounding on a platform.

    Images are not compared, because pixels depend on fonts and the version of matplotlib.
    """
    lines = [",".join(points.columns)]
    lines += [",".join(f"{v:.5g}" if isinstance(v, float) else str(v) for v in row) for row in points.rows()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def hashes() -> dict[str, str]:
    """Hash of the plotted points of every picture, by kind; drawn without layout, which is slower."""
    with styled():
        figures = {picture.kind: plotting.KINDS[picture.kind].draw(rows_of(picture)) for picture in PICTURES}
    return {kind: points_hash(plotting.plotted_points(figure)) for kind, figure in figures.items()}


def changed() -> list[str]:
    """Kinds whose plotted data differs from the committed gallery's."""
    committed = json.loads((HERE / FOLDER / "hashes.json").read_text(encoding="utf-8"))
    now = hashes()
    return sorted(kind for kind in committed | now if committed.get(kind) != now.get(kind))


def readme() -> str:
    """The page of the gallery."""
    lines = [
        "# Plots",
        "",
        "<!-- Written by plots/gallery.py: edit that, or the kinds in simulator/foldsim/plotting/kinds.py. -->",
        "",
        f"Every kind of figure, drawn for `{WORKLOAD}` on shipped profiles over chunks of 40 to 1280 ms, baseline "
        "and folded. `make gallery` regenerates this page and its pictures.",
        "",
        "```sh",
        "foldsim plot results.csv -k power-vs-chunk -o power.svg                   # .png, .svg or .pdf",
        "foldsim plot results.csv -k power-vs-chunk -o power.pdf --style print     # greys, one column of 3.5 in",
        "foldsim plot results.csv -k power-vs-chunk --data points.csv              # the plotted points",
        "foldsim plot results.csv -o figures                                       # every kind possible with the rows",
        "```",
        "",
        "```python",
        "from foldsim import plotting",
        "from foldsim.api import sweep",
        "",
        f'figure = plotting.draw(sweep("{WORKLOAD}", "{PROFILES[0]}"), "power-vs-chunk")  # a matplotlib Figure',
        "points = plotting.plotted_points(figure)",
        "```",
        "",
        "Rows made with `--by op` are sufficient for every kind that needs whole designs, components or ops: kinds of "
        "whole designs sum them. If rows are not sufficient, the message contains the command that creates them.",
        "",
        "| kind | answers | needs |",
        "|---|---|---|",
    ]
    for picture in PICTURES:
        kind = plotting.KINDS[picture.kind]
        needs = f"`{kind.options}`" if kind.options else ""
        lines.append(f"| [{kind.name}](#{kind.name}) | {kind.question} | {needs} |")
    for picture in PICTURES:
        kind = plotting.KINDS[picture.kind]
        lines += [
            "",
            f"## {kind.name}",
            "",
            f"**{kind.question}**",
            "",
            f"![{kind.title} of {WORKLOAD} on {', '.join(picture.profiles)}]({FOLDER}/{kind.name}.png)",
            "",
            kind.reading,
            "",
            "```sh",
            picture.command,
            f"foldsim plot results.csv -k {kind.name} -o {kind.name}.png",
            "```",
        ]
    return "\n".join(lines) + "\n"


def write_pictures(folder: Path) -> None:
    """Draw and save every picture, and the hashes of their data."""
    folder.mkdir(exist_ok=True)
    found: dict[str, str] = {}
    for picture in PICTURES:
        figure = plotting.draw(rows_of(picture), picture.kind)
        path = folder / f"{picture.kind}.png"
        plotting.save(figure, path)
        found[picture.kind] = points_hash(plotting.plotted_points(figure))
        print(f"{path} ({path.stat().st_size / 1000:.0f} kB)", file=sys.stderr)
    (folder / "hashes.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write or check the gallery."""
    if arguments not in ([], ["--readme"], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if arguments == ["--check"]:
        found = changed()
        if found:
            print(f"the gallery shows old data of {', '.join(found)}; run: make gallery", file=sys.stderr)
        return 1 if found else 0
    if not arguments:
        write_pictures(HERE / FOLDER)
    (HERE / "README.md").write_text(readme(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
