"""The column dictionary: name, unit, label and meaning of every result column, from ``columns.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Group = Literal[
    "by", "design", "size", "work", "verdict", "traffic", "time", "energy", "power", "saving", "validation", "tipping"
]  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One result column."""

    name: str
    group: str
    unit: str
    label: str
    additive: bool  # rows of --by component or op add up to the total
    type: str  # text, flag or number
    meaning: str

    @property
    def axis_label(self) -> str:
        """Label with its unit, as axes and headers show it."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


@cache
def columns() -> dict[str, Column]:
    """Every column by name, in the order in which results carry them."""
    with (Path(__file__).parent / "columns.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["name"]: Column(
                row["name"],
                row["group"],
                row["unit"],
                row["label"],
                row["additive"] == "yes",
                row["type"],
                row["meaning"],
            )
            for row in csv.DictReader(file)
        }
