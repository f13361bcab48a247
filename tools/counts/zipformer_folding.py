"""Fold the real Zipformer layer: the reference that ``tools/counts/zipformer.py`` counts.

Folding (arXiv 2309.07988) has no official code, and nobody has published a folded Zipformer. Here the package's own
attention weights, value paths, non-linear attention and feedforward modules are made at width D / N and put behind a
reshape from T tokens to T N sub-tokens, inside the real layer, so that their arithmetic is the real code's.
"""

from __future__ import annotations

from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]


class Folded(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """A module of width D / N over T N sub-tokens in the place of one of width D over T tokens."""

    def __init__(self, shared: Any, factor: int, positions: Any = None) -> None:
        super().__init__()
        self.shared, self.factor, self.positions = shared, factor, positions

    def _split(self, x: Any) -> Any:
        rows, batch, width = x.shape
        n = self.factor
        return x.reshape(rows, batch, n, width // n).transpose(1, 2).reshape(rows * n, batch, width // n)

    def _join(self, x: Any) -> Any:
        rows, batch, width = x.shape
        n = self.factor
        return x.reshape(rows // n, n, batch, width).transpose(1, 2).reshape(rows // n, batch, width * n)

    def forward(self, x: Any) -> Any:
        return self._join(self.shared(self._split(x)))

    def streaming_forward(self, x: Any, *args: Any, left_context_len: int, **kwargs: Any) -> Any:
        left, split = left_context_len * self.factor, self._split(x)
        if self.positions is not None:  # attention weights: queries and keys are sub-tokens, each with its position
            kwargs["pos_emb"] = self.positions(split, left)
            kwargs["key_padding_mask"] = kwargs["key_padding_mask"].repeat_interleave(self.factor, dim=1)
            return self.shared.streaming_forward(split, left_context_len=left, **kwargs)
        y, cache = self.shared.streaming_forward(split, *args, left_context_len=left, **kwargs)
        return self._join(y), cache


def fold(model: Any, factor: int, heads: str, feedforward: bool) -> list[Any]:
    """Fold every layer of a model in place; returns the states that it then needs."""
    states: list[Any] = []
    per_head = factor if heads == "keep_heads" else 1
    fewer = factor if heads == "keep_head_dim" else 1
    left = model.encoder.left_context_frames[0]
    for stack, encoder in enumerate(model.encoder.encoders):
        inner = encoder if hasattr(encoder, "layers") else encoder.encoder
        rows = left // model.encoder.downsampling_factor[stack] * factor
        for layer in inner.layers:
            weights, values = layer.self_attn_weights, layer.self_attn1
            d, h = layer.embed_dim // factor, weights.num_heads // fewer
            value = values.in_proj.out_features // weights.num_heads // per_head
            query, hidden = weights.query_head_dim // per_head, layer.nonlin_attention.hidden_channels // factor
            shared = type(weights)(d, inner.encoder_pos.embed_dim, h, query, weights.pos_head_dim // per_head)
            layer.self_attn_weights = Folded(shared, factor, inner.encoder_pos)
            layer.self_attn1 = Folded(type(values)(d, h, value), factor)
            layer.self_attn2 = Folded(type(values)(d, h, value), factor)
            layer.nonlin_attention = Folded(type(layer.nonlin_attention)(d, hidden), factor)
            if feedforward:
                for number in (1, 2, 3):
                    old = getattr(layer, f"feed_forward{number}")
                    new = type(old)(d, old.in_proj.out_features // factor, 0.0)
                    setattr(layer, f"feed_forward{number}", Folded(new, factor))
            pad = layer.conv_module1.depthwise_conv.kernel_size // 2
            states += [torch.zeros(rows, 1, query * h), torch.zeros(1, 1, rows, hidden)]
            states += [torch.zeros(rows, 1, value * h) for _ in range(2)]
            states += [torch.zeros(1, layer.embed_dim, pad) for _ in range(2)]
    model.eval()
    return states
