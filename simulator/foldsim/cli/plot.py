"""``foldsim plot``: figures from a result file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foldsim import plotting
from foldsim.cli.guard import check_choice, say, stop
from foldsim.cli.progress import track
from foldsim.cli.tables import fitted_table, print_json
from foldsim.sweeps.results import Results, check_suffix, read_results, write_results

FIGURE_SUFFIXES = plotting.FIGURE_SUFFIXES


def run_list(as_json: bool) -> None:
    """List the kinds of figure; as JSON an object per kind with ``kind``, ``needs`` (options of foldsim sweep that
    write the rows it takes) and ``answers`` (a question)."""
    columns = ["kind", "needs", "answers"]
    rows = [[kind.name, kind.options, kind.question] for kind in plotting.KINDS.values()]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print(fitted_table(columns, rows, left=(0, 1, 2)))


def run_plot(
    path: Path,
    kinds: Sequence[str] | None,
    output: Path | None,
    style: str = "light",
    data: Path | None = None,
    chunk_ms: float | None = None,
) -> None:
    """Draw the kinds asked for (or all that the rows allow) and report the files.

    Parameters
    ----------
    data : where to write the plotted points of one kind; no figure is then drawn unless ``output`` is given.
    chunk_ms : keep the rows of this chunk size only.
    """
    chosen_style = check_choice("--style", style, plotting.STYLES)
    if data is not None:
        check_suffix(data)
        if len(kinds or ()) != 1:
            stop(f"error: --data {data} takes the points of one kind; give one -k")
    for kind in kinds or ():
        check_choice("--kind", kind, plotting.KINDS)
    results = read_results(path)
    if not len(results):
        stop(f"error: {path}: no rows to draw")
    if chunk_ms is not None:
        results = _one_chunk(results, chunk_ms)
    chosen = list(kinds or plotting.plot_kinds_for(results))
    if not chosen:
        stop(f"error: {path}: no kind of figure can be drawn from these columns")
    targets = _targets(path, chosen, output)
    figures = [plotting.draw(results, kind, chosen_style) for kind in track(chosen, "drawing figures")]
    if data is not None:
        points = plotting.plotted_points(figures[0], chosen[0], results)
        write_results(points, data)
        say(f"{len(points):,} points in {data}")
    if data is None or output is not None:
        for figure, target in track(zip(figures, targets, strict=True), "writing figures"):
            target.parent.mkdir(parents=True, exist_ok=True)
            plotting.save(figure, target)
            say(str(target))


def _one_chunk(results: Results, chunk_ms: float) -> Results:
    """The rows of one chunk size."""
    present = sorted(set(results["chunk_ms"].tolist())) if "chunk_ms" in results.columns else []
    if chunk_ms not in present:
        sizes = ", ".join(f"{c:g}" for c in present)
        stop(f"error: --chunk-ms {chunk_ms:g}: the rows have " + (f"{sizes} ms" if sizes else "no chunk sizes"))
    return results.where(results["chunk_ms"] == chunk_ms)


def _targets(path: Path, kinds: Sequence[str], output: Path | None) -> list[Path]:
    """Files of the figures of some kinds."""
    single = output is not None and output.suffix.lower() in FIGURE_SUFFIXES
    if single and len(kinds) > 1:
        stop(f"error: -o {output} is one file, but {len(kinds)} kinds are to be drawn; give one -k, or a folder")
    if output is not None and not single and output.suffix:
        stop(f"error: -o {output}: figures end in {', '.join(FIGURE_SUFFIXES)}")
    if single:
        assert output is not None
        if not output.parent.is_dir():
            stop(f"error: the folder {str(output.parent)!r} does not exist")
        return [output]
    return [(output or path.parent) / f"{kind}.png" for kind in kinds]
