"""The calibrated profile as YAML: the original by ``extends``, only what was fitted, and the record of the fit."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foldsim.data import shipped
from foldsim.errors import UserError
from foldsim.evidence.calibration import Calibration, Fitted
from foldsim.hardware.numbers import numbers_by_name
from foldsim.hardware.profile import Profile, from_document
from foldsim.schema import parse_yaml
from foldsim.schema.quantity import Quantity

DIGITS = 6
HEADER = """# Written by foldsim profile calibrate: what it does not say is that of {base}.
# Look at it with: foldsim profile show {name}.yaml
"""


def calibrated_profile(calibration: Calibration, path: Path) -> tuple[str, Profile]:
    """Text of the new profile, to be written to ``path``, and the profile that it is.

    Raises
    ------
    UserError
        If no profile can be written there.
    """
    import yaml

    name = path.stem
    if path.suffix not in (".yaml", ".yml") or not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise UserError(f"{path}: a profile is called like its file: lower-case letters, digits, dots, hyphens, .yaml")
    original = Path(calibration.profile.document.file)
    if path.exists() and original.exists() and path.samefile(original):
        raise UserError(f"{path}: is the profile that was calibrated; write another file")
    spec = calibration.profile.spec
    if name == spec.name:
        raise UserError(
            f"{path}: the profile that was calibrated is called {name!r} too; give the new one another name"
        )
    source = f"calibration-{name}"
    rows = list(dict.fromkeys(row.row for row in calibration.rows if row.used))
    file = calibration.measurements.path.name
    data: dict[str, Any] = {
        "extends": _base(original, spec.name, path),
        "name": name,
        "title": f"{spec.title}, calibrated",
        "summary": f"{spec.name} with {_told(calibration)} fitted to {_rows(rows)} of {file}. {spec.summary.strip()}",
        "grade": spec.grade,
        "sources": {
            source: {
                "title": f"Fitted by foldsim profile calibrate to {file}, {_rows(rows)}",
                "kind": "derived",
                "note": "Ranges: two standard errors of the fit; see the record under calibration.",
            }
        },
        **_changes(calibration, source),
        "calibration": _record(calibration),
    }
    body = yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    text = HEADER.format(base=spec.name, name=name) + body
    return text, from_document(parse_yaml(text, str(path)))


def _base(original: Path, name: str, path: Path) -> str:
    """The value of ``extends``: the shipped name, or the path from the new file to the original."""
    home = shipped("hw_profiles").get(name)
    if home is not None and home.resolve() == original.resolve():
        return name
    way = Path(os.path.relpath(original.resolve(), path.parent.resolve())).as_posix()
    return way if way.startswith(".") else f"./{way}"


def _rows(names: Sequence[str]) -> str:
    return f"row{'s' * (len(names) != 1)} {', '.join(names)}"


def _told(calibration: Calibration) -> str:
    return ", ".join(fitted.parameter.name for fitted in calibration.fitted)


def _changes(calibration: Calibration, source: str) -> dict[str, Any]:
    """Only the fitted numbers, nested as the profile has them; items of lists by their name."""
    spec = calibration.profile.spec
    known = numbers_by_name(spec)
    lists: dict[str, dict[str, Any]] = {}
    data: dict[str, Any] = {}
    for fitted in calibration.fitted:
        for name in fitted.parameter.numbers:
            path, quantity = known[name]
            if quantity.value == 0 and quantity.high == 0:
                continue
            node, keys = data, list(path)
            if isinstance(path[1], int):
                item = name.split(".")[1]
                items = data.setdefault(str(path[0]), [])
                node = lists.setdefault(f"{path[0]}.{item}", {"name": item})
                if node not in items:
                    items.append(node)
                keys = list(path[2:])
            for key in keys[:-1]:
                node = node.setdefault(str(key), {})
            node[str(keys[-1])] = _number(fitted, name, quantity, spec.name, source)
    return data


def _number(fitted: Fitted, name: str, quantity: Quantity, base: str, source: str) -> dict[str, Any]:
    power = fitted.parameter.numbers[name]
    if power == 0:
        value, low, high = fitted.value, fitted.low, fitted.high
        rule = "fitted"
    else:
        ends = (fitted.low, fitted.high)[::power]
        value, low, high = (
            number * factor**power
            for number, factor in (
                (quantity.value, fitted.value),
                (quantity.low, ends[0]),
                (quantity.high, ends[1]),
            )
        )
        if name.endswith("_ratio") and quantity.high <= 1:
            value, low, high = min(value, 1.0), min(low, 1.0), min(high, 1.0)
        sign = "times" if power > 0 else "divided by"
        rule = f"{sign} {fitted.parameter.name} {fitted.value:.4g} ({fitted.low:.4g}-{fitted.high:.4g})"
    value, low, high = (rounded(x) for x in (value, low, high))
    return {
        "value": value,
        "low": min(low, value),
        "high": max(high, value),
        "source": source,
        "from": f"{quantity.value:g} ({quantity.low:g}-{quantity.high:g}) of {base}",
        "rule": rule,
    }


def rounded(x: float) -> float:
    """A number as it is written."""
    return float(f"{x:.{DIGITS}g}")


def _record(calibration: Calibration) -> dict[str, Any]:
    rows = []
    for row in calibration.rows:
        entry: dict[str, Any] = {
            "row": row.row,
            "quantity": row.quantity,
            "measured": row.measured,
            "fitted": row.used,
            "error_before_ratio": rounded(row.error_ratio(row.before)),
            "error_after_ratio": rounded(row.error_ratio(row.after)),
        }
        if row.left_out is not None:
            entry["error_left_out_ratio"] = rounded(row.error_ratio(row.left_out))
        rows.append(entry)
    fitted = []
    for f in calibration.fitted:
        value, low, high = (rounded(x) for x in (f.value, f.low, f.high))
        fitted.append(
            {
                "name": f.parameter.name,
                "value": value,
                "low": min(low, value),
                "high": max(high, value),
                "numbers": list(f.parameter.numbers),
            }
        )
    return {
        "base": calibration.profile.name,
        "measurements": calibration.measurements.path.name,
        "measurements_sha256": calibration.measurements.sha256,
        "fitted": fitted,
        "correlation": [[rounded(float(x)) for x in line] for line in calibration.correlation],
        "rows": rows,
    }
