"""Mel-frequency cepstral coefficients: log-mel bands, a cosine transform, time derivatives, standardisation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from foldsim.schema import Problem
from foldsim.workload.layers.base import Layer, Width
from foldsim.workload.layers.features import SAMPLE_BYTES, TABLE_ENTRY_BYTES, fft_problems, log_mel_work
from foldsim.workload.ops import Context, Op

DERIVATIVE_TAPS = 9.0  # width of librosa.feature.delta, and of Arm's evaluation kit
STANDARDISE_MULTIPLY_ADDS = 3.0  # mean, variance, scale and shift: one each per element


class Mfcc(Layer):
    """MFCC of audio samples. No trained parameters."""

    kind: Literal["mfcc"] = Field(description="Mel-frequency cepstral coefficients.")
    samples_per_window: Width = Field(description="Samples per analysis window.")
    samples_per_hop: Width = Field(description="Samples between frames.")
    samples_per_fft: Width | None = Field(default=None, description="Points of the FFT; the window's by default.")
    bands: Width = Field(description="Mel bands.")
    coefficients: Width = Field(description="Coefficients kept of each frame.")
    derivatives: Literal[0, 1, 2] = Field(default=0, description="Orders of time derivatives added to them.")
    frames: Literal["chunk", "window"] = Field(
        default="chunk",
        description="chunk: each frame is computed once. window: left context, chunk and right context are computed"
        " again for every chunk from kept audio, and standardised over that window.",
    )

    def problems(self) -> Iterable[Problem]:
        yield from fft_problems(self.samples_per_fft, self.samples_per_window)
        if self.coefficients > self.bands:
            yield Problem(
                ("coefficients",),
                f"{self.coefficients} coefficients are more than the {self.bands} bands",
                allowed=f"1 to {self.bands}",
            )

    def lower(self, context: Context) -> Iterator[Op]:
        windowed = self.frames == "window"
        new = np.asarray(context.rows("chunk_frames"), dtype=np.float64)
        context_frames = (context.left_context_tokens + context.right_context_tokens) * context.subsampling_frames
        frames = new + context_frames if windowed else new
        window = float(self.samples_per_window)
        multiply_adds, entries = log_mel_work(window, float(self.samples_per_fft or window), self.bands)
        cosine = float(self.bands * self.coefficients)
        made = frames * self.coefficients * (1.0 + self.derivatives)
        per_frame = multiply_adds + cosine + self.derivatives * DERIVATIVE_TAPS * self.coefficients
        # Frames of the right context are kept until they are part of a chunk, unless computed again from audio.
        waiting = 0.0 if windowed else context.right_context_tokens * context.subsampling_frames * self.coefficients
        kept = (context_frames if windowed else 0.0) * self.samples_per_hop + window - self.samples_per_hop
        yield Op(
            "features",
            fixed_input_bytes=new * self.samples_per_hop * SAMPLE_BYTES,
            outputs=made,
            constant_bytes=(entries + cosine) * TABLE_ENTRY_BYTES,
            state=waiting,
            state_read=waiting,
            state_write=waiting,
            fixed_state_bytes=kept * SAMPLE_BYTES,
            multiply_add=frames * per_frame + (STANDARDISE_MULTIPLY_ADDS * made if windowed else 0.0),
            exp=frames * self.bands,
            live=2.0 * window + made,
            from_outside=True,
        )
