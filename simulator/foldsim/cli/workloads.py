"""``foldsim workload list`` and ``workload show``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from foldsim.cli.guard import stop
from foldsim.cli.tables import WIDTH, count, paragraph, shorten, size, table
from foldsim.data import shipped
from foldsim.explore.axes import DesignError
from foldsim.explore.design_checks import chunk_problems
from foldsim.schema.quantity import Source
from foldsim.workload.lowering import Lowered
from foldsim.workload.spec import WorkloadSpec
from foldsim.workload.variant import apply_variant, load_design
from foldsim.workload.workload import Workload, load_workload

_INDENT = "    "


def run_list() -> None:
    """Three lines per shipped workload: sizes, what it is, where it comes from."""
    blocks = []
    for name in shipped("workloads"):
        workload = load_workload(name)
        spec = workload.spec
        params = workload.params()
        total = f"{sum(params.values()):,}"
        parts = ", ".join(f"{part} {count(n)}" if n else part for part, n in params.items())
        blocks.append([name, total, f"{spec.token_ms:g}", _chunks(spec), parts, spec.title, _origin(spec)])
    widths = [max(len(block[i]) for block in blocks) for i in range(4)]
    print("name, parameters, token [ms], chunks [ms] (* its own), parameters by component; title; source\n")
    for name, total, token, chunks, parts, title, origin in blocks:
        head = f"{name:<{widths[0]}}  {total:>{widths[1]}}  {token:>{widths[2]}}  {chunks:<{widths[3]}}  {parts}"
        print(head if len(head) <= WIDTH else f"{head[: len(head) - len(parts)].rstrip()}\n{_INDENT}{parts}")
        for line in (title, origin):
            print("\n".join(textwrap.wrap(line, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT, max_lines=2)))


def _chunks(spec: WorkloadSpec) -> str:
    """Chunk sizes: those it is published for, the own one marked, and the step of all that are possible."""
    own = spec.streaming.chunk_tokens
    told = sorted({own, *(spec.streaming.chunk_tokens_published or ())})
    words = ", ".join(f"{tokens * spec.token_ms:g}{'*' * (tokens == own)}" for tokens in told)
    return f"{words}; any n x {spec.chunk_step_ms:g}"


def _origin(spec: WorkloadSpec) -> str:
    """The first source that is more than an assumption."""
    sources = sorted(spec.sources.values(), key=lambda source: source.kind == "assumption")
    return f"{sources[0].kind}: {_cited(sources[0])}" if sources else ""


def _cited(source: Source) -> str:
    place = source.doi or source.url or source.page
    return source.title + (f" ({place})" if place else "")


def run_show(name: str, chunk_ms: float | None, fold: int | None, variant: str | None = None) -> None:
    """Components with parameters and MACs, then every op with its shapes."""
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
    print(paragraph(f"{spec.name}: {spec.title}" + (f"; variant {text}" if text else "")))
    print("\n" + paragraph(spec.summary) + "\n")
    print(paragraph(f"{_size_words(workload, bool(text))}; {_streaming_words(spec, chunk, tokens)}"))
    lowered = workload.lower(tokens)
    print("\n" + _components(workload, lowered, tokens))
    print("\nOps: shape, MACs, parameters and stored bytes of one of each, in one invocation")
    for component in spec.components:
        print("\n" + "\n".join(_ops(lowered, component.name)))


def _size_words(workload: Workload, changed: bool) -> str:
    """Parameters, with those published beside them."""
    spec = workload.spec
    run = sum(workload.params().values())
    words = f"{run:,} parameters"
    published = spec.published_params_count
    if published is None or changed or spec.folding or spec.compression:
        return words
    unused = spec.unused_params_count
    if unused:
        words += f" + {unused:,} that never run"
    return words + (" (as published)" if run + unused == published else f" (published: {published:,})")


def _streaming_words(spec: WorkloadSpec, chunk: float, tokens: int) -> str:
    streaming, longest, edge = spec.streaming, spec.streaming.longest_chunk_tokens, spec.audio.edge_tokens
    most = f" up to {longest * spec.token_ms:g} ms" if longest else ""
    lost = f", of which {edge} lost at the edge" if edge else ""
    return (
        f"chunk {chunk:g} ms = {tokens} token{'s' * (tokens != 1)} of {spec.token_ms:g} ms{lost} (any multiple of"
        f" {spec.chunk_step_ms:g} ms{most}); left context {streaming.left_context_tokens}, right context"
        f" {streaming.right_context_tokens}, memory bank {streaming.memory_bank_tokens} tokens; weights"
        f" {spec.precision.weights}, activations {spec.precision.activations}, state {spec.precision.state}"
    )


def _components(workload: Workload, lowered: Lowered, tokens: int) -> str:
    recogniser = lowered.recogniser
    params, macs = workload.params(), workload.macs_per_invocation(tokens)
    rows = []
    for index, component in enumerate(workload.spec.components):
        mine = recogniser.group_component == index
        stored = recogniser.group_bytes[:, 0]
        rate = " + ".join(component.invoked_per)
        if component.run_ratio:
            rate = f"{component.run_ratio.value:g} of {rate}"
        rows.append(
            [
                component.name,
                rate,
                f"{recogniser.invocations_per_chunk[index, 0]:g}",
                f"{params[component.name]:,}",
                f"{macs[component.name]:,}",
                size(float(stored[mine & ~recogniser.group_is_state].sum())),
                size(float(stored[mine & recogniser.group_is_state].sum())),
            ]
        )
    head = ["component", "invoked per", "per chunk", "parameters", "MACs per invocation", "weights", "state"]
    return table(head, rows, left=(0, 1))


def _ops(lowered: Lowered, component: str) -> Iterator[str]:
    """The op table of one component, layer by layer."""
    order = [i for i in lowered.run_order.tolist() if lowered.rows[i].component == component]
    rows = list(_op_rows(lowered, order))
    used = [i for i in range(len(_OP_HEAD)) if i < 1 or any(row[i] for row in rows)]
    yield from table([_named(component, i) for i in used], [[row[i] for i in used] for row in rows]).splitlines()


_OP_HEAD = ("", "m", "k", "n", "batch", "steps", "MACs", "parameters", "weights", "state")


def _named(component: str, column: int) -> str:
    return _OP_HEAD[column] or component


def _op_rows(lowered: Lowered, order: Iterable[int]) -> Iterator[list[str]]:
    repeats = lowered.recogniser.ops.repeat
    for layer, members in groupby(order, key=lambda i: lowered.rows[i].layer):
        at = list(members)
        times = f" x{repeats[at[0], 0]:g}" if repeats[at[0], 0] != 1 else ""
        if len(at) == 1:
            yield [shorten(f"  {layer}{times}", 32), *_numbers(lowered, at[0])]
            continue
        yield [shorten(f"  {layer}{times}", 32), *[""] * (len(_OP_HEAD) - 1)]
        for i in at:
            yield [shorten(f"    {lowered.rows[i].op}", 32), *_numbers(lowered, i)]


def _numbers(lowered: Lowered, i: int) -> list[str]:
    """Shape and sizes of an op; empty where there is nothing."""
    ops = lowered.recogniser.ops
    shape, macs = [""] * 5, 0.0
    if i < ops.matrix_rows:
        m, k, n, batch, steps = (float(x[i, 0]) for x in (ops.m, ops.k, ops.n, ops.batch, ops.steps))
        shape = [f"{m:g}", f"{k:g}", f"{n:g}", f"{batch:g}" if batch != 1 else "", f"{steps:g}" if steps != 1 else ""]
        macs = m * k * n * batch * steps
    stored = [float(np.asarray(x)[i, 0]) for x in (ops.weights_bytes, ops.state_bytes)]
    params = float(ops.params[i, 0])
    return [
        *shape,
        f"{macs:,.0f}" if macs else "",
        f"{params:,.0f}" if params else "",
        *(size(x) if x else "" for x in stored),
    ]
