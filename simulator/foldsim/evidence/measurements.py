"""Measured latency, energy and power from a CSV file, with every mistake in it at its line and column."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foldsim.data import UnknownNameError
from foldsim.designs.axes import DesignError
from foldsim.designs.design import Design, resolve
from foldsim.errors import nearest
from foldsim.hardware.profile import Profile
from foldsim.schema import Finding, InputError, Problem
from foldsim.workload.workload import Workload, load_workload

QUANTITIES = ("latency_ms", "busy_ms", "energy_uj", "energy_busy_uj", "power_mw")
"""What may be measured: see docs/profile-calibrate.md."""
COLUMNS = (
    "row",
    "workload",
    "chunk_ms",
    "fold_factor",
    "operating_point",
    "policy",
    "scope",
    *QUANTITIES,
    "uncertainty_ratio",
)
REQUIRED = ("row", "workload")
POLICY_COLUMNS = ("operating_point", "policy")
DEFAULT_UNCERTAINTY_RATIO = 0.1
"""Of a row that states none. Between rows only the ratio of uncertainties matters to the fit."""
MOST_ROWS = 10_000
MOST_UNCERTAINTY_RATIO = 10.0


@dataclass(frozen=True)
class Measurement:
    """One row: a design and what was measured of it.

    Attributes
    ----------
    design : on the profile under calibration.
    values : measured quantities by name, in the unit of the name.
    uncertainty_ratio : one standard deviation, relative.
    scope : what the meter saw (chip, board ...); for the reader.
    """

    name: str
    design: Design
    values: dict[str, float]
    uncertainty_ratio: float
    scope: str


@dataclass(frozen=True)
class MeasurementFile:
    """All rows of a file, and the hash of its text."""

    path: Path
    rows: tuple[Measurement, ...]
    sha256: str


@dataclass(frozen=True)
class _Cell:
    text: str
    column: int


def read_measurements(path: Path, profile: Profile) -> MeasurementFile:
    """Read measurements of designs on a profile.

    Raises
    ------
    InputError
        With everything that is wrong with the file, each at its line and column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError([Finding(str(path), None, None, "", f"not UTF-8 text ({error.reason})")]) from None
    reader = _Reader(path, profile, text.splitlines())
    rows = reader.rows()
    if reader.findings:
        raise InputError(reader.findings)
    return MeasurementFile(path, tuple(rows), hashlib.sha256(text.encode()).hexdigest())


