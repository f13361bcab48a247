"""Count cache-aware streaming FastConformers: NeMo's large and medium (RNN-T, CTC) and Nemotron 0.6B, as JSON.

A maintenance script: it needs PyTorch, transformers and NeMo's source, which foldsim itself never imports. The tests
read the recorded file, so run this only when the record has to be made again:

    python -m venv torch-venv
    torch-venv/bin/pip install torch==2.13.0 transformers==5.23.0
    torch-venv/bin/pip download --no-deps nemo_toolkit==3.0.0 && unzip nemo_toolkit-3.0.0-*.whl -d nemo
    torch-venv/bin/python tools/counts/fastconformer.py --source nemo -o tests/data/counts/fastconformer.json

It takes a minute on two cores and 4 GB of memory, with random weights: no checkpoint is read, and no count depends
on a weight. ``--source`` is the folder that holds the wheel's ``nemo`` package, whose model files alone are executed
(``fastconformer_source.py``).

Configurations: the arguments of ``ENCODER`` and ``RNNT`` are those of these files in NVIDIA/NeMo, under
examples/asr/conf/fastconformer/ (stored versions; the project's earlier counts, on commit
8cfedd7203462cb251a914e700e5605444277561, are the same):

* @08955c7de3cc hybrid_cache_aware_streaming/fastconformer_hybrid_transducer_ctc_bpe_streaming.yaml: large
* @0e398a718e7d cache_aware_streaming/fastconformer_ctc_bpe_streaming.yaml: the same encoder under a CTC head
* @1f0f7753f33a fast-conformer_transducer_bpe.yaml: its table of sizes has medium

Nemotron is transformers' default configuration.

What is counted, and how:

* MACs are ``FlopCounterMode`` FLOPs / 2, attention as explicit matrix products over every key, masked or not. Biases,
  norms, activations and softmax count nothing there. A fused attention operator stops the script.
* A fused LSTM counts 0 in that counter: its weights are run through ``LSTMCell``, which must give what the LSTM gives,
  and the two products of a cell are counted as linears.
* A chunk is one streaming call of the encoder with the 70 tokens of left context full (NeMo: by the length handed in;
  transformers: by a first chunk of 70); the script stops if the softmax then sees another number of keys. NeMo: nine
  mel frames of the last chunk go before the chunk's, as ``CacheAwareStreamingAudioBuffer`` does, and two tokens are
  dropped. transformers: each convolution keeps its rows.
* ``state`` lists every tensor handed from one chunk to the next; ``state_elements`` are those of floating point.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import hashlib
import importlib
import json
import math
import platform
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from fastconformer_source import REAL, file_of, install
from torch.utils._python_dispatch import TorchDispatchMode  # type: ignore[import-not-found, unused-ignore]
from torch.utils.flop_counter import FlopCounterMode  # type: ignore[import-not-found, unused-ignore]

CHUNK_TOKENS = (1, 2, 5, 7, 10, 14)  # divisors of the left context, as NeMo demands; 1, 2, 7 and 14 are published
TOKEN_MS = 80
LEFT_TOKENS = 70
BANDS = 80
VOCABULARY = 1024  # without blank
HIDDEN = 640  # of predictor and joiner
ENCODER = {
    "feat_in": BANDS,
    "feat_out": -1,
    "use_bias": True,
    "subsampling": "dw_striding",
    "subsampling_factor": 8,
    "subsampling_conv_channels": 256,
    "causal_downsampling": True,
    "ff_expansion_factor": 4,
    "self_attention_model": "rel_pos",
    "att_context_style": "chunked_limited",
    "xscaling": True,
    "pos_emb_max_len": 5000,
    "conv_kernel_size": 9,
    "conv_norm_type": "layer_norm",
    "conv_context_size": "causal",
}
SIZES = {
    "large": {"n_layers": 17, "d_model": 512, "n_heads": 8},
    "medium": {"n_layers": 16, "d_model": 256, "n_heads": 4},
}
PUBLISHED = {
    "large": "114M with both heads (card of stt_en_fastconformer_hybrid_large_streaming_multi), ~115M (yaml)",
    "medium": "32M with both heads (card of stt_en_fastconformer_hybrid_medium_streaming_80ms_pc), 32M (yaml)",
}
CONFIGURATION = (
    "NVIDIA/NeMo@08955c7de3cc811d2182e18930253f4c024be5e4:examples/asr/conf/fastconformer/"
    "hybrid_cache_aware_streaming/fastconformer_hybrid_transducer_ctc_bpe_streaming.yaml"
)
RNNT = {"pred_hidden": HIDDEN, "pred_rnn_layers": 1, "dropout": 0.2}
FUSED = ("scaled_dot_product", "multi_head_attention", "transformer_encoder", "flash_att", "efficient_att")


class Products(TorchDispatchMode):  # type: ignore[misc, unused-ignore]
    """MACs of batched products by their number of columns, and softmax elements."""

    def __init__(self) -> None:
        super().__init__()
        self.by_columns: Counter[int] = Counter()
        self.by_reduction: Counter[int] = Counter()
        self.softmax_elements = 0
        self.keys: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket._qualified_op_name.rsplit("::", 1)[-1]
        if any(fused in name for fused in FUSED):
            raise RuntimeError(f"the fused operator {name} would not be counted")
        result = func(*args, **(kwargs or {}))
        if name == "bmm":
            batch, rows, reduction = args[0].shape
            self.by_columns[args[1].shape[-1]] += batch * rows * reduction * args[1].shape[-1]
        elif name in ("_softmax", "_log_softmax"):
            self.softmax_elements += result.numel()
            self.keys.add(result.shape[-1])
        return result


def part_of(name: str) -> str:
    """Which part of the encoder a linear or convolution belongs to."""
    if name.startswith(("pre_encode", "subsampling")):
        return "front_end"
    for part, marks in (
        ("positions", ("linear_pos", "relative_k_proj")),
        ("projections", ("self_attn",)),
        ("feedforward", ("feed_forward",)),
        ("convolution", (".conv.",)),
    ):
        if any(mark in name for mark in marks):
            return part
    raise RuntimeError(f"no part for {name}")


def count(module: Any, call: Callable[[], Any]) -> tuple[int, Counter[str], Products, Any]:
    """MACs of one call: total, by part of its linears and convolutions, and its batched products."""
    parts: Counter[str] = Counter()
    with torch.no_grad(), FlopCounterMode(display=False) as flops, Products() as products:
        entry: dict[str, int] = {}

        def before(name: str) -> Any:
            return lambda *_: entry.__setitem__(name, flops.get_total_flops())

        def after(name: str) -> Any:
            return lambda *_: parts.update({part_of(name): (flops.get_total_flops() - entry[name]) // 2})

        handles = []
        for name, child in module.named_modules():
            if isinstance(child, (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d)):
                handles += [
                    child.register_forward_pre_hook(before(name)),
                    child.register_forward_hook(after(name)),
                ]
        result = call()
        for handle in handles:
            handle.remove()
        total = flops.get_total_flops() // 2
    return total, parts, products, result


def tensor(name: str, value: Any, note: str, component: str = "encoder", layers: int | None = None) -> dict[str, Any]:
    """One tensor of the state, or one per layer."""
    return {
        "name": name,
        "component": component,
        "shape": [*([] if layers is None else [layers]), *value.shape],
        "dtype": str(value.dtype).removeprefix("torch."),
        "note": note,
    }


def row(tokens: int, encoder: Any, call: Callable[[], Any], output: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Counts of one steady-state chunk, without its state; and what the call returned."""
    keys = LEFT_TOKENS + tokens
    total, parts, products, result = count(encoder, call)
    if products.keys != {keys}:
        raise RuntimeError(f"not in steady state: softmax over {products.keys} keys, not {keys}")
    if output(result) != tokens:
        raise RuntimeError(f"the chunk gave {output(result)} tokens, not {tokens}")
    positions = products.by_columns[2 * keys - 1]
    attended = sum(products.by_columns.values()) - positions
    if total != sum(parts.values()) + positions + attended:
        raise RuntimeError("a product is in no part")
    parts["positions"] += positions
    return {
        "chunk_tokens": tokens,
        "chunk_ms": tokens * TOKEN_MS,
        "left_context_tokens": LEFT_TOKENS,
        "right_context_tokens": 0,
        "macs": {"front_end": parts["front_end"], "encoder": total - parts["front_end"]},
        "macs_by_part": {**dict(sorted(parts.items())), "scores_context": attended},
        "softmax_elements": products.softmax_elements,
    }, result


