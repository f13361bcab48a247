"""Attention over fewer tokens: pooled keys, fused tokens, channels shifted between chunks.

Spatial reduction: PVT, arXiv 2102.12122. Token fusion: CageViT, arXiv 2305.09924 (no public code: approximate).
Space-time mixing: XViT, arXiv 2106.05968.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from foldsim.workload.attention.base import Attention, Block
from foldsim.workload.attention.projections import attend, key_value, output, query
from foldsim.workload.attention.softmax import SoftmaxAttention
from foldsim.workload.ops import Context, Matrix, Op, norm_work

Size = Annotated[int, Field(ge=1, le=1_000_000)]


class SpatialReductionAttention(Attention):
    """Keys and values are computed from tokens pooled by a strided convolution."""

    kind: Literal["spatial_reduction"] = Field(description="Spatial-reduction attention (PVT).")
    reduction: Size = Field(description="Tokens pooled along each dimension r; 1 is softmax attention.")
    dimensions: Literal[1, 2] = Field(default=1, description="1: over time. 2: r x r over an image, as published.")

    def lower(self, block: Block, context: Context) -> Iterator[Op]:
        d, heads, x = block.width, block.heads, block.elements
        pool = float(self.reduction**self.dimensions)
        pooled = np.ceil(block.tokens / pool)
        cached = np.floor(np.asarray(block.cached_tokens) / pool)
        keys = pooled + cached
        yield query(block)
        if pool > 1:
            yield Op(
                "pool",
                matrix=Matrix(pooled, pool * d, d),
                biases=3.0 * d,  # of the convolution and of the norm after it
                live=3.0 * x,
                tensor_class="attention",
                **norm_work(pooled, d),
            )
        yield key_value(block, rows=pooled, cached_rows=cached, keeps=np.floor(block.chunk_tokens / pool))
        held = x + block.tokens * block.inner + 2.0 * pooled * block.inner
        yield from attend(block.tokens, block.inner / heads, keys, heads, held, cached / keys)
        yield output(block)


class TokenFusionAttention(Attention):
    """Major tokens are kept, minor ones fused; both attend to pooled keys, with a gate. Approximate."""

    kind: Literal["token_fusion"] = Field(
        description="Token fusion (CageViT). Approximate: inferred from the paper, no code."
    )
    kept_ratio: Annotated[float, Field(gt=0, le=1)] = Field(description="Share of the tokens that are kept.")
    fusion_tokens: Size = Field(default=4, description="Fused tokens G.")
    pooled_tokens: Size = Field(description="Pooled keys and values P.")
    guide_macs_per_token: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="MACs per token of the guide network that ranks the tokens."
    )

    def lower(self, block: Block, context: Context) -> Iterator[Op]:
        n, d, heads = np.asarray(block.tokens, dtype=np.float64), block.width, block.heads
        g, p = float(self.fusion_tokens), float(self.pooled_tokens)
        minor = (1.0 - self.kept_ratio) * n
        left = self.kept_ratio * n + g
        x = block.elements
        if self.guide_macs_per_token:
            yield Op("guide", matrix=Matrix(n, self.guide_macs_per_token / d, d), live=2.0 * x)
        yield Op("fuse", matrix=Matrix(g, minor, d, second="activations"), live=x + left * d)
        yield query(block, left)
        yield Op(
            "pooled_key_value",
            matrix=Matrix(p, d, 3.0 * d),
            biases=d * float(block.key_bias + block.value_bias),
            live=x + left * d + 3.0 * p * d,
            tensor_class="attention",
        )
        yield from attend(left, block.inner / heads, p, heads, x + left * d + 2.0 * p * d)
        yield Op("gate", matrix=Matrix(g, d, d), exp=g * d, live=x + left * d, tensor_class="attention")
        yield output(block, left)


class ChannelMixingAttention(SoftmaxAttention):
    """Softmax attention whose keys and values take some of their channels from the previous chunk.

    Not modelled: the published shift also takes channels from the next chunk, a chunk of latency in every layer.
    """

    foldable: ClassVar[bool] = False

    kind: Literal["channel_mixing"] = Field(  # type: ignore[assignment]
        description="Space-time channel mixing of keys and values (XViT)."
    )
    divisions: Size = Field(default=8, description="One in this number of channels comes from the previous chunk.")

    def lower(self, block: Block, context: Context) -> Iterator[Op]:
        moved = 2.0 * block.tokens * block.inner / self.divisions  # of keys and of values
        for op in super().lower(block, context):
            yield op
            if op.name == "key_value":
                yield Op(
                    "mix_channels",
                    inputs=moved,
                    outputs=moved,
                    state=moved,
                    state_read=moved,
                    state_write=moved,
                    live=op.live,
                )
