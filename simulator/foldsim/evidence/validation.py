"""Predictions compared with measurements: rows of every group of targets, and a summary of each group."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foldsim.data import UnknownNameError
from foldsim.errors import UserError
from foldsim.evidence.consistency import (
    DEFAULT_PROFILES,
    DEFAULT_WORKLOAD,
    Consistency,
    consistency_targets,
    paper_consistency,
)
from foldsim.evidence.validation_predict import Prediction, design_of, fitted_in, predict
from foldsim.evidence.validation_targets import (
    UNITS,
    Group,
    Measurement,
    Target,
    TargetDesign,
    folder_of,
    group_names,
    load_group,
)
from foldsim.hardware.profile import Profile, load_profile
from foldsim.schema import InputError
from foldsim.workload.workload import Workload, load_workload

FOLDING_PAPER = "folding-paper"
FOLDING_TITLE = "Folding attention (arXiv 2309.07988): published savings, under assumptions of ours"
FOLDING_MISSES = (
    "The paper's model is not known. In the shipped one, folding half of the encoder layers saves 10 % of the size:"
    " attention is a third of a layer, and predictor and joiner stay as they are. Power falls less than size where much"
    " of it does not follow the weights: on a CPU the busy cores, on a chip that sleeps between chunks its idle power."
)
_DIGITS = 2  # of a published percentage
SAME = 1.0e-9  # a measurement on the very end of a band is inside


@dataclass(frozen=True)
class Row:
    """One measured number with its prediction.

    Attributes
    ----------
    error_ratio : predicted / measured - 1; for a published range to its nearest end, 0 inside it. NaN without
        prediction.
    inside : the measurement lies in the predicted band; for a published range, the prediction lies in it. Without a
        band, the error is within tolerance.
    tolerance : least and greatest predicted / measured that is allowed; None where nothing is promised.
    problem : why nothing is predicted; empty where something is.
    software, chip : kind of software that ran (empty where none did) and hardware, for the error of the model.
    """

    group: str
    target: str
    quantity: str
    device: str
    scope: str
    unit: str
    workload: str
    profile: str
    operating_point: str
    fold_factor: int
    fold_layers: str
    chunk_ms: float
    measured_row: str
    measured_low: float
    measured_high: float
    predicted: float
    predicted_low: float
    predicted_high: float
    tolerance: tuple[float, float] | None
    fitted: str = ""
    why: str = ""
    problem: str = ""
    software: str = ""
    chip: str = ""

    @property
    def is_range(self) -> bool:
        """A published range rather than a number."""
        return self.measured_low != self.measured_high

    @property
    def error_ratio(self) -> float:
        """See the class."""
        if math.isnan(self.predicted):
            return math.nan
        if self.is_range and self.in_range:
            return 0.0
        nearest = self.measured_low if self.predicted < self.measured_low else self.measured_high
        return self.predicted / nearest - 1.0

    @property
    def in_range(self) -> bool:
        """The prediction lies in what was measured, at the two digits of published percentages."""
        digits = round(self.predicted, _DIGITS) if self.unit == "ratio" else self.predicted
        return self.measured_low <= digits <= self.measured_high

    @property
    def banded(self) -> bool:
        """The prediction has a band: some number that it rests on has a range."""
        return self.predicted_high > self.predicted_low * (1.0 + SAME)

    @property
    def inside(self) -> bool:
        """See the class."""
        if self.is_range:
            return self.in_range
        if not self.banded:
            return self._allowed
        low, high = self.predicted_low * (1.0 - SAME), self.predicted_high * (1.0 + SAME)
        return low <= self.measured_low <= high

    @property
    def _allowed(self) -> bool:
        least, most = self.tolerance or (1.0 - SAME, 1.0 + SAME)
        return least <= 1.0 + self.error_ratio <= most

    @property
    def tolerance_ratio(self) -> float:
        """Error allowed to the high side; 0 where nothing is promised."""
        return self.tolerance[1] - 1.0 if self.tolerance else 0.0

    @property
    def within(self) -> bool | None:
        """Within tolerance; None where nothing is promised. A number that something was fitted on is no test."""
        if self.problem:
            return False
        return None if self.tolerance is None or self.fitted else self._allowed

    @property
    def notable(self) -> bool:
        """A miss that must be reported."""
        if self.problem or self.within is False:
            return True
        return not self.fitted and not self.inside


@dataclass(frozen=True)
class Summary:
    """What the rows of a group say; errors are over rows that nothing was fitted on.

    Attributes
    ----------
    bias_ratio : geometric mean of predicted / measured, less 1.
    coverage_ratio : share of measured numbers (not of published ranges) that lie in their band.
    left_out_ratio : median absolute error if one factor per chip and quantity, fitted on all other rows of that chip,
        scaled each prediction. NaN where no chip has two rows of a quantity.
    """

    group: str
    rows_count: int
    fitted_count: int
    tested_count: int
    median_error_ratio: float
    worst_error_ratio: float
    bias_ratio: float
    coverage_ratio: float
    covered_count: int
    banded_count: int
    left_out_ratio: float
    missed_count: int


def all_groups() -> list[str]:
    """Names of all groups, the folding paper's first."""
    return [FOLDING_PAPER, *group_names()]


