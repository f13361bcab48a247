"""Checks across the records of a workload: repeated names, rates, adjacent layers, folding, compression."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from foldsim.schema import Problem
from foldsim.workload.compression_check import compression_problems
from foldsim.workload.folding import layer_numbers
from foldsim.workload.spec import FoldingSpec, WorkloadSpec


def check_workload(workload: WorkloadSpec) -> Iterable[Problem]:
    """Yield problems across records: repeated names, rates, adjacent layers, folding, compression."""
    seen: set[str] = set()
    for i, component in enumerate(workload.components):
        if component.name == "system":
            yield Problem(
                ("components", i, "name"), "'system' is the row of idle and waking in results; use another name"
            )
        if component.name in seen:
            yield Problem(("components", i, "name"), f"the component name {component.name!r} is used twice")
        seen.add(component.name)
        if "chunk" in component.invoked_per and len(component.invoked_per) > 1:
            yield Problem(
                ("components", i, "invoked_per"),
                "a component invoked per chunk works on all rows of the chunk, so nothing else can invoke it;"
                " make it two components",
                allowed="[chunk], or any of symbol, output_frame",
            )
        names: set[str] = set()
        for j, layer in enumerate(component.layers):
            if layer.name in names:
                yield Problem(("components", i, "layers", j, "name"), f"the layer name {layer.name!r} is used twice")
            names.add(layer.name)
            for problem in layer.problems():
                yield replace(problem, path=("components", i, "layers", j, *problem.path))
    yield from _check_rates(workload)
    yield from _check_neighbours(workload)
    if workload.folding is not None:
        yield from fold_problems(workload, workload.folding, ("folding",))
    if not any(True for component in workload.components for layer in component.layers for _ in layer.problems()):
        yield from compression_problems(workload)


def _check_rates(workload: WorkloadSpec) -> Iterable[Problem]:
    """Yield chunks and contexts that are not whole numbers of steps, and utterances without a length."""
    step = workload.chunk_step_tokens
    streaming = workload.streaming
    named: list[tuple[str, tuple[int, ...], int]] = [("chunk_tokens", (), streaming.chunk_tokens)]
    named += [("chunk_tokens_published", (i,), c) for i, c in enumerate(streaming.chunk_tokens_published or ())]
    for key, at, tokens in named:
        reason = workload.chunk_problem(tokens)
        if reason:
            yield Problem(("streaming", key, *at), f"a chunk of {tokens} tokens: {reason}")
        if tokens % step:
            yield Problem(
                ("streaming", key, *at),
                f"a chunk of {tokens} tokens is not a multiple of {step}, the tokens between two runs of the slowest"
                " layer or output",
                allowed=f"{step}, {2 * step}, {3 * step} ...",
            )
    for i, component in enumerate(workload.components):
        if "utterance" in component.invoked_per and workload.decoding.utterance_s is None:
            yield Problem(
                ("components", i, "invoked_per"),
                "a component invoked per utterance needs decoding.utterance_s, the length of an utterance",
            )
        for j, layer in enumerate(component.layers):
            if layer.downsampling > 1 and streaming.left_context_tokens % layer.downsampling:
                yield Problem(
                    ("components", i, "layers", j, "downsampling"),
                    f"the left context of {streaming.left_context_tokens} tokens is not a multiple of the"
                    f" downsampling {layer.downsampling}",
                    allowed="a multiple of the downsampling",
                )
            for problem in layer.problems_in(streaming, {c.name: c.layers for c in workload.components}):
                yield replace(problem, path=("components", i, "layers", j, *problem.path))


def _check_neighbours(workload: WorkloadSpec) -> Iterable[Problem]:
    """Warn of layers whose input rows or width differ from the output of the layer before."""
    context = workload.context(workload.streaming.chunk_tokens)
    for i, component in enumerate(workload.components):
        before: tuple[str, float] | None = None
        for j, layer in enumerate(component.layers):
            width_in, width_out = layer.widths()
            # Stacked frames and reduced rates widen rows by a whole factor.
            if before and width_in and width_in % before[1]:
                yield Problem(
                    ("components", i, "layers", j),
                    f"layer {layer.name!r} takes rows of width {width_in:g}, but {before[0]!r} before it"
                    f" yields {before[1]:g}",
                    severity="warning",
                )
            before = (layer.name, width_out) if width_out else None
            if "chunk" in component.invoked_per and (
                problem := layer.rows_problem(context.at_rate(layer.downsampling))
            ):
                yield replace(problem, path=("components", i, "layers", j))


def fold_problems(workload: WorkloadSpec, folding: FoldingSpec, path: tuple[str | int, ...]) -> Iterable[Problem]:
    """Yield why a folding cannot be applied to a workload, with the possible factors."""
    layers = workload.foldable_layers()
    if not layers:
        yield Problem(path, f"workload {workload.name!r} has no layer that can be folded")
        return
    try:
        chosen = layer_numbers(folding.layers, len(layers))
    except ValueError as error:
        yield Problem((*path, "layers"), str(error), allowed=f"all, 1-{len(layers)}, every:K, or a list of layers")
        return
    feedforward, keep = folding.scope != "attention", folding.heads == "keep_head_dim"
    checked: set[tuple[str | int, ...]] = set()
    for number in chosen:
        where, layer = layers[number - 1]
        if where in checked:
            continue
        checked.add(where)
        for message in layer.fold_problems(folding.factor, feedforward, keep):
            possible = layer.fold_factors(feedforward, keep)
            yield Problem(
                (*path, "factor"), f"{message} of layer {layer.name!r}", allowed="N = " + ", ".join(map(str, possible))
            )
