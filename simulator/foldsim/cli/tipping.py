"""``foldsim tipping-point``: up to how many keys, and up to what chunk size, a variant pays."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from foldsim.answers.tipping import METRICS, pair_of, searched_chunks
from foldsim.answers.tipping_rows import CHUNK, LEFT_CONTEXT, Question, tipping_columns
from foldsim.cli.progress import Progress
from foldsim.cli.sweep import check_output, show_rows
from foldsim.cli.tables import WIDTH, paragraph, percent, table
from foldsim.designs.axes import DesignError, parse_numbers, problem
from foldsim.designs.changes import with_changes
from foldsim.errors import nearest
from foldsim.hardware.profile import Profile, load_profile
from foldsim.schema import Problem
from foldsim.sweeps.options import one_value_each
from foldsim.sweeps.provenance import origin
from foldsim.sweeps.results import Results
from foldsim.workload.variant import BASELINE, VariantError, load_design, parse_variant
from foldsim.workload.workload import Workload, load_workload

AS_WRITTEN = "as written"
MAX_SPANS = 3  # spans of keys that a cell names
MORE = "& "


def run_tipping(
    workload_name: str,
    profile_names: Sequence[str],
    variants: Sequence[str] | None,
    against: str | None,
    metrics: str | None,
    chunk_ms: str | None,
    max_keys: int,
    policy: str | None,
    placement: str | None,
    sets: Sequence[str] | None,
    output: Path | None,
    output_format: str | None,
) -> None:
    """Search, and print or write the rows."""
    check_output(output, output_format)
    wanted = chosen_metrics(metrics)
    chunks = None if chunk_ms is None else parse_numbers(chunk_ms, "chunk_ms")
    workload, profiles = _inputs(workload_name, profile_names, sets)
    other, other_text = _against(against, workload)
    designs = _designs(variants, workload, other)
    questions, problems = [], list[Problem]()
    for profile in profiles:
        for design, text in designs:
            try:
                pair = pair_of(design, other, profile, policy, placement or "auto", chunks or ())
                searched = searched_chunks(pair, chunks, max_keys)
                questions.append(Question(pair, text, other_text, wanted, searched, max_keys))
            except DesignError as error:
                problems += error.problems
    if problems:
        raise DesignError(problems)
    workloads = {w.sha256: w for w in (workload, other)}
    with Progress("searching crossings"):
        found = tipping_columns(questions)
    results = Results(found, origin([*workloads.values(), *profiles], sys.argv[1:]))
    show_rows(results, output, output_format, lambda: "\n\n".join(report(q, results) for q in questions))


def chosen_metrics(text: str | None) -> list[str]:
    """Metrics of ``--metric``, in the order of the table.

    >>> chosen_metrics("energy,macs")
    ['macs', 'energy']
    """
    if text is None:
        return list(METRICS)
    asked = [name.strip() for name in text.split(",")]
    wrong = [name for name in asked if name not in METRICS]
    if wrong:
        message = f"{wrong[0]!r} does not exist"
        raise DesignError([problem("metric", message, ", ".join(METRICS), nearest(wrong[0], METRICS))])
    return [name for name in METRICS if name in asked]


def _inputs(
    workload_name: str, profile_names: Sequence[str], sets: Sequence[str] | None
) -> tuple[Workload, list[Profile]]:
    """Workload and profiles with ``--set`` applied."""
    workload = load_workload(workload_name)
    changes = one_value_each(sets, "tipping-point")
    pairs = [with_changes(workload, load_profile(name), changes) for name in dict.fromkeys(profile_names)]
    return pairs[0][0], [profile for _, profile in pairs]


def _against(text: str | None, workload: Workload) -> tuple[Workload, str]:
    """What is compared with: a variant of the workload, or another one."""
    if text is None:
        text = "fold=1" if workload.spec.compression else BASELINE
    other, variant = load_design(text, workload)
    if other.name == workload.name:
        return other, variant or AS_WRITTEN
    return other, f"{other.name},{variant}" if variant else other.name


def _designs(texts: Sequence[str] | None, workload: Workload, other: Workload) -> list[tuple[Workload, str]]:
    """Variants that may pay, with the words for them."""
    if not texts and other.name != workload.name:
        return [(workload, AS_WRITTEN)]
    given = bool(texts)
    if not texts:
        own = workload.spec.folding
        texts = [f"fold={own.factor if own and own.factor > 1 else 2}"]
    found, problems = [], list[str]()
    for text in dict.fromkeys(texts):
        try:
            variant = parse_variant(text)
            found.append((variant.apply(workload), variant.text))
        except VariantError as error:
            problems += str(error).splitlines()
    if problems:
        hint = (
            ""
            if given
            else "; give what may pay with --variant, such as attention=favor or fold=2,fold_heads=keep_heads"
        )
        raise DesignError([Problem((), text + hint) for text in problems])
    return found


def report(question: Question, results: Results) -> str:
    """Everything about one pair as text."""
    pair = question.pair
    mine = np.array(
        [
            (variant, profile) == (question.variant, pair.design.profile.name)
            for variant, profile in zip(results["variant"].tolist(), results["profile"].tolist(), strict=True)
        ]
    )
    rows = results.where(mine)
    spec = pair.design.spec
    what = "" if question.variant == AS_WRITTEN else f" {question.variant}"
    by_left, by_chunk = (rows.where(rows["over"] == over) for over in (LEFT_CONTEXT, CHUNK))
    keys, chunks = _keys_table(question, by_left), _chunk_lines(question, by_chunk)
    bank = " + memory bank" if spec.streaming.memory_bank_tokens else ""
    blocks = [
        paragraph(f"{spec.name}{what} against {question.against} on {pair.design.profile.name}"),
        paragraph(
            f"Keys at which it pays: left context + chunk + right context{bank}, in tokens of {spec.token_ms:g} ms;"
            f" searched up to {question.keys_limit_tokens:,}."
        ),
        "",
        keys,
        "",
        f"What it saves at its own left context of {spec.streaming.left_context_tokens} tokens (below zero it costs)",
        _saving_table(question, by_left),
        "",
        *chunks,
        *_footnotes(question, rows, "\n".join([keys, *chunks])),
    ]
    return "\n".join(blocks)


def _keys_table(question: Question, rows: Results) -> str:
    """A line per chunk size, a column per metric; as many spans of keys in a cell as the width allows."""
    for most in range(MAX_SPANS, 0, -1):
        text = _keys_lines(question, rows, most)
        if max(map(len, text.splitlines())) <= WIDTH:
            break
    return text


def _keys_lines(question: Question, rows: Results, most: int) -> str:
    banded = "energy" in question.metrics
    lines = []
    for chunk in question.chunk_ms:
        here = _of_chunk(rows, chunk, question)
        cells = [f"{chunk:g}"]
        for metric in question.metrics:
            cells.append(_spans(here[metric], most=most))
            if metric == "energy":
                cells.append(_range(here[metric]))
        lines.append(cells)
    head = ["chunk ms"]
    for metric in question.metrics:
        head += [metric, "range"] if metric == "energy" else [metric]
    return table(head, lines, left=range(1, 1 + len(question.metrics) + banded))


def _of_chunk(rows: Results, chunk: float, question: Question) -> dict[str, Results]:
    """Rows of one chunk size by metric."""
    return {m: rows.where((rows["chunk_ms"] == chunk) & (rows["metric"] == m)) for m in question.metrics}


def _spans(rows: Results, name: str = "keys_tokens", unit: str = "", most: int = MAX_SPANS) -> str:
    """Where it pays, in words: ``always``, ``up to 512``, ``from 535``, ``up to 9; 20-30``."""
    verdicts = rows["verdict"].tolist()
    if verdicts[0] in ("always", "never", "equal"):
        return str(verdicts[0])
    at = [f"{value:,g}{'*' * mark}" for value, mark in zip(rows[name].tolist(), _hypothetical(rows), strict=True)]
    spans = [f"up to {at[0]}"] if verdicts[0] == "stops" else []
    rest = list(zip(verdicts, at, strict=True))[len(spans) :]
    for i in range(0, len(rest), 2):
        if i + 1 == len(rest):
            spans.append(f"from {rest[i][1]}")
        else:
            spans.append(rest[i][1] if rest[i][1] == rest[i + 1][1] else f"{rest[i][1]}-{rest[i + 1][1]}")
    more = f" {MORE}{len(spans) - most}" if len(spans) > most else ""
    return "; ".join(spans[:most]) + unit + more


def _hypothetical(rows: Results) -> list[bool]:
    """Whether a design at the tipping point cannot run on the chip; its multiply-accumulates count nevertheless."""
    works = rows["realtime"] & rows["fits"] | (rows["metric"] == "macs") | ~_crossed(rows)
    return [not w for w in works.tolist()]


def _crossed(rows: Results) -> np.ndarray:
    return np.isin(rows["verdict"].astype(str), ("starts", "stops"))


def _range(rows: Results) -> str:
    """What the profile's ranges make of the first crossing of energy."""
    low, high, limit = (int(rows[f"keys_{end}_tokens"][0]) for end in ("low", "high", "limit"))
    verdict = rows["verdict"][0]
    if low == high:
        return ""
    if verdict == "never":
        return f"at best up to {high:,}" if not low else f"at best from {low:,}"
    if verdict == "always":
        return f"at worst up to {low:,}" if high == limit else f"at worst from {high:,}"
    return f"{low:,}-{high:,}{'+' if high == limit else ''}"