def title_of(name: str) -> str:
    """Title of a group."""
    return FOLDING_TITLE if name == FOLDING_PAPER else load_group(name).title


def group_rows(name: str) -> list[Row]:
    """Every measured number of a group with its prediction.

    Raises
    ------
    InputError
        If the group's file is not valid.
    UnknownNameError
        If there is no such group.
    """
    if name == FOLDING_PAPER:
        return folding_rows()
    return rows_of(load_group(name), folder_of(name))


def rows_of(group: Group, folder: Path) -> list[Row]:
    """Every measured value of a group; its own workloads and profiles are in a folder."""
    return [_row(group, folder, target, m) for target in group.targets for m in target.measured]


def _row(group: Group, folder: Path, target: Target, m: Measurement) -> Row:
    problem, prediction = "", Prediction(math.nan, math.nan, math.nan)
    design = TargetDesign() if target.tiling else target.over(group.defaults)
    chunk_ms, fitted = design.chunk_ms or math.nan, m.fitted or ""
    try:
        prediction = predict(target, group, folder, m)
        if not target.tiling:
            resolved = design_of(folder, design)
            chunk_ms = resolved.chunk_ms
            fitted = fitted or fitted_in(resolved.profile.spec, target, m)
    except (UserError, UnknownNameError) as error:
        problem = " ".join(str(error).split(";")[0].split())
    low, high = m.ends
    return Row(
        group=group.name,
        target=target.id,
        quantity=quantity_words(m),
        device=target.device,
        scope=str(target.scope or group.scope),
        unit=UNITS[m.quantity] if m.form == "value" else "ratio",
        workload=_name(design.workload),
        profile=_name(design.profile),
        operating_point=design.operating_point or "",
        fold_factor=design.fold_factor or 1,
        fold_layers=design.fold_layers or ("all" if (design.fold_factor or 1) > 1 else "none"),
        chunk_ms=chunk_ms,
        measured_row=target.row or "",
        measured_low=low,
        measured_high=high,
        predicted=prediction.value,
        predicted_low=prediction.low,
        predicted_high=prediction.high,
        tolerance=group.tolerance_of(m),
        fitted=fitted,
        why=m.why or "",
        problem=problem,
        software=str(target.software or group.software or ""),
        chip=group.chip or _name(design.profile),
    )


def _name(given: str | None) -> str:
    """Short name of a workload or profile, files without folder and suffix."""
    return (given or "").rsplit("/", 1)[-1].removesuffix(".yaml")


def quantity_name(quantity: str) -> str:
    """A quantity without its unit.

    >>> quantity_name("throughput_per_s"), quantity_name("offchip_bytes")
    ('throughput', 'offchip bytes')
    """
    known = {"throughput_per_s": "throughput", "traffic_ratio": "closed form / search"}
    known["offchip_energy_ratio"] = "offchip share of energy"
    if quantity.endswith("bytes"):
        return quantity.replace("_", " ")
    return known.get(quantity, quantity.rsplit("_", 1)[0])


def quantity_words(m: Measurement) -> str:
    """What was measured, in a few words.

    >>> quantity_words(Measurement(quantity="read_bytes", level="sram", value=1.0))
    'sram read bytes'
    """
    words = quantity_name(m.quantity)
    words = f"{m.level} {words}" if m.level else words
    return {"value": words, "ratio": f"{words} ratio", "saving": f"{words} saving"}[m.form]


