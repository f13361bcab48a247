"""The workload format: what a workload YAML may say, as strict pydantic records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from foldsim.schema import Problem
from foldsim.schema.quantity import NonNegative, Record, Source
from foldsim.workload.folding import FoldHeads, FoldScope, layer_numbers
from foldsim.workload.layers import AnyLayer, Layer

Precision = Literal["int4", "int8", "int16", "fp16", "bf16", "fp32"]
Event = Literal["chunk", "symbol", "output_frame"]
Tokens = Annotated[int, Field(ge=0, le=1_000_000)]


class PrecisionSpec(Record):
    """Number formats. Matrix products run in the format of the activations."""

    weights: Precision = Field(description="Stored weights.")
    activations: Precision = Field(description="Activations, and the arithmetic of matrix products.")
    state: Precision = Field(description="State kept between chunks (key/value cache, LSTM state).")


class AudioSpec(Record):
    """From samples to tokens."""

    frame_ms: Annotated[float, Field(gt=0, le=1000)] = Field(description="Feature frame spacing.")
    subsampling_frames: Annotated[int, Field(ge=1, le=1000)] = Field(description="Feature frames per token.")


class StreamingSpec(Record):
    """What one encoder invocation consumes and sees."""

    chunk_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        description="Tokens per chunk, when none is asked for."
    )
    left_context_tokens: Tokens = Field(description="Cached tokens before the chunk.")
    right_context_tokens: Tokens = Field(description="Lookahead tokens, recomputed with each chunk.")
    memory_bank_tokens: Tokens = Field(default=0, description="Summary vectors of past chunks.")


class DecodingSpec(Record):
    """How often the predictor and the joiner run."""

    symbols_per_s: NonNegative = Field(description="Emitted symbols (subwords) per second of audio.")
    beam_count: Annotated[int, Field(ge=1, le=1000)] = Field(default=1, description="Hypotheses kept by beam search.")
    beam_batched: bool = Field(
        default=True, description="All hypotheses in one call (weights read once); false: one call each."
    )


class FoldingSpec(Record):
    """Folding attention (arXiv 2309.07988) applied to the encoder layers."""

    factor: Annotated[int, Field(ge=1, le=1_000_000)] = Field(description="Sub-tokens per token, N.")
    layers: str | list[int] = Field(
        default="all", description="all, a range such as 1-10, every:2, or a list; layers count from 1."
    )
    scope: FoldScope = Field(default="attention", description="Fold attention only, or the feedforward network too.")
    heads: FoldHeads = Field(
        default="keep_head_dim", description="keep_head_dim: heads divide by N. keep_heads: head width divides by N."
    )


class Component(Record):
    """Part of the recogniser with its own invocation rate."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name used in results.")
    invoked_per: list[Event] = Field(
        min_length=1,
        description="Events that cause one invocation each: chunk, symbol (emitted), output_frame (token).",
    )
    layers: list[AnyLayer] = Field(min_length=1, description="Layers in the order they run.")


class WorkloadSpec(Record):
    """A streaming recogniser."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Short name, the same as the file's.")
    title: str = Field(min_length=1, description="What it is, in a line.")
    summary: str = Field(min_length=1, description="Where it comes from and what is assumed.")
    sources: dict[str, Source] = Field(
        min_length=1, description="Where the structure and the numbers come from, by key."
    )
    published_params_count: int | None = Field(default=None, ge=1, description="Parameter count to check against.")
    precision: PrecisionSpec = Field(description="Number formats.")
    audio: AudioSpec = Field(description="From samples to tokens.")
    streaming: StreamingSpec = Field(description="Chunk and context.")
    decoding: DecodingSpec = Field(description="Rates of predictor and joiner.")
    folding: FoldingSpec | None = Field(default=None, description="Fold the encoder layers.")
    components: list[Component] = Field(min_length=1, description="Parts, in the order they run.")

    @property
    def token_ms(self) -> float:
        """Duration of one token."""
        return self.audio.frame_ms * self.audio.subsampling_frames

    def foldable_layers(self) -> list[tuple[tuple[str | int, ...], Layer]]:
        """Every foldable layer with its path, repeats counted once each."""
        return [
            (("components", i, "layers", j), layer)
            for i, component in enumerate(self.components)
            for j, layer in enumerate(component.layers)
            if layer.foldable
            for _ in range(layer.repeat)
        ]


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
    if workload.folding is not None:
        yield from fold_problems(workload, workload.folding, ("folding",))


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
