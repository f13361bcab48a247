"""Count Whisper, Moonshine, HuBERT, L-HuBERT and wav2vec2 of Hugging Face transformers, and record the counts as JSON.

A maintenance script: it needs PyTorch and transformers, which foldsim itself never imports. The tests read the
recorded file, so run this only when the record has to be made again:

    python -m venv torch-venv
    torch-venv/bin/pip install torch==2.13.0 transformers==5.23.0      # a CPU build is enough
    torch-venv/bin/python tools/counts/transformers_models.py -o tests/data/counts/transformers.json

It takes two minutes and little memory: all models live on PyTorch's ``meta`` device, where tensors have shapes and
no values. No checkpoint is read, and no count depends on a weight.

What is counted, and how:

* MACs are ``torch.utils.flop_counter.FlopCounterMode`` FLOPs / 2, over matrix products and convolutions only, with
  eager attention (a fused operator stops the script). Parts follow the module that ran; ``scores_context`` is what no
  linear and no convolution accounts for: the products of queries with keys and of scores with values. Masked cells are
  computed, as in the code.
* ``chunk_tokens`` is the window or utterance of one invocation in nominal tokens (audio / token duration). Where the
  front end does not pad, fewer come out: ``tokens_made``.
* Whisper takes 1,500 tokens only. Shorter windows are its own code with a shorter table of positions, as whisper.cpp's
  ``audio_ctx`` has it (ggml-org/whisper.cpp issues 137, 1855): marked ``positions_sliced``.
* A decoder step is one new token with ``cached_tokens`` before it, keys and values of the encoder's tokens ready. The
  projection of those runs once per window, with the first step: component ``cross_attention``.
* Moonshine's published checkpoints pad heads to a multiple of 8 for fused kernels; ``scores_context_padded`` is what
  the products then are. All other counts are without.
* L-HuBERT (arXiv 2306.08667) has no public code. `WindowedAttention` is a reference: HuBERT with the real Longformer
  attention in every layer, padded inside the attention to a multiple of the window; `BandAttention` is the band alone.
  The window is our choice.
* Weight normalisation of the positional convolution (a gain per tap) and the embedding of masked frames are stored in
  checkpoints, but are not run: ``unused_params``.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from transformers_counting import count_call, elements, params, render

sys.modules["torchaudio"] = None  # type: ignore[assignment]  # not needed, and its extension may not fit this torch

import transformers as hf  # type: ignore[import-not-found, unused-ignore]  # noqa: E402
from transformers.cache_utils import (  # type: ignore[import-not-found, unused-ignore]  # noqa: E402
    DynamicCache,
    EncoderDecoderCache,
)
from transformers.models.longformer.modeling_longformer import (  # type: ignore[import-not-found, unused-ignore]  # noqa: E402
    LongformerSelfAttention,
)

WHISPER = {
    "tiny": {"d_model": 384, "encoder_layers": 4, "encoder_attention_heads": 6, "encoder_ffn_dim": 1536},
    "base": {"d_model": 512, "encoder_layers": 6, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048},
}
MOONSHINE = {"tiny": (288, 6), "base": (416, 8)}  # width, layers of the encoder and of the decoder
MOONSHINE_TOKENS = 194  # max_position_embeddings of the published checkpoints: 30 s at 6.5 tokens/s
L_HUBERT_WINDOWS = (50, 128)  # tokens to each side; the first is the shipped one
RATE_HZ = 16_000


def build(model: Any, config: Any) -> Any:
    """A model on the meta device, with eager attention."""
    return model._from_config(config, attn_implementation="eager").eval()


def caches(cache: Any, which: str) -> list[dict[str, Any]]:
    """Tensors of a cache, one entry per kind, all layers alike."""
    layers = getattr(cache, f"{which}_attention_cache").layers
    return [
        {"name": f"{which} {kind}", "shape": [len(layers), *getattr(layers[0], kind).shape], "dtype": "float32"}
        for kind in ("keys", "values")
    ]


def decode(model: Any, encoded: Any, cached: int) -> tuple[dict[str, int], dict[str, int], Any]:
    """Counts of one decoder step with ``cached`` tokens before it; of the first step if there are none."""
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    given = {"encoder_outputs": encoded, "past_key_values": cache, "use_cache": True}
    if cached:
        with torch.no_grad():
            model(decoder_input_ids=torch.ones(1, cached, dtype=torch.long), **given)
    parts, work, _ = count_call(model, lambda: model(decoder_input_ids=torch.ones(1, 1, dtype=torch.long), **given))
    return parts, work, cache


def encoder_decoder(
    build_one: Callable[[int], tuple[Any, torch.Tensor]],
    chunks: list[dict[str, Any]],
    positions: int,
    front_end: Callable[[Any], list[Any]],
) -> dict[str, Any]:
    """Counts of a model with encoder and decoder; the last chunk's model is the published one."""
    record: dict[str, Any] = {"chunks": [], "calls": {"decoder": []}}
    for chunk in chunks:
        model, inputs = build_one(chunk["chunk_tokens"])
        parts, work, encoded = count_call(model, lambda m=model, x=inputs: m.model.encoder(x))  # type: ignore[misc]
        first, _, _ = decode(model, encoded, 0)
        _, _, cache = decode(model, encoded, positions - 1)
        state = caches(cache, "self") + caches(cache, "cross")
        in_front = parts["convolution"] if front_end(model) else 0
        macs = {"encoder": sum(parts.values()) - in_front, "cross_attention": first["cross_projections"]}
        made = int(encoded.last_hidden_state.shape[1])
        record["chunks"].append(
            {
                **chunk,
                "tokens_made": made,
                "left_context_tokens": 0,
                "right_context_tokens": 0,
                "macs": {"front_end": in_front, **macs},
                "macs_by_part": parts,
                **work,
                "state": state,
                "state_elements": elements(state),
            }
        )
        for cached in (0, 1, positions // 4, positions // 2, positions - 1):
            step, step_work, cache = decode(model, encoded, cached)
            step.pop("cross_projections", None)
            held = caches(cache, "self") + caches(cache, "cross")
            record["calls"]["decoder"].append(
                {
                    "chunk_tokens": chunk["chunk_tokens"],
                    "cached_tokens": cached,
                    "encoder_tokens": made,
                    "macs": sum(step.values()),
                    "macs_by_part": step,
                    **step_work,
                    "state_elements": elements(held),
                }
            )
    cross = [m for layer in model.model.decoder.layers for m in (layer.encoder_attn.k_proj, layer.encoder_attn.v_proj)]
    front = params(*front_end(model))
    record["params"] = {
        "front_end": front,
        "encoder": params(model.model.encoder) - front,
        "cross_attention": params(*cross),
        "decoder": params(model.model.decoder) - params(*cross),  # the output projection is the embedding table
    }
    record["unused_params"] = 0
    record["published_params"] = params(model)
    return record


def whisper(size: str) -> dict[str, Any]:
    """Whisper, tiny or base."""
    own = WHISPER[size]
    decoder = {k.replace("encoder", "decoder"): v for k, v in own.items() if k.startswith("encoder")}
    config = {**own, **decoder}

    def one(tokens: int) -> tuple[Any, torch.Tensor]:
        model = build(hf.WhisperForConditionalGeneration, hf.WhisperConfig(**config, max_source_positions=tokens))
        return model, torch.zeros(1, model.config.num_mel_bins, 2 * tokens)

    chunks: list[dict[str, Any]] = [
        {"chunk_tokens": tokens, "chunk_ms": 20 * tokens, "positions_sliced": tokens != 1500}
        for tokens in (250, 500, 750, 1000, 1500)
    ]
    record = encoder_decoder(one, chunks, 448, lambda _: [])
    whole = hf.WhisperConfig(**config)
    return {
        "source": "transformers models/whisper/modeling_whisper.py; sizes: openai/whisper README",
        "published": {"tiny": "39 M", "base": "74 M"}[size],
        "config": {**config, "vocab_size": whole.vocab_size, "max_target_positions": whole.max_target_positions},
        **record,
    }


def moonshine(size: str) -> dict[str, Any]:
    """Moonshine, tiny or base."""
    width, layers = MOONSHINE[size]
    config = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "encoder_num_hidden_layers": layers,
        "decoder_num_hidden_layers": layers,
        "max_position_embeddings": MOONSHINE_TOKENS,
    }

    def make(**more: int) -> Any:
        return build(hf.MoonshineForConditionalGeneration, hf.MoonshineConfig(**config, **more))

    def front_end(model: Any) -> list[Any]:
        encoder = model.model.encoder
        return [encoder.conv1, encoder.conv2, encoder.conv3, encoder.groupnorm]

    lengths = [{"chunk_tokens": n, "chunk_ms": 24 * n, "samples": 384 * n} for n in (50, 125, 250, 500, 1000)]
    record = encoder_decoder(lambda n: (make(), torch.zeros(1, 384 * n)), lengths, MOONSHINE_TOKENS, front_end)
    padded = make(pad_head_dim_to_multiple_of=8)
    for chunk in record["chunks"]:
        parts, _, _ = count_call(padded, lambda n=chunk["samples"]: padded.model.encoder(torch.zeros(1, n)))
        chunk["scores_context_padded"] = parts["scores_context"]
    return {
        "source": "transformers models/moonshine/modeling_moonshine.py; sizes: usefulsensors/moonshine model card",
        "published": {"tiny": "27 M", "base": "61 M"}[size],
        "config": {
            **config,
            "vocab_size": padded.config.vocab_size,
            "heads": padded.config.encoder_num_attention_heads,
        },
        "tokens_of_samples": tokens_of(padded.model.encoder, (895, 1278, 1279, RATE_HZ, 75_040, 10 * RATE_HZ)),
        **record,
    }