class _Reader:
    """Reads rows and collects findings."""

    def __init__(self, path: Path, profile: Profile, lines: Sequence[str]) -> None:
        self.path, self.profile, self.lines = path, profile, lines
        self.findings: list[Finding] = []
        self.workloads: dict[str, Workload | None] = {}

    def report(
        self, line: int, column: int, what: str, message: str, allowed: str | None = None, near: str | None = None
    ) -> None:
        snippet = self.lines[line - 1] if line <= len(self.lines) else None
        self.findings.append(Finding(str(self.path), line, column, what, message, allowed, near, snippet=snippet))

    def rows(self) -> list[Measurement]:
        numbered = [(n, text) for n, text in enumerate(self.lines, 1) if text.strip() and not text.startswith("#")]
        if not numbered:
            self.report(1, 1, "", "the file has no rows", f"a header with {', '.join(COLUMNS)}, then rows")
            return []
        header = self.cells(*numbered[0]) or []
        names = [cell.text for cell in header]
        self.check_header(numbered[0][0], header)
        if self.findings:
            return []
        if len(numbered) - 1 > MOST_ROWS:
            self.report(numbered[MOST_ROWS][0], 1, "", f"too many rows; at most {MOST_ROWS:,}")
            return []
        found: list[Measurement] = []
        first_line: dict[str, int] = {}
        for line, text in numbered[1:]:
            cells = self.cells(line, text)
            if cells is None:
                continue
            if len(cells) != len(names):
                message = f"the row has {len(cells)} cells, the header has {len(names)}"
                self.report(line, cells[min(len(cells), len(names)) - 1].column, "", message)
                continue
            row = self.row(line, {n: c for n, c in zip(names, cells, strict=True) if c.text}, first_line)
            if row is not None:
                found.append(row)
        if len(numbered) == 1:
            self.report(numbered[0][0], 1, "", "there is a header but no row")
        return found

    def cells(self, line: int, text: str) -> list[_Cell] | None:
        """Cells of a line with the columns at which they start; None with a finding if a quote does not end."""
        found, at = [], 0
        while True:
            while text[at : at + 1].isspace():
                at += 1
            start = at
            if text[at : at + 1] == '"':
                inside = ""
                at += 1
                while (end := text.find('"', at)) >= 0 and text[end + 1 : end + 2] == '"':
                    inside, at = inside + text[at : end + 1], end + 2
                if end < 0:
                    self.report(line, start + 1, "", "a quoted cell does not end on its line", 'a closing "')
                    return None
                inside += text[at:end]
                comma = text.find(",", end)
                found.append(_Cell(inside.strip(), start + 1))
            else:
                comma = text.find(",", at)
                found.append(_Cell(text[start : comma if comma >= 0 else len(text)].strip(), start + 1))
            if comma < 0:
                return found
            at = comma + 1

    def check_header(self, line: int, header: Sequence[_Cell]) -> None:
        names = [cell.text for cell in header]
        for index, cell in enumerate(header):
            if cell.text not in COLUMNS:
                message = f"unknown column {cell.text!r}"
                self.report(line, cell.column, cell.text, message, ", ".join(COLUMNS), nearest(cell.text, COLUMNS))
            elif cell.text in names[:index]:
                self.report(line, cell.column, cell.text, f"the column {cell.text!r} is there twice")
        for name in REQUIRED:
            if name not in names:
                self.report(line, 1, name, f"the column {name!r} is missing", ", ".join(COLUMNS))
        if not set(names) & set(QUANTITIES):
            self.report(line, 1, "", "no column of a measured quantity", ", ".join(QUANTITIES))

    def row(self, line: int, cells: dict[str, _Cell], first_line: dict[str, int]) -> Measurement | None:
        """One row, or None with findings."""
        before = len(self.findings)
        for name in REQUIRED:
            if name not in cells:
                self.report(line, 1, name, f"{name} is empty")
        label = cells["row"].text if "row" in cells else ""
        if label in first_line:
            self.report(line, cells["row"].column, "row", f"the row {label!r} is already on line {first_line[label]}")
        elif label:
            first_line[label] = line
        values = {name: self.number(line, cells[name], name) for name in QUANTITIES if name in cells}
        if not values:
            self.report(line, 1, "", "nothing was measured in this row", f"a number in {', '.join(QUANTITIES)}")
        chunk = self.number(line, cells["chunk_ms"], "chunk_ms") if "chunk_ms" in cells else None
        fold = self.number(line, cells["fold_factor"], "fold_factor", whole=True) if "fold_factor" in cells else 1.0
        uncertainty = DEFAULT_UNCERTAINTY_RATIO
        if "uncertainty_ratio" in cells:
            uncertainty = self.number(
                line, cells["uncertainty_ratio"], "uncertainty_ratio", most=MOST_UNCERTAINTY_RATIO
            )
        if all(name in cells for name in POLICY_COLUMNS):
            self.report(line, cells["policy"].column, "policy", "give an operating point or a policy, not both")
        workload = self.workload(line, cells["workload"]) if "workload" in cells else None
        if len(self.findings) > before or workload is None:
            return None
        policy = next((cells[name].text for name in POLICY_COLUMNS if name in cells), None)
        try:
            design = resolve(workload, self.profile, chunk, fold=int(fold), policy=policy)
        except DesignError as error:
            for problem in error.problems:
                self.report_design(line, cells, problem)
            return None
        scope = cells["scope"].text if "scope" in cells else ""
        return Measurement(label, design, values, uncertainty, scope)

    def number(self, line: int, cell: _Cell, name: str, whole: bool = False, most: float = 1.0e18) -> float:
        allowed = "a whole number, at least 1" if whole else f"a number above 0 and at most {most:g}"
        try:
            value = float(cell.text)
        except ValueError:
            value = math.nan
        if not (0 < value <= most) or (whole and value % 1):
            self.report(line, cell.column, name, f"{name} is {cell.text[:40]!r}", allowed)
            return 1.0
        return value

    def workload(self, line: int, cell: _Cell) -> Workload | None:
        """The workload of a row: a shipped name, or a file in the folder of the measurements."""
        name = cell.text
        if name not in self.workloads:
            self.workloads[name] = self.loaded(line, cell, name)
        return self.workloads[name]

    def loaded(self, line: int, cell: _Cell, name: str) -> Workload | None:
        try:
            is_file = name.endswith((".yaml", ".yml"))
            return load_workload(self.path.parent / name if is_file else name)
        except UnknownNameError as error:
            message = f"no workload is called {name!r}"
            self.report(line, cell.column, "workload", message, ", ".join(error.known), error.suggestion)
        except InputError as error:
            self.findings += error.findings
        except OSError as error:
            self.report(line, cell.column, "workload", f"{name}: {error.strerror}")
        return None

    def report_design(self, line: int, cells: dict[str, _Cell], problem: Problem) -> None:
        """A problem of a row's design, at the cell that it comes from."""
        name = next((name for name in _COLUMNS_OF.get(str(problem.path[0]), ()) if name in cells), "workload")
        self.report(line, cells[name].column, name, problem.message, problem.allowed, problem.suggestion)


# Columns of the file that an axis of a design is given by.
_COLUMNS_OF = {"chunk_ms": ("chunk_ms",), "fold": ("fold_factor",), "policy": POLICY_COLUMNS}
