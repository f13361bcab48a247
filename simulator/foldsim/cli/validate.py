"""``foldsim validate``: predictions compared with measured and published values."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from foldsim.cli.guard import FINDINGS, say
from foldsim.cli.progress import track
from foldsim.cli.tables import number, paragraph, percent, shorten, table, yes_no
from foldsim.data import UnknownNameError
from foldsim.errors import nearest
from foldsim.evidence.model_error import coverage, model_errors
from foldsim.evidence.validation import (
    FOLDING_PAPER,
    Row,
    Summary,
    all_groups,
    fails,
    group_rows,
    read_by,
    result_columns,
    summary,
    title_of,
)
from foldsim.evidence.validation_targets import load_group
from foldsim.sweeps.provenance import origin
from foldsim.sweeps.results import Results, check_suffix, write_results
from foldsim.workload.workload import load_workload


def run_validate(groups: Sequence[str], strict: bool, output: Path | None) -> None:
    """Print every target with its error and a summary per group; write the rows if requested."""
    if output is not None:
        check_suffix(output)
    chosen = list(dict.fromkeys(groups)) or all_groups()
    for name in chosen:
        if name not in all_groups() and not name.endswith((".yaml", ".yml")):
            raise UnknownNameError("validation", name, all_groups(), nearest(name, all_groups()))
    rows = {name: group_rows(name) for name in track(chosen, "validating groups")}
    flat = [row for part in rows.values() for row in part]
    if output is not None:
        write_results(Results(result_columns(flat), origin(read_by(chosen), sys.argv[1:])), output)
        say(f"{len(flat):,} rows in {output}")
    print("\n\n".join(report(name, part) for name, part in rows.items()))
    print("\n" + summary_table([summary(name, part, flat) for name, part in rows.items()]))
    missed = fails(flat)
    whole = summary("all", flat)
    if whole.banded_count:
        lie = f"{whole.covered_count} of {whole.banded_count} measured numbers ({percent(whole.coverage_ratio)})"
        text = f"{lie} that nothing was fitted on lie in the band given by the profiles' ranges; nine in ten should."
        if set(chosen) >= set(all_groups()):
            text += " " + model_error_words(flat)
        print("\n" + paragraph(text))
    if missed:
        print(paragraph(f"Beyond their tolerance: {', '.join(missed)}."))
    if strict and missed:
        raise typer.Exit(FINDINGS)


def model_error_words(rows: Sequence[Row]) -> str:
    """Coverage with the error of the model, and that error for each kind of software."""
    _, inside, count = coverage(rows)
    told = [
        f"{e.software} {e.factor:.2f} ({e.rows_count} on {e.chips_count} chip{'s' * (e.chips_count != 1)})"
        for e in model_errors(rows)
    ]
    return (
        f"With the error of the model, estimated on other chips, {inside} ({percent(inside / count)}) do. It is a"
        f" factor by kind of software, in quadrature with the band: {', '.join(told)}."
    )


def report(name: str, rows: Sequence[Row]) -> str:
    """One group as text: a line per measured number."""
    blocks = [paragraph(f"{name}: {title_of(name)}"), ""]
    if name == FOLDING_PAPER:
        return "\n".join([*blocks, folding_report(rows)])
    lines = []
    for row in rows:
        start = [row.target, row.quantity, measured_words(row)]
        if row.problem:
            lines.append([*start, "", "", "", "", f"not predicted: {shorten(row.problem, 60)}"])
            continue
        band = f"{value_words(row.predicted_low, row.unit)} - {value_words(row.predicted_high, row.unit)}"
        inside = yes_no(row.inside) if row.banded or row.is_range else ""
        predicted = value_words(row.predicted, row.unit)
        lines.append(
            [*start, predicted, signed_percent(row.error_ratio), band if row.banded else "", inside, remark(row)]
        )
    head = ["target", "quantity", "measured", "predicted", "error", "band", "inside", ""]
    blocks.append(table(head, lines, left=(0, 1, 7)))
    fitted = [f"fitted on {row.target}, {row.quantity}: {row.fitted}" for row in rows if row.fitted]
    if fitted:
        blocks += ["", *map(paragraph, fitted)]
    omitted = load_group(name).omitted
    if omitted:
        blocks += ["", *(paragraph(f"not predicted: {o.device}. {o.reason}") for o in omitted)]
    return "\n".join(blocks)


def folding_report(rows: Sequence[Row]) -> str:
    """The folding paper's group as text: a line per chip and selection of layers, with the assumptions."""
    published = {row.target: (row.measured_low, row.measured_high) for row in rows}
    ranges = [f"{100 * low:g}-{100 * high:g} %" for low, high in list(published.values())[:2]]
    ranges.append("{:g}-{:g}".format(*list(published.values())[2]))
    lines = [["published", "not read", "not read", "not read", *ranges, ""]]
    for first in range(0, len(rows), len(published)):
        size, power, ratio = rows[first : first + len(published)]
        outside = [word for word, row in (("size", size), ("power", power), ("ratio", ratio)) if not row.inside]
        cells = [percent(size.predicted), percent(power.predicted), f"{ratio.predicted:.2f}"]
        verdict = "outside: " + ", ".join(outside) if outside else "inside"
        variant = [size.profile, str(size.fold_factor), size.fold_layers, f"{size.chunk_ms:g} ms"]
        lines.append([*variant, *cells, verdict])
    head = ["on", "N", "layers", "chunk", "weights saved", "power saved", "power/weights", "against published"]
    spec = load_workload(rows[0].workload).spec
    return "\n".join(
        [
            paragraph(
                "Consistency, not a reproduction: the paper's widths, N, layers, chunk sizes and energies were not"
                " published where they could be read."
            ),
            "",
            table(head, lines, left=(0, 2, 7)),
            "",
            "half: the first half of the encoder layers is folded; all: every one.",
            paragraph(
                f"Assumptions: {spec.name}, attention only, head dimension kept, {spec.precision.weights} weights,"
                f" {spec.decoding.symbols_per_s.value:g} symbols/s, beam {spec.decoding.beam_count}, each profile's"
                " default policy, placement auto; power of the whole recogniser, front end to joiner."
            ),
        ]
    )


