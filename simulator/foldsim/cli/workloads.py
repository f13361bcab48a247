"""``foldsim workload list`` and ``workload show``."""

from __future__ import annotations

import numpy as np

from foldsim.cli.tables import paragraph, shorten, size, table
from foldsim.data import shipped
from foldsim.explore.space import SpaceError, is_multiple
from foldsim.workload.spec import FoldingSpec, fold_problems
from foldsim.workload.workload import load_workload


def run_list() -> None:
    """One line per shipped workload."""
    rows = []
    for name in shipped("workloads"):
        workload = load_workload(name)
        spec = workload.spec
        rows.append(
            [
                name,
                f"{sum(workload.params().values()):,}",
                f"{spec.token_ms:g}",
                f"{spec.streaming.chunk_tokens * spec.token_ms:g}",
                spec.precision.weights,
                shorten(spec.title, 40),
            ]
        )
    print(table(["name", "parameters", "token ms", "chunk ms", "weights", "title"], rows, left=(0, 4, 5)))


def run_show(name: str, chunk_ms: float | None, fold: int | None) -> None:
    """Components with parameters and MACs, then the op table with shapes."""
    workload = load_workload(name)
    spec = workload.spec
    chunk = chunk_ms if chunk_ms is not None else spec.streaming.chunk_tokens * spec.token_ms
    if not is_multiple(chunk, spec.token_ms):
        raise SpaceError([f"--chunk-ms {chunk:g} is no multiple of the {spec.token_ms:g} ms token of {name}"])
    if fold is not None:
        workload = workload.unfolded()
        if fold > 1:
            problems = list(fold_problems(spec, FoldingSpec(factor=fold), ()))
            if problems:
                raise SpaceError([f"--fold {fold} on {name}: {p.message} (allowed: {p.allowed})" for p in problems])
            workload = workload.fold(fold)
    folded = workload.spec.folding is not None
    tokens = round(chunk / spec.token_ms)
    params, macs = workload.params(), workload.macs_per_invocation(tokens)
    print(paragraph(f"{spec.name}: {spec.title}"))
    print("\n" + paragraph(spec.summary) + "\n")
    total = sum(params.values())
    published = ""
    if spec.published_params_count and not folded:
        published = (
            " (as published)"
            if total == spec.published_params_count
            else f" (published: {spec.published_params_count:,})"
        )
    print(
        f"{total:,} parameters{published}; chunk {chunk:g} ms = {tokens} tokens of {spec.token_ms:g} ms; "
        f"left context {spec.streaming.left_context_tokens}, right context {spec.streaming.right_context_tokens}, "
        f"memory bank {spec.streaming.memory_bank_tokens} tokens"
    )
    lowered = workload.lower(tokens)
    ops, groups = lowered.recogniser.ops, lowered.recogniser
    state = dict.fromkeys(groups.component_names, 0.0)
    for g in np.flatnonzero(groups.group_is_state):
        state[groups.component_names[groups.group_component[g]]] += float(groups.group_bytes[g, 0])
    rows = [
        [c.name, " + ".join(c.invoked_per), f"{params[c.name]:,}", f"{macs[c.name]:,}", size(state[c.name])]
        for c in spec.components
    ]
    print("\n" + table(["component", "invoked per", "parameters", "MACs per invocation", "state"], rows, left=(0, 1)))
    rows = []
    for i in lowered.run_order.tolist():
        row, shape, work = lowered.rows[i], "", 0.0
        if i < ops.matrix_rows:
            m, k, n, batch, steps = (float(x[i, 0]) for x in (ops.m, ops.k, ops.n, ops.batch, ops.steps))
            shape = (
                f"{m:g} x {k:g} x {n:g}"
                + (f" x{batch:g}" if batch > 1 else "")
                + (f", {steps:g} steps" if steps > 1 else "")
            )
            work = m * k * n * batch * steps
        rows.append(
            [
                row.component,
                shorten(f"{row.layer} {row.op}", 40),
                f"{ops.repeat[i, 0]:g}",
                shape,
                f"{work:,.0f}" if work else "",
                f"{ops.params[i, 0]:,.0f}" if ops.params[i, 0] else "",
            ]
        )
    print(
        "\n" + table(["component", "op", "repeat", "m x k x n", "MACs each", "parameters each"], rows, left=(0, 1, 3))
    )
