"""``foldsim workload diff``: two workloads, or a workload and a variant of it, side by side."""

from __future__ import annotations

from math import ceil

from foldsim.cli.guard import stop
from foldsim.cli.tables import shorten, size, table
from foldsim.explore.axes import DesignError
from foldsim.explore.design_checks import chunk_problems
from foldsim.explore.tipping import common_chunk_step_ms
from foldsim.workload.diff import TOTAL, Size, component_sizes, structure_differences
from foldsim.workload.variant import load_design, parse_variant
from foldsim.workload.workload import Workload

_QUANTITIES = {
    "params": "parameters",
    "macs_per_chunk": "MACs per chunk",
    "weights_bytes": "weights",
    "state_bytes": "state",
}
MAX_TEXT = 48  # characters of a value in the table of options


def run_diff(first: str, second: str | None, variant: str | None, chunk_ms: float | None) -> None:
    """Print what differs."""
    if second is None and variant is None:
        stop("error: give two workloads, or one and --variant, such as: foldsim workload diff A --variant fold=2")
    ours, our_variant = load_design(first)
    theirs, their_variant = load_design(second if second is not None else first)
    if variant is not None:
        chosen = parse_variant(variant)
        theirs, their_variant = chosen.apply(theirs), ",".join(v for v in (their_variant, chosen.text) if v)
    spec = ours.spec
    chunk = spec.streaming.chunk_tokens * spec.token_ms if chunk_ms is None else chunk_ms
    if chunk_ms is None and any(chunk_problems(chunk, theirs.spec)):
        step = float(common_chunk_step_ms(ours.spec, theirs.spec))
        chunk = ceil(chunk / step) * step  # the next that both can take
    problems = [problem for w in (ours, theirs) for problem in chunk_problems(chunk, w.spec)]
    if problems:
        raise DesignError(problems)
    print(f"A  {_name(ours, our_variant)}\nB  {_name(theirs, their_variant)}")
    print(f"\nchunk {chunk:g} ms: " + ", ".join(_tokens(w, chunk, mark) for w, mark in ((ours, "A"), (theirs, "B"))))
    sizes = [component_sizes(w, round(chunk / w.spec.token_ms)) for w in (ours, theirs)]
    print("\n" + _sizes(*sizes))
    differences = structure_differences(ours.spec, theirs.spec)
    if not differences:
        print("\nThe options are the same.")
        return
    rows = [[shorten(d.key, 60), shorten(d.first, MAX_TEXT), shorten(d.second, MAX_TEXT)] for d in differences]
    print("\nOptions that differ (- where there is none)\n" + table(["option", "A", "B"], rows, left=(0, 1, 2)))


def _name(workload: Workload, variant: str) -> str:
    return f"{workload.name}{',' * bool(variant)}{variant}: {shorten(workload.spec.title, 70)}"


def _tokens(workload: Workload, chunk_ms: float, mark: str) -> str:
    spec = workload.spec
    tokens = round(chunk_ms / spec.token_ms)
    return f"{tokens} token{'s' * (tokens != 1)} of {spec.token_ms:g} ms in {mark}"


def _sizes(first: dict[str, Size], second: dict[str, Size]) -> str:
    """A line per component and quantity, the total first."""
    rows = []
    for component in dict.fromkeys((TOTAL, *first, *second)):
        label = component
        for key, words in _QUANTITIES.items():
            ours, theirs = (getattr(s[component], key) if component in s else None for s in (first, second))
            if not ours and not theirs:
                continue
            rows.append([label, words, _amount(key, ours), _amount(key, theirs), _ratio(ours, theirs)])
            label = ""
    return table(["component", "", "A", "B", "B / A"], rows, left=(0, 1))


def _amount(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    return size(value) if key.endswith("bytes") else f"{value:,.0f}"


def _ratio(first: float | None, second: float | None) -> str:
    if not first or second is None:
        return "only in B" if not first else "only in A"
    return "=" if first == second else f"{second / first:.3g}"
