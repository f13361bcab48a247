"""docs/validation.md: what `foldsim validate` finds, as a page with a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from foldsim import plotting
from foldsim.cli.validate import measured_words, signed_percent, value_words
from foldsim.evidence.model_error import coverage, lies_in, model_errors, widened
from foldsim.evidence.validation import (
    FOLDING_MISSES,
    FOLDING_PAPER,
    Row,
    all_groups,
    group_rows,
    quantity_name,
    read_by,
    result_columns,
    summary,
    title_of,
)
from foldsim.evidence.validation_targets import load_group
from foldsim.sweeps.provenance import origin
from foldsim.sweeps.results import Results

PICTURE = "validation.png"
KIND = "predicted-vs-measured"

INTRO = """\
Every measured number that foldsim can express, compared with its prediction from the shipped profiles.
`foldsim validate` makes these tables, `foldsim validate --strict` exits with 1 where a group misses its tolerance,
`foldsim validate -o rows.csv` writes the rows.

How to read them:

* **error** is predicted / measured - 1; for a published range the distance to its nearest end, 0 inside it.
* **band** holds nine in ten of 400 joint samples of every number in the profile that has a range, speeds too (each
  between its ends, its value the median). The measurement should lie **inside** nine times in ten. Two designs of a
  ratio share the samples. Where nothing has a range there is no band.
* A band from ranges says nothing of what the model leaves out, above all of software. That **error of the model** is
  estimated from *other* chips: in logarithms and in quadrature, the amount by which bands must be widened for nine in
  ten measurements on other chips with the same kind of software (of all other chips, where those are fewer than eight)
  to lie inside. A number that is inside only then says *with model error* in the tables below. No range of a profile
  depends on it. It covers time, energy and power of real software, not counts of simulators.
* **fitted** numbers are those that a constant of the profile was fitted on. They test nothing and count in no error
  or coverage. Everything else is prediction. At most one energy constant and one latency efficiency per chip may be
  fitted, each on one named number; no constant belongs to a workload.
* **bias** is the geometric mean of predicted / measured, less 1.
* **one left out** is the median error that would be left if one factor per chip and quantity, fitted on all *other*
  numbers of that chip, scaled each prediction: what calibrating a chip buys (or costs, where it says more than the
  median).
* **missed** counts numbers beyond the tolerance that the group states, and targets that cannot be predicted. What is
  listed as not predicted, with its reason, is not counted.
"""

ADDING = """\
A target is one entry of a file in `validation/`; a new group is a new file. The entry names workload, profile,
operating point, chunk and what was measured, under which conditions, and the source:

```yaml
  - id: stm32u575-160mhz-kws
    row: tiny_v1.3_NUCLEO_U575ZI_Q_kws
    device: STM32U575 Cortex-M33
    conditions: 160 MHz
    source: tiny-v1.3
    profile: stm32u575
    operating_point: 160mhz
    measured:
      - {quantity: latency_ms, value: 28.9948}
      - {quantity: energy_uj, value: 664.424}
```

What all targets of a file share is under `defaults`. `sets` changes numbers as `--set` does, `components` and
`per` pick what was timed, `mode: busy` leaves sleep out, `excludes` leaves out memories that the meter does not see,
`against` with `form: ratio` or `saving` compares two designs. A model or chip that is not shipped may be in the folder
of the group's file, in `validation/workloads/` or `validation/hw_profiles/`. If a constant of the profile was fitted
on a number, say so under `fitted`; what `foldsim profile calibrate` recorded is known. A measurement that cannot be
predicted goes under `omitted` with the reason. Try it with `foldsim validate --group FILE.yaml`; errors are
reported with line and column.

