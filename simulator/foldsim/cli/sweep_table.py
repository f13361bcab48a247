"""The table that ``foldsim sweep`` prints: baseline, folded, saving, bottleneck, real time, fits, at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from foldsim.cli.tables import brief, count, number, paragraph, percent, shorten, size, table, yes_no
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results
from foldsim.sweeps.space import DesignSpace

MAX_LINES = 80
LEGEND = """chunk and latency in ms; average power in mW; in brackets: the range that the profile's ranges give
(for the saving its own: both designs run on one chip, so most of the uncertainty cancels)"""
SAMPLED_LEGEND = """chunk and latency in ms; average power in mW; in brackets: 5 to 95 % of {count:,} joint samples
(for the saving its own: both designs run on one chip, so most of the uncertainty cancels)"""


def sweep_table(results: Results, space: DesignSpace) -> str:
    """Text of the table, at most 100 columns wide (names of --set values may push it)."""
    if space.by != "total":
        return _cut([_parts_table(results)], len(results))
    blocks = [_header(results, space)]
    for rows in _groups(results, space):
        blocks.append(_block(rows, space))
    blocks += _footnotes(results, space)
    return _cut(blocks, len(results))


def _cut(blocks: list[str], rows: int) -> str:
    lines = "\n".join(blocks).splitlines()
    if len(lines) > MAX_LINES * 2:
        lines = [*lines[: MAX_LINES * 2], "", f"... cut; all {rows:,} rows: add -o FILE.csv"]
    return "\n".join(lines)


def _header(results: Results, space: DesignSpace) -> str:
    folded = results["fold_factor"] > 1
    what = []
    if folded.any():
        first = int(np.flatnonzero(folded)[0])
        factors = ", ".join(str(n) for n in sorted(set(results["fold_factor"][folded].tolist())))
        what.append(
            f"folded by N = {factors}: {results['fold_scope'][first]}, {results['fold_layers'][first]} layers, "
            f"{results['fold_heads'][first]}"
        )
    what += [f"policy {', '.join(sorted(set(results['policy'])))}", f"placement {results['placement'][0]}"]
    compressed = (results["compression"] != "none").any()
    against = "savings against the design that is neither folded nor compressed\n" if compressed else ""
    legend = LEGEND if space.sampling is None else SAMPLED_LEGEND.format(count=space.sampling.count)
    return "; ".join(what) + "\n" + against + legend


def _groups(results: Results, space: DesignSpace) -> Iterator[Results]:
    """Rows of one workload, profile, --set combination and compression at a time, in order."""
    keys = ["workload", "profile", "compression", *space.sets]
    labels = np.array(["\0".join(str(results[k][i]) for k in keys) for i in range(len(results))])
    for label in dict.fromkeys(labels.tolist()):
        yield results.where(labels == label)


def _block(rows: Results, space: DesignSpace) -> str:
    sets = "".join(f", {path.split('.', 1)[1]} = {rows[path][0]}" for path in space.sets)
    profile = next(p for p in space.profiles if p.name == rows["profile"][0])
    params = sorted(set(rows["params"].tolist()), reverse=True)
    compressed = rows["compression"][0] != "none"
    title = (
        f"{rows['workload'][0]} on {rows['profile'][0]}{sets} ({profile.spec.device_class}, grade {profile.spec.grade})"
        f"; {' / '.join(count(p) for p in params)} parameters"
        + (f"; compression {rows['compression'][0]}" if compressed else "")
    )
    factors = set(rows["fold_factor"].tolist())
    wide = len(factors) == 2 and 1 in factors and _paired(rows) and not compressed
    return f"\n{paragraph(title)}\n" + (_wide(rows) if wide else _long(rows))


def _paired(rows: Results) -> bool:
    """Whether baseline and folded alternate, chunk by chunk."""
    factors, chunks = rows["fold_factor"], rows["chunk_ms"]
    return len(rows) % 2 == 0 and bool((factors[0::2] == 1).all() and (chunks[0::2] == chunks[1::2]).all())


def _band(rows: Results, name: str, unit: str, i: int) -> tuple[float, float]:
    """Ends of the sampled band where there is one, else those that the ranges allow."""
    sampled = "sampled_" if f"{name}_sampled_low_{unit}" in rows.columns else ""
    return rows[f"{name}_{sampled}low_{unit}"][i], rows[f"{name}_{sampled}high_{unit}"][i]


def _power(rows: Results, i: int) -> str:
    low, high = _band(rows, "power", "mw", i)
    return f"{number(rows['power_mw'][i])} ({number(low)}-{number(high)})"


def _saving(rows: Results, i: int) -> str:
    low, high = _band(rows, "power_saving", "ratio", i)
    band = f"{100 * low:.0f}-{100 * high:.0f}" if low >= 0 else f"{100 * low:.0f} to {100 * high:.0f}"
    return f"{100 * rows['power_saving_ratio'][i]:.0f} % ({band})"


def _pair(a: str, b: str) -> str:
    return a if a == b else f"{a} -> {b}"


def _wide(rows: Results) -> str:
    """One line per chunk size: baseline and folded side by side; where they differ, "baseline -> folded"."""
    lines = []
    for b in range(0, len(rows), 2):
        f = b + 1
        lines.append(
            [
                f"{rows['chunk_ms'][b]:g}",
                _power(rows, b),
                _power(rows, f),
                _saving(rows, f),
                f"{brief(rows['latency_ms'][b])} -> {brief(rows['latency_ms'][f])}",
                _pair(rows["bottleneck"][b], rows["bottleneck"][f]),
                _pair(yes_no(rows["realtime"][b]), yes_no(rows["realtime"][f])),
                _pair(yes_no(rows["fits"][b]), yes_no(rows["fits"][f])),
            ]
        )
    head = ["chunk", "baseline", "folded", "saving", "latency", "bottleneck", "real time", "fits"]
    return table(head, lines, left=(5, 6, 7))


def _long(rows: Results) -> str:
    """One line per design."""
    points = len(set(rows["operating_point"].tolist())) > 1
    lines = []
    for i in range(len(rows)):
        plain = rows["fold_factor"][i] == 1 and rows["compression"][i] == "none"
        saving = "baseline" if plain else _saving(rows, i)
        line = [
            f"{rows['chunk_ms'][i]:g}",
            str(rows["fold_factor"][i]),
            _power(rows, i),
            saving,
            number(rows["latency_ms"][i]),
            f"{rows['rtf'][i]:.2f}",
            size(rows["memory_bytes"][i]),
            shorten(rows["bottleneck"][i], 12),
            yes_no(rows["realtime"][i]),
            yes_no(rows["fits"][i]),
        ]
        lines.append(line + ([shorten(rows["operating_point"][i], 12)] if points else []))
    head = ["chunk", "N", "power", "saving", "latency", "RTF", "memory", "bottleneck", "real time", "fits"]
    return table(head + (["point"] if points else []), lines, left=(7, 8, 9, 10))


def _parts_table(results: Results) -> str:
    """One line per component, op, term, level or tensor group of every design."""
    shown = [(head, name, form) for head, name, form in PART_COLUMNS if name in results.columns]
    if (results["compression"] == "none").all():
        shown = [column for column in shown if column[1] != "compression"]
    if "dram_bytes_per_chunk" in results.columns:  # components and ops have a bottleneck of their own
        shown.append(("bound by", "bottleneck", _text))
    lines = [[form(results, name, i) for _, name, form in shown] for i in range(len(results))]
    left = [i for i, (_, name, _) in enumerate(shown) if columns()[name].unit == "" and name != "fold_factor"]
    return table([head for head, _, _ in shown], lines, left=left)


def _text(results: Results, name: str, i: int) -> str:
    return shorten(str(results[name][i]), 20)


def _op(results: Results, name: str, i: int) -> str:
    return shorten(f"{results['layer'][i]} {results['op'][i]}".strip(), 32)


def _plain(results: Results, name: str, i: int) -> str:
    return f"{results[name][i]:g}"


def _number(results: Results, name: str, i: int) -> str:
    return number(float(results[name][i]))


def _count(results: Results, name: str, i: int) -> str:
    return count(float(results[name][i]))


def _share(results: Results, name: str, i: int) -> str:
    return percent(float(results[name][i]))


# Heading, column and form, in the order shown; those the rows have are shown.
PART_COLUMNS: tuple[tuple[str, str, Callable[[Results, str, int], str]], ...] = (
    ("profile", "profile", _text),
    ("chunk", "chunk_ms", _plain),
    ("N", "fold_factor", _plain),
    ("compression", "compression", _text),
    ("component", "component", _text),
    ("op", "op", _op),
    ("term", "term", _text),
    ("part", "part", _text),
    ("tensors", "tensors", _text),
    ("level", "level", _text),
    ("mW", "power_mw", _number),
    ("low", "power_low_mw", _number),
    ("high", "power_high_mw", _number),
    ("busy ms", "busy_ms_per_chunk", _number),
    ("MACs", "macs_per_chunk", _count),
    ("off-chip B", "dram_bytes_per_chunk", _count),
    ("moved B", "level_bytes_per_chunk", _count),
    ("alone ms", "level_ms_per_chunk", _number),
    ("stored B", "stored_bytes", _count),
    ("serves", "served_ratio", _share),
    ("uses/s", "uses_per_s", _number),
)


def _footnotes(results: Results, space: DesignSpace) -> list[str]:
    notes = []
    late = ~results["realtime"].astype(bool)
    if late.any():
        notes.append(
            "real time NO: the work of a chunk takes longer than the chunk; power is then energy per second of audio."
        )
    homeless = ~results["fits"].astype(bool)
    for profile in space.profiles:
        for workload in space.workloads:
            mine = homeless & (results["profile"] == profile.name) & (results["workload"] == workload.name)
            if mine.any():
                need = results["memory_bytes"][mine]
                span = size(need.min()) + (f" to {size(need.max())}" if size(need.min()) != size(need.max()) else "")
                notes.append(
                    f"fits NO: {workload.name} needs {span}; the memories of {profile.name} that keep data have"
                    f" {size(profile.kept_bytes())} for it. Figures are as if the outermost held the rest."
                )
    return ["", *map(paragraph, notes)] if notes else []


def ranking(results: Results, space: DesignSpace) -> str:
    """Models of a sweep by least power, on every chip: their best design that fits and runs in real time."""
    if len(space.workloads) < 2 or space.by != "total":
        return ""
    blocks = []
    for profile in space.profiles:
        best = [_best(results, workload.name, profile.name) for workload in space.workloads]
        order = sorted((i for i in best if i is not None), key=lambda i: float(results["power_mw"][i]))
        if not order:
            continue
        lines = [
            [
                str(rank),
                str(results["workload"][i]),
                f"{results['chunk_ms'][i]:g}",
                str(results["fold_factor"][i]),
                _power(results, i),
                brief(results["user_perceived_latency_ms"][i]),
                size(results["memory_bytes"][i]),
            ]
            for rank, i in enumerate(order, 1)
        ]
        head = ["", "model", "chunk", "N", "power", "a word waits", "memory"]
        blocks.append(f"Ranking on {profile.name}, by average power\n" + table(head, lines, left=(1,)))
    if not blocks:
        return ""
    note = "The design of each model with the least power that fits and runs in real time; larger chunks wait longer."
    return "\n\n" + "\n\n".join([*blocks, note])


def _best(results: Results, workload: str, profile: str) -> int | None:
    """Row of the design with the least power that fits and runs in real time."""
    able = (results["workload"] == workload) & (results["profile"] == profile)
    rows = np.flatnonzero(able & results["fits"].astype(bool) & results["realtime"].astype(bool))
    return int(rows[np.argmin(results["power_mw"][rows])]) if len(rows) else None
