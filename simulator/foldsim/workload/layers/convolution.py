"""A stack of convolutions over time (and bands): front ends from samples or features to tokens, and small networks.

Row counts are exact through the stack: a convolution with kernel k, stride s and padding p to the left and q to
the right outputs ``floor((rows + p + q - k) / s) + 1`` rows. Each is a matrix product over unfolded windows, whose
overlapping elements are read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from foldsim.model.records import Number
from foldsim.schema import Problem
from foldsim.schema.quantity import Record
from foldsim.workload.layers.base import Activation, Layer, Width
from foldsim.workload.ops import Context, Matrix, Op, activation_work, norm_work, rms_norm_work, together

SAMPLE_BYTES = 2  # 16-bit audio
SPARE_TOKENS = 4.0  # output tokens that the model may drop, as NeMo and Zipformer do
Padding = Annotated[int, Field(ge=0, le=10_000)]


class Convolution(Record):
    """One convolution; two-dimensional where the stack has bands."""

    outputs: Width = Field(description="Output channels.")
    kernel: Width = Field(description="Rows (time) of the kernel.")
    stride: Width = Field(default=1, description="Rows between outputs.")
    padding: list[Padding] = Field(
        default=[0, 0], min_length=2, max_length=2, description="Rows of zeros before and after."
    )
    kernel_bands: Width = Field(default=1, description="Bands of the kernel.")
    stride_bands: Width = Field(default=1, description="Bands between outputs.")
    padding_bands: list[Padding] = Field(
        default=[0, 0], min_length=2, max_length=2, description="Bands of zeros below and above."
    )
    groups: Width = Field(default=1, description="Groups of channels; as many as there are inputs is depthwise.")
    bias: bool = Field(default=True, description="Has a bias.")
    norm: Literal["none", "batch", "layer", "group", "rms"] = Field(
        default="none",
        description="Norm after it (batch: folded into a scale and shift; rms: root mean square, no parameters).",
    )
    activation: Activation = Field(default="none", description="Activation after it.")
    cached_rows: Padding = Field(
        default=0, description="Rows of its own input kept from one chunk to the next, before those of the chunk."
    )
    cached_padding: bool = Field(default=False, description="The kept rows include the zeros of padding_bands.")


class ConvolutionStack(Layer):
    """Convolutions in sequence."""

    kind: Literal["conv_stack"] = Field(description="Stack of convolutions.")
    input: Literal["samples", "frames", "tokens"] = Field(description="Input of the first one.")
    input_rows: Width | None = Field(
        default=None, description="Fixed window, computed whole in every invocation; the rows of the chunk by default."
    )
    reread_rows: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=0,
        description="Rows besides the chunk's that every invocation reads again. Convolutions without padding need"
        " the sum of (kernel - stride) x the strides before: 3 for two of kernel 3 and stride 2.",
    )
    keeps_rows: Annotated[int, Field(ge=0, le=1_000_000)] | Literal["window"] = Field(
        default=0,
        description="Input rows kept as state between chunks (of those read again); window: those of the fixed window"
        " that are not in the chunk.",
    )
    channels: Width = Field(default=1, description="Channels of the input.")
    bands: Width = Field(default=1, description="Bands of the input; 1 is a convolution over time only.")
    convolutions: list[Convolution] = Field(min_length=1, description="The convolutions, in order.")

    def problems(self) -> Iterable[Problem]:
        if self.keeps_rows == "window" and self.input_rows is None:
            yield Problem(
                ("keeps_rows",),
                "keeps_rows: window needs a fixed window",
                allowed="a number of rows, or give input_rows, the window",
            )
        channels, bands = self.channels, self.bands
        for i, c in enumerate(self.convolutions):
            for name, count in (("inputs", channels), ("outputs", c.outputs)):
                if count % c.groups:
                    yield Problem(
                        ("convolutions", i, "groups"),
                        f"{c.groups} groups do not divide the {count} {name} of the convolution",
                        allowed=f"a divisor of {channels} and {c.outputs}",
                    )
            if c.cached_rows >= c.kernel:
                yield Problem(
                    ("convolutions", i, "cached_rows"),
                    f"a kernel of {c.kernel} rows does not read {c.cached_rows} earlier rows",
                    allowed=f"0 to {c.kernel - 1}",
                )
            made = _length(bands, c.kernel_bands, c.stride_bands, c.padding_bands)
            if made < 1:
                yield Problem(
                    ("convolutions", i, "kernel_bands"),
                    f"a kernel of {c.kernel_bands} bands is larger than the {bands} bands of its input and padding",
                    allowed=f"at most {bands + sum(c.padding_bands)}",
                )
                return
            channels, bands = c.outputs, int(made)
        if self.input_rows is not None:
            rows: Number = self.input_rows
            for i, c in enumerate(self.convolutions):
                made = _length(rows + c.cached_rows, c.kernel, c.stride, c.padding)
                if made < 1:
                    yield Problem(
                        ("convolutions", i, "kernel"),
                        f"a kernel of {c.kernel} rows is larger than the {rows + c.cached_rows:g} rows of its"
                        " input and padding",
                        allowed=f"at most {rows + c.cached_rows + sum(c.padding):g}",
                    )
                    return
                rows = made

    def rows_in(self, context: Context) -> Number:
        """Rows of the input in one invocation."""
        if self.input_rows is not None:
            return float(self.input_rows)
        which = {"samples": "chunk_samples", "frames": "all_frames", "tokens": "all_tokens"}[self.input]
        return context.rows(which) + self.reread_rows

    def made_rows(self, context: Context) -> list[float]:
        """Output rows of each convolution for a chunk."""
        rows, every = float(np.asarray(self.rows_in(context))), []
        for c in self.convolutions:
            rows = float(_length(max(rows, 0.0) + c.cached_rows, c.kernel, c.stride, c.padding))
            every.append(rows)
        return every

    def chunk_problem(self, context: Context) -> str | None:
        rows = float(np.asarray(self.rows_in(context)))
        for i, (c, made) in enumerate(zip(self.convolutions, self.made_rows(context), strict=True)):
            if made < 1:
                return (
                    f"convolution {i + 1} of {self.name!r} has a kernel of {c.kernel} rows and an input of"
                    f" {max(rows, 0.0):g} (give padding, reread_rows or cached_rows, or a longer chunk)"
                )
            rows = made
        return None

    def rows_problem(self, context: Context) -> Problem | None:
        """A warning if a front end outputs fewer tokens for a chunk than the encoder takes, or many more; else None."""
        if self.input == "tokens" or self.input_rows is not None or self.chunk_problem(context):
            return None
        rows, tokens = self.made_rows(context)[-1], float(context.chunk_tokens)
        again = self.reread_rows / (context.subsampling_frames if self.input == "frames" else context.token_samples)
        most = float(np.asarray(context.all_tokens + again)) + SPARE_TOKENS
        if tokens <= rows <= most:
            return None
        return Problem(
            (),
            f"the convolutions of {self.name!r} output {rows:g} rows for a chunk of {tokens:g} tokens",
            allowed="strides that multiply to subsampling_frames, and padding or reread_rows (the sum of"
            " (kernel - stride) x the strides before)",
            severity="warning",
        )

    def widths(self) -> tuple[float | None, float | None]:
        bands = float(self.bands)
        for c in self.convolutions:
            bands = float(_length(bands, c.kernel_bands, c.stride_bands, c.padding_bands))
        return float(self.channels * self.bands), self.convolutions[-1].outputs * bands

    def kept(self, context: Context) -> tuple[Number, Number]:
        """Input elements kept between chunks in a ring buffer, and those of them that a chunk writes."""
        which = {"samples": "chunk_samples", "frames": "chunk_frames", "tokens": "chunk_tokens"}[self.input]
        new = np.asarray(context.rows(which), dtype=np.float64)
        rows = np.maximum(float(self.input_rows or 0) - new, 0.0) if self.keeps_rows == "window" else self.keeps_rows
        width = float(self.channels * self.bands)
        return rows * width, np.minimum(new, rows) * width

    def lower(self, context: Context) -> Iterator[Op]:
        rows = self.rows_in(context)
        channels, bands = float(self.channels), float(self.bands)
        kept, written_kept = self.kept(context)
        samples = self.input == "samples"
        for i, c in enumerate(self.convolutions):
            made = np.maximum(_length(rows + c.cached_rows, c.kernel, c.stride, c.padding), 0.0)
            made_bands = _length(bands, c.kernel_bands, c.stride_bands, c.padding_bands)
            out, groups = float(c.outputs), float(c.groups)
            m, k = made * made_bands, channels / groups * c.kernel * c.kernel_bands
            cached = c.cached_rows * channels * bands
            read, written = rows * bands * channels + cached, m * out
            stored = c.cached_rows * channels * (bands + sum(c.padding_bands) * c.cached_padding)
            work = together(
                activation_work(c.activation, written), {"multiply_add": written * (c.bias + (c.norm == "batch"))}
            )
            if c.norm in ("layer", "group"):
                work = together(work, norm_work(made if c.norm == "layer" else groups, written / made))
            elif c.norm == "rms":
                work = together(work, rms_norm_work(made, written / made))
            first = i == 0
            yield Op(
                f"convolution_{i + 1}",
                matrix=Matrix(
                    m,
                    k,
                    out / groups,
                    batch=groups,
                    first_state_ratio=cached / np.maximum(read, 1.0),
                    first_unique_ratio=np.minimum(1.0, read / np.maximum(m * k * groups, 1.0)),
                    channelwise=groups == channels and groups > 1,
                    taps=float(c.kernel * c.kernel_bands),
                ),
                biases=out * (c.bias + 2.0 * (c.norm not in ("none", "rms"))),
                state=(kept if first and not samples else 0.0) + stored,
                state_read=(kept if first and not samples else 0.0) + stored - cached,
                state_write=(written_kept if first and not samples else 0.0) + stored,
                fixed_state_bytes=kept * SAMPLE_BYTES if first and samples else 0.0,
                live=(0.0 if first and samples else read - cached) + written,
                from_outside=first and samples,
                tensor_class="convolution",
                **work,
            )
            rows, channels, bands = made, out, float(made_bands)


def _length(rows: Number, kernel: int, stride: int, padding: list[int]) -> Number:
    """Output rows of a convolution for ``rows`` input rows."""
    return np.floor((rows + sum(padding) - kernel) / stride) + 1.0
