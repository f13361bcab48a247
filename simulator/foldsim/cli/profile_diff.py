"""``foldsim profile diff``: what differs between two profiles, and what each difference does to power."""

from __future__ import annotations

import json
from typing import Any

from foldsim.cli.tables import number, paragraph, shorten, table
from foldsim.explore.profile_diff import Difference, ProfileDiff, Value, profile_diff, reference_workload
from foldsim.hardware.profile import load_profile
from foldsim.schema.quantity import Quantity
from foldsim.units import PERCENT_PER_UNIT
from foldsim.workload.workload import load_workload

NOTICEABLE_PERCENT = 0.005  # less is printed as nothing


def run_diff(first: str, second: str, workload: str | None, top: int, as_json: bool) -> None:
    """Print the differences, those that matter most first."""
    one, other = load_profile(first), load_profile(second)
    reference = load_workload(workload) if workload else reference_workload([one, other])
    found = profile_diff(one, other, reference)
    if as_json:
        print(json.dumps(_plain(found), indent=1))
        return
    print(paragraph(f"A  {one.name}: {one.spec.title}"))
    print(paragraph(f"B  {other.name}: {other.spec.title}"))
    print("\n" + _powers(found, reference.name))
    levels = [[level.name for level in profile.spec.memory_levels] for profile in (one, other)]
    if levels[0] != levels[1]:
        told = "; B: ".join(", ".join(names) for names in levels)
        print(paragraph(f"The two are built differently (memories of A: {told}): one number at a time says little."))
    if not found.differences:
        print("\nThe two have the same numbers.")
        return
    shown = found.differences[:top] if top else found.differences
    rows = [_row(difference) for difference in shown]
    rest = len(found.differences) - len(shown)
    print(
        "\nWhat differs, B's value put into A one at a time (power: change of A's mean power; - cannot be told alone)"
    )
    print(table(["parameter", "A", "B", "B / A", "power"], rows, left=(0, 1, 2)))
    if rest:
        print(f"and {rest} more with less effect; --top 0 lists all")


def _powers(found: ProfileDiff, workload: str) -> str:
    told = [f"{mark} {number(power)} mW" for mark, power in (("A", found.first_mw), ("B", found.second_mw)) if power]
    lines = []
    if told:
        text = f"mean power of {workload} over {found.designs} designs: {', '.join(told)}"
        if found.first_mw and found.second_mw:
            text += f" (B / A {found.second_mw / found.first_mw:.3g})"
        lines.append(text)
    lines += [f"not evaluated: {problem}" for problem in found.problem.splitlines()]
    return "\n".join(lines)


def _row(difference: Difference) -> list[str]:
    ratio = "-" if difference.ratio is None else f"{difference.ratio:.3g}"
    return [difference.path, _told(difference.first), _told(difference.second), ratio, _effect(difference)]


def _effect(difference: Difference) -> str:
    if difference.effect_ratio is None:
        return "-"
    percent = PERCENT_PER_UNIT * difference.effect_ratio
    return "0" if abs(percent) < NOTICEABLE_PERCENT else f"{percent:+.2f} %"


def _told(value: Value) -> str:
    if isinstance(value, Quantity):
        text = f"{value.value:.4g}"
        return text if value.low == value.high else f"{text} ({value.low:.3g}-{value.high:.3g})"
    return "-" if value is None else shorten(str(value), 24)


def _plain(found: ProfileDiff) -> dict[str, Any]:
    def told(value: Value) -> Any:
        ends = ("value", "low", "high", "source")
        return {end: getattr(value, end) for end in ends} if isinstance(value, Quantity) else value

    rows = [{**vars(d), "first": told(d.first), "second": told(d.second)} for d in found.differences]
    return {**vars(found), "differences": rows}
