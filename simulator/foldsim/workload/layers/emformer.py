"""The Emformer layer: attention over memory bank, right context, cached left context and chunk, then feedforward.

Closed forms: Shi et al., arXiv 2010.10759, and the streaming code of torchaudio's ``Emformer``; folding: arXiv
2309.07988. The cache holds projected keys and values of the left context; the right context is recomputed in every
chunk; memory vectors are projected again in every chunk. The augmented-memory transformer (arXiv 2011.07120) is the
same layer with its left context recomputed and a second softmax.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from pydantic import Field

from foldsim.workload.attention import Block
from foldsim.workload.layers.encoder import EncoderLayer
from foldsim.workload.ops import Context, Op
from foldsim.workload.parts import FeedForward, norm, residual


class EmformerLayer(EncoderLayer):
    """Pre-norm multi-head attention and feedforward with residuals and an output norm."""

    kind: Literal["emformer"] = Field(description="Emformer layer, or augmented-memory transformer layer.")
    left_context: Literal["cached", "recomputed"] = Field(
        default="cached",
        description="cached: keys and values are kept (Emformer). recomputed: with each chunk (augmented memory).",
    )
    norm_out: bool = Field(default=True, description="A norm after the second residual.")

    def lower(self, context: Context) -> Iterator[Op]:
        d = float(self.width)
        recomputed = self.left_context == "recomputed"
        tokens = context.all_tokens + (context.left_context_tokens if recomputed else 0.0)
        # The code splits right context and chunk between its parts and concatenates them for the norm and the residual.
        # It concatenates the old cache with all keys and values of attention, the cached ones a second time.
        kept = 0.0 if recomputed else context.left_context_tokens
        yield replace(norm("norm_in", tokens, d), moved=tokens * d)
        yield from self.attention.lower(
            Block(
                width=d,
                heads=float(self.heads),
                inner_width=self.inner_width,
                tokens=tokens,
                chunk_tokens=context.chunk_tokens,
                cached_tokens=0.0 if recomputed else context.left_context_tokens,
                memory_tokens=context.memory_bank_tokens,
            ),
            context,
        )
        yield replace(residual("residual_attention", tokens, d), moved=(tokens + 2.0 * kept) * d)
        yield norm("norm_feedforward", tokens, d)
        yield from FeedForward(d, float(self.feedforward), self.activation).lower(tokens, context)
        yield residual("residual_feedforward", tokens, d)
        if self.norm_out:
            yield norm("norm_out", tokens, d)
