"""Log-mel features: window, real FFT, mel filters, logarithm, normalisation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field

from foldsim.schema import Problem
from foldsim.workload.layers.base import Layer, Width
from foldsim.workload.ops import Context, Op

SAMPLE_BYTES = 2  # 16-bit audio
TABLE_ENTRY_BYTES = 2  # window, twiddle factors and filters in 16 bits
BUTTERFLY_MULTIPLY_ADDS = 6.0  # radix-2 butterfly: complex multiply (4) and two complex adds (2 fused)
UNPACK_MULTIPLY_ADDS = 3.0  # per sample: real spectrum from the half-length complex FFT


def log_mel_work(window: float, fft: float, bands: float) -> tuple[float, float]:
    """Multiply-adds of one frame, except its ``bands`` logarithms, and entries of the fixed tables.

    ``window`` samples go through a real FFT of ``fft`` points.
    """
    bins = fft / 2 + 1
    spectrum = fft / 4 * math.log2(fft / 2) * BUTTERFLY_MULTIPLY_ADDS + UNPACK_MULTIPLY_ADDS * fft
    filters = 2.0 * bins  # triangular filters overlap by half: two weights per bin
    return window + spectrum + 2.0 * bins + filters + 2.0 * bands, window + fft + filters


def fft_problems(fft: int | None, window: int) -> Iterable[Problem]:
    """Yield a problem if the FFT is shorter than the window."""
    if fft is not None and fft < window:
        yield Problem(
            ("samples_per_fft",),
            f"an FFT of {fft} points is shorter than the window of {window} samples",
            allowed=f"at least {window}",
        )


class LogMel(Layer):
    """Log-mel filter bank of audio samples, once per feature frame of the chunk.

    Frames of the right context are computed once and kept until they are part of a chunk. No trained parameters.
    """

    kind: Literal["log_mel"] = Field(description="Log-mel features.")
    samples_per_window: Width = Field(description="Samples per analysis window.")
    samples_per_hop: Width = Field(description="Samples between frames.")
    samples_per_fft: Width | None = Field(default=None, description="Points of the FFT; the window's by default.")
    bands: Width = Field(description="Mel bands.")

    def problems(self) -> Iterable[Problem]:
        yield from fft_problems(self.samples_per_fft, self.samples_per_window)

    def lower(self, context: Context) -> Iterator[Op]:
        frames = context.rows("chunk_frames")
        n = float(self.samples_per_window)
        multiply_adds, entries = log_mel_work(n, float(self.samples_per_fft or n), self.bands)
        waiting = context.right_context_tokens * context.subsampling_frames * self.bands
        overlap = float(self.samples_per_window - self.samples_per_hop)
        yield Op(
            "features",
            fixed_input_bytes=frames * self.samples_per_hop * SAMPLE_BYTES,
            outputs=frames * self.bands,
            constant_bytes=entries * TABLE_ENTRY_BYTES,
            state=waiting,
            state_read=waiting,
            state_write=waiting,
            fixed_state_bytes=overlap * SAMPLE_BYTES,
            multiply_add=frames * multiply_adds,
            exp=frames * self.bands,
            live=2.0 * n + frames * self.bands,
            from_outside=True,
        )
