"""A Performer-Conformer of 10 million parameters: a reference module, since the paper (arXiv 2011.04196) has no code.

What the paper's abstract says: Conformer layers with FAVOR+ (Performer) in place of softmax attention, 10 million
parameters, complexity linear in time. Everything else is taken from Conformer (S) of arXiv 2005.08100 (16 layers of
width 144, 4 heads, kernel 32; its predictor and joiner at width 320, 1,024 word pieces), without the weights of
relative positions, which a sum over keys has no place for, and made causal to stream. Used by small_models.py.
"""

from __future__ import annotations

import math
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]

PERFORMER = {
    "layers": 16,
    "width": 144,
    "heads": 4,
    "feedforward": 576,
    "kernel": 32,
    "features": math.floor(36 * math.log(36)),  # dh ln dh, the default of google-research and lucidrains code
    "bands": 80,
    "symbols": 1024,
    "predictor": 320,
}


class FavorAttention(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Streaming FAVOR+ (arXiv 2009.14794): sums over all keys so far, rescaled when the largest key feature grows."""

    def __init__(self, width: int, heads: int, features: int) -> None:
        super().__init__()
        self.heads, head = heads, width // heads
        self.query, self.key, self.value, self.out = (torch.nn.Linear(width, width) for _ in range(4))
        self.register_buffer("projection", torch.randn(features, head))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Logarithm of the random features of (heads, tokens, head width)."""
        x = x * x.shape[-1] ** -0.25
        return x @ self.projection.T - x.square().sum(-1, keepdim=True) / 2

    def forward(self, x: torch.Tensor, held: Any) -> tuple[torch.Tensor, Any]:
        """(tokens, width) of a chunk, all of whose tokens see each other and the past."""
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(0, 1) for f in (self.query, self.key, self.value))
        q, k = self.features(q), self.features(k)
        largest, sums, norm = held or (torch.full((self.heads, 1, 1), -1e30), 0.0, 0.0)
        now = torch.maximum(largest, k.amax((-1, -2), keepdim=True))
        q, k, scale = torch.exp(q - q.amax(-1, keepdim=True)), torch.exp(k - now), torch.exp(largest - now)
        sums = sums * scale + k.transpose(-1, -2) @ v
        norm = norm * scale + k.sum(-2).unsqueeze(-1)
        y = (q @ sums) / (q @ norm)
        return self.out(y.transpose(0, 1).flatten(-2)), (now, sums, norm)


class PerformerLayer(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Conformer layer (arXiv 2005.08100) with FAVOR+ attention and a causal convolution; all linears have biases."""

    def __init__(self) -> None:
        super().__init__()
        d, f, self.past = PERFORMER["width"], PERFORMER["feedforward"], PERFORMER["kernel"] - 1
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(d) for _ in range(5))
        self.feedforwards = torch.nn.ModuleList(
            torch.nn.Sequential(torch.nn.Linear(d, f), torch.nn.SiLU(), torch.nn.Linear(f, d)) for _ in range(2)
        )
        self.attention = FavorAttention(d, PERFORMER["heads"], PERFORMER["features"])
        self.pointwise_in, self.pointwise_out = torch.nn.Linear(d, 2 * d), torch.nn.Linear(d, d)
        self.depthwise = torch.nn.Conv1d(d, d, PERFORMER["kernel"], groups=d)
        self.batch_norm = torch.nn.BatchNorm1d(d)

    def forward(self, x: torch.Tensor, held: Any) -> tuple[torch.Tensor, Any]:
        """(tokens, width) of a chunk, and what it keeps: the attention's sums and the last rows of the convolution."""
        x = x + self.feedforwards[0](self.norms[0](x)) / 2
        attended, sums = self.attention(self.norms[1](x), held and held[0])
        x = x + attended
        gated = torch.nn.functional.glu(self.pointwise_in(self.norms[2](x)))
        rows = torch.cat([held[1] if held else gated.new_zeros(self.past, gated.shape[1]), gated])
        inner = torch.nn.functional.silu(self.batch_norm(self.depthwise(rows.T[None]))[0].T)
        x = x + self.pointwise_out(inner)
        x = x + self.feedforwards[1](self.norms[3](x)) / 2
        return self.norms[4](x), (sums, rows[-self.past :])


class PerformerConformer(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Subsampling, layers, and the transducer parts of Conformer (S): an LSTM predictor and an additive joiner."""

    again = 3  # feature frames of the chunk before that the two convolutions need

    def __init__(self) -> None:
        super().__init__()
        d, p, symbols = PERFORMER["width"], PERFORMER["predictor"], PERFORMER["symbols"]
        bands = ((PERFORMER["bands"] - 1) // 2 - 1) // 2
        self.subsampling = torch.nn.Sequential(
            torch.nn.Conv2d(1, d, 3, 2), torch.nn.ReLU(), torch.nn.Conv2d(d, d, 3, 2), torch.nn.ReLU()
        )
        self.subsampling_out = torch.nn.Linear(d * bands, d)
        self.layers = torch.nn.ModuleList(PerformerLayer() for _ in range(PERFORMER["layers"]))
        self.embedding = torch.nn.Embedding(symbols, p)
        self.lstm = torch.nn.LSTM(p, p)
        self.joiner_encoder, self.joiner_predictor = torch.nn.Linear(d, p), torch.nn.Linear(p, p)
        self.joiner_out = torch.nn.Linear(p, symbols)

    def embed(self, frames: torch.Tensor) -> torch.Tensor:
        """(frames, bands) to (tokens, width)."""
        made: torch.Tensor = self.subsampling(frames[None, None])[0]
        return self.subsampling_out(made.permute(1, 0, 2).flatten(1))
