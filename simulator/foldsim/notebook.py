"""HTML and one-line texts of workloads, profiles and simulations, for notebooks. Imports nothing of foldsim."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

HZ_PER_MHZ = BYTES_PER_MB = 1.0e6
MACS_PER_GMAC = 1.0e9
MOST_OPS = 8  # listed, largest energy first
# Colours follow the notebook's theme: text as it is, borders and bars with transparency.
_STYLE = (
    "<style>.foldsim{font:13px/1.45 sans-serif}"
    ".foldsim table{border-collapse:collapse;font-size:inherit;color:inherit;margin:.4em 0 .9em}"
    ".foldsim th,.foldsim td{padding:.15em .7em;text-align:right;border-bottom:1px solid rgba(128,128,128,.3)}"
    ".foldsim th:first-child,.foldsim td:first-child{text-align:left}.foldsim .bar{display:inline-block;height:.7em;"
    "background:rgba(70,140,215,.8)}.foldsim p{margin:.3em 0}.foldsim .dim{opacity:.7}</style>"
)


def workload_html(workload: Any) -> str:
    """Sizes by component, then token, contexts, formats and folding."""
    spec, params, macs = workload.spec, workload.params(), workload.macs_per_invocation()
    streaming, precision, folding = spec.streaming, spec.precision, spec.folding
    rows = [[c.name, f"{params[c.name]:,}", f"{macs[c.name]:,}", " + ".join(c.invoked_per)] for c in spec.components]
    rows.append(["total", f"{sum(params.values()):,}", "", ""])
    facts = [
        f"token {spec.token_ms:g} ms; chunk {streaming.chunk_tokens * spec.token_ms:g} ms; left context"
        f" {streaming.left_context_tokens}, right context {streaming.right_context_tokens} tokens",
        f"weights {precision.weights}, activations {precision.activations}, state {precision.state}",
        f"folded by {folding.factor} ({folding.scope}, {folding.heads})" if folding else "not folded",
    ]
    table = _table(["component", "parameters", "MACs per invocation", "invoked per"], rows)
    return _page(spec.name, spec.title, [table, *map(_text, facts)])


def workload_text(workload: Any) -> str:
    """Name, parameters and folding on one line."""
    folding = workload.spec.folding
    folded = f", folded by {folding.factor}" if folding else ""
    return f"<Workload {workload.name}: {sum(workload.params().values()):,} parameters{folded}>"


def profile_html(profile: Any) -> str:
    """Units, memory levels and operating points with their ranges."""
    spec = profile.spec
    units = [
        [
            u.name,
            ", ".join(f"{name} {_number(_peak_gmacs(u, rate))}" for name, rate in u.precisions.items()),
            _mhz(u.clock_hz),
            f"{u.cores_count.value:g}",
            ", ".join(u.runs),
        ]
        for u in spec.compute_units
    ]
    levels = [
        [
            level.name,
            f"{level.kind} ({level.dram.type})" if level.dram else level.kind,
            f"{level.capacity_bytes.value:,.0f}",
            _ranged(level.bandwidth_gb_per_s),
            _ranged(level.read_pj_per_byte),
            _ranged(level.write_pj_per_byte),
        ]
        for level in spec.memory_levels
    ]
    points = [[p.name, _mhz(p.frequency_hz), _ranged(p.static_mw)] for p in spec.operating_points]
    return _page(
        spec.name,
        f"{spec.title} ({spec.device_class}, grade {spec.grade})",
        [
            _table(["unit", "peak GMAC/s by format", "MHz", "cores", "runs"], units),
            _table(["memory level", "kind", "bytes", "GB/s", "pJ per byte read", "written"], levels),
            _table(["operating point", "MHz", "static mW"], points),
            _text(f"policy {spec.policy}; in brackets: range"),
        ],
    )


def profile_text(profile: Any) -> str:
    """Name, class and grade on one line."""
    return f"<Profile {profile.name}: {profile.spec.device_class}, grade {profile.spec.grade}>"


def simulation_html(simulation: Any) -> str:
    """Power with its range, latency and memory; then terms and largest ops."""
    design, totals, ops = simulation.design, simulation.totals, simulation.ops
    folded = f"folded by {design['fold_factor']}" if design["fold_factor"] > 1 else "not folded"
    largest = max(term.power_mw for term in simulation.power_terms)
    terms = [
        [term.name, f"{term.power_mw:.3g}", f"{term.low_mw:.3g} to {term.high_mw:.3g}", term.power_mw / largest]
        for term in sorted(simulation.power_terms, key=lambda term: -term.power_mw)
    ]
    energy = ops["energy_per_chunk_uj"]
    order = sorted(range(len(energy)), key=lambda i: -energy[i])[:MOST_OPS]
    rows = [
        [
            " ".join(dict.fromkeys(ops[k][i] for k in ("component", "layer", "op"))),
            _number(energy[i]),
            ops["bottleneck"][i],
        ]
        for i in order
    ]
    verdict = [
        "runs in real time" if totals["realtime"] else "does NOT run in real time",
        "fits" if totals["fits"] else "does NOT fit",
    ]
    head = (
        f"{totals['power_mw']:.3g} mW ({totals['power_low_mw']:.3g} to {totals['power_high_mw']:.3g});"
        f" {totals['latency_ms']:.3g} ms per chunk; {totals['memory_bytes'] / BYTES_PER_MB:.3g} MB;"
        f" {', '.join(verdict)}"
    )
    return _page(
        f"{design['workload']} on {design['profile']}",
        f"chunk {design['chunk_ms']:g} ms, {folded}, operating point {design['operating_point']}",
        [
            _text(head),
            _table(["power term", "mW", "range", ""], terms),
            _table(["op", "uJ per chunk", "bottleneck"], rows),
        ],
    )


def simulation_text(simulation: Any) -> str:
    """Design and power on one line."""
    design, totals = simulation.design, simulation.totals
    named = f"{design['workload']} on {design['profile']}, {design['chunk_ms']:g} ms, N = {design['fold_factor']}"
    return f"<Simulation {named}: {totals['power_mw']:.3g} mW, {totals['latency_ms']:.3g} ms>"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _peak_gmacs(unit: Any, rate: Any) -> float:
    peak: float = rate.macs_per_cycle.value * unit.cores_count.value * unit.clock_hz.value / MACS_PER_GMAC
    return peak


def _mhz(quantity: Any) -> str:
    return f"{quantity.value / HZ_PER_MHZ:,.0f}"


def _ranged(quantity: Any) -> str:
    if quantity is None:
        return "-"
    if quantity.low == quantity.high:
        return f"{quantity.value:.4g}"
    return f"{quantity.value:.4g} ({quantity.low:.4g} to {quantity.high:.4g})"


def _page(name: str, title: str, parts: Sequence[str]) -> str:
    head = f"<p><b>{html.escape(name)}</b> <span class='dim'>{html.escape(title)}</span></p>"
    return f"{_STYLE}<div class='foldsim'>{head}{''.join(parts)}</div>"


def _text(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table; a cell that is a share (float) is a bar."""
    if not rows:
        return ""

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return f"<td style='text-align:left'><span class='bar' style='width:{120 * value:.0f}px'></span></td>"
        return f"<td>{html.escape(str(value))}</td>"

    titles = "".join(f"<th>{html.escape(text)}</th>" for text in head)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{body}</table>"