def finish(chunk: dict[str, Any], state: list[dict[str, Any]]) -> dict[str, Any]:
    """Add the state to a chunk's counts."""
    floats = sum(math.prod(t["shape"]) for t in state if t["dtype"].startswith("float"))
    return {**chunk, "state": state, "state_elements": floats}


def nemo_chunk(encoder_class: Any, size: dict[str, int], tokens: int) -> tuple[dict[str, Any], Any]:
    """One chunk size of NeMo's encoder: counts and the encoder."""
    encoder = encoder_class(**ENCODER, **size, att_context_size=[LEFT_TOKENS, tokens - 1]).eval()
    config = encoder.streaming_cfg
    frames, kept = config.shift_size[1], config.pre_encode_cache_size[1]
    if (frames, kept, config.drop_extra_pre_encoded) != (8 * tokens, 9, 2):
        raise RuntimeError(f"unexpected streaming configuration: {config}")
    mel = torch.randn(1, BANDS, kept + frames)
    length = torch.tensor([kept + frames])
    caches = encoder.get_initial_cache_state(batch_size=1)

    def step() -> Any:
        names = ("cache_last_channel", "cache_last_time", "cache_last_channel_len")
        return encoder.cache_aware_stream_step(mel, length, **dict(zip(names, caches, strict=True)))

    caches[2].fill_(LEFT_TOKENS)  # as after that many tokens
    with torch.no_grad():
        caches = step()[2:]
    chunk, result = row(tokens, encoder, step, lambda r: r[0].shape[-1])
    channel, time, filled = result[2:]
    if int(filled) != LEFT_TOKENS:
        raise RuntimeError(f"the cache holds {int(filled)} tokens")
    state = [
        tensor(
            "cache_last_channel", channel, "attention input of the last tokens, after the norm; K, V projected again"
        ),
        tensor("cache_last_time", time, "input of the depthwise convolution, after the gate"),
        tensor("cache_last_channel_len", filled, "filled length"),
        tensor("pre_encode_cache", mel[:, :, :kept], "frames that the buffer puts before the next chunk", "front_end"),
    ]
    return finish(chunk, state), encoder