def folding_rows(rows: Sequence[Consistency] | None = None) -> list[Row]:
    """The ranges of the folding paper compared with foldsim's savings, on one shipped chip of each class."""
    if rows is None:
        rows = paper_consistency(load_workload(DEFAULT_WORKLOAD), [load_profile(name) for name in DEFAULT_PROFILES])
    found = []
    for row in rows:
        for target, published, predicted, low, high in consistency_targets(row):
            found.append(
                Row(
                    group=FOLDING_PAPER,
                    target=target,
                    quantity=target,
                    device=row.profile,
                    scope="paper claim",
                    unit="ratio",
                    workload=DEFAULT_WORKLOAD,
                    profile=row.profile,
                    operating_point="",
                    fold_factor=row.fold_factor,
                    fold_layers=row.fold_layers,
                    chunk_ms=row.chunk_ms,
                    measured_row="relative_lp5_folding",
                    measured_low=published[0],
                    measured_high=published[1],
                    predicted=predicted,
                    predicted_low=low,
                    predicted_high=high,
                    tolerance=None,
                )
            )
    return found


def summary(name: str, rows: Sequence[Row], everything: Sequence[Row] = ()) -> Summary:
    """What the rows of a group say; ``everything`` are the rows of all groups, for the other rows of its chips."""
    tested = [r for r in rows if not r.fitted and not r.problem]
    errors = [abs(r.error_ratio) for r in tested]
    # Savings may be predicted at or below nothing; their bias is no factor.
    logs = [math.log1p(r.error_ratio) for r in tested if r.error_ratio > -1.0]
    banded = [r for r in tested if r.banded and not r.is_range]
    left_out = [error for row, error in leave_one_out(everything or rows) if row in rows]
    return Summary(
        group=name,
        rows_count=len(rows),
        fitted_count=sum(bool(r.fitted) for r in rows),
        tested_count=len(tested),
        median_error_ratio=statistics.median(errors) if errors else math.nan,
        worst_error_ratio=max(errors, default=math.nan),
        bias_ratio=math.expm1(statistics.fmean(logs)) if logs else math.nan,
        coverage_ratio=sum(r.inside for r in banded) / len(banded) if banded else math.nan,
        covered_count=sum(r.inside for r in banded),
        banded_count=len(banded),
        left_out_ratio=statistics.median(map(abs, left_out)) if left_out else math.nan,
        missed_count=sum(r.within is False for r in rows),
    )


def leave_one_out(rows: Iterable[Row]) -> Iterator[tuple[Row, float]]:
    """Error of every row if one factor scaled its chip's predictions of that quantity, fitted on its other rows.

    The factor is the geometric mean of measured / predicted. Rows of a quantity that is alone on its chip say nothing.
    """
    chips: dict[tuple[str, str], list[tuple[Row, float]]] = {}
    for row in rows:
        if not row.problem and not row.is_range and row.unit != "ratio" and row.predicted > 0:
            kind = "energy" if row.quantity == "power" else row.quantity
            chips.setdefault((row.profile, kind), []).append((row, math.log(row.predicted / row.measured_low)))
    for logs in chips.values():
        for i, (row, log) in enumerate(logs):
            others = [x for j, (_, x) in enumerate(logs) if j != i]
            if others:
                yield row, math.expm1(log - statistics.fmean(others))


def fails(rows: Sequence[Row]) -> list[str]:
    """Groups of which a number misses the stated tolerance, in order."""
    return list(dict.fromkeys(r.group for r in rows if r.within is False))


def result_columns(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Predicted rows as result columns; names and units are those of the column dictionary.

    No chunk and no tolerance are zero.
    """
    names = [
        *("group", "target", "quantity", "measured_row", "workload", "profile", "operating_point", "fold_factor"),
        *("fold_layers", "chunk_ms", "scope", "software", "unit", "measured_low", "measured_high", "predicted"),
        *("predicted_low", "predicted_high", "error_ratio", "inside", "tolerance_ratio", "fitted"),
    ]

    def cell(row: Row, name: str) -> Any:
        value = getattr(row, name)
        return 0.0 if value != value else value

    known = [row for row in rows if not row.problem]
    table = {name: [cell(row, name) for row in known] for name in names}
    return {
        name: np.array(values, dtype=object if values and isinstance(values[0], str) else None)
        for name, values in table.items()
    }


def read_by(groups: Sequence[str]) -> list[Workload | Profile]:
    """Every workload and profile that the targets of some groups use, workloads first, by name."""
    found: dict[tuple[int, str], Workload | Profile] = {}
    for name in groups:
        for target in [] if name == FOLDING_PAPER else load_group(name).targets:
            if target.tiling:
                continue
            design = target.over(load_group(name).defaults)
            for each in (design, *([target.against.over(design)] if target.against else ())):
                try:
                    items: tuple[Workload | Profile, ...] = design_of(folder_of(name), each).inputs
                except (UserError, UnknownNameError, InputError):
                    continue
                found |= {(number, item.name): item for number, item in enumerate(items)}
    return [found[key] for key in sorted(found)]
