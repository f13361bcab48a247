"""The workload format: strict pydantic records of a workload YAML."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from foldsim.model.records import Number
from foldsim.schema.quantity import NonNegative, Positive, Record, Source
from foldsim.units import MS_PER_S
from foldsim.workload.component import Component
from foldsim.workload.compression.apply import kept_repeats
from foldsim.workload.compression.records import AnyCompression
from foldsim.workload.folding import FoldHeads, FoldScope
from foldsim.workload.layers import Layer
from foldsim.workload.ops import Context

Precision = Literal["int4", "int8", "int16", "fp16", "bf16", "fp32"]
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
        description="Tokens lost at the edge of every invocation, because the front end's convolutions are not padded"
        " (separate windows and utterances).",
    )
    lookahead_frames: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0,
        description="Feature frames after the chunk that the front end waits for, in addition to the right context.",
    )


class StreamingSpec(Record):
    """Chunk and context of one encoder invocation."""

    chunk_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = Field(description="Tokens per chunk by default.")
    left_context_tokens: Tokens = Field(description="Cached tokens before the chunk.")
    right_context_tokens: Tokens = Field(description="Lookahead tokens, recomputed with each chunk.")
    memory_bank_tokens: Tokens = Field(default=0, description="Summary vectors of past chunks.")
    streams_count: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1,
        description="Streams (or utterances) in one invocation, in step: weights are read once for all of them. Results"
        " are those of all streams together.",
    )
    chunk_tokens_published: list[Annotated[int, Field(ge=1, le=1_000_000)]] | None = Field(
        default=None, min_length=1, description="Chunk sizes the model is published for; swept by default."
    )
    longest_chunk_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Longest chunk the model can take (its table of positions, its window)."
    )


class DecodingSpec(Record):
    """How often the predictor and the joiner run."""

    symbols_per_s: NonNegative = Field(description="Emitted symbols (subwords) per second of audio.")
    end_symbols_count: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0, description="Additional symbols per chunk: the end of text that a decoder emits after a window."
    )
    beam_count: Annotated[int, Field(ge=1, le=1000)] = Field(default=1, description="Hypotheses kept by beam search.")
    beam_batched: bool = Field(
        default=True, description="All hypotheses in one call (weights read once); false: one call each."
    )
    utterance_s: Positive | None = Field(
        default=None, description="Length of an utterance; required if a component is invoked per utterance."
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


class WorkloadSpec(Record):
    """A streaming recogniser."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Short name, the same as the file's.")
    title: str = Field(min_length=1, description="What it is, in a line.")
    summary: str = Field(min_length=1, description="Origin and assumptions.")
    sources: dict[str, Source] = Field(min_length=1, description="Sources of the structure and the values, by key.")
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
        default_factory=list,
        description="Transformations of the weights; of two that select the same tensor, the narrower applies.",
    )
    components: list[Component] = Field(min_length=1, description="Parts, in the order they run.")

    @property
    def token_ms(self) -> float:
        """Duration of one token."""
        return self.audio.frame_ms * self.audio.subsampling_frames

    @property
    def lookahead_ms(self) -> float:
        """Audio after the chunk that is needed before the chunk can be processed."""
        return self.streaming.right_context_tokens * self.token_ms + self.audio.lookahead_frames * self.audio.frame_ms

    @property
    def chunk_step_tokens(self) -> int:
        """Every chunk is a multiple of this: tokens between two runs of the slowest layer or output."""
        rates = [layer.downsampling for component in self.components for layer in component.layers]
        return math.lcm(self.audio.output_stride_tokens, *rates)

    @property
    def chunk_step_ms(self) -> float:
        """Duration of ``chunk_step_tokens``."""
        return self.chunk_step_tokens * self.token_ms

    def chunk_problem(self, chunk_tokens: float) -> str | None:
        """Why a chunk of ``chunk_tokens`` is not possible, or None."""
        edge, longest = self.audio.edge_tokens, self.streaming.longest_chunk_tokens
        if chunk_tokens <= edge:
            return f"the front end loses {edge} of its tokens at the edge; a chunk has at least {edge + 1}"
        if longest is not None and chunk_tokens > longest:
            return f"the model takes at most {longest} tokens ({longest * self.token_ms:g} ms) in one chunk"
        context = self.context(chunk_tokens)
        problems = (
            layer.chunk_problem(context.at_rate(layer.downsampling))
            for component in self.components
            if "chunk" in component.invoked_per
            for layer in component.layers
        )
        return next((problem for problem in problems if problem), None)

    def context(self, chunk_tokens: Number) -> Context:
        """Context of layers that run per chunk, at one chunk size or several (an array)."""
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
        """Length of an utterance; 0 if not specified."""
        return self.decoding.utterance_s.value if self.decoding.utterance_s else 0.0

    @property
    def utterance_tokens(self) -> float:
        """Tokens of an utterance; 0 if not specified."""
        return math.ceil(self.utterance_s * MS_PER_S / self.token_ms)

    def foldable_layers(self) -> list[tuple[tuple[str | int, ...], Layer]]:
        """Every foldable layer with its path, once per repeat; without layers that compression drops."""
        kept = kept_repeats(self.components, self.compression)
        return [
            (("components", i, "layers", j), layer)
            for i, component in enumerate(self.components)
            for j, layer in enumerate(component.layers)
            if layer.foldable
            for _ in range(kept.get((i, j), layer.repeat))
        ]
