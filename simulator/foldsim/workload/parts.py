"""Parts shared by encoder layers: norm, residual, feedforward network, convolution module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from foldsim.model.records import Number
from foldsim.workload.ops import Context, Matrix, Op, activation_work, norm_work, rms_norm_work, together

ConvolutionCache = Literal["before_depthwise", "before_pointwise"]
ConvolutionNorm = Literal["batch", "layer", "none"]


def norm(name: str, rows: Number, width: float, shift: bool = True) -> Op:
    """A layer norm with scale and, by default, shift."""
    x = rows * width
    biases = (1.0 + shift) * width
    return Op(name, inputs=x, outputs=x, biases=biases, live=2 * x, tensor_class="norm", **norm_work(rows, width))


def rms_norm(name: str, rows: Number, width: float) -> Op:
    """A norm by the root mean square plus a learned eps, its only parameter (icefall's BasicNorm)."""
    x = rows * width
    return Op(name, inputs=x, outputs=x, biases=1.0, live=2 * x, tensor_class="norm", **rms_norm_work(rows, width))


def residual(name: str, rows: Number, width: float) -> Op:
    """Add the residual."""
    x = rows * width
    return Op(name, inputs=2 * x, outputs=x, multiply_add=x, live=2 * x)


@dataclass(frozen=True)
class FeedForward:
    """Two linears with an activation between; a gated one (GLU) doubles the first."""

    width: float  # D
    hidden: float  # F
    activation: str
    bias: bool = True
    gated: bool = False
    name: str = "feedforward"

    def lower(self, rows: Number, context: Context) -> Iterator[Op]:
        """Ops without norm and residual. Folded, it works on ``rows x N`` sub-tokens of D/N with F/N hidden units."""
        d, f = self.width, self.hidden
        factor = np.asarray(context.fold_factor if context.fold_feedforward else 1.0, dtype=np.float64)
        wide = f * (2.0 if self.gated else 1.0)
        x, hidden, first = rows * d, rows * f, rows * wide
        yield Op(
            f"{self.name}_1",
            matrix=Matrix(rows * factor, d / factor, wide / factor),
            biases=wide / factor * self.bias,
            multiply_add=first * self.bias,
            live=2 * x + first,
            tensor_class="feedforward",
        )
        work = activation_work(self.activation, hidden)
        if self.gated:
            work = together(work, {"multiply_add": hidden})
        named = "activation" if self.name == "feedforward" else f"{self.name}_activation"
        yield Op(named, inputs=first, outputs=hidden, live=x + first, **work)
        yield Op(
            f"{self.name}_2",
            matrix=Matrix(rows * factor, f / factor, d / factor),
            biases=d / factor * self.bias,
            multiply_add=x * self.bias,
            live=2 * x + hidden,
            tensor_class="feedforward",
        )


@dataclass(frozen=True)
class ConvolutionModule:
    """Pointwise linear to 2 D, gate, depthwise convolution over time, norm, activation, pointwise linear (Conformer).

    Gulati et al., arXiv 2005.08100. The cache has the last ``kernel - 1`` input rows of the depthwise convolution
    (after the gate), or those of the module, whose pointwise linear is then computed again.
    """

    width: float
    kernel: float
    activation: str
    norm: ConvolutionNorm = "batch"
    cache: ConvolutionCache = "before_depthwise"
    lookahead: float = 0.0  # rows of the kernel to the right of the current one
    bias: bool = True

    def lower(self, rows: Number, keeps: Number) -> Iterator[Op]:
        """Ops of ``rows`` rows, of which at most the last ``keeps`` enter the cache; without norm and residual."""
        d, k = self.width, self.kernel
        past = k - 1.0 - self.lookahead
        recomputed = past if self.cache == "before_pointwise" else 0.0
        computed = rows + recomputed
        x, inner = rows * d, computed * d
        state = past * d
        write = np.minimum(np.asarray(keeps, dtype=np.float64), past) * d
        yield Op(
            "convolution_in",
            matrix=Matrix(computed, d, 2.0 * d, first_state_ratio=recomputed / computed),
            biases=2.0 * d * self.bias,
            multiply_add=2.0 * inner * self.bias,
            state=state if recomputed else 0.0,
            state_write=write if recomputed else 0.0,
            live=2.0 * x + 2.0 * inner,
            tensor_class="convolution",
        )
        yield Op("gate", inputs=2 * inner, outputs=inner, exp=inner, multiply_add=inner, live=x + 2.0 * inner)
        yield Op(
            "depthwise",
            matrix=Matrix(
                rows,
                k,
                1.0,
                batch=d,
                first_state_ratio=0.0 if recomputed else np.minimum(1.0, past / (rows + past)),
                first_unique_ratio=np.minimum(1.0, (rows + past) / (rows * k)),
                channelwise=True,
            ),
            biases=d * self.bias,
            multiply_add=x * self.bias,
            state=0.0 if recomputed else state,
            state_write=0.0 if recomputed else write,
            live=2.0 * x + inner,
            tensor_class="convolution",
        )
        work = activation_work(self.activation, x)
        if self.norm == "layer":
            work = together(work, norm_work(rows, d))
        elif self.norm == "batch":
            work = together(work, {"multiply_add": x})
        yield Op(
            "convolution_norm",
            inputs=x,
            outputs=x,
            biases=0.0 if self.norm == "none" else 2.0 * d,
            live=3.0 * x,
            tensor_class="norm",
            **work,
        )
        yield Op(
            "convolution_out",
            matrix=Matrix(rows, d, d),
            biases=d * self.bias,
            multiply_add=x * self.bias,
            live=3.0 * x,
            tensor_class="convolution",
        )