def _saving_table(question: Question, rows: Results) -> str:
    lines = []
    for chunk in question.chunk_ms:
        here = _of_chunk(rows, chunk, question)
        own = f"{here[question.metrics[0]]['own_keys_tokens'][0]:,}"
        lines.append([f"{chunk:g}", own, *(percent(here[m]["saving_ratio"][0] + 0.0) for m in question.metrics)])
    return table(["chunk ms", "keys", *question.metrics], lines, left=())


def _chunk_lines(question: Question, rows: Results) -> list[str]:
    """Over chunk sizes, a line per metric."""
    by_metric = {m: rows.where(rows["metric"] == m) for m in question.metrics}
    step = float(question.pair.chunk_step_ms)
    lines = [
        f"Chunk sizes at which it pays with that left context (multiples of {step:g} ms up to"
        f" {question.chunk_limit_ms:,g} ms)"
    ]
    return lines + [f"  {m:<8} {_spans(r, 'chunk_ms', ' ms')}" for m, r in by_metric.items()]


def _footnotes(question: Question, rows: Results, text: str) -> list[str]:
    notes = []
    if f" {MORE}" in text:
        notes.append(f"{MORE}1: it pays in one more span further out; -o FILE writes every crossing")
    if any(_hypothetical(rows)):
        notes.append("* there at least one of the two designs is not in real time or does not fit the chip's memory")
    if "energy" in question.metrics:
        notes.append(
            "range: what the profile's ranges make of the first crossing of energy; 0: it may never pay; +: it may"
            " always pay, as far as was searched"
        )
    return ["", *map(paragraph, notes)] if notes else []
