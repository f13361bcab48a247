"""``foldsim plot``: figures from a result file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foldsim import plotting
from foldsim.cli.guard import say, stop
from foldsim.cli.tables import table
from foldsim.explore.results import read_results

FIGURE_SUFFIXES = (".png", ".svg", ".pdf")


def run_list() -> None:
    """List the kinds of figure."""
    rows = [[kind.name, kind.by or "any", kind.question] for kind in plotting.KINDS.values()]
    print(table(["kind", "needs --by", "answers"], rows, left=(0, 1, 2)))


def run_plot(path: Path, kinds: Sequence[str] | None, output: Path | None) -> None:
    """Draw the kinds asked for (or all that the rows allow) and say where they are."""
    unknown = [kind for kind in kinds or () if kind not in plotting.KINDS]
    if unknown:
        import difflib

        close = difflib.get_close_matches(unknown[0], plotting.KINDS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        stop(f"error: no kind of figure called {unknown[0]!r}{hint} (kinds: {', '.join(plotting.KINDS)})")
    results = read_results(path)
    if not len(results):
        stop(f"error: {path}: no rows to draw")
    chosen = list(kinds or plotting.plot_kinds_for(results))
    if not chosen:
        stop(f"error: {path}: no kind of figure can be drawn from these columns")
    single = output is not None and output.suffix.lower() in FIGURE_SUFFIXES
    if single and len(chosen) > 1:
        stop(f"error: -o {output} is one file, but {len(chosen)} kinds are to be drawn; give one -k, or a folder")
    if output is not None and not single and output.suffix:
        stop(f"error: -o {output}: figures end in {', '.join(FIGURE_SUFFIXES)}")
    if single:
        assert output is not None
        if not output.parent.is_dir():
            stop(f"error: the folder {str(output.parent)!r} does not exist")
        targets = [output]
    else:
        folder = output or path.parent
        targets = [folder / f"{kind}.png" for kind in chosen]
    figures = [plotting.draw(results, kind) for kind in chosen]
    for figure, target in zip(figures, targets, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        plotting.save(figure, target)
        say(str(target))