def tokens_of(encoder: Any, lengths: tuple[int, ...]) -> list[list[int]]:
    """Samples, and tokens that the encoder makes of them."""
    with torch.no_grad():
        return [[n, int(encoder(torch.zeros(1, n)).last_hidden_state.shape[1])] for n in lengths]


class WindowedAttention(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Stands in for HuBERT's attention: the real Longformer attention on padded tokens, then the output projection."""

    def __init__(self, config: Any, window: int) -> None:
        super().__init__()
        long = hf.LongformerConfig(
            hidden_size=config.hidden_size,
            num_attention_heads=config.num_attention_heads,
            attention_window=[2 * window],
        )
        self.window, self.inner = window, LongformerSelfAttention(long, 0)
        self.out_proj = torch.nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, tokens: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
        """(B, T, D) to (B, T, D)."""
        length = tokens.shape[1]
        padded = torch.nn.functional.pad(tokens, (0, 0, 0, -length % (2 * self.window)))
        mask = torch.zeros(padded.shape[:2])
        out = self.inner(padded, mask, mask.bool(), mask.bool(), False)[0]
        return self.out_proj(out)[:, :length], None


class BandAttention(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Stands in for HuBERT's attention: every token against the tokens of its window, no more."""

    def __init__(self, attention: Any, window: int) -> None:
        super().__init__()
        self.attention, self.window = attention, window

    def forward(self, tokens: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
        """(B, T, D) to (B, T, D)."""
        a = self.attention
        split = (*tokens.shape[:2], a.num_heads, a.head_dim)
        query, key, value = (p(tokens).view(split).transpose(1, 2) for p in (a.q_proj, a.k_proj, a.v_proj))
        rows = []
        for i in range(tokens.shape[1]):
            near = slice(max(0, i - self.window), i + self.window + 1)
            scores = query[:, :, i : i + 1] @ key[:, :, near].transpose(2, 3)
            rows.append(scores.softmax(-1) @ value[:, :, near])
        return a.out_proj(torch.cat(rows, 2).transpose(1, 2).reshape(tokens.shape)), None


def waveform(model: Any, lengths: tuple[int, ...]) -> list[dict[str, Any]]:
    """Counts of HuBERT or wav2vec2 with a CTC head, by utterance length in nominal tokens of 20 ms."""
    rows = []
    for tokens in lengths:
        parts, work, out = count_call(model, lambda n=320 * tokens: model(torch.zeros(1, n)))  # type: ignore[misc]
        front, head = parts["convolution"], parts["head"]
        rows.append(
            {
                "chunk_tokens": tokens,
                "chunk_ms": 20 * tokens,
                "samples": 320 * tokens,
                "tokens_made": int(out.logits.shape[1]),
                "left_context_tokens": 0,
                "right_context_tokens": 0,
                "macs": {"front_end": front, "encoder": sum(parts.values()) - front - head, "ctc_head": head},
                "macs_by_part": parts,
                **work,
                "state": [],
                "state_elements": 0,
            }
        )
    return rows


def waveform_model(kind: str, window: int = 0, ideal: bool = False) -> dict[str, Any]:
    """HuBERT base, L-HuBERT base or wav2vec2 base with a CTC head of 32 symbols, all after their own defaults."""
    name = "Wav2Vec2" if kind == "wav2vec2" else "Hubert"
    config = getattr(hf, f"{name}Config")()
    model = build(getattr(hf, f"{name}ForCTC"), config)
    published, core = params(model), getattr(model, kind)
    if window:
        for layer in core.encoder.layers:
            old = layer.attention
            layer.attention = BandAttention(old, window) if ideal else WindowedAttention(config, window)
    unrun = {n: int(p.numel()) for n, p in model.named_parameters() if re.search(r"_global\.|masked_spec|original0", n)}
    unused = sum(unrun.values())
    front = params(core.feature_extractor)
    keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
    convolutions = ("conv_dim", "conv_kernel", "conv_stride", "conv_bias", "feat_extract_norm")
    positions = ("num_conv_pos_embeddings", "num_conv_pos_embedding_groups", "feat_proj_layer_norm")
    return {
        "source": f"transformers models/{kind}/modeling_{kind}.py"
        + (", attention replaced (reference)" if window else ""),
        "config": {k: getattr(config, k) for k in (*keys, *convolutions, *positions) if hasattr(config, k)},
        **({"window_tokens": window, "kernel": "ideal" if ideal else "chunked"} if window else {}),
        "params": {
            "front_end": front,
            "encoder": params(model) - front - params(model.lm_head) - unused,
            "ctc_head": params(model.lm_head),
        },
        "unused_params": unused,
        "published_params": None if window else published,
        "tokens_of_samples": tokens_of(core, (400, 719, 720, RATE_HZ, 75_040, 10 * RATE_HZ)) if not window else [],
        "chunks": waveform(model, (50, 250, 500, 1000, 2000)),
        "calls": {},
    }


def count_all() -> dict[str, Any]:
    """The whole record."""
    models: dict[str, Any] = {}
    for size in ("tiny", "base"):
        models[f"whisper-{size}"] = whisper(size)
        models[f"moonshine-{size}"] = moonshine(size)
    models["hubert-base"] = waveform_model("hubert")
    models["wav2vec2-base"] = waveform_model("wav2vec2")
    for window in L_HUBERT_WINDOWS:
        name = "l-hubert-base" if window == L_HUBERT_WINDOWS[0] else f"l-hubert-base/window-{window}"
        models[name] = waveform_model("hubert", window)
        models[f"{name}/ideal"] = waveform_model("hubert", window, ideal=True)
    root = Path(hf.__file__).parent / "models"
    files = [root / n / f"modeling_{n}.py" for n in ("whisper", "moonshine", "hubert", "wav2vec2", "longformer")]
    return {
        "provenance": {
            "made_by": "tools/counts/transformers_models.py",
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": hf.__version__,
            "sha256": {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files},
        },
        "models": models,
    }


def main() -> int:
    """Count everything, then write it."""
    parser = argparse.ArgumentParser(description="Record the counts of transformers' speech models as JSON.")
    parser.add_argument("-o", "--output", type=Path, help="the JSON file (standard output when left out)")
    output: Path | None = parser.parse_args().output
    if output is not None and not output.parent.is_dir():
        parser.error(f"{output.parent} is not a folder")
    logging.disable(logging.WARNING)
    with torch.device("meta"):
        text = render(count_all()) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
