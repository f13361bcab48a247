"""What one record of a workload cannot check by itself: repeated names, rates, neighbours, folding, compression."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from foldsim.schema import Problem
from foldsim.workload.compression_check import compression_problems
from foldsim.workload.folding import layer_numbers
from foldsim.workload.spec import FoldingSpec, WorkloadSpec


def check_workload(workload: WorkloadSpec) -> Iterable[Problem]:
    """Yield what one record cannot see: repeated names, heads and folds that do not divide."""
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
                yield Problem(
                    ("components", i, "layers", j, *problem.path), problem.message, problem.allowed, problem.suggestion
                )
    yield from _check_rates(workload)
    yield from _check_neighbours(workload)
    if workload.folding is not None:
        yield from fold_problems(workload, workload.folding, ("folding",))
    if not any(True for component in workload.components for layer in component.layers for _ in layer.problems()):
        yield from compression_problems(workload)


def _check_rates(workload: WorkloadSpec) -> Iterable[Problem]:
    """Chunks, contexts and layers must meet on whole tokens; utterances need a length."""
    step = workload.chunk_step_tokens
    streaming = workload.streaming
    named: list[tuple[str, tuple[int, ...], int]] = [("chunk_tokens", (), streaming.chunk_tokens)]
    named += [("chunk_tokens_published", (i,), c) for i, c in enumerate(streaming.chunk_tokens_published or ())]
    for key, at, tokens in named:
        impossible = workload.chunk_problem(tokens)
        if impossible:
            yield Problem(("streaming", key, *at), f"a chunk of {tokens} tokens: {impossible}")
        if tokens % step:
            yield Problem(
                ("streaming", key, *at),
                f"a chunk of {tokens} tokens is no multiple of {step}, the tokens between two runs of the slowest layer"
                " or output",
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
                    f"the left context of {streaming.left_context_tokens} tokens is no multiple of the downsampling"
                    f" {layer.downsampling}",
                    allowed="a left context that it divides",
                )
            for problem in layer.problems_in(streaming, {c.name: c.layers for c in workload.components}):
                yield Problem(
                    ("components", i, "layers", j, *problem.path), problem.message, problem.allowed, problem.suggestion
                )


def _check_neighbours(workload: WorkloadSpec) -> Iterable[Problem]:
    """Warn where one layer does not make the rows or the width that the next one takes."""
    context = workload.context(workload.streaming.chunk_tokens)
    for i, component in enumerate(workload.components):
        before: tuple[str, float] | None = None
        for j, layer in enumerate(component.layers):
            taken, made = layer.widths()
            # Stacked frames and reduced rates make rows wider by a whole factor.
            if before and taken and taken % before[1]:
                yield Problem(
                    ("components", i, "layers", j),
                    f"layer {layer.name!r} takes rows of width {taken:g}, but {before[0]!r} before it makes"
                    f" {before[1]:g}",
                    severity="warning",
                )
            before = (layer.name, made) if made else None
            if "chunk" in component.invoked_per and (found := layer.rows_problem(context.at_rate(layer.downsampling))):
                yield replace(found, path=("components", i, "layers", j))


def fold_problems(workload: WorkloadSpec, folding: FoldingSpec, path: tuple[str | int, ...]) -> Iterable[Problem]:
    """Yield why a folding cannot be applied to a workload, with the factors that can."""
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
    told: set[tuple[str | int, ...]] = set()
    for number in chosen:
        where, layer = layers[number - 1]
        if where in told:
            continue
        told.add(where)
        for message in layer.fold_problems(folding.factor, feedforward, keep):
            able = layer.fold_factors(feedforward, keep)
            yield Problem(
                (*path, "factor"), f"{message} of layer {layer.name!r}", allowed="N = " + ", ".join(map(str, able))
            )