def remark(row: Row) -> str:
    """What a reader should know of a row."""
    if row.fitted:
        return "fitted"
    return "beyond tolerance" if row.within is False else ""


def measured_words(row: Row) -> str:
    """The measured number or range with its unit."""
    if row.is_range:
        return f"{value_words(row.measured_low, row.unit, False)}-{value_words(row.measured_high, row.unit)}"
    return value_words(row.measured_low, row.unit)


def value_words(value: float, unit: str, with_unit: bool = True) -> str:
    """A number with a unit of a handy size.

    >>> value_words(3419090.0, "uJ"), value_words(0.41, "ratio"), value_words(28450696.0, "cycles")
    ('3.42 J', '0.41', '28.5 Mcycles')
    """
    if math.isnan(value):
        return "-"
    if unit == "ratio":
        return number(value)
    shown = {"uJ": ("uJ", "mJ", "J"), "mW": ("mW", "W"), "bytes": ("B", "kB", "MB", "GB")}
    sizes = shown.get(unit, (unit, f"k{unit}", f"M{unit}", f"G{unit}") if unit == "cycles" else (unit,))
    index = 0
    while index + 1 < len(sizes) and abs(value) >= 1000.0:
        value, index = value / 1000.0, index + 1
    return f"{number(value)} {sizes[index]}" if with_unit else number(value)


def signed_percent(ratio: float) -> str:
    """An error with its sign."""
    return "-" if math.isnan(ratio) else f"{100 * ratio:+.0f} %"


def summary_table(found: Sequence[Summary]) -> str:
    """A line per group."""

    def share(value: float) -> str:
        return "-" if math.isnan(value) else percent(value)

    lines = [
        [
            s.group,
            str(s.rows_count),
            str(s.fitted_count),
            share(s.median_error_ratio),
            share(s.worst_error_ratio),
            signed_percent(s.bias_ratio),
            f"{s.covered_count} of {s.banded_count}" if s.banded_count else "-",
            share(s.left_out_ratio),
            str(s.missed_count),
        ]
        for s in found
    ]
    head = ["group", "rows", "fitted", "median", "worst", "bias", "in band", "one left out", "missed"]
    return table(head, lines)