def hf_encoder(size: dict[str, int] | None) -> Any:
    """transformers' streaming encoder, at its default geometry or at NeMo's."""
    hf = importlib.import_module("transformers")
    config = hf.NemotronAsrStreamingEncoderConfig()
    if size is not None:
        config = hf.NemotronAsrStreamingEncoderConfig(
            hidden_size=size["d_model"],
            num_hidden_layers=size["n_layers"],
            num_attention_heads=size["n_heads"],
            intermediate_size=4 * size["d_model"],
        )
    config._attn_implementation = "eager"
    return hf.NemotronAsrStreamingEncoder(config).eval()


def hf_chunk(encoder: Any, tokens: int) -> dict[str, Any]:
    """One chunk size of transformers' streaming encoder."""
    past, padding = None, None

    def step(tokens: int, first: bool = False) -> Any:
        frames = 1 + 8 * (tokens - 1) if first else 8 * tokens  # `_required_stream_chunk_frames`
        return encoder(
            input_features=torch.randn(1, frames, BANDS),
            past_key_values=past,
            padding_cache=padding,
            use_cache=True,
            num_lookahead_tokens=tokens - 1,
        )

    with torch.no_grad():
        for size in (LEFT_TOKENS, tokens):  # a first chunk that fills the cache, then one of the size counted
            out = step(size, first=past is None)
            past, padding = out.past_key_values, out.padding_cache
    chunk, out = row(tokens, encoder, lambda: step(tokens), lambda r: r.last_hidden_state.shape[1])
    layers = out.past_key_values.layers
    keys, values = layers[0].keys, layers[0].values
    if keys.shape[2] != LEFT_TOKENS or any(k.keys.shape != keys.shape for k in layers):
        raise RuntimeError(f"the cache holds {keys.shape}")
    convs = {name: layer.cache for name, layer in out.padding_cache.layers.items()}
    own = [cache for name, cache in convs.items() if name.startswith("conv.")]
    state = [
        tensor("keys", keys, "projected", layers=len(layers)),
        tensor("values", values, "projected", layers=len(layers)),
        tensor("conv", own[0], "input of the depthwise convolution, after the gate", layers=len(own)),
    ]
    state += [
        tensor(name, cache, "last row of a convolution's input, with the zeros of its bands of padding", "front_end")
        for name, cache in convs.items()
        if name.startswith("subsampling")
    ]
    return finish(chunk, state)


