"""Make the gallery: plots/gallery/*.png and plots/README.md, from the shipped workload and profiles.

python plots/gallery.py            write both
python plots/gallery.py --readme   write the page only
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from foldsim import plotting

HERE = Path(__file__).resolve().parent
FOLDER = "gallery"
WORKLOAD = "emformer-rnnt-base"
PROFILES = ("phone-npu", "pixel5-cpu", "watch-npu", "coral-edge-tpu", "gap9")


@dataclass(frozen=True)
class Picture:
    """One figure of the gallery and the sweep it comes from."""

    kind: str
    fold: tuple[int, ...] = (1, 2)
    by: str = "total"

    @property
    def sweep(self) -> str:
        """The command that makes its rows."""
        words = ["foldsim sweep", f"-w {WORKLOAD}", *(f"-p {name}" for name in PROFILES)]
        words.append(f"--fold {','.join(map(str, self.fold))}")
        return " ".join([*words, *([f"--by {self.by}"] if self.by != "total" else []), "-o results.csv"])


PICTURES = (
    Picture("power-vs-chunk"),
    Picture("power-breakdown"),
    Picture("power-by-component", by="component"),
    Picture("top-ops", by="op"),
    Picture("saving-vs-chunk", fold=(1, 2, 4)),
    Picture("memory-vs-chunk", fold=(1, 2, 4)),
    Picture("latency-vs-chunk"),
    Picture("trade-off"),
    Picture("roofline", by="op"),
)


def readme() -> str:
    """The page of the gallery."""
    lines = [
        "# Plots",
        "",
        "<!-- Written by plots/gallery.py: edit that, or the kinds in simulator/foldsim/plotting/kinds.py. -->",
        "",
        f"Every kind of figure, drawn for `{WORKLOAD}` on five shipped profiles over chunks of 40 to 1280 ms, baseline "
        "and folded. `make gallery` makes this page and its pictures again.",
        "",
        "```sh",
        "foldsim plot results.csv -k power-vs-chunk -o power.svg   # .png, .svg or .pdf",
        "foldsim plot results.csv -o figures                       # every kind that the rows allow",
        "```",
        "",
        "```python",
        "from foldsim import plotting",
        "from foldsim.api import sweep",
        "",
        f'figure = plotting.draw(sweep("{WORKLOAD}", "{PROFILES[0]}"), "power-vs-chunk")  # a matplotlib Figure',
        "```",
        "",
        "Rows made with `--by op` are enough for every kind, rows made with `--by component` for all but those that "
        "need `--by op`: kinds that show whole designs add them up.",
        "",
        "| kind | answers | needs |",
        "|---|---|---|",
    ]
    for picture in PICTURES:
        kind = plotting.KINDS[picture.kind]
        needs = f"`--by {kind.by}`" if kind.by else ("folded designs" if kind.folded else "")
        lines.append(f"| [{kind.name}](#{kind.name}) | {kind.question} | {needs} |")
    for picture in PICTURES:
        kind = plotting.KINDS[picture.kind]
        lines += [
            "",
            f"## {kind.name}",
            "",
            f"**{kind.question}**",
            "",
            f"![{kind.title} of {WORKLOAD} on {', '.join(PROFILES)}]({FOLDER}/{kind.name}.png)",
            "",
            kind.reading,
            "",
            "```sh",
            picture.sweep,
            f"foldsim plot results.csv -k {kind.name} -o {kind.name}.png",
            "```",
        ]
    return "\n".join(lines) + "\n"


def write_pictures(folder: Path) -> None:
    """Draw and save every picture."""
    from foldsim.explore.engine import run
    from foldsim.explore.results import Results, provenance
    from foldsim.explore.space import DesignSpace
    from foldsim.hardware.profile import load_profile
    from foldsim.workload.workload import load_workload

    folder.mkdir(exist_ok=True)
    space = DesignSpace([load_workload(WORKLOAD)], [load_profile(name) for name in PROFILES])
    made: dict[str, Results] = {}
    for picture in PICTURES:
        if picture.sweep not in made:
            asked = replace(space, fold=picture.fold, by=picture.by)
            made[picture.sweep] = Results(run(asked), provenance(asked, picture.sweep.split()[1:]))
        path = folder / f"{picture.kind}.png"
        plotting.save(plotting.draw(made[picture.sweep], picture.kind), path)
        print(f"{path} ({path.stat().st_size / 1000:.0f} kB)", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Write the gallery."""
    if arguments not in ([], ["--readme"]):
        print(__doc__, file=sys.stderr)
        return 2
    if not arguments:
        write_pictures(HERE / FOLDER)
    (HERE / "README.md").write_text(readme(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