The fields of a file:
"""

SOFTWARE = {
    "tuned": "kernels written or tuned for the chip, as in a vendor's submission",
    "compiled": "a network compiler at its defaults",
    "framework": "a general runtime, such as PyTorch or ONNX Runtime",
    "application": "a whole program around the model",
}
MODEL_LIMITS = "What the model leaves out in general is listed in [model.md](model.md#12-what-is-not-modelled)."


def page(notice: str, fields: str) -> str:
    """The text of the page; ``fields`` describes the format of a group."""
    rows = {name: group_rows(name) for name in all_groups()}
    flat = [row for part in rows.values() for row in part]
    parts = [notice, "# Validation", INTRO.strip(), "## Summary", _summary(rows), _coverage(flat)]
    parts += [f"![Predictions against measurements of latency, energy and power]({PICTURE})", "## Where it is wrong"]
    parts += [
        "Every number outside its band or beyond its tolerance, largest error first within its group.",
        MODEL_LIMITS,
    ]
    for name, part in rows.items():
        parts += _misses(name, part)
    parts += ["## Groups"]
    ends = widened(flat)
    for name, part in rows.items():
        parts += _group(name, part, ends)
    parts += ["## Adding a target", ADDING.strip(), fields]
    return "\n\n".join(parts) + "\n"


def picture(path: Path) -> None:
    """Draw the scatter of the page."""
    rows = [row for name in all_groups() for row in group_rows(name)]
    results = Results(result_columns(rows), origin(read_by(all_groups()), ["validate"]))
    plotting.save(plotting.draw(results, KIND), path)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(cells) + " |" for cells in rows)])


def _share(value: float) -> str:
    return "" if value != value else f"{100 * value:.0f} %"


def _summary(rows: dict[str, list[Row]]) -> str:
    flat = [row for part in rows.values() for row in part]
    lines = []
    for name, part in rows.items():
        s = summary(name, part, flat)
        lines.append(
            [
                f"[{name}](#{name})",
                str(s.rows_count),
                str(s.fitted_count),
                _share(s.median_error_ratio),
                _share(s.worst_error_ratio),
                "" if s.bias_ratio != s.bias_ratio else signed_percent(s.bias_ratio),
                f"{s.covered_count} of {s.banded_count}" if s.banded_count else "",
                _share(s.left_out_ratio),
                str(s.missed_count),
            ]
        )
    head = ["group", "numbers", "fitted", "median error", "worst", "bias", "in band", "one left out", "missed"]
    return _table(head, lines)


def _coverage(rows: Sequence[Row]) -> str:
    s = summary("all", rows)
    fitted = [f"{r.target} ({r.quantity}: {r.fitted})" for r in rows if r.fitted]
    said = (
        f"Of {s.banded_count} measured numbers that nothing was fitted on and whose prediction has a band,"
        f" {s.covered_count} ({_share(s.coverage_ratio)}) lie inside; nine in ten should."
    )
    scopes = {r.scope: [x for x in rows if x.scope == r.scope] for r in rows}
    parts = [(scope, summary(scope, part)) for scope, part in scopes.items()]
    said += " By what was measured: " + ", ".join(
        f"{scope} {s.covered_count} of {s.banded_count}" for scope, s in parts if s.banded_count
    )
    said += "."
    _, wide, count = coverage(rows)
    said += (
        f"\n\nWith the error of the model, estimated on other chips, {wide} of {count} ({_share(wide / count)}) do."
        " The error by kind of software, over all chips, is a factor in quadrature with the band; 1.00 widens nothing."
        " Where one chip is all there is, it says nothing of another:\n\n"
    )
    said += _table(
        ["software", "what that is", "error of the model", "numbers", "chips"],
        [
            [e.software, SOFTWARE[e.software], f"{e.factor:.2f}", str(e.rows_count), str(e.chips_count)]
            for e in model_errors(rows)
        ],
    )
    told = "Fitted: " + "; ".join(fitted) + "." if fitted else "No number of these tables was fitted on."
    return f"{said}\n\n{told}"


def _misses(name: str, rows: Sequence[Row]) -> list[str]:
    found = sorted((r for r in rows if r.notable), key=lambda r: -abs(r.error_ratio) if not r.problem else 0.0)
    why = FOLDING_MISSES if name == FOLDING_PAPER else load_group(name).misses
    if not found:
        return []
    parts = [f"**{name}.** {why}" if why else f"**{name}.**"]
    lines = []
    for row in found:
        error = "not predicted" if row.problem else signed_percent(row.error_ratio)
        outside = "outside the published range" if row.is_range else "outside the band"
        place = "beyond tolerance" if row.within is False else outside
        both = " and outside the band" if row.within is False and not row.inside and not row.problem else ""
        lines.append(
            f"* {_label(name, row)}, {row.quantity}: {error}, {row.problem or place + both}."
            + (f" {row.why}" if row.why else "")
        )
    return [*parts, "\n".join(lines)]


def _label(name: str, row: Row) -> str:
    return f"{row.profile}, {row.fold_layers} layers folded" if name == FOLDING_PAPER else row.target


def _inside(row: Row, ends: Callable[[Row], tuple[float, float]]) -> str:
    if not (row.banded or row.is_range):
        return ""
    if row.inside or row.is_range:
        return "yes" if row.inside else "**no**"
    return "with model error" if lies_in(row, ends(row)) and not row.fitted else "**no**"


def _group(name: str, rows: Sequence[Row], ends: Callable[[Row], tuple[float, float]]) -> list[str]:
    parts = [f"### {name}", f"**{title_of(name)}.**"]
    if name != FOLDING_PAPER:
        group = load_group(name)
        parts[-1] += f" {group.summary.strip()}"
        parts.append(
            "Sources: " + "; ".join(f"{s.title} ({s.url})" if s.url else s.title for s in group.sources.values()) + "."
        )
        told = [f"{quantity_name(q)} {_share(t)}" for q, t in group.tolerance_ratio.items()]
        told += [f"{quantity_name(q)} a factor of {t:g} either way" for q, t in group.tolerance_factor.items()]
        if told:
            parts.append(f"Tolerance: {', '.join(told)}.")
    lines = []
    for r in rows:
        banded = (
            f"{value_words(r.predicted_low, r.unit)} to {value_words(r.predicted_high, r.unit)}" if r.banded else ""
        )
        lines.append(
            [
                _label(name, r),
                "" if name == FOLDING_PAPER else f"`{r.profile}` {r.operating_point}".strip() if r.profile else "",
                r.quantity,
                measured_words(r),
                value_words(r.predicted, r.unit),
                signed_percent(r.error_ratio),
                banded,
                _inside(r, ends),
                "fitted" if r.fitted else "**beyond**" if r.within is False else "",
            ]
        )
    head = ["target", "profile", "quantity", "measured", "predicted", "error", "band", "inside", "tolerance"]
    parts.append(_table(head, lines))
    if name != FOLDING_PAPER and load_group(name).omitted:
        parts.append(
            "Not predicted:\n\n" + "\n".join(f"* {o.device}. {o.reason.strip()}" for o in load_group(name).omitted)
        )
    return parts
