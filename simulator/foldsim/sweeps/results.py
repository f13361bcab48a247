"""Result tables with their provenance: in memory, and as CSV, JSON lines or Parquet files."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.errors import UserError
from foldsim.sweeps.columns import columns

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".jsonl", ".parquet")
_MARK = "# foldsim "
_META_KEY = b"foldsim"


class ResultError(UserError):
    """A result file that cannot be read or written; the message gives the reason and a remedy."""


@dataclass(frozen=True)
class Results:
    """Rows of a sweep.

    Attributes
    ----------
    columns : column name -> array, all of one length; names and units are those of the column dictionary.
    provenance : where the rows come from: :func:`foldsim.sweeps.provenance.provenance`.
    """

    columns: dict[str, np.ndarray]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def where(self, mask: np.ndarray) -> Results:
        """The rows where ``mask`` is true."""
        return Results({name: values[mask] for name, values in self.columns.items()}, self.provenance)

    def to_frame(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame; provenance in ``attrs``."""
        import pandas as pd

        frame = pd.DataFrame(self.columns)
        frame.attrs["foldsim"] = self.provenance
        return frame

    def rows(self) -> Iterator[list[Any]]:
        """Rows of plain Python values."""
        yield from (list(row) for row in zip(*(v.tolist() for v in self.columns.values()), strict=True))


def check_suffix(path: Path) -> None:
    """Raise :class:`ResultError` if results cannot be written to a file of that name."""
    if path.suffix.lower() not in SUFFIXES:
        raise ResultError(f"unknown format of {str(path)!r}; the name must end in {', '.join(SUFFIXES)}")
    if path.suffix.lower() == ".parquet":
        _pyarrow()
    if not path.parent.is_dir():
        raise ResultError(f"the folder {str(path.parent)!r} of {path.name!r} does not exist")


