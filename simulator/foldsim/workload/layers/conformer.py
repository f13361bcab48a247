"""The Conformer layer: half feedforward, attention, convolution, half feedforward, each with norm and residual.

Gulati et al., arXiv 2005.08100. Streaming code differs in what it keeps between chunks: keys and values or the
layer's input, the rows before or after the first pointwise linear of the convolution, the projected table of relative
positions or none (facts of icefall, NeMo, WeNet and Hugging Face).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field

from foldsim.model.records import Number
from foldsim.schema import Problem
from foldsim.workload.layers.base import Components, Streaming
from foldsim.workload.layers.encoder import ALL_BIASES, CachedAttentionLayer
from foldsim.workload.ops import Context, Op
from foldsim.workload.parts import (
    ConvolutionCache,
    ConvolutionModule,
    ConvolutionNorm,
    FeedForward,
    norm,
    residual,
    rms_norm,
)


class ConformerLayer(CachedAttentionLayer):
    """Macaron feedforward, attention and convolution."""

    kind: Literal["conformer"] = Field(description="Conformer layer.")
    kernel_tokens: Annotated[int, Field(ge=1, le=10_000)] = Field(
        description="Width of the depthwise convolution over time."
    )
    lookahead_tokens: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=0, description="Tokens of the kernel to the right; 0 is a causal convolution."
    )
    macaron: bool = Field(
        default=True, description="A half feedforward before attention, in addition to the one at the end."
    )
    convolution_norm: ConvolutionNorm = Field(default="batch", description="Norm after the depthwise convolution.")
    convolution_cache: ConvolutionCache = Field(
        default="before_depthwise",
        description="Rows kept for the convolution: input rows of the depthwise convolution, or those of the module"
        " (before_pointwise), whose first linear is then computed again.",
    )
    bias: bool = Field(default=True, description="Linears and convolutions have biases.")
    norms: Literal["layer", "rms"] = Field(
        default="layer",
        description="layer: a layer norm before each module and (norm_out) after the last. rms: none before, and after"
        " the last one by the root mean square plus a learned eps (icefall's BasicNorm).",
    )
    norm_out: bool = Field(default=True, description="A norm after the last residual.")

    def problems(self) -> Iterable[Problem]:
        yield from super().problems()
        if self.lookahead_tokens >= self.kernel_tokens:
            yield Problem(
                ("lookahead_tokens",),
                f"a lookahead of {self.lookahead_tokens} tokens is not less than the kernel of {self.kernel_tokens}",
                allowed=f"0 to {self.kernel_tokens - 1}",
            )

    def problems_in(self, streaming: Streaming, components: Components) -> Iterable[Problem]:
        yield from super().problems_in(streaming, components)
        if self.lookahead_tokens > streaming.right_context_tokens:
            yield Problem(
                ("lookahead_tokens",),
                f"a convolution that looks {self.lookahead_tokens} tokens ahead needs a right context of at least as"
                f" many; the workload has {streaming.right_context_tokens}",
                allowed=f"0 to {streaming.right_context_tokens}, or raise streaming.right_context_tokens",
            )

    def before(self, module: str, tokens: Number) -> Iterator[Op]:
        """The norm before a module, if the layer has one."""
        if self.norms == "layer":
            yield norm(f"norm_{module}", tokens, float(self.width))

    def lower(self, context: Context) -> Iterator[Op]:
        d, f = float(self.width), float(self.feedforward)
        block = self.block(context, ALL_BIASES if self.bias else ())
        tokens = block.tokens
        if self.macaron:
            yield from self.before("macaron", tokens)
            yield from FeedForward(d, f, self.activation, self.bias, name="macaron").lower(tokens, context)
            yield residual("residual_macaron", tokens, d)
        yield from self.before("attention", tokens)
        yield from self.attention.lower(block, context)
        yield residual("residual_attention", tokens, d)
        yield from self.before("convolution", tokens)
        yield from ConvolutionModule(
            d,
            float(self.kernel_tokens),
            self.activation,
            self.convolution_norm,
            self.convolution_cache,
            float(self.lookahead_tokens),
            self.bias,
        ).lower(tokens, context.chunk_tokens)
        yield residual("residual_convolution", tokens, d)
        yield from self.before("feedforward", tokens)
        yield from FeedForward(d, f, self.activation, self.bias).lower(tokens, context)
        yield residual("residual_feedforward", tokens, d)
        if self.norm_out:
            yield norm("norm_out", tokens, d) if self.norms == "layer" else rms_norm("norm_out", tokens, d)
