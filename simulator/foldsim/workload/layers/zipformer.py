"""The Zipformer layer, and the layers that connect its stacks of different rates.

Yao et al., arXiv 2310.11230, as in the streaming forward pass of icefall's ``egs/librispeech/ASR/zipformer``.
One set of attention weights is computed per layer and used three times: by a gated ("non-linear") attention of
the first head only, and by two value paths. Two convolution modules, each a causal convolution with a cache and one
within the chunk; three feedforward networks of 3/4, 1 and 5/4 of the hidden width. Tokens are averaged before
a slower stack and repeated after it.

Folding (arXiv 2309.07988) is our application of its definition: every projection of the three attention parts has N
sub-tokens of width D/N, each with its own relative position; convolutions, norms and bypasses are not folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from foldsim.model.records import Number
from foldsim.schema import Problem
from foldsim.workload.layers.base import Components, Layer, Rows, Streaming, Width
from foldsim.workload.layers.basic import ROWS_HELP
from foldsim.workload.ops import Context, Matrix, Op, VectorWork, activation_work, softmax_work, together
from foldsim.workload.parts import FeedForward

BIAS_NORM_MULTIPLY_ADDS = 3.0  # per element: subtract the bias, sum of squares, scale
BYPASS_MULTIPLY_ADDS = 2.0  # per element: subtract, multiply and add
CHUNK_SCALE_MULTIPLY_ADDS = 3.0  # per element: sum of the two edges and one, product with the convolution


def bias_norm_work(rows: Number, width: float) -> VectorWork:
    """Vector work of ``x * scale / rms(x - bias)``: no mean, and one scale for all channels."""
    return {"multiply_add": BIAS_NORM_MULTIPLY_ADDS * rows * width, "divide": 1.0 * np.asarray(rows)}


class ZipformerLayer(Layer):
    """One Zipformer layer; ``downsampling`` is that of its stack."""

    kind: Literal["zipformer"] = Field(description="Zipformer layer (version 2, streaming).")
    width: Width = Field(description="Token width D.")
    heads: Width = Field(description="Attention heads H.")
    feedforward: Width = Field(
        description="Hidden width F of the second feedforward network; 3/4 and 5/4 of it in the others."
    )
    kernel_tokens: Annotated[int, Field(ge=1, le=10_000)] = Field(
        description="Width of the convolution within the chunk; half of it, rounded up, for the causal one."
    )
    query_width: Width = Field(default=32, description="Width of a query and a key, per head.")
    value_width: Width = Field(default=12, description="Width of a value, per head.")
    position_query_width: Width = Field(default=4, description="Width of a query against positions, per head.")
    position_width: Width = Field(default=48, description="Width of the table of relative positions.")
    positions: Literal["relative", "relative_kept"] = Field(
        default="relative",
        description="relative: the table of positions is projected in every chunk. relative_kept: its projection is"
        " kept.",
    )

    @property
    def gated_width(self) -> int:
        """Hidden width of the non-linear attention."""
        return 3 * self.width // 4

    @property
    def feedforward_widths(self) -> tuple[int, int, int]:
        """Hidden widths of the three feedforward networks."""
        return 3 * self.feedforward // 4, self.feedforward, 5 * self.feedforward // 4

    @property
    def foldable(self) -> bool:
        return True

    def problems(self) -> Iterable[Problem]:
        if self.kernel_tokens % 2 == 0:
            yield Problem(
                ("kernel_tokens",),
                f"a kernel of {self.kernel_tokens} tokens has no centre",
                allowed="an odd number",
                suggestion=str(self.kernel_tokens + 1),
            )

    def problems_in(self, streaming: Streaming, components: Components) -> Iterable[Problem]:
        if streaming.left_context_tokens < self.downsampling:
            yield Problem(
                ("downsampling",),
                f"a Zipformer layer once per {self.downsampling} tokens caches none of the left context of"
                f" {streaming.left_context_tokens} tokens",
                allowed=f"streaming.left_context_tokens of {self.downsampling}, {2 * self.downsampling} ...",
            )
        for key in ("right_context_tokens", "memory_bank_tokens"):
            if getattr(streaming, key):
                yield Problem(
                    ("kind",),
                    f"a Zipformer layer attends to its chunk and left context only; streaming.{key} is"
                    f" {getattr(streaming, key)}",
                    allowed=f"streaming.{key}: 0",
                )

    def fold_problems(self, factor: int, feedforward: bool, keep_head_dim: bool) -> Iterable[str]:
        if self.width % factor or self.gated_width % factor:
            yield f"N = {factor} does not divide the width {self.width} and its three quarters"
        if keep_head_dim and self.heads % factor:
            yield f"N = {factor} does not divide the {self.heads} heads, whose dimension is kept"
        head = (self.query_width, self.value_width, self.position_query_width)
        if not keep_head_dim and any(width % factor for width in head):
            yield f"N = {factor} does not divide the widths of a head, {head[0]}, {head[1]} and {head[2]}"
        if feedforward and any(width % factor for width in self.feedforward_widths):
            yield f"N = {factor} does not divide the feedforward widths " + ", ".join(map(str, self.feedforward_widths))

    def fold_factors(self, feedforward: bool, keep_head_dim: bool) -> list[int]:
        return [n for n in range(1, self.width + 1) if not list(self.fold_problems(n, feedforward, keep_head_dim))]

    def lower(self, context: Context) -> Iterator[Op]:
        d, tokens = float(self.width), context.chunk_tokens
        x = tokens * d
        # The input of a downsampled stack, at the full rate, is alive for the bypass around it.
        outer = x * self.downsampling if self.downsampling > 1 else 0.0
        for op in self._ops(context, d, tokens, x):
            yield op.changed(live=op.live + outer)

    def _ops(self, context: Context, d: float, tokens: Number, x: Number) -> Iterator[Op]:
        hidden = [float(width) for width in self.feedforward_widths]
        factor = np.asarray(context.fold_factor, dtype=np.float64)
        heads = self.heads / factor if context.fold_keeps_head_dim else 1.0 * self.heads
        keys = factor * (tokens + context.left_context_tokens)
        scores = heads * factor * tokens * keys  # attention weights, alive until their last use
        yield from self._weights(context, x, heads, keys)
        yield from self._feedforward("first", hidden[0], context, scores)
        yield _residual("first_feedforward", x, scores)
        yield from self._gated_attention(context, x, keys, scores)
        yield _residual("gated", x, scores)
        yield from self._values("1", context, x, heads, keys, scores)
        yield _residual("values_1", x, scores)
        yield from self._convolution("1", tokens, scores)
        yield _residual("convolution_1", x, scores)
        yield from self._feedforward("second", hidden[1], context, scores)
        yield _residual("second_feedforward", x, scores)
        yield _bypass("bypass_middle", x, d, held=scores)
        yield from self._values("2", context, x, heads, keys, scores)
        yield _residual("values_2", x)
        yield from self._convolution("2", tokens)
        yield _residual("convolution_2", x)
        yield from self._feedforward("third", hidden[2], context)
        yield _residual("third_feedforward", x)
        yield _bias_norm("norm", tokens, d, held=x)
        yield _bypass("bypass", x, d)

    def _weights(self, context: Context, x: Number, heads: Number, keys: Number) -> Iterator[Op]:
        """Attention weights from queries, keys and relative positions."""
        factor = np.asarray(context.fold_factor, dtype=np.float64)
        narrow = 1.0 if context.fold_keeps_head_dim else factor
        query, position = self.query_width / narrow, self.position_query_width / narrow
        rows, old = factor * context.chunk_tokens, factor * context.left_context_tokens
        made = heads * (2.0 * query + position)
        yield Op(
            "attention_in",
            matrix=Matrix(rows, self.width / factor, made),
            biases=made,
            multiply_add=rows * made,
            state=old * heads * query,
            state_write=np.minimum(rows, old) * heads * query,
            live=x + rows * made,
            tensor_class="attention",
        )
        held = x + rows * made
        span = keys + rows - 1.0  # positions between the oldest key and the newest query, and within the chunk
        table, kept = span * heads * position, self.positions == "relative_kept"
        if kept:
            yield Op(
                "position_table",
                table=self.position_width * heads * position,  # a parameter of the model that is never used
                state=table,
                live=held,
                tensor_class="attention",
            )
        else:
            yield Op(
                "position_key",
                matrix=Matrix(span, float(self.position_width), heads * position),
                live=held + span * self.position_width + table,
                tensor_class="attention",
            )
        by_position, scores = heads * rows * span, heads * rows * keys
        yield Op(
            "position_scores",
            matrix=Matrix(rows, position, span, heads, second="activations", state_ratio=1.0 * kept),
            live=held + by_position + table * (not kept),
        )
        yield Op(
            "scores",
            matrix=Matrix(rows, query, keys, heads, second="activations", state_ratio=old / keys),
            multiply_add=scores,  # add those of positions
            live=held + by_position + scores,
        )
        work = softmax_work(heads * rows, keys)
        yield Op("softmax", inputs=scores, outputs=scores, live=x + scores, **work)

    def _gated_attention(self, context: Context, x: Number, keys: Number, scores: Number) -> Iterator[Op]:
        """Gate, mix over time with the weights of the first head, gate again."""
        factor = np.asarray(context.fold_factor, dtype=np.float64)
        rows, old = factor * context.chunk_tokens, factor * context.left_context_tokens
        inner = self.gated_width / factor
        y = rows * inner
        held = 2.0 * x + scores
        yield Op(
            "gated_in",
            matrix=Matrix(rows, self.width / factor, 3.0 * inner),
            biases=3.0 * inner,
            multiply_add=3.0 * y,
            state=old * inner,
            state_write=np.minimum(rows, old) * inner,
            live=held + 3.0 * y,
            tensor_class="attention",
        )
        work = together(activation_work("tanh", y), {"multiply_add": y})
        yield Op("gate_in", inputs=2.0 * y, outputs=y, live=held + 3.0 * y, **work)
        yield Op(
            "gated_context",
            matrix=Matrix(rows, keys, inner, second="activations", state_ratio=old / keys),
            live=held + 3.0 * y,
        )
        yield Op("gate_out", inputs=2.0 * y, outputs=y, multiply_add=y, live=held + 2.0 * y)
        yield Op(
            "gated_out",
            matrix=Matrix(rows, inner, self.width / factor),
            biases=self.width / factor,
            multiply_add=x,
            live=held + x + y,
            tensor_class="attention",
        )

    def _values(
        self, which: str, context: Context, x: Number, heads: Number, keys: Number, scores: Number
    ) -> Iterator[Op]:
        """Project values, mix them over time with the shared attention weights, project back."""
        factor = np.asarray(context.fold_factor, dtype=np.float64)
        rows, old = factor * context.chunk_tokens, factor * context.left_context_tokens
        value = self.value_width / (1.0 if context.fold_keeps_head_dim else factor)
        inner = heads * value
        y, held = rows * inner, 2.0 * x + scores
        yield Op(
            f"values_{which}",
            matrix=Matrix(rows, self.width / factor, inner),
            biases=inner,
            multiply_add=y,
            state=old * inner,
            state_write=np.minimum(rows, old) * inner,
            live=held + y,
            tensor_class="attention",
        )
        yield Op(
            f"context_{which}",
            matrix=Matrix(rows, keys, value, heads, second="activations", state_ratio=old / keys),
            live=held + 2.0 * y,
        )
        yield Op(
            f"values_{which}_out",
            matrix=Matrix(rows, inner, self.width / factor),
            biases=self.width / factor,
            multiply_add=x,
            live=3.0 * x + y + (scores if which == "1" else 0.0),
            tensor_class="attention",
        )

    def _feedforward(self, which: str, hidden: float, context: Context, held: Number = 0.0) -> Iterator[Op]:
        network = FeedForward(float(self.width), hidden, "swoosh", name=f"{which}_feedforward")
        for op in network.lower(context.chunk_tokens, context):
            yield op.changed(live=op.live + held)

    def _convolution(self, which: str, tokens: Number, held: Number = 0.0) -> Iterator[Op]:
        """Pointwise linear and gate; a causal convolution over cache and chunk and one within the chunk; linear."""
        d, k = float(self.width), float(self.kernel_tokens)
        x, past = tokens * d, (k - 1.0) / 2.0
        held = held + 2.0 * x
        yield Op(
            f"convolution_{which}_in",
            matrix=Matrix(tokens, d, 2.0 * d),
            biases=2.0 * d,
            multiply_add=2.0 * x,
            live=held + 2.0 * x,
            tensor_class="convolution",
        )
        yield Op(f"convolution_{which}_gate", inputs=2 * x, outputs=x, exp=x, multiply_add=2.0 * x, live=held + 2 * x)
        yield Op(
            f"convolution_{which}_causal",
            matrix=Matrix(
                tokens,
                past + 1.0,
                1.0,
                batch=d,
                first_state_ratio=past / (tokens + past),
                first_unique_ratio=np.minimum(1.0, (tokens + past) / (tokens * (past + 1.0))),
                channelwise=True,
            ),
            biases=d,
            multiply_add=x,
            state=past * d,
            state_write=np.minimum(1.0 * np.asarray(tokens), past) * d,
            live=held + 2.0 * x,
            tensor_class="convolution",
        )
        yield Op(
            f"convolution_{which}_chunk",
            matrix=Matrix(tokens, k, 1.0, batch=d, first_unique_ratio=1.0 / k, channelwise=True),
            biases=d + 2.0 * d * k,  # and the scales of both edges of the chunk
            multiply_add=(2.0 + CHUNK_SCALE_MULTIPLY_ADDS) * x,  # bias, scale, sum with the causal one
            live=held + 3.0 * x,
            tensor_class="convolution",
        )
        yield Op(f"convolution_{which}_activation", inputs=x, outputs=x, live=held + x, **activation_work("swoosh", x))
        yield Op(
            f"convolution_{which}_out",
            matrix=Matrix(tokens, d, d),
            biases=d,
            multiply_add=x,
            live=held + 2.0 * x,
            tensor_class="convolution",
        )


class TokenAverage(Layer):
    """Mean of ``downsampling`` tokens with learned weights, the same for all channels."""

    kind: Literal["token_average"] = Field(description="Weighted mean of downsampling tokens (Zipformer).")
    width: Width = Field(description="Token width.")

    def problems(self) -> Iterable[Problem]:
        if self.downsampling == 1:
            yield Problem(("downsampling",), "downsampling 1 averages nothing", allowed="2 or more")

    def lower(self, context: Context) -> Iterator[Op]:
        made = context.chunk_tokens * self.width
        read = made * self.downsampling
        weights = float(self.downsampling)
        work = together(softmax_work(1.0, weights), {"multiply_add": read})
        yield Op("average", inputs=read, outputs=made, biases=weights, live=read + made, tensor_class="norm", **work)


class TokenRepeat(Layer):
    """Tokens of a slower stack repeated to the full rate, and combined with the input of the stack."""

    kind: Literal["token_repeat"] = Field(
        description="Tokens of a slower stack repeated, and the bypass around the stack (Zipformer)."
    )
    width: Width = Field(description="Token width.")
    repeats: Annotated[int, Field(ge=2, le=1000)] = Field(description="Downsampling of the stack that ends here.")

    def lower(self, context: Context) -> Iterator[Op]:
        x = context.chunk_tokens * self.width
        yield _bypass("bypass", x, float(self.width), slower=x / self.repeats)


class BiasNorm(Layer):
    """Norm by the root mean square around a learned bias, with one learned scale."""

    kind: Literal["bias_norm"] = Field(description="Norm with a bias per channel and one scale (Zipformer).")
    width: Width = Field(description="Width.")
    rows: Rows = Field(default="chunk_tokens", description=ROWS_HELP)

    def lower(self, context: Context) -> Iterator[Op]:
        yield _bias_norm("norm", context.rows(self.rows), float(self.width))


def _bias_norm(name: str, rows: Number, width: float, held: Number = 0.0) -> Op:
    x = rows * width
    work = bias_norm_work(rows, width)
    return Op(name, inputs=x, outputs=x, biases=width + 1.0, live=2.0 * x + held, tensor_class="norm", **work)


def _residual(name: str, x: Number, held: Number = 0.0) -> Op:
    """Add a part's output; the layer's input stays alive for the bypasses."""
    return Op(f"residual_{name}", inputs=2.0 * x, outputs=x, multiply_add=x, live=3.0 * x + held)


def _bypass(name: str, x: Number, width: float, slower: Number | None = None, held: Number = 0.0) -> Op:
    """``input + (output - input) * scale``, channel by channel; ``slower`` elements are repeated to the full rate."""
    other = x if slower is None else slower
    return Op(
        name,
        inputs=x + other,
        outputs=x,
        biases=width,
        multiply_add=BYPASS_MULTIPLY_ADDS * x,
        live=2.0 * x + other + held,
        tensor_class="norm",
    )
