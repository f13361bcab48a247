"""The transformer decoder that reads an encoder: one new token per step, and the keys and values of its attention.

Vaswani et al., arXiv 1706.03762, as Whisper (arXiv 2212.04356) and Moonshine (arXiv 2410.15608) run it: keys and values
of earlier tokens are cached, those of the encoder's tokens are projected once per chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from foldsim.model.records import Number
from foldsim.schema import Problem
from foldsim.workload.attention.projections import attend
from foldsim.workload.attention.softmax import ROTARY_MULTIPLY_ADDS
from foldsim.workload.layers.base import Components, Layer, Streaming, Width
from foldsim.workload.layers.encoder import ALL_BIASES, Bias, HeadsLayer
from foldsim.workload.ops import Context, Matrix, Op
from foldsim.workload.parts import FeedForward, norm, residual

TextTokens = Annotated[int, Field(ge=0, le=1_000_000)]


class DecoderLayer(HeadsLayer):
    """Self-attention over the text so far, cross-attention over the encoder's tokens of the chunk, and feedforward.

    Counts are for one step, a row per hypothesis. Without ``cached_tokens`` they are those of the mean step of a chunk,
    which are exact for the sum over all its steps.
    """

    kind: Literal["decoder"] = Field(description="Transformer decoder layer, one token per step.")
    heads: Width = Field(description="Attention heads H, of self- and cross-attention.")
    gated: bool = Field(default=False, description="Gated feedforward (GLU): the first linear is twice as wide.")
    biases: list[Bias] = Field(
        default=list(ALL_BIASES), description="Attention projections that have a bias (except cross keys and values)."
    )
    feedforward_bias: bool = Field(default=True, description="The feedforward linears have biases.")
    norm_bias: bool = Field(default=True, description="Norms have a shift in addition to the scale.")
    positions: Literal["none", "rotary"] = Field(
        default="none", description="none (or absolute, added before the decoder), or rotary in self-attention."
    )
    kept_tokens: Width = Field(description="Capacity of the cache of keys and values, in text tokens.")
    prompt_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1, description="Text tokens given at the start of every chunk."
    )
    cached_tokens: TextTokens | None = Field(
        default=None, description="Text tokens before the new one; the mean over the steps of a chunk by default."
    )

    def problems(self) -> Iterable[Problem]:
        yield from super().problems()
        for name in ("cached_tokens", "prompt_tokens"):
            before = getattr(self, name)
            if before is not None and before >= self.kept_tokens:
                yield Problem(
                    (name,),
                    f"the cache has {self.kept_tokens} tokens, including the new one",
                    allowed=f"at most {self.kept_tokens - 1}",
                )

    def problems_in(self, streaming: Streaming, components: Components) -> Iterable[Problem]:
        (own,) = (name for name, layers in components.items() if any(layer is self for layer in layers))
        sources = [
            layer
            for layers in components.values()
            for layer in layers
            if isinstance(layer, CrossKeyValue) and layer.decoder == own
        ]
        if not any(layer.width == self.inner_width and layer.repeat == self.repeat for layer in sources):
            yield Problem(
                (),
                f"{self.repeat} decoder layers attend to keys and values that no layer computes",
                allowed=f"a component with a cross_key_value layer of repeat {self.repeat}, width"
                f" {self.inner_width:g} and decoder {own}",
            )

    def cached(self, context: Context) -> Number:
        """Cached text tokens before the new one; by default the mean over the steps of a chunk."""
        if self.cached_tokens is not None:
            return float(self.cached_tokens)
        steps = np.maximum(context.symbols_per_chunk, 1.0)
        first, most = self.prompt_tokens - 1.0, self.kept_tokens - 1.0
        growing = np.minimum(steps, most - first)  # steps until the cache is full
        return (growing * (first + (growing - 1.0) / 2.0) + (steps - growing) * most) / steps

    def lower(self, context: Context) -> Iterator[Op]:
        rows, d, heads = context.rows("one"), float(self.width), float(self.heads)
        inner, cached, seen = self.inner_width, self.cached(context), context.chunk_tokens
        head, keys, x = inner / heads, cached + 1.0, rows * d
        turned = ROTARY_MULTIPLY_ADDS if self.positions == "rotary" else 0.0
        yield norm("norm_self", rows, d, self.norm_bias)
        yield _query("query", rows, d, inner, "query" in self.biases, turned)
        key_value = ("key" in self.biases) + ("value" in self.biases)
        kept = 2.0 * inner
        yield Op(
            "key_value",
            matrix=Matrix(rows, d, kept),
            biases=inner * key_value,
            multiply_add=rows * inner * (key_value + turned),
            state=kept * self.kept_tokens,
            state_write=rows * kept,
            live=2 * x + 3 * rows * inner,
            tensor_class="attention",
        )
        # Every hypothesis has its own text, so its scores are a separate product.
        held, share = x + 3 * rows * inner, cached / keys
        yield from attend(1.0, head, keys, heads * rows, held, share)
        yield _output("out", rows, d, inner, "output" in self.biases)
        yield residual("residual_self", rows, d)
        yield norm("norm_cross", rows, d, self.norm_bias)
        yield _query("cross_query", rows, d, inner, "query" in self.biases, 0.0)
        yield from attend(rows, head, seen, heads, x + rows * inner, 1.0, "cross_")
        yield _output("cross_out", rows, d, inner, "output" in self.biases)
        yield residual("residual_cross", rows, d)
        yield norm("norm_feedforward", rows, d, self.norm_bias)
        yield from FeedForward(d, float(self.feedforward), self.activation, self.feedforward_bias, self.gated).lower(
            rows, context
        )
        yield residual("residual_feedforward", rows, d)


class CrossKeyValue(Layer):
    """Keys and values of the encoder's tokens for cross-attention, projected once per chunk."""

    kind: Literal["cross_key_value"] = Field(description="Keys and values of a decoder's cross-attention.")
    inputs: Width = Field(description="Width of the encoder's tokens.")
    width: Width = Field(description="Width of the keys of all heads of a decoder layer.")
    biases: list[Literal["key", "value"]] = Field(default=["key", "value"], description="Projections that have a bias.")
    decoder: str = Field(description="Component that attends to them and has their state.")

    def problems_in(self, streaming: Streaming, components: Components) -> Iterable[Problem]:
        if self.decoder not in components:
            yield Problem(
                ("decoder",),
                f"component {self.decoder!r}, which would attend to these keys and values, not found",
                allowed=", ".join(components),
            )

    def lower(self, context: Context) -> Iterator[Op]:
        rows, made = context.rows("chunk_tokens"), 2.0 * self.width
        biases = float(self.width * len(set(self.biases)))
        yield Op(
            "key_value",
            matrix=Matrix(rows, float(self.inputs), made),
            biases=biases,
            multiply_add=rows * biases,
            state=rows * made,
            state_write=rows * made,
            state_of=self.decoder,
            live=rows * (self.inputs + made),
            tensor_class="attention",
        )


def _query(name: str, rows: Number, width: float, inner: float, bias: bool, turned: float) -> Op:
    """Project the queries, with bias, scale and rotation."""
    return Op(
        name,
        matrix=Matrix(rows, width, inner),
        biases=inner * bias,
        multiply_add=rows * inner * (1.0 + bias + turned),
        live=rows * (2 * width + inner),
        tensor_class="attention",
    )


def _output(name: str, rows: Number, width: float, inner: float, bias: bool) -> Op:
    """Project the heads' outputs back to the width of the tokens."""
    return Op(
        name,
        matrix=Matrix(rows, inner, width),
        biases=width * bias,
        multiply_add=rows * width * bias,
        live=rows * (2 * width + inner),
        tensor_class="attention",
    )