def params(*modules: Any) -> int:
    """Parameters of modules."""
    return sum(int(p.numel()) for module in modules for p in module.parameters())


def lstm_macs(lstm: Any) -> int:
    """MACs of one step of an LSTM, through cells that share its weights."""
    total = 0
    x = inputs = torch.randn(1, 1, lstm.input_size)
    with torch.no_grad():
        for i in range(lstm.num_layers):
            cell = torch.nn.LSTMCell(x.shape[-1], lstm.hidden_size)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(cell, name).copy_(getattr(lstm, f"{name}_l{i}"))
            # The cell's own fused operator is not counted either: its two products are run as linears.
            with FlopCounterMode(display=False) as flops:
                torch.nn.functional.linear(x[0], cell.weight_ih)
                torch.nn.functional.linear(torch.zeros(1, lstm.hidden_size), cell.weight_hh)
            total += flops.get_total_flops() // 2
            x = cell(x[0])[0][None]
        if not torch.allclose(lstm(inputs)[0], x, atol=1e-5):
            raise RuntimeError("the cells do not give what the LSTM gives")
    return total


def linear_macs(call: Callable[[], Any]) -> int:
    """MACs of a call."""
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        call()
    return flops.get_total_flops() // 2


def transducer_calls(lstm: Any, predict: Any, join: Any) -> dict[str, Any]:
    """One call of predictor and joiner. ``predict`` projects what the LSTM gives."""
    step = torch.randn(1, 1, HIDDEN)
    state = 2 * lstm.num_layers * lstm.hidden_size
    return {
        "predictor": {"macs": lstm_macs(lstm) + linear_macs(lambda: predict(step)), "state_elements": state},
        "joiner": {"macs": linear_macs(lambda: join(step))},
    }


def with_head(chunks: list[dict[str, Any]], component: str, head: Callable[[int], Any]) -> list[dict[str, Any]]:
    """Chunks with what runs once per chunk on the encoder's output, as part of ``component``.

    ``head`` runs it on so many tokens.
    """
    counted = []
    for chunk in chunks:
        with Products() as products:
            macs = linear_macs(functools.partial(head, chunk["chunk_tokens"]))
        added = {component: chunk["macs"].get(component, 0) + macs}
        counted.append(
            {
                **chunk,
                "macs": {**chunk["macs"], **added},
                "macs_by_part": {**chunk["macs_by_part"], "head": macs},
                "head_softmax_elements": products.softmax_elements,
            }
        )
    return counted


def nemo_models(size: str) -> dict[str, dict[str, Any]]:
    """NeMo's transducer and CTC model of one size, which share the encoder."""
    modules = "nemo.collections.asr.modules"
    encoder_class = importlib.import_module(f"{modules}.conformer_encoder").ConformerEncoder
    rnnt, ctc = importlib.import_module(f"{modules}.rnnt"), importlib.import_module(f"{modules}.conv_asr")
    dims = SIZES[size]
    width = dims["d_model"]
    counted = [nemo_chunk(encoder_class, dims, tokens) for tokens in CHUNK_TOKENS]
    chunks, encoder = [chunk for chunk, _ in counted], counted[0][1]
    decoder = rnnt.RNNTDecoder(prednet=RNNT, vocab_size=VOCABULARY).eval()
    jointnet = {"encoder_hidden": width, "pred_hidden": HIDDEN, "joint_hidden": HIDDEN, "activation": "relu"}
    joint = rnnt.RNNTJoint(jointnet=jointnet, num_classes=VOCABULARY).eval()
    symbols = [str(i) for i in range(VOCABULARY)]
    head = ctc.ConvASRDecoder(feat_in=width, num_classes=VOCABULARY, vocabulary=symbols)
    common = {
        "source": f"{CONFIGURATION}; nemo_toolkit 3.0.0 (PyPI): nemo/collections/asr/modules/",
        "config": {**ENCODER, **dims, "att_context_size": [[LEFT_TOKENS, t - 1] for t in CHUNK_TOKENS]},
        "unused_params": 0,
        "published_params": None,
        "published_params_about": PUBLISHED[size],
    }
    transducer = {
        **common,
        "params": {
            "front_end": params(encoder.pre_encode),
            "encoder": params(encoder.layers, joint.enc),
            "predictor": params(decoder, joint.pred),
            "joiner": params(joint.joint_net),
        },
        "chunks": with_head(chunks, "encoder", lambda t: joint.project_encoder(torch.randn(1, t, width))),
        "calls": transducer_calls(decoder.prediction["dec_rnn"].lstm, joint.project_prednet, joint.joint_net),
    }
    connectionist = {
        **common,
        "params": {
            "front_end": params(encoder.pre_encode),
            "encoder": params(encoder.layers),
            "ctc_head": params(head),
        },
        "chunks": with_head(chunks, "ctc_head", lambda t: head(encoder_output=torch.randn(1, width, t))),
        "calls": {},
    }
    return {f"fastconformer-{size}-rnnt": transducer, f"fastconformer-{size}-ctc": connectionist}