def write_results(results: Results, path: Path) -> None:
    """Write a result file; the suffix picks the format. The file appears whole or not at all."""
    check_suffix(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        data = _parquet_bytes(results)
    else:
        text = io.StringIO()
        (write_csv if suffix == ".csv" else write_jsonl)(results, text)
        data = text.getvalue().encode()
    write_atomically(path, data)


def write_atomically(path: Path, data: bytes) -> None:
    """Write bytes to a temporary file in the folder of ``path`` and move it into place."""
    if path.is_dir():
        raise ResultError(f"{path}: is a folder")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise ResultError(f"{path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_csv(results: Results, file: Any, with_provenance: bool = True) -> None:
    """Write CSV with the provenance as a first comment line."""
    if with_provenance:
        file.write(_MARK + json.dumps(results.provenance, ensure_ascii=True) + "\n")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(results.columns)
    for row in results.rows():
        writer.writerow(_cell(value) for value in row)


def _cell(value: Any) -> Any:
    return ("true" if value else "false") if isinstance(value, bool) else value


def write_jsonl(results: Results, file: Any) -> None:
    """Write JSON lines, the provenance first."""
    file.write(json.dumps({"foldsim": results.provenance}) + "\n")
    names = list(results.columns)
    for row in results.rows():
        file.write(json.dumps(dict(zip(names, row, strict=True)), allow_nan=False) + "\n")


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise ResultError("Parquet needs pyarrow: pip install 'foldsim[parquet]' (or write .csv or .jsonl)") from None
    return pyarrow


def _parquet_bytes(results: Results) -> bytes:
    pyarrow = _pyarrow()
    table = pyarrow.table({name: pyarrow.array(values.tolist()) for name, values in results.columns.items()})
    table = table.replace_schema_metadata({_META_KEY: json.dumps(results.provenance).encode()})
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def read_results(path: Path) -> Results:
    """Read a result file that :func:`write_results` wrote.

    Raises
    ------
    ResultError
        If the file is missing, of another format, or not a foldsim result.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ResultError(f"unknown format of {str(path)!r}; result files end in {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise ResultError(f"{path}: is a folder, not a result file")
    try:
        if suffix == ".parquet":
            return _read_parquet(path)
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ResultError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise ResultError(f"{path}: {error.strerror or error}") from None
    try:
        return _read_csv(text) if suffix == ".csv" else _read_jsonl(text)
    except (ValueError, LookupError, AttributeError, TypeError, csv.Error, RecursionError) as error:
        raise ResultError(
            f"{path}: not a foldsim result file ({error}); make one with: foldsim sweep ... -o {path.name}"
        ) from None


def _checked_provenance(found: Any) -> dict[str, Any]:
    """The provenance, if it has the shape that :func:`provenance` gives it."""
    inputs = found.get("inputs", []) if isinstance(found, dict) else None
    if not isinstance(inputs, list) or not all(isinstance(entry, dict) for entry in inputs):
        raise ValueError("the provenance in its first line is damaged")
    return dict(found)


def _read_csv(text: str) -> Results:
    origin: dict[str, Any] = {}
    if text.startswith(_MARK):
        first, _, text = text.partition("\n")
        origin = _checked_provenance(json.loads(first.removeprefix(_MARK)))
    reader = csv.reader(io.StringIO(text))
    names = next(reader, None)
    if not names:
        raise ValueError("no header")
    rows = list(reader)
    ragged = next((i for i, row in enumerate(rows) if len(row) != len(names)), None)
    if ragged is not None:
        raise ValueError(f"data row {ragged + 1} has {len(rows[ragged])} cells, the header has {len(names)}")
    return Results({name: _column(name, [row[i] for row in rows]) for i, name in enumerate(names)}, origin)


def _column(name: str, cells: list[str]) -> np.ndarray:
    """Cells of one column as flags, whole numbers, numbers or text; names stay text whatever they look like.

    A column of the dictionary must hold what the dictionary says; other columns (``--set`` paths) what they look like.
    """
    if _type_of(name) == "text":
        return np.array(cells, dtype=object)
    lower = [cell.strip().lower() for cell in cells]
    if _type_of(name) == "flag" or (
        name not in columns() and cells and all(cell in ("true", "false") for cell in lower)
    ):
        wrong = [cell for cell, word in zip(cells, lower, strict=True) if word not in ("true", "false")]
        if wrong:
            raise ValueError(f"the column {name} contains {wrong[0][:40]!r}; true or false expected")
        return np.array([word == "true" for word in lower])
    for kind in (int, float):
        try:
            numbers = np.array([kind(cell) for cell in cells])
        except (ValueError, OverflowError):
            continue
        if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
            raise ValueError(f"the column {name} contains numbers that are not finite")
        return numbers
    if name in columns():
        wrong = [cell for cell in cells if not _is_number(cell)]
        raise ValueError(f"the column {name} contains {wrong[0][:40]!r}; a number expected" if wrong else f"bad {name}")
    return np.array(cells, dtype=object)


def _type_of(name: str) -> str:
    """Type of a column by the dictionary; empty for changed values, whose columns are named by their path."""
    return columns()[name].type if name in columns() else ""


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read_jsonl(text: str) -> Results:
    lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not lines or "foldsim" not in lines[0]:
        raise ValueError("the first line carries no provenance")
    names = list(lines[1]) if len(lines) > 1 else []
    return Results(
        _typed(names, [[row[name] for name in names] for row in lines[1:]]), _checked_provenance(lines[0]["foldsim"])
    )


def _read_parquet(path: Path) -> Results:
    pyarrow = _pyarrow()
    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise ResultError(f"{path}: {str(error).splitlines()[0]}") from None
    meta = _checked_provenance(json.loads((table.schema.metadata or {}).get(_META_KEY, b"{}")))
    names = table.column_names
    return Results(_typed(names, [list(row) for row in zip(*(table[n].to_pylist() for n in names), strict=True)]), meta)


def _typed(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, np.ndarray]:
    """Columns of one type each: text stays text even where it looks like a number."""
    typed: dict[str, np.ndarray] = {}
    for index, name in enumerate(names):
        values = [row[index] for row in rows]
        mixed = any(isinstance(v, str) for v in values)
        if _type_of(name) == "text" or mixed:
            typed[name] = np.array([str(v) for v in values], dtype=object)
        else:
            typed[name] = np.array(values)
    return typed
