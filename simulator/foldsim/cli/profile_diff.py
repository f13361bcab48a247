"""``foldsim profile diff``: the parameters in which two profiles differ, and the effect of each on power."""

from __future__ import annotations

from typing import Any

from foldsim.answers.profile_diff import Difference, ProfileDiff, Value, profile_diff, reference_workload
from foldsim.cli.tables import number, paragraph, print_json, shorten, table
from foldsim.hardware.profile import load_profile
from foldsim.schema.quantity import Quantity
from foldsim.units import PERCENT_PER_UNIT
from foldsim.workload.workload import load_workload

NOTICEABLE_PERCENT = 0.005  # a smaller effect is printed as 0


def run_diff(first: str, second: str, workload: str | None, top: int, as_json: bool) -> None:
    """Print the differences, largest effect on power first."""
    profiles = load_profile(first), load_profile(second)
    reference = load_workload(workload) if workload else reference_workload(profiles)
    diff = profile_diff(*profiles, reference)
    if as_json:
        print_json(_record(diff))
        return
    for mark, profile in zip("AB", profiles, strict=True):
        print(paragraph(f"{mark}  {profile.name}: {profile.spec.title}"))
    print("\n" + _powers(diff, reference.name))
    levels = [[level.name for level in profile.spec.memory_levels] for profile in profiles]
    if levels[0] != levels[1]:
        names = "; B: ".join(", ".join(level_names) for level_names in levels)
        print(paragraph(f"The memory levels differ (A: {names}): the effect of a single parameter says little."))
    if not diff.differences:
        print("\nThe two have the same values.")
        return
    shown = diff.differences[:top] if top else diff.differences
    rows = [_row(difference) for difference in shown]
    rest = len(diff.differences) - len(shown)
    print(
        "\nDifferences; power: change of A's mean power if that parameter alone takes B's value (-: not possible alone)"
    )
    print(table(["parameter", "A", "B", "B / A", "power"], rows, left=(0, 1, 2)))
    if rest:
        print(f"and {rest} more with less effect; --top 0 lists all")


def _powers(diff: ProfileDiff, workload: str) -> str:
    powers = [f"{mark} {number(power)} mW" for mark, power in (("A", diff.first_mw), ("B", diff.second_mw)) if power]
    lines = []
    if powers:
        text = f"mean power of {workload} over {diff.designs} designs: {', '.join(powers)}"
        if diff.first_mw and diff.second_mw:
            text += f" (B / A {diff.second_mw / diff.first_mw:.3g})"
        lines.append(text)
    lines += [f"not evaluated: {problem}" for problem in diff.problem.splitlines()]
    return "\n".join(lines)


def _row(difference: Difference) -> list[str]:
    ratio = "-" if difference.ratio is None else f"{difference.ratio:.3g}"
    return [difference.path, _value_text(difference.first), _value_text(difference.second), ratio, _effect(difference)]


def _effect(difference: Difference) -> str:
    if difference.effect_ratio is None:
        return "-"
    percent = PERCENT_PER_UNIT * difference.effect_ratio
    return "0" if abs(percent) < NOTICEABLE_PERCENT else f"{percent:+.2f} %"


def _value_text(value: Value) -> str:
    if isinstance(value, Quantity):
        text = f"{value.value:.4g}"
        return text if value.low == value.high else f"{text} ({value.low:.3g}-{value.high:.3g})"
    return "-" if value is None else shorten(str(value), 24)


def _record(diff: ProfileDiff) -> dict[str, Any]:
    """What ``--json`` prints: the fields of the diff, values with a range as value, low, high and source."""

    def plain(value: Value) -> Any:
        ends = ("value", "low", "high", "source")
        return {end: getattr(value, end) for end in ends} if isinstance(value, Quantity) else value

    rows = [{**vars(d), "first": plain(d.first), "second": plain(d.second)} for d in diff.differences]
    return {**vars(diff), "differences": rows}
