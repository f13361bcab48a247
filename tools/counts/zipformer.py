"""Count the real streaming Zipformer transducers (small, medium, large), folded and unfolded, and record the counts.

A maintenance script: it needs PyTorch and the authors' package ``zipformer`` 0.1.3 (the icefall recipe
egs/librispeech/ASR/zipformer as a package, by the same authors), which foldsim itself never imports. The tests read
the recorded file, so run this only when the record has to be made again:

    python -m venv torch-venv
    torch-venv/bin/pip install torch==2.13.0                          # a CPU build is enough
    torch-venv/bin/pip install --no-deps --target DIR zipformer==0.1.3  # five pure-Python files of it are loaded
    torch-venv/bin/python tools/counts/zipformer.py --source DIR -o tests/data/counts/zipformer.json

It takes a few minutes on two cores and 2 GB of memory, with random weights: no count depends on a weight. Only
``zipformer/modules/{model,zipformer,subsampling,scaling,attention_decoder}.py`` are run; what they import for training
is stubbed.

What is counted, and how:

* A chunk is one call of ``encoder_embed.streaming_forward`` on 2 T + 13 feature frames, ``encoder.streaming_forward``
  on T tokens of 20 ms, and ``joiner.encoder_proj`` on its T / 2 output frames: what the package exports as the
  streaming encoder. States come from ``get_init_states`` and are full-sized from the first chunk on.
  ``chunk_tokens`` is the recipe's ``--chunk-size``, ``left_context_tokens`` its ``--left-context-frames``, both at
  50 Hz.
* MACs are ``FlopCounterMode`` FLOPs / 2, over matrix products and convolutions only. They are split by hooks on the
  modules that hold weights and by a function mode that sees the bare ``torch.matmul`` calls; the script stops if the
  parts do not add up to the total. Padded cells of the depthwise convolutions count, as the counter has it.
* ``softmax_elements`` are those of attention; the softmax over the 2 to 8 weights of a downsampling module depends on
  no input and is left out.
* ``state`` is what ``get_init_states`` of the streaming wrapper returns: six tensors per layer, the cache of the
  ConvNeXt block, and the count of processed frames. The 13 feature frames that the next chunk reads again are kept by
  the feature extractor, not by the model; they are given as ``reread_feature_frames``.
* ``unused_params`` are the linear ``simple_am_proj`` and ``simple_lm_proj`` of the training loss, and ``bypass_scale``
  of every layer, which no forward pass reads.
* The predictor is ``decoder`` and ``joiner.decoder_proj``, run per symbol; the joiner is what is left of it.
* Folding has no official code: ``zipformer_folding.py`` beside this script makes a reference from the real modules.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import platform
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from torch.overrides import TorchFunctionMode  # type: ignore[import-not-found, unused-ignore]
from torch.utils.flop_counter import FlopCounterMode  # type: ignore[import-not-found, unused-ignore]
from zipformer_folding import fold  # beside this script

# egs/librispeech/ASR/zipformer/train.py of k2-fsa/icefall@36e0420c7e3e849a25b3d24dbf913c424f3d23c9: defaults are
# the medium model; small and large from the recipe's RESULTS.md.
POSITION_QUERY = 4
COMMON: dict[str, Any] = {
    "downsampling_factor": "1,2,4,8,4,2",
    "num_heads": "4,4,4,8,4,4",
    "query_head_dim": "32",
    "value_head_dim": "12",
    "pos_head_dim": str(POSITION_QUERY),
    "pos_dim": 48,
    "cnn_module_kernel": "31,31,15,15,15,31",
}
CONFIGS: dict[str, dict[str, Any]] = {
    "zipformer-small": {
        "num_encoder_layers": "2,2,2,2,2,2",
        "feedforward_dim": "512,768,768,768,768,768",
        "encoder_dim": "192,256,256,256,256,256",
        "encoder_unmasked_dim": "192,192,192,192,192,192",
        **COMMON,
    },
    "zipformer-medium": {
        "num_encoder_layers": "2,2,3,4,3,2",
        "feedforward_dim": "512,768,1024,1536,1024,768",
        "encoder_dim": "192,256,384,512,384,256",
        "encoder_unmasked_dim": "192,192,256,256,256,192",
        **COMMON,
    },
    "zipformer-large": {
        "num_encoder_layers": "2,2,4,5,4,2",
        "feedforward_dim": "512,768,1536,2048,1536,768",
        "encoder_dim": "192,256,512,768,512,256",
        "encoder_unmasked_dim": "192,192,256,320,256,192",
        **COMMON,
    },
}
# Totals that icefall's RESULTS.md publishes: (causal, not causal).
PUBLISHED = {
    "zipformer-small": (None, 23285615),
    "zipformer-medium": (66110931, 65549011),
    "zipformer-large": (None, 148439574),
}
CHUNKS = [(tokens, 128) for tokens in (8, 16, 32, 64, 128)] + [(t, left) for left in (64, 256) for t in (16, 32, 64)]
FOLDS = [(2, "keep_head_dim", False), (2, "keep_head_dim", True), (4, "keep_head_dim", True), (2, "keep_heads", False)]
FOLDED_CHUNKS = (16, 32)
FEATURES, TOKEN_MS, FRAMES_PER_TOKEN, REREAD_FRAMES = 80, 20, 2, 13
VOCABULARY, DECODER, JOINER, CONTEXT_SYMBOLS = 500, 512, 512, 2
STATE_NAMES = ("cached_key", "cached_nonlin_attn", "cached_val1", "cached_val2", "cached_conv1", "cached_conv2")
FILES = ("model", "zipformer", "subsampling", "scaling", "attention_decoder")
SOURCE = (
    "PyPI zipformer 0.1.3: zipformer/modules/{model,zipformer,subsampling,scaling}.py; configuration"
    " k2-fsa/icefall@36e0420c7e3e849a25b3d24dbf913c424f3d23c9:egs/librispeech/ASR/zipformer/train.py and RESULTS.md"
)


def load(source: Path) -> tuple[Any, dict[str, str]]:
    """Import the package's model modules under stub parents, and the SHA-256 of the files loaded."""
    os.environ["K2_ONNX_EXPORT"] = "1"  # keeps torch.compile away from the activations
    root = source / "zipformer"
    for name, folder in (("zipformer", root), ("zipformer.modules", root / "modules")):
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    for name in ("zipformer.utils", "zipformer.modules.label_smoothing", "atdataset"):
        sys.modules[name] = _Stub(name)
    sys.modules["zipformer.utils"].__dict__["torch_autocast"] = _no_autocast
    model = importlib.import_module("zipformer.modules.model")
    return model, {
        f"zipformer/modules/{f}.py": hashlib.sha256((root / "modules" / f"{f}.py").read_bytes()).hexdigest()
        for f in FILES
    }


