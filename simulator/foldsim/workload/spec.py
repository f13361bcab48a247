"""The workload format: what a workload YAML may say, as strict pydantic records."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from foldsim.model.records import Number
from foldsim.schema import Problem
from foldsim.schema.quantity import NonNegative, Positive, Record, Share, Source
from foldsim.units import MS_PER_S
from foldsim.workload.compression import AnyCompression
from foldsim.workload.compression_apply import kept_repeats
from foldsim.workload.compression_check import compression_problems
from foldsim.workload.folding import FoldHeads, FoldScope, layer_numbers
from foldsim.workload.layers import AnyLayer, Layer
from foldsim.workload.layers.convolution import ConvolutionStack
from foldsim.workload.ops import Context

SPARE_TOKENS = 4.0  # tokens that a front end may make and the model drop, as NeMo and Zipformer do
Precision = Literal["int4", "int8", "int16", "fp16", "bf16", "fp32"]
Event = Literal["chunk", "symbol", "output_frame", "utterance"]
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
    output_stride_tokens: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="Encoder tokens per output frame: more than 1 where the encoder ends in downsampling."
    )
    sample_rate_hz: Annotated[float, Field(gt=0, le=1_000_000)] = Field(
        default=16_000.0, description="Audio samples per second, for front ends that work on samples."
    )
    edge_tokens: Tokens = Field(
        default=0,
        description="Tokens that every invocation loses at its edge, since the front end's convolutions are not padded"
        " (windows and utterances that stand alone).",
    )
    lookahead_frames: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0, description="Feature frames after the chunk that the front end waits for, besides the right context."
    )


class StreamingSpec(Record):
    """What one encoder invocation consumes and sees."""

    chunk_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        description="Tokens per chunk, when none is asked for."
    )
    left_context_tokens: Tokens = Field(description="Cached tokens before the chunk.")
    right_context_tokens: Tokens = Field(description="Lookahead tokens, recomputed with each chunk.")
    memory_bank_tokens: Tokens = Field(default=0, description="Summary vectors of past chunks.")
    streams_count: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1,
        description="Streams (or utterances) in one invocation, in step: weights are read once for all of them. Results"
        " are those of all streams together.",
    )
    chunk_tokens_published: list[Annotated[int, Field(ge=1, le=1_000_000)]] | None = Field(
        default=None, min_length=1, description="Chunk sizes the model is published for; swept when none is asked for."
    )
    longest_chunk_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Longest chunk the model can take (its table of positions, its window)."
    )


class DecodingSpec(Record):
    """How often the predictor and the joiner run."""

    symbols_per_s: NonNegative = Field(description="Emitted symbols (subwords) per second of audio.")
    end_symbols_count: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0, description="Symbols per chunk besides those: the end of text that a decoder emits after a window."
    )
    beam_count: Annotated[int, Field(ge=1, le=1000)] = Field(default=1, description="Hypotheses kept by beam search.")
    beam_batched: bool = Field(
        default=True, description="All hypotheses in one call (weights read once); false: one call each."
    )
    utterance_s: Positive | None = Field(
        default=None, description="Length of an utterance; needed where a component is invoked per utterance."
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
        description="Events that cause one invocation each: chunk, symbol (emitted), output_frame, utterance.",
    )
    run_ratio: Share | None = Field(
        default=None, description="Share of those events on which it runs (blank skipping); all of them if left out."
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
    unused_params_count: int = Field(
        default=0, ge=0, description="Parameters of the published count that are never run (training heads)."
    )
    precision: PrecisionSpec = Field(description="Number formats.")
    audio: AudioSpec = Field(description="From samples to tokens.")
    streaming: StreamingSpec = Field(description="Chunk and context.")
    decoding: DecodingSpec = Field(description="Rates of predictor and joiner.")
    folding: FoldingSpec | None = Field(default=None, description="Fold the encoder layers.")
    compression: list[AnyCompression] = Field(
        default_factory=list, description="Transformations of the weights; of two that meet, the narrower counts."
    )
    components: list[Component] = Field(min_length=1, description="Parts, in the order they run.")

    @property
    def token_ms(self) -> float:
        """Duration of one token."""
        return self.audio.frame_ms * self.audio.subsampling_frames

    @property
    def lookahead_ms(self) -> float:
        """Audio after the chunk that must be there before it can be processed."""
        return self.streaming.right_context_tokens * self.token_ms + self.audio.lookahead_frames * self.audio.frame_ms

    @property
    def chunk_step_tokens(self) -> int:
        """Tokens of which every chunk is a whole multiple: what its slowest layer and its output need."""
        rates = [layer.downsampling for component in self.components for layer in component.layers]
        return math.lcm(self.audio.output_stride_tokens, *rates)

    @property
    def chunk_step_ms(self) -> float:
        """Duration of which every chunk is a whole multiple."""
        return self.chunk_step_tokens * self.token_ms

    def chunk_problem(self, chunk_tokens: float) -> str | None:
        """Why a chunk of so many tokens is not possible, or None."""
        edge, longest = self.audio.edge_tokens, self.streaming.longest_chunk_tokens
        if chunk_tokens <= edge:
            return f"the front end loses {edge} of its tokens at the edge; a chunk has at least {edge + 1}"
        if longest is not None and chunk_tokens > longest:
            return f"the model takes at most {longest} tokens ({longest * self.token_ms:g} ms) at once"
        context = self.context(chunk_tokens)
        found = (
            layer.chunk_problem(context.at_rate(layer.downsampling))
            for component in self.components
            if "chunk" in component.invoked_per
            for layer in component.layers
        )
        return next((problem for problem in found if problem), None)

    def context(self, chunk_tokens: Number) -> Context:
        """What layers of components that run per chunk see of a chunk (or of several: an array)."""
        streaming, audio = self.streaming, self.audio
        return Context(
            chunk_tokens=chunk_tokens - audio.edge_tokens,
            left_context_tokens=float(streaming.left_context_tokens),
            right_context_tokens=float(streaming.right_context_tokens),
            memory_bank_tokens=float(streaming.memory_bank_tokens),
            subsampling_frames=float(audio.subsampling_frames),
            token_samples=self.token_ms / MS_PER_S * audio.sample_rate_hz,
            output_stride_tokens=float(audio.output_stride_tokens),
            utterance_tokens=self.utterance_tokens,
            edge_tokens=float(audio.edge_tokens),
        )

    @property
    def utterance_s(self) -> float:
        """Length of an utterance, 0 where it does not matter."""
        return self.decoding.utterance_s.value if self.decoding.utterance_s else 0.0

    @property
    def utterance_tokens(self) -> float:
        """Tokens of an utterance, 0 where it does not matter."""
        return math.ceil(self.utterance_s * MS_PER_S / self.token_ms)

    def foldable_layers(self) -> list[tuple[tuple[str | int, ...], Layer]]:
        """Every foldable layer with its path, repeats counted once each; layers that compression drops are gone."""
        kept = kept_repeats(self)
        return [
            (("components", i, "layers", j), layer)
            for i, component in enumerate(self.components)
            for j, layer in enumerate(component.layers)
            if layer.foldable
            for _ in range(kept.get((i, j), layer.repeat))
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
            if "chunk" in component.invoked_per and isinstance(layer, ConvolutionStack):
                yield from _check_rows(layer, context.at_rate(layer.downsampling), ("components", i, "layers", j))


def _check_rows(layer: ConvolutionStack, context: Context, path: tuple[str | int, ...]) -> Iterable[Problem]:
    """Warn where a front end makes fewer tokens of a chunk than the encoder takes, or far more."""
    if layer.input == "tokens" or layer.input_rows is not None or layer.chunk_problem(context):
        return
    made, wanted = layer.made_rows(context)[-1], float(context.chunk_tokens)
    again = layer.reread_rows / (context.subsampling_frames if layer.input == "frames" else context.token_samples)
    most = float(np.asarray(context.all_tokens + again)) + SPARE_TOKENS
    if not wanted <= made <= most:
        yield Problem(
            path,
            f"the convolutions of {layer.name!r} make {made:g} rows of a chunk of {wanted:g} tokens",
            allowed="strides that multiply to subsampling_frames, and padding or reread_rows (the sum of"
            " (kernel - stride) x the strides before)",
            severity="warning",
        )


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