def nemotron() -> dict[str, Any]:
    """Nemotron streaming 0.6B, and NeMo's large geometry in the same code."""
    hf = importlib.import_module("transformers")
    model = hf.NemotronAsrStreamingForRNNT(hf.NemotronAsrStreamingConfig()).eval()
    model.encoder.config._attn_implementation = "eager"
    width = model.config.encoder_config.hidden_size
    same = hf_encoder(SIZES["large"])
    chunks = [hf_chunk(model.encoder, tokens) for tokens in CHUNK_TOKENS]
    return {
        "source": "transformers 5.23.0 (PyPI): models/nemotron_asr_streaming/ at its default configuration",
        "config": {k: v for k, v in model.config.to_dict().items() if k not in ("id2label", "label2id")},
        "params": {
            "front_end": params(model.encoder.subsampling),
            "encoder": params(model.encoder.layers, model.encoder_projector),
            "predictor": params(model.decoder),
            "joiner": params(model.joint),
        },
        "unused_params": 0,
        "published_params": None,
        "published_params_about": "0.6B (name and model card)",
        "chunks": with_head(chunks, "encoder", lambda t: model.encoder_projector(torch.randn(1, t, width))),
        "calls": transducer_calls(model.decoder.lstm, model.decoder.decoder_projector, model.joint.head),
        "large_geometry": {
            "about": "the encoder of fastconformer-large in this code: projected keys and values, no frames read again",
            "params": {"front_end": params(same.subsampling), "encoder": params(same.layers)},
            "chunks": [hf_chunk(same, tokens) for tokens in CHUNK_TOKENS],
        },
    }


def provenance(source: Path) -> dict[str, Any]:
    """Versions, and hashes of the files that were run."""
    hf = importlib.import_module("transformers")
    streaming = Path(hf.__file__).parent / "models" / "nemotron_asr_streaming"
    files = {f"nemo/{name.replace('.', '/')}.py": file_of(name, source) for name in REAL}
    names = ("modeling", "configuration")
    files |= {f"transformers/{n}": streaming / f"{n}_nemotron_asr_streaming.py" for n in names}
    return {
        "tool": "tools/counts/fastconformer.py: batch 1, MACs = FLOPs / 2",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": hf.__version__,
        "nemo_toolkit": "3.0.0",
        "sha256": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()},
    }


def render(value: Any, depth: int = 0) -> str:
    """JSON with indent 1, where a short container of scalars stays on one line."""
    line = json.dumps(value)
    if len(line) < 420 and not any(mark in line[1:] for mark in "[{"):
        return line
    if isinstance(value, dict) and "shape" in value:
        return line
    pad = "\n" + " " * (depth + 1)
    if isinstance(value, dict):
        inner = [f"{json.dumps(key)}: {render(item, depth + 1)}" for key, item in value.items()]
    else:
        inner = [render(item, depth + 1) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return opening + pad + ("," + pad).join(inner) + "\n" + " " * depth + closing


def main() -> int:
    """Count everything, then write it."""
    parser = argparse.ArgumentParser(description="Record the counts of streaming FastConformers as JSON.")
    parser.add_argument("--source", type=Path, required=True, help="folder that holds the package nemo, see above")
    parser.add_argument("-o", "--output", type=Path, help="the JSON file (standard output when left out)")
    arguments = parser.parse_args()
    missing = [path for path in (file_of(name, arguments.source) for name in REAL) if not path.is_file()]
    if missing:
        parser.error(f"{missing[0]} is missing: see the top of this script")
    torch.manual_seed(0)
    install(arguments.source)
    models = {**nemo_models("large"), **nemo_models("medium")}
    models["nemotron-streaming-0.6b"] = nemotron()
    text = render({"provenance": provenance(arguments.source), "models": models}) + "\n"
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        arguments.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