class _Stub(types.ModuleType):
    """A module whose every name is an empty class: training code that is imported but never run."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@contextlib.contextmanager
def _no_autocast(**_: Any) -> Any:
    yield


def build(model: Any, name: str, chunk: int = 16, left: int = 128, causal: bool = True) -> Any:
    """A model with the recipe's arguments and a transducer head."""
    context = {"chunk_size": str(chunk), "left_context_frames": str(left)} if causal else {}
    for key in ("chunk_size", "left_context_frames"):
        context.setdefault(key, "-1")
    return model.AsrModel(
        feature_dim=FEATURES,
        vocab_size=VOCABULARY,
        decoder_dim=DECODER,
        context_size=CONTEXT_SYMBOLS,
        joiner_dim=JOINER,
        causal=causal,
        **CONFIGS[name],
        **context,
    ).eval()


def params(*modules: Any) -> int:
    """Parameters of modules or of parameters."""
    return sum(
        m.numel() if isinstance(m, torch.nn.Parameter) else sum(int(p.numel()) for p in m.parameters()) for m in modules
    )


def unused(model: Any) -> list[Any]:
    """What no streaming forward pass reads."""
    scales = [
        p for n, p in model.encoder.named_parameters() if n.split(".")[-2].isdigit() and n.endswith("bypass_scale")
    ]
    return [model.simple_am_proj, model.simple_lm_proj, *scales]


class Products(TorchFunctionMode):  # type: ignore[misc, unused-ignore]
    """MACs of bare ``torch.matmul`` calls, and elements of softmaxes over activations."""

    def __init__(self, position_dims: set[int]) -> None:
        super().__init__()
        self.position_dims, self.macs, self.softmax = position_dims, Counter[str](), 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.matmul:
            part = "positions" if args[0].shape[-1] in self.position_dims else "scores_context"
            self.macs[part] += result.numel() * args[0].shape[-1]
        elif func in (torch.softmax, torch.Tensor.softmax) and not isinstance(args[0], torch.nn.Parameter):
            self.softmax += result.numel()
        return result


def part_of(name: str) -> str:
    """The part that a module with weights belongs to."""
    if name.startswith("encoder_embed."):
        return "front_end"
    if name.startswith("joiner.encoder_proj"):
        return "head"
    for piece, part in (
        ("linear_pos", "positions"),
        ("conv_module", "convolution"),
        ("feed_forward", "feedforward"),
        ("self_attn", "projections"),
        ("nonlin_attention", "projections"),
    ):
        if piece in name:
            return part
    raise RuntimeError(f"{name} belongs to no part")


