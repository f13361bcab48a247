"""``foldsim workload show``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np

from foldsim.cli.guard import stop
from foldsim.cli.listing import workload_record
from foldsim.cli.tables import paragraph, print_json, shorten, size, table
from foldsim.designs.axes import DesignError
from foldsim.designs.checks import chunk_problems
from foldsim.workload.lowering import Lowered
from foldsim.workload.spec import WorkloadSpec
from foldsim.workload.variant import apply_variant, load_design
from foldsim.workload.workload import Workload

OP_COLUMNS = {
    "m": "m",
    "k": "k",
    "n": "n",
    "batch": "batch",
    "steps": "steps",
    "macs": "MACs",
    "params_count": "parameters",
    "weights_bytes": "weights",
    "state_bytes": "state",
}
LABEL_WIDTH = 32  # characters of a layer or op in the table of ops


def run_show(name: str, chunk_ms: float | None, fold: int | None, variant: str | None, as_json: bool) -> None:
    """Print components with parameters and MACs, then every op with its shapes."""
    workload, text = load_design(name)
    if fold is not None and variant is not None:
        stop(f"error: --fold and --variant: give one of them, such as --variant {variant},fold={fold}")
    if fold is not None:
        variant = f"fold={fold}"
    if variant is not None:
        workload = apply_variant(workload, variant)
        text = f"{text},{variant}" if text else variant
    spec = workload.spec
    chunk = chunk_ms if chunk_ms is not None else spec.streaming.chunk_tokens * spec.token_ms
    if problems := list(chunk_problems(chunk, spec)):
        raise DesignError(problems)
    tokens = round(chunk / spec.token_ms)
    lowered = workload.lower(tokens)
    if as_json:
        print_json(workload_details(workload, text, chunk, lowered))
        return
    print(paragraph(f"{spec.name}: {spec.title}" + (f"; variant {text}" if text else "")))
    print("\n" + paragraph(spec.summary) + "\n")
    print(paragraph(f"{_size_text(workload, bool(text))}; {_streaming_text(spec, chunk)}"))
    source = workload_record(workload)["source"]
    if source:
        print(paragraph(f"{source['kind']}: {source['title']}"))
    print("\n" + _component_table(_components(workload, lowered, tokens)))
    print("\nOps: shape, MACs, parameters and stored bytes of one of each, in one invocation")
    for component in spec.components:
        print("\n" + _op_table(component.name, list(_ops(lowered, component.name))))


def workload_details(workload: Workload, variant: str, chunk_ms: float, lowered: Lowered) -> dict[str, Any]:
    """What ``workload show --json`` prints: the record of ``workload list --json``, and these.

    ``evaluated_chunk_ms`` : the chunk size that components and ops are counted for.
    ``components`` : name, rate, parameters, MACs per invocation, bytes of weights and state.
    ``ops`` : component, layer, op, repeat (how many of it), and of one of them, in one invocation: a matrix product's
    shape m x k x n, batch and steps (null for other ops), MACs, parameters, bytes of weights and state.
    """
    spec = workload.spec
    return {
        **workload_record(workload),
        "summary": spec.summary,
        "variant": variant or None,
        "params_count_published": spec.published_params_count,
        "evaluated_chunk_ms": chunk_ms,
        "left_context_tokens": spec.streaming.left_context_tokens,
        "right_context_tokens": spec.streaming.right_context_tokens,
        "memory_bank_tokens": spec.streaming.memory_bank_tokens,
        "precision": spec.precision.model_dump(),
        "components": _components(workload, lowered, round(chunk_ms / spec.token_ms)),
        "ops": [op for component in spec.components for op in _ops(lowered, component.name)],
    }


def _size_text(workload: Workload, changed: bool) -> str:
    """Parameters, with the published number."""
    spec = workload.spec
    run = sum(workload.params().values())
    text = f"{run:,} parameters"
    published = spec.published_params_count
    if published is None or changed or spec.folding or spec.compression:
        return text
    unused = spec.unused_params_count
    if unused:
        text += f" + {unused:,} that never run"
    return text + (" (as published)" if run + unused == published else f" (published: {published:,})")


def _streaming_text(spec: WorkloadSpec, chunk: float) -> str:
    streaming, longest, edge = spec.streaming, spec.streaming.longest_chunk_tokens, spec.audio.edge_tokens
    tokens = round(chunk / spec.token_ms)
    most = f" up to {longest * spec.token_ms:g} ms" if longest else ""
    lost = f", of which {edge} lost at the edge" if edge else ""
    published = ", ".join(f"{n * spec.token_ms:g}" for n in sorted(streaming.chunk_tokens_published or ()))
    return (
        f"chunk {chunk:g} ms = {tokens} token{'s' * (tokens != 1)} of {spec.token_ms:g} ms{lost} (any multiple of"
        f" {spec.chunk_step_ms:g} ms{most}{f'; published for {published} ms' if published else ''}); left context"
        f" {streaming.left_context_tokens}, right context {streaming.right_context_tokens}, memory bank"
        f" {streaming.memory_bank_tokens} tokens; weights {spec.precision.weights}, activations"
        f" {spec.precision.activations}, state {spec.precision.state}"
    )


def _components(workload: Workload, lowered: Lowered, tokens: int) -> list[dict[str, Any]]:
    recogniser = lowered.recogniser
    params, macs = workload.params(), workload.macs_per_invocation(tokens)
    stored = recogniser.group_bytes[:, 0]
    records = []
    for index, component in enumerate(workload.spec.components):
        own = recogniser.group_component == index
        records.append(
            {
                "name": component.name,
                "invoked_per": list(component.invoked_per),
                "run_ratio": component.run_ratio.value if component.run_ratio else None,
                "invocations_per_chunk": float(recogniser.invocations_per_chunk[index, 0]),
                "params_count": params[component.name],
                "macs_per_invocation": macs[component.name],
                "weights_bytes": float(stored[own & ~recogniser.group_is_state].sum()),
                "state_bytes": float(stored[own & recogniser.group_is_state].sum()),
            }
        )
    return records


def _component_table(components: list[dict[str, Any]]) -> str:
    rows = []
    for c in components:
        rate = " + ".join(c["invoked_per"])
        rows.append(
            [
                c["name"],
                f"{c['run_ratio']:g} of {rate}" if c["run_ratio"] else rate,
                f"{c['invocations_per_chunk']:g}",
                f"{c['params_count']:,}",
                f"{c['macs_per_invocation']:,}",
                size(c["weights_bytes"]),
                size(c["state_bytes"]),
            ]
        )
    head = ["component", "invoked per", "per chunk", "parameters", "MACs per invocation", "weights", "state"]
    return table(head, rows, left=(0, 1))


def _ops(lowered: Lowered, component: str) -> Iterator[dict[str, Any]]:
    """The ops of one component in the order they run, one of each layer that repeats."""
    ops = lowered.recogniser.ops
    for i in lowered.run_order.tolist():
        row = lowered.rows[i]
        if row.component != component:
            continue
        shape: dict[str, float | None] = dict.fromkeys(("m", "k", "n", "batch", "steps"))
        if i < ops.matrix_rows:
            shape = {key: float(getattr(ops, key)[i, 0]) for key in shape}
        yield {
            "component": component,
            "layer": row.layer,
            "op": row.op,
            "repeat": float(ops.repeat[i, 0]),
            **shape,
            "macs": float(np.prod([x for x in shape.values() if x is not None])) if i < ops.matrix_rows else 0.0,
            "params_count": float(ops.params[i, 0]),
            "weights_bytes": float(np.asarray(ops.weights_bytes)[i, 0]),
            "state_bytes": float(np.asarray(ops.state_bytes)[i, 0]),
        }


def _op_table(component: str, ops: list[dict[str, Any]]) -> str:
    """The ops of one component, layer by layer; columns without any value are left out."""
    rows = list(_op_rows(ops))
    head = [component, *OP_COLUMNS.values()]
    used = [i for i in range(len(head)) if i < 1 or any(row[i] for row in rows)]
    return table([head[i] for i in used], [[row[i] for i in used] for row in rows])


def _op_rows(ops: Iterable[dict[str, Any]]) -> Iterator[list[str]]:
    """A row per op; a layer of several ops has a row of its own above them."""
    for layer, group in groupby(ops, key=lambda op: op["layer"]):
        members = list(group)
        times = f" x{members[0]['repeat']:g}" if members[0]["repeat"] != 1 else ""
        label = shorten(f"  {layer}{times}", LABEL_WIDTH)
        if len(members) == 1:
            yield [label, *_op_cells(members[0])]
            continue
        yield [label, *[""] * len(OP_COLUMNS)]
        for op in members:
            yield [shorten(f"    {op['op']}", LABEL_WIDTH), *_op_cells(op)]


def _op_cells(op: dict[str, Any]) -> list[str]:
    """Shape and sizes of an op; empty for zero, and for a batch or steps of one."""
    cells = []
    for key in OP_COLUMNS:
        value = op[key]
        if not value or (key in ("batch", "steps") and value == 1):
            cells.append("")
        elif key in ("macs", "params_count"):
            cells.append(f"{value:,.0f}")
        else:
            cells.append(size(value) if key.endswith("_bytes") else f"{value:g}")
    return cells
