"""The Emformer layer: attention over memory bank, right context, cached left context and chunk, then feedforward.

Closed forms: Shi et al., arXiv 2010.10759, and the streaming code of torchaudio's ``Emformer``; folding: arXiv
2309.07988. The cache holds projected keys and values of the left context; the right context is recomputed in every
chunk; memory vectors are projected again in every chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from foldsim.schema import Problem
from foldsim.workload.layers.base import Activation, Layer, Width
from foldsim.workload.ops import Context, Matrix, Op, activation_work, norm_work, softmax_work


class EmformerLayer(Layer):
    """Pre-norm multi-head attention and feedforward with residuals and an output norm."""

    kind: Literal["emformer"] = Field(description="Emformer layer.")
    width: Width = Field(description="Token width D.")
    heads: Width = Field(description="Attention heads H.")
    feedforward: Width = Field(description="Hidden width F of the feedforward network.")
    activation: Activation = Field(default="gelu", description="Activation of the feedforward network.")

    @property
    def foldable(self) -> bool:
        return True

    def problems(self) -> Iterable[Problem]:
        if self.width % self.heads:
            able = [h for h in range(1, min(self.width, 64) + 1) if self.width % h == 0]
            yield Problem(
                ("heads",),
                f"{self.heads} heads do not divide the width {self.width}",
                allowed="a divisor of the width: " + ", ".join(map(str, able)),
            )

    def fold_problems(self, factor: int, feedforward: bool, keep_head_dim: bool) -> Iterable[str]:
        if self.width % factor:
            yield f"N = {factor} does not divide the width {self.width}"
        elif keep_head_dim and self.heads % factor:
            yield f"N = {factor} does not divide the {self.heads} heads, whose dimension is to be kept"
        elif not keep_head_dim and (self.width // factor) % self.heads:
            yield f"the {self.heads} heads do not divide the folded width {self.width // factor}"
        if feedforward and self.feedforward % factor:
            yield f"N = {factor} does not divide the feedforward width {self.feedforward}"

    def fold_factors(self, feedforward: bool, keep_head_dim: bool) -> list[int]:
        return [n for n in range(1, self.width + 1) if not list(self.fold_problems(n, feedforward, keep_head_dim))]

    def lower(self, context: Context) -> Iterator[Op]:
        yield from self._attention(context)
        yield from self._feedforward(context)

    def _attention(self, context: Context) -> Iterator[Op]:
        d = float(self.width)
        factor = np.asarray(context.fold_factor, dtype=np.float64)
        heads = self.heads / factor if context.fold_keeps_head_dim else float(self.heads)
        folded = d / factor  # width of a sub-token
        head_dim = folded / heads
        tokens = context.all_tokens
        memory = np.asarray(context.memory_bank_tokens, dtype=np.float64)
        summary = np.where(memory > 0, 1.0, 0.0)  # one summary query per chunk while there is a bank
        queries = tokens + summary
        fresh = memory + tokens  # tokens whose keys and values are projected in this chunk
        keys = fresh + context.left_context_tokens
        x = tokens * d
        yield Op("norm_in", inputs=x, outputs=x, biases=2 * d, live=2 * x, **norm_work(tokens, d))
        pool = summary * context.chunk_tokens * d
        yield Op(
            "query",
            matrix=Matrix(queries * factor, folded, folded),
            biases=folded,
            multiply_add=2 * queries * d + pool,
            live=2 * x + queries * d,
        )
        yield Op(
            "key_value",
            matrix=Matrix(fresh * factor, folded, 2 * folded),
            biases=2 * folded,
            multiply_add=2 * fresh * d,
            state=2 * context.left_context_tokens * d + memory * d,
            state_read=memory * d,
            state_write=2 * context.chunk_tokens * d + summary * d,
            live=2 * x + queries * d + 2 * fresh * d,
        )
        score_rows, score_columns = queries * factor, keys * factor
        scores = heads * score_rows * score_columns
        held = x + queries * d + 2 * fresh * d  # residual, queries, fresh keys and values
        cached = context.left_context_tokens / keys
        yield Op(
            "scores",
            live=held + scores,
            matrix=Matrix(score_rows, head_dim, score_columns, heads, second="activations", state_ratio=cached),
        )
        yield Op(
            "softmax",
            inputs=scores,
            outputs=scores,
            live=held + scores,
            **softmax_work(heads * score_rows, score_columns),
        )
        yield Op(
            "context",
            live=held + scores,
            matrix=Matrix(score_rows, score_columns, head_dim, heads, second="activations", state_ratio=cached),
        )
        yield Op(
            "out",
            matrix=Matrix(queries * factor, folded, folded),
            biases=folded,
            multiply_add=queries * d,
            exp=summary * d,
            live=x + 2 * queries * d,
        )
        yield Op("residual_attention", inputs=2 * x, outputs=x, multiply_add=x, live=2 * x)

    def _feedforward(self, context: Context) -> Iterator[Op]:
        d, f, tokens = float(self.width), float(self.feedforward), context.all_tokens
        factor = np.asarray(context.fold_factor if context.fold_feedforward else 1.0, dtype=np.float64)
        x, hidden = tokens * d, tokens * f
        yield Op("norm_feedforward", inputs=x, outputs=x, biases=2 * d, live=2 * x, **norm_work(tokens, d))
        yield Op(
            "feedforward_1",
            matrix=Matrix(tokens * factor, d / factor, f / factor),
            biases=f / factor,
            multiply_add=hidden,
            live=2 * x + hidden,
        )
        yield Op(
            "activation", inputs=hidden, outputs=hidden, live=x + hidden, **activation_work(self.activation, hidden)
        )
        yield Op(
            "feedforward_2",
            matrix=Matrix(tokens * factor, f / factor, d / factor),
            biases=d / factor,
            multiply_add=x,
            live=2 * x + hidden,
        )
        yield Op("residual_feedforward", inputs=2 * x, outputs=x, multiply_add=x, live=2 * x)
        yield Op("norm_out", inputs=x, outputs=x, biases=2 * d, live=2 * x, **norm_work(tokens, d))