def counted(model: Any, call: Any, position_dims: set[int]) -> tuple[int, Counter[str], int, Any]:
    """Total MACs of a call, those by part (weights by module, bare products by shape), and softmax elements."""
    parts: Counter[str] = Counter()
    open_at: dict[str, int] = {}
    flops = FlopCounterMode(display=False)

    def before(name: str) -> Any:
        return lambda *_: open_at.__setitem__(name, flops.get_total_flops())

    def after(name: str) -> Any:
        return lambda *_: parts.update({part_of(name): (flops.get_total_flops() - open_at[name]) // 2})

    handles = []
    for name, module in model.named_modules():
        if name.startswith("encoder") or name == "joiner.encoder_proj":
            kind = type(module).__name__
            if isinstance(module, torch.nn.Linear | torch.nn.Conv1d) or kind == "ActivationDropoutAndLinear":
                handles += [
                    module.register_forward_pre_hook(before(name)),
                    module.register_forward_hook(after(name)),
                ]
    products = Products(position_dims)
    with torch.no_grad(), flops, products:
        result = call()
    for handle in handles:
        handle.remove()
    parts.update(products.macs)
    return flops.get_total_flops() // 2, parts, products.softmax, result


def run_chunk(model: Any, chunk: int, left: int, states: list[Any], position_dims: set[int]) -> dict[str, Any]:
    """Counts of one streaming chunk."""
    frames = FRAMES_PER_TOKEN * chunk + REREAD_FRAMES
    features, cache = torch.randn(1, frames, FEATURES), model.encoder_embed.get_init_states()
    embed, _, _, (x, lengths, new_cache) = counted(
        model, lambda: model.encoder_embed.streaming_forward(features, torch.tensor([frames]), cache), position_dims
    )
    mask = torch.zeros(1, left + chunk, dtype=torch.bool)

    def encode() -> Any:
        out, _, new_states = model.encoder.streaming_forward(x.permute(1, 0, 2), lengths, states, mask)
        return model.joiner.encoder_proj(out), new_states

    encoder, parts, softmax, (out, new_states) = counted(model, encode, position_dims)
    parts["front_end"] = embed
    if tuple(out.shape) != (chunk // 2, 1, JOINER) or sum(parts.values()) != embed + encoder:
        raise RuntimeError(f"{tuple(out.shape)} out, parts {dict(parts)} of {embed + encoder}")
    if [s.shape for s in new_states] != [s.shape for s in states] or new_cache.shape != cache.shape:
        raise RuntimeError("the states change their shape")
    return {
        "chunk_tokens": chunk,
        "chunk_ms": chunk * TOKEN_MS,
        "left_context_tokens": left,
        "right_context_tokens": 0,
        "macs": {"front_end": embed, "encoder": encoder},
        "macs_by_part": dict(sorted(parts.items())),
        "softmax_elements": softmax,
        "state_elements": sum(s.numel() for s in [*new_states, new_cache]),
    }


def describe_states(model: Any, name: str) -> list[dict[str, Any]]:
    """Every tensor carried between chunks; those of identical layers as one, with the layers as first dimension."""
    states, rows, at = model.encoder.get_init_states(), [], 0
    for stack, layers in enumerate(map(int, CONFIGS[name]["num_encoder_layers"].split(","))):
        for tensor, label in zip(states[at : at + len(STATE_NAMES)], STATE_NAMES, strict=True):
            shape = [layers, *tensor.shape]
            rows.append({"name": f"stack {stack} {label}", "shape": shape, "dtype": "float32"})
        at += layers * len(STATE_NAMES)
    cache = list(model.encoder_embed.get_init_states().shape)
    rows.append({"name": "cached_embed_left_pad", "shape": cache, "dtype": "float32", "note": "of the ConvNeXt block"})
    rows.append({"name": "processed_lens", "shape": [1], "dtype": "int32", "note": "not counted: no float"})
    return rows


def count_folded(model_code: Any, name: str) -> list[dict[str, Any]]:
    """The reference for folding, at two chunk sizes each."""
    rows = []
    for factor, heads, feedforward in FOLDS:
        for chunk in FOLDED_CHUNKS:
            model = build(model_code, name, chunk)
            states = fold(model, factor, heads, feedforward)
            per_head = factor if heads == "keep_heads" else 1
            row = run_chunk(model, chunk, 128, states, {POSITION_QUERY // per_head})
            label = {
                "fold_factor": factor,
                "fold_scope": "attention+feedforward" if feedforward else "attention",
                "fold_heads": heads,
                "counted_on": "reference: the package's modules at width D / N behind a reshape, in the real layer",
                "encoder_params": params(model.encoder, model.joiner.encoder_proj) - params(*unused(model)[2:]),
            }
            rows.append({**label, **row})
    return rows


def count_model(model_code: Any, name: str) -> dict[str, Any]:
    """The record of one model."""
    model = build(model_code, name)
    total, no_part = params(model), unused(model)
    joiner = model.joiner
    components = {
        "front_end": params(model.encoder_embed),
        "encoder": params(model.encoder, joiner.encoder_proj) - params(*no_part[2:]),
        "predictor": params(model.decoder, joiner.decoder_proj),
        "joiner": params(joiner.output_linear),
    }
    plain = params(build(model_code, name, causal=False))
    causal, published = PUBLISHED[name]
    if sum(components.values()) + params(*no_part) != total or published != plain or causal not in (None, total):
        raise RuntimeError(f"{name}: {components} and {params(*no_part)} unused of {total}; not causal {plain}")
    symbols = torch.zeros(1, CONTEXT_SYMBOLS, dtype=torch.int64)
    flops = FlopCounterMode(display=False)
    with torch.no_grad(), flops:
        joiner.decoder_proj(model.decoder(symbols, need_pad=False))
    predictor = flops.get_total_flops() // 2
    flops = FlopCounterMode(display=False)
    with torch.no_grad(), flops:
        joiner(torch.randn(1, 1, JOINER), torch.randn(1, 1, JOINER), project_input=False)
    chunks = []
    for chunk, left in CHUNKS:
        print(f"{name}: {chunk} tokens, left context {left}", file=sys.stderr)
        streaming = build(model_code, name, chunk, left)
        states = streaming.encoder.get_init_states()
        row = run_chunk(streaming, chunk, left, states, {POSITION_QUERY})
        chunks.append({**row, "state": describe_states(streaming, name)})
    head = {"features": FEATURES, "vocabulary": VOCABULARY, "decoder_dim": DECODER, "joiner_dim": JOINER}
    return {
        "source": SOURCE,
        "counted_on": "real module",
        "config": {**CONFIGS[name], **head, "context_symbols": CONTEXT_SYMBOLS, "causal": True},
        "params": components,
        "unused_params": params(*no_part),
        "unused_params_split": {
            "simple_am_proj": params(model.simple_am_proj),
            "simple_lm_proj": params(model.simple_lm_proj),
            "layer_bypass_scale": params(*no_part[2:]),
        },
        "total_params": total,
        "total_params_non_causal": plain,
        "published_params": causal,
        "published_params_non_causal": published,
        "reread_feature_frames": REREAD_FRAMES,
        "chunks": chunks,
        "folded": count_folded(model_code, name),
        "calls": {
            "predictor": {"macs": predictor, "state_elements": 0, "note": "state: the last two symbols, integers"},
            "joiner": {"macs": flops.get_total_flops() // 2},
        },
    }


def render(value: Any, depth: int = 0) -> str:
    """JSON with indent 1, where a short container of scalars stays on one line."""
    line = json.dumps(value)
    if not isinstance(value, dict | list) or (len(line) < 420 and "{" not in line[1:]):
        return line
    pad = "\n" + " " * (depth + 1)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {render(item, depth + 1)}" for key, item in value.items()]
    else:
        parts = [render(item, depth + 1) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return opening + pad + ("," + pad).join(parts) + "\n" + " " * depth + closing


def main() -> int:
    """Count everything, then write it."""
    parser = argparse.ArgumentParser(description="Record the counts of the real streaming Zipformer as JSON.")
    parser.add_argument("--source", type=Path, required=True, help="folder with the unpacked package zipformer 0.1.3")
    parser.add_argument("-o", "--output", type=Path, help="the JSON file (standard output when left out)")
    args = parser.parse_args()
    torch.manual_seed(0)
    model_code, files = load(args.source)
    record = {
        "about": "streaming Zipformer transducers, from tools/counts/zipformer.py: batch 1, MACs = FLOPs / 2",
        "provenance": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "package": "zipformer 0.1.3 from PyPI",
            "sha256": files,
            "note": "the package is the icefall recipe, released by its authors; parameters equal those that icefall"
            " publishes, MACs and state at 16 tokens those counted independently on icefall at the commit named",
        },
        "models": {name: count_model(model_code, name) for name in CONFIGS},
    }
    text = render(record) + "\n"
    if args.output is None:
        sys.stdout.write(text)
    else:
        args.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
