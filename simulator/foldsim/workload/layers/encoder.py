"""The base of encoder layers: width, heads, attention, checks of folding, and tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Literal

from pydantic import Field

from foldsim.schema import Problem
from foldsim.workload.attention import AnyAttention, Block, SoftmaxAttention
from foldsim.workload.attention.base import Cache, Positions, PositionSpan
from foldsim.workload.layers.base import Activation, Components, Layer, Streaming, Width
from foldsim.workload.ops import Context

HEADS_LISTED = 64  # maximum number of head counts in a message
SOFTMAX = SoftmaxAttention(kind="softmax")
Bias = Literal["query", "key", "value", "output"]
ALL_BIASES: tuple[Bias, ...] = ("query", "key", "value", "output")

CACHE_HELP = (
    "State of earlier tokens: projected (keys and values) or layer_input (the layer's input, whose keys and"
    " values are projected again in every chunk)."
)
POSITIONS_HELP = (
    "none (or absolute, added before the encoder), rotary, relative (Transformer-XL: the table of positions is"
    " projected in every chunk) or relative_kept (the projected table is kept)."
)
SPAN_HELP = (
    "Rows of the table of relative positions: both_sides (2 keys - 1), past_and_chunk (keys + queries - 1) or keys."
)


class HeadsLayer(Layer):
    """A layer with attention heads and a feedforward network."""

    width: Width = Field(description="Token width D.")
    heads: Width = Field(description="Attention heads H.")
    head_width: Width | None = Field(default=None, description="Width of one head; D / H by default.")
    feedforward: Width = Field(description="Hidden width F of the feedforward network.")
    activation: Activation = Field(default="gelu", description="Activation of the feedforward network.")

    @property
    def inner_width(self) -> float:
        """Total width of all heads."""
        return float(self.width if self.head_width is None else self.heads * self.head_width)

    def problems(self) -> Iterable[Problem]:
        if self.head_width is None and self.width % self.heads:
            divisors = [h for h in range(1, min(self.width, HEADS_LISTED) + 1) if self.width % h == 0]
            yield Problem(
                ("heads",),
                f"{self.heads} heads do not divide the width {self.width}",
                allowed="a divisor of the width: " + ", ".join(map(str, divisors)),
            )


class EncoderLayer(HeadsLayer):
    """An encoder layer with attention, to which folding and attention kinds apply."""

    attention: AnyAttention = Field(default=SOFTMAX, description="Attention kind; softmax by default.")

    @property
    def foldable(self) -> bool:
        return self.attention.foldable

    def problems(self) -> Iterable[Problem]:
        yield from super().problems()
        if self.inner_width % self.heads == 0:
            for problem in self.attention.problems(self.width, self.heads):
                yield replace(problem, path=("attention", *problem.path))

    def widths(self) -> tuple[float | None, float | None]:
        return float(self.width), float(self.width)

    def fold_problems(self, factor: int, feedforward: bool, keep_head_dim: bool) -> Iterable[str]:
        if self.width % factor:
            yield f"N = {factor} does not divide the width {self.width}"
        elif keep_head_dim and self.heads % factor:
            heads = "one head" if self.heads == 1 else f"{self.heads} heads"
            yield f"N = {factor} does not divide the {heads}, whose dimension is kept"
        elif not keep_head_dim and (self.inner_width / factor) % self.heads:
            yield f"the {self.heads} heads do not divide the folded width {self.inner_width / factor:g}"
        if feedforward and self.feedforward % factor:
            yield f"N = {factor} does not divide the feedforward width {self.feedforward}"

    def fold_factors(self, feedforward: bool, keep_head_dim: bool) -> list[int]:
        return [n for n in range(1, self.width + 1) if not list(self.fold_problems(n, feedforward, keep_head_dim))]


class CachedAttentionLayer(EncoderLayer):
    """An encoder layer whose attention sees a cached left context."""

    cache: Cache = Field(default="projected", description=CACHE_HELP)
    left_context: Literal["cached", "recomputed"] = Field(
        default="cached", description="Left context tokens are cached, or computed again with each chunk."
    )
    positions: Positions = Field(default="none", description=POSITIONS_HELP)
    position_span: PositionSpan = Field(default="both_sides", description=SPAN_HELP)

    def problems_in(self, streaming: Streaming, components: Components) -> Iterable[Problem]:
        if self.positions != "none" and streaming.memory_bank_tokens:
            yield Problem(
                ("positions",),
                f"a memory bank of {streaming.memory_bank_tokens} vectors and {self.positions} positions: a memory"
                " vector summarises a chunk and has no position",
                allowed="none, or streaming.memory_bank_tokens: 0",
            )

    def problems(self) -> Iterable[Problem]:
        yield from super().problems()
        ignored: list[tuple[str, str]] = []
        if self.positions != "none" and not self.attention.uses_positions:
            ignored.append(("positions", self.positions))
        if self.cache == "layer_input" and not self.attention.uses_cache:
            ignored.append(("cache", self.cache))
        for key, value in ignored:
            yield Problem(
                (key,),
                f"attention {self.attention.kind} does not use {key}: {value}; its cost is not counted",
                severity="warning",
            )

    def block(self, context: Context, biases: Collection[Bias]) -> Block:
        """Inputs of the layer's attention, with ``biases`` of its projections."""
        cached = self.left_context == "cached"
        return Block(
            width=float(self.width),
            heads=float(self.heads),
            inner_width=self.inner_width,
            tokens=context.all_tokens if cached else context.all_tokens + context.left_context_tokens,
            chunk_tokens=context.chunk_tokens,
            cached_tokens=context.left_context_tokens if cached else 0.0,
            memory_tokens=context.memory_bank_tokens,
            query_bias="query" in biases,
            key_bias="key" in biases,
            value_bias="value" in biases,
            output_bias="output" in biases,
            cache=self.cache,
            positions=self.positions,
            position_span=self.position_span,
        )
