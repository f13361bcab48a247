"""``foldsim simulate``: one design, term by term."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from foldsim.answers.simulation import Simulation, explain
from foldsim.cli.guard import say
from foldsim.cli.tables import count, number, paragraph, percent, shorten, size, table, yes_no
from foldsim.designs.design import resolve
from foldsim.errors import UserError
from foldsim.hardware.profile import load_profile
from foldsim.sweeps.options import one_value_each
from foldsim.sweeps.sampling import sampling_of
from foldsim.units import PERCENT_PER_UNIT
from foldsim.workload.workload import load_workload

PARTS = {"compute": "compute", "onchip": "on-chip memory", "dram": "off-chip memory", "static": "static and idle"}


def run_simulate(options: Mapping[str, Any], top: int, as_json: bool) -> None:
    """Evaluate and print the design that the options describe, by the names of :func:`foldsim.designs.design.resolve`.

    In addition ``sets``, texts as ``--set`` takes them, and ``sample``, ``method`` and ``seed``.
    """
    given = dict(options)
    sampling = sampling_of(given.pop("sample"), given.pop("method"), given.pop("seed"))
    changes = one_value_each(given.pop("sets"), "simulate")
    inputs = load_workload(given.pop("workload")), load_profile(given.pop("profile"))
    design = resolve(*inputs, changes=changes, **{name: value for name, value in given.items() if value is not None})
    if design.folding.factor == 1 and any(given[f"fold_{key}"] for key in ("layers", "scope", "heads")):
        raise UserError("--fold-layers, --fold-scope and --fold-heads need --fold N with N above 1")
    result = explain(design, sampling)
    profile = design.profile
    print(json.dumps(result.to_dict(), indent=1) if as_json else report(result, profile.spec.title, top))
    if not result.totals["fits"] and not as_json:
        say(
            f"fits NO: it needs {size(result.totals['memory_bytes'])}; the memories of {profile.name} that keep data"
            f" have {size(profile.kept_bytes())} for it. Results assume that the outermost memory holds the rest."
        )


def report(result: Simulation, title: str, top: int) -> str:
    """The whole explanation as text."""
    blocks = [_summary(result, title), _power(result), _time(result), _homes(result), _ops(result, top)]
    if result.compression:
        blocks.insert(1, _compression(result))
    return "\n\n".join(blocks)


def _compression(result: Simulation) -> str:
    """Sizes of the compressed weights, and the energy of decoding them."""
    rows = [
        [
            f"{t.component} {t.tensors}",
            shorten(t.methods, 28),
            size(t.before_bytes),
            size(t.after_bytes),
            percent(t.after_bytes / t.before_bytes),
            size(t.overhead_bytes),
            f"{8 * t.after_bytes / t.before_params:.2f}",
            number(t.decode_per_chunk_uj),
        ]
        for t in result.compression
    ]
    return (
        "Compression: matrices and tables, without biases and norms; overhead: scales, indices, codebooks,"
        " padding\n"
        + table(["weights", "by", "before", "after", "", "overhead", "bits", "decode uJ"], rows, left=(0, 1))
    )


def _summary(result: Simulation, title: str) -> str:
    d, t = result.design, result.totals

    def of(name: str) -> str:
        return size(t[name])

    folded = f"folded N = {d['fold_factor']} ({d['fold_scope']}, {d['fold_layers']} layers, {d['fold_heads']})"
    lines = [
        paragraph(f"{d['workload']} on {d['profile']}: {title}"),
        f"chunk {d['chunk_ms']:g} ms, {folded if d['fold_factor'] > 1 else 'baseline (not folded)'}",
        *([paragraph(f"compression {d['compression']}")] if d["compression"] != "none" else []),
        f"operating point {d['operating_point']} (policy {d['policy']}), placement {d['placement']}",
        "",
        f"power        {number(t['power_mw'])} mW  (range {number(t['power_low_mw'])} to {number(t['power_high_mw'])});"
        f" {percent(t['power_assumption_ratio'])} of it rests on assumptions",
        f"energy       {number(t['energy_per_chunk_uj'])} uJ per chunk",
        f"latency      {number(t['latency_ms'])} ms compute (range {number(t['latency_low_ms'])} to"
        f" {number(t['latency_high_ms'])}) + {number(t['algorithmic_latency_ms'])} ms algorithmic; a word waits"
        f" {number(t['user_perceived_latency_ms'])} ms on average",
        f"real time    {yes_no(t['realtime'])}  (real-time factor {t['rtf']:.3f}); bound by {t['bottleneck']}",
        f"memory       {of('memory_bytes')} = {of('weights_bytes')} weights + {of('state_bytes')} state"
        f" + {of('activation_peak_bytes')} peak activations + runtime",
        f"             {of('onchip_bytes')} of it on chip; fits: {yes_no(t['fits'])}",
        f"work         {count(t['macs_per_chunk'])} MACs and {of('dram_bytes_per_chunk')} off-chip traffic per chunk;"
        f" {count(t['params'])} parameters",
    ]
    if d["fold_factor"] > 1 or d["compression"] != "none":
        lines.append(
            f"saving       {percent(t['power_saving_ratio'])} power (range {percent(t['power_saving_low_ratio'])} to"
            f" {percent(t['power_saving_high_ratio'])}), {percent(t['memory_saving_ratio'])} memory"
        )
    if "power_sampled_low_mw" in t:
        lines += ["", _sampled(t)]
    return "\n".join(lines)


def _sampled(t: Mapping[str, Any]) -> str:
    """Bands of the joint samples."""
    rows = [
        [label, unit, *(number(scale * float(t[name.format(part)])) for part in ("", "sampled_low_", "sampled_high_"))]
        for label, unit, name, scale in (
            ("power", "mW", "power_{}mw", 1.0),
            ("energy per chunk", "uJ", "energy_per_chunk_{}uj", 1.0),
            ("latency", "ms", "latency_{}ms", 1.0),
            ("saving", "%", "power_saving_{}ratio", PERCENT_PER_UNIT),
        )
    ]
    share = percent(t["realtime_sampled_ratio"])
    return f"Joint samples of every range (5 to 95 %); in real time in {share} of them\n" + table(
        ["", "", "nominal", "low", "high"], rows, left=(0, 1)
    )


def _power(result: Simulation) -> str:
    total = result.totals["power_mw"]
    rows = []
    for part, label in PARTS.items():
        terms = [t for t in result.power_terms if t.part == part]
        if not terms:
            continue
        mine = sum(t.power_mw for t in terms)
        rows.append(
            [
                label,
                number(mine),
                percent(mine / total),
                number(sum(t.low_mw for t in terms)),
                number(sum(t.high_mw for t in terms)),
            ]
        )
        rows += [
            [f"  {t.name}", number(t.power_mw), percent(t.power_mw / total), number(t.low_mw), number(t.high_mw)]
            for t in sorted(terms, key=lambda t: -t.power_mw)
        ]
    return "Where each milliwatt goes\n" + table(["term", "mW", "share", "low", "high"], rows)


def _time(result: Simulation) -> str:
    spent = result.time_terms_ms
    rows = [
        [name, number(ms), percent(ms / result.totals["busy_ms_per_chunk"])]
        for name, ms in sorted(spent.items(), key=lambda item: -item[1])
        if ms > 0
    ]
    return (
        "Where the time goes: each term alone, per chunk (terms overlap, so shares of the "
        f"{number(result.totals['busy_ms_per_chunk'])} ms busy time do not add to 100 %)\n"
        + table(["term", "ms", "of busy"], rows)
    )


def _homes(result: Simulation) -> str:
    levels = list(result.homes[0].served_ratio) if result.homes else []
    rows = [
        [h.group, size(h.stored_bytes), number(h.reads_per_s), *(percent(h.served_ratio[lv]) for lv in levels)]
        for h in result.homes
    ]
    return "What lives where: share of each tensor group's reads that a level serves\n" + table(
        ["tensors", "size", "uses/s", *levels], rows
    )


def _ops(result: Simulation, top: int) -> str:
    ops = result.ops
    names = list(range(len(ops["op"])))
    names.sort(key=lambda i: -ops["energy_per_chunk_uj"][i])
    shown = names[:top] if top else names
    total = sum(ops["energy_per_chunk_uj"])
    rows = []
    for i in shown:
        shape = f"{ops['m'][i]:g} x {ops['k'][i]:g} x {ops['n'][i]:g}" if ops["m"][i] else ""
        if ops["batch"][i] > 1:
            shape += f" x{ops['batch'][i]:g}"
        rows.append(
            [
                ops["component"][i],
                shorten(f"{ops['layer'][i]} {ops['op'][i]}".strip(), 28),
                shape,
                count(ops["macs_per_chunk"][i]),
                count(ops["dram_bytes_per_chunk"][i]),
                number(ops["busy_ms_per_chunk"][i]),
                number(ops["energy_per_chunk_uj"][i]),
                percent(ops["energy_per_chunk_uj"][i] / total),
                ops["bottleneck"][i],
            ]
        )
    rest = f" ({len(shown)} of {len(names)}; --top 0 lists all)" if len(shown) < len(names) else ""
    return f"Ops by energy per chunk, repeats and invocations included{rest}\n" + table(
        ["component", "op", "m x k x n", "MACs", "off-chip B", "ms", "uJ", "share", "bound by"], rows, left=(0, 1, 2, 8)
    )
