"""``foldsim workload diff``: two workloads, or a workload and a variant of it, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from foldsim.answers.tipping import common_chunk_step_ms
from foldsim.cli.guard import stop
from foldsim.cli.tables import print_json, shorten, size, table
from foldsim.designs.axes import DesignError
from foldsim.designs.checks import chunk_problems
from foldsim.workload.diff import TOTAL, Difference, Size, component_sizes, structure_differences
from foldsim.workload.variant import load_design, parse_variant
from foldsim.workload.workload import Workload

_QUANTITIES = {
    "params": "parameters",
    "macs_per_chunk": "MACs per chunk",
    "weights_bytes": "weights",
    "state_bytes": "state",
}
MAX_TEXT = 48  # characters of a value in the table of options


def run_diff(first: str, second: str | None, variant: str | None, chunk_ms: float | None, as_json: bool) -> None:
    """Print sizes by component, and the options that differ."""
    if second is None and variant is None:
        stop("error: give two workloads, or one and --variant, such as: foldsim workload diff A --variant fold=2")
    a, a_variant = load_design(first)
    b, b_variant = load_design(second if second is not None else first)
    if variant is not None:
        chosen = parse_variant(variant)
        b, b_variant = chosen.apply(b), ",".join(v for v in (b_variant, chosen.text) if v)
    chunk = _common_chunk_ms(a, b) if chunk_ms is None else chunk_ms
    problems = [problem for w in (a, b) for problem in chunk_problems(chunk, w.spec)]
    if problems:
        raise DesignError(problems)
    sizes = [component_sizes(w, round(chunk / w.spec.token_ms)) for w in (a, b)]
    differences = structure_differences(a.spec, b.spec)
    if as_json:
        print_json(_record([(a, a_variant), (b, b_variant)], chunk, sizes, differences))
        return
    print(f"A  {_title(a, a_variant)}\nB  {_title(b, b_variant)}")
    print(f"\nchunk {chunk:g} ms: {_tokens(a, chunk)} in A, {_tokens(b, chunk)} in B")
    print("\n" + _sizes(*sizes))
    if not differences:
        print("\nThe options are the same.")
        return
    rows = [[shorten(d.key, 60), shorten(d.first, MAX_TEXT), shorten(d.second, MAX_TEXT)] for d in differences]
    print("\nOptions that differ (-: not set)\n" + table(["option", "A", "B"], rows, left=(0, 1, 2)))


def _common_chunk_ms(a: Workload, b: Workload) -> float:
    """The chunk size of A; if B cannot take it, the next larger that both can take."""
    chunk = a.spec.streaming.chunk_tokens * a.spec.token_ms
    if any(chunk_problems(chunk, b.spec)):
        step = float(common_chunk_step_ms(a.spec, b.spec))
        chunk = ceil(chunk / step) * step
    return chunk


def _record(
    designs: Sequence[tuple[Workload, str]],
    chunk_ms: float,
    sizes: Sequence[dict[str, Size]],
    differences: Sequence[Difference],
) -> dict[str, Any]:
    """What ``--json`` prints: of A and B the name, variant and sizes by component (``total`` included); and the options
    that differ, with ``-`` where one is not set."""
    first, second = (
        {
            "name": workload.name,
            "title": workload.spec.title,
            "variant": variant or None,
            "components": {name: vars(values) for name, values in by_component.items()},
        }
        for (workload, variant), by_component in zip(designs, sizes, strict=True)
    )
    return {"first": first, "second": second, "chunk_ms": chunk_ms, "differences": [vars(d) for d in differences]}


def _title(workload: Workload, variant: str) -> str:
    return f"{workload.name}{',' * bool(variant)}{variant}: {shorten(workload.spec.title, 70)}"


def _tokens(workload: Workload, chunk_ms: float) -> str:
    spec = workload.spec
    tokens = round(chunk_ms / spec.token_ms)
    return f"{tokens} token{'s' * (tokens != 1)} of {spec.token_ms:g} ms"


def _sizes(first: dict[str, Size], second: dict[str, Size]) -> str:
    """A line per component and quantity, the total first."""
    rows = []
    for component in dict.fromkeys((TOTAL, *first, *second)):
        label = component
        for key, words in _QUANTITIES.items():
            a, b = (getattr(s[component], key) if component in s else None for s in (first, second))
            if not a and not b:
                continue
            rows.append([label, words, _amount(key, a), _amount(key, b), _ratio(a, b)])
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
