"""Count MLPerf's speech models, Wav2Letter and a reference Performer-Conformer, and record the counts as JSON.

A maintenance script: it needs PyTorch and TensorFlow, which foldsim itself never imports, and model files that foldsim
does not ship. The tests read the recorded file, so run this only when the record has to be made again:

    python -m venv count-venv
    count-venv/bin/pip install torch==2.13.0 tensorflow-cpu==2.21.0 tf_keras==2.21.0    # CPU builds are enough
    count-venv/bin/python tools/counts/small_models.py --source DIR -o tests/data/counts/small.json

Under DIR lie the files of ``SOURCES`` below, each under the name that stands first. One of them was read from a fork,
because the index at hand had no other copy; its structure is the published one (``CHECKS``).

It takes a minute on two cores and 3 GB of memory, with random weights: no checkpoint is read, and no count depends on a
weight.

What is counted, and how:

* Keras models: MACs of every Conv2D, DepthwiseConv2dNative and MatMul node of the frozen graph, out of the shapes of
  its tensors; the script stops if TensorFlow's own profiler says otherwise. Cells of zero padding count. Parameters are
  those of the model after conversion to LiteRT (TFLite), where batch norms are folded into the layer before them;
  what the conversion drops (moving averages, scales) is in ``unused_params``, so that the sum is the size of the Keras
  model. The converter gives a convolution without bias a bias of zeros: ``zero_bias_elements``, not counted.
* RNN-T: ``torch.utils.flop_counter.FlopCounterMode`` FLOPs / 2 with oneDNN off, since its fused LSTM would count
  nothing. The published code runs whole utterances. Here a chunk is one run of the same modules from the (h, c) that
  the last one returned: the script stops unless the outputs equal those of one run over all frames.
* Performer-Conformer: only a paper exists (arXiv 2011.04196), of which the size of 10 million parameters and the use of
  FAVOR+ in place of softmax attention are known. performer_reference.py is a reference module from the definitions:
  Conformer (S) of arXiv 2005.08100 made causal, with the streaming form of FAVOR+, whose sums run on from chunk to
  chunk. The script stops unless the last chunk's attention equals that of one run over all tokens.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import importlib
import json
import math
import platform
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from keras_counting import TENSORFLOW, deployed, graph_counts, split  # type: ignore[import-not-found, unused-ignore]
from performer_reference import (  # type: ignore[import-not-found, unused-ignore]
    PERFORMER,
    FavorAttention,
    PerformerConformer,
)
from torch.utils.flop_counter import FlopCounterMode  # type: ignore[import-not-found, unused-ignore]

SOURCES = {
    "rnn.py": "mlcommons/inference@06252511e9aaf1f93afbfdd86b5e0d3d258db997:speech_recognition/rnnt/pytorch/rnn.py",
    "model_separable_rnnt.py": "mlcommons/inference@6f23edcea21ea0ee610736606cd6d1a6ac6b2c1c:"
    "speech_recognition/rnnt/pytorch/model_separable_rnnt.py",
    "kws_keras_model.py": "mlcommons/tiny@53e5363d453fb00b1f63c32a531c6f6e782e3c2e:"
    "v0.1/training/keyword_spotting/keras_model.py",
    "sww_keras_model.py": "mlcommons/tiny@859b3b381dc617036d3147cc43d522c26b195e85:"
    "benchmark/training/streaming_wakeword/keras_model.py",
    "ad_keras_model.py": "jenna045/tiny@64a6446298c612f2218a9e98d94bfc58fc20d22e (fork of mlcommons/tiny):"
    "benchmark/training/anomaly_detection/keras_model.py",
    "wav2letter.py": "ARM-software/ML-zoo@c27c53d43711ca056fda9b87449d1903102157d4:"
    "models/speech_recognition/wav2letter/tflite_pruned_int8/recreate_model/wav2letter.py",
}
STUBBED = (  # imported by the files above, used only in training
    "tensorflow_datasets",
    "tensorflow_model_optimization",
    "matplotlib.pyplot",
    *(
        "tensorflow_model_optimization.python.core.quantization.keras.experimental.default_n_bit." + name
        for name in (
            "default_n_bit_quantize_configs",
            "default_n_bit_quantize_registry",
            "default_n_bit_quantize_scheme",
        )
    ),
)
# What must come out: totals that were published, or counted on the deployed files.
CHECKS = {
    ("mlperf-tiny-kws", "macs"): 2_656_768,  # measured.csv of the project's facts, from the MLPerf Tiny logs
    ("mlperf-tiny-kws", "weights"): 22_016,
    ("mlperf-tiny-sww", "macs"): 826_368,
    ("mlperf-tiny-sww", "weights"): 46_040,
    ("mlperf-tiny-ad", "macs"): 264_192,
    ("mlperf-tiny-ad", "weights"): 264_192,
}
SPEECH_COMMANDS = {"sample_rate": 16_000, "clip_duration_ms": 1000, "learning_rate": 1e-3}
KWS = {**SPEECH_COMMANDS, "window_size_ms": 30.0, "window_stride_ms": 20.0, "dct_coefficient_count": 10}  # kws_util.py
SWW = {
    **SPEECH_COMMANDS,
    "window_size_ms": 64.0,
    "window_stride_ms": 32.0,
    "dct_coefficient_count": 40,
}  # str_ww_util.py
RNNT = {  # configs/rnnt.toml; the same in NVIDIA's and Intel's submissions
    "encoder_n_hidden": 1024,
    "encoder_pre_rnn_layers": 2,
    "encoder_post_rnn_layers": 3,
    "encoder_stack_time_factor": 2,
    "pred_n_hidden": 320,
    "pred_rnn_layers": 2,
    "joint_n_hidden": 512,
    "forget_gate_bias": 1.0,
    "rnn_type": "lstm",
    "dropout": 0.32,
}


class Stub(types.ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return object


def load(source: Path) -> dict[str, Any]:
    """Import the model files, with stubs for what only training needs."""
    for full in STUBBED:
        parts = full.split(".")
        for i in range(1, len(parts) + 1):
            name = ".".join(parts[:i])
            if name not in sys.modules:
                sys.modules[name] = Stub(name)
                sys.modules[name].__path__ = []
                if i > 1:
                    setattr(sys.modules[".".join(parts[: i - 1])], parts[i - 1], sys.modules[name])
    sys.path.insert(0, str(source))
    return {name: importlib.import_module(name.removesuffix(".py")) for name in SOURCES}


def keras_record(
    name: str, model: Any, components: list[str], parts: list[str], chunks: list[dict[str, Any]], **about: Any
) -> dict[str, Any]:
    """The record of a Keras model; ``chunks`` hold the shape of the input and how often it is run, or another model."""
    rows, zeros = deployed(model)
    params = split(components, [w + b for w, b in rows])
    total = int(model.count_params())
    weights = sum(w for w, _ in rows)
    for chunk in chunks:
        runs, shape = chunk.pop("runs", 1), chunk.pop("shape")
        macs, softmax = graph_counts(chunk.pop("model", model), shape)
        counts = [runs * count for _, count in macs]
        chunk["macs"] = split(components, counts)
        chunk["macs_by_part"] = split(parts, counts)
        chunk["softmax_elements"] = runs * softmax
        chunk["state_elements"] = sum(math.prod(t["shape"]) for t in chunk["state"] if t["dtype"] != "int16")
    first = sum(chunks[0]["macs"].values())
    for what, value in (("macs", first), ("weights", weights)):
        if CHECKS.get((name, what), value) != value:
            raise RuntimeError(f"{name}: {value} {what}, known are {CHECKS[(name, what)]}")
    return {
        **about,
        "params": params,
        "weights": weights,
        "zero_bias_elements": zeros,
        "unused_params": total - sum(params.values()),
        "published_params": total,
        "chunks": chunks,
        "calls": {},
    }


def state(name: str, shape: list[int], note: str, dtype: str = "float32") -> dict[str, Any]:
    """One tensor that is kept between chunks."""
    return {"name": name, "shape": shape, "dtype": dtype, "note": note}


def chunk_head(tokens: int, token_ms: float, left: int = 0, right: int = 0) -> dict[str, Any]:
    """Keys that every chunk has."""
    return {
        "chunk_tokens": tokens,
        "chunk_ms": tokens * token_ms,
        "left_context_tokens": left,
        "right_context_tokens": right,
    }


def audio(samples: int) -> list[dict[str, Any]]:
    """The audio that the next analysis window needs again."""
    return [state("audio", [samples], "samples of the next analysis window that are here already", "int16")]


def count_kws(modules: dict[str, Any]) -> dict[str, Any]:
    """Keyword spotting: the window of 49 frames is computed whole for every chunk, whatever the hop."""
    flags = argparse.Namespace(**KWS, feature_type="mfcc", model_architecture="ds_cnn")
    model = modules["kws_keras_model.py"].get_model(flags)
    window, coefficients = model.input_shape[1:3]
    chunks = []
    for tokens in (50, 25, 10, 5, 1):
        kept = max(window - tokens, 0)
        features = [state("features", [kept, coefficients], "frames of the next window that are here already")]
        held = (features if kept else []) + audio(160)
        chunks.append({**chunk_head(tokens, 20.0), "shape": (1, *model.input_shape[1:]), "state": held})
    components = ["encoder"] * 9 + ["classifier"]
    parts = ["first_convolution"] + ["depthwise", "pointwise"] * 4 + ["head"]
    return keras_record(
        "mlperf-tiny-kws",
        model,
        components,
        parts,
        chunks,
        source=SOURCES["kws_keras_model.py"],
        config={**KWS, "window_frames": window},
    )


def count_sww(modules: dict[str, Any]) -> dict[str, Any]:
    """Streaming wake word: one output needs 30 frames, of which 29 are kept; c more frames give c more outputs."""
    flags = argparse.Namespace(**SWW, feature_type="lfbe", model_architecture="ds_tcn", model_config_path=None)
    flags.background_volume = flags.foreground_volume_min = flags.foreground_volume_max = 0.0
    build = modules["sww_keras_model.py"].get_model
    model = build(flags)
    window, _, bands = model.input_shape[1:]
    flags.variable_length = True  # the code's own way to make several inferences in one run
    longer = build(flags)
    held = [state("features", [window - 1, bands], "frames of the next window that are here already"), *audio(512)]
    chunks = [
        {**chunk_head(n, 32.0), "model": longer, "shape": (1, window - 1 + n, 1, bands), "state": held}
        for n in (1, 2, 4, 8, 16)
    ]
    components = ["encoder"] * 8 + ["classifier"]
    return keras_record(
        "mlperf-tiny-sww",
        model,
        components,
        ["depthwise", "pointwise"] * 4 + ["head"],
        chunks,
        source=SOURCES["sww_keras_model.py"],
        config={**SWW, "window_frames": window},
    )


def count_ad(modules: dict[str, Any]) -> dict[str, Any]:
    """Anomaly detection: one run per frame on the last five frames side by side (common.py of the same folder)."""
    frames, bands = 5, 128
    model = modules["ad_keras_model.py"].get_model(frames * bands)
    features = state("features", [frames - 1, bands], "frames of the next window that are here already")
    chunks = [
        {**chunk_head(n, 32.0), "shape": (1, frames * bands), "runs": n, "state": [features, *audio(512)]}
        for n in (1, 2, 4, 8, 16)
    ]
    parts = ["encoder"] * 5 + ["decoder"] * 5
    return keras_record(
        "mlperf-tiny-ad",
        model,
        parts,
        parts,
        chunks,
        source=SOURCES["ad_keras_model.py"],
        config={"window_frames": frames, "bands": bands, "samples_per_window": 1024, "samples_per_hop": 512},
    )


def count_wav2letter(modules: dict[str, Any]) -> dict[str, Any]:
    """Wav2Letter: 49 tokens of context on each side are computed again, of 50 in the deployed window of 296 frames.

    Windows of other lengths are runs of the same model; the deployed file is fixed to 296 frames. Its softmax is added
    after the published model definition (prune_quantize_model.py); the features are made anew for each window, from
    audio that is kept, since they are standardised over it (docs/use_cases/asr.md of the evaluation kit).
    """
    context, hop, analysis = 49, 160, 512
    model = modules["wav2letter.py"].create_wav2letter()
    chunks = []
    for tokens in (50, 25, 100, 200):
        frames = 2 * (tokens + 2 * context)
        chunks.append(
            {
                **chunk_head(tokens, 20.0, context, context),
                "shape": (1, frames, 39),
                "state": audio(4 * context * hop + analysis - hop),
            }
        )
    components = ["encoder"] * 10 + ["ctc_head"]
    parts = ["first_convolution"] + ["narrow_convolutions"] * 7 + ["wide_convolution", "pointwise", "head"]
    record = keras_record(
        "wav2letter",
        model,
        components,
        parts,
        chunks,
        source=SOURCES["wav2letter.py"],
        config={"window_frames": 296, "features": 39, "context_tokens": context},
    )
    for chunk in record["chunks"]:
        chunk["softmax_elements"] = 29 * (chunk["chunk_tokens"] + 2 * context)
    return record


def params(module: Any) -> int:
    """Parameters of a PyTorch module."""
    return sum(int(p.numel()) for p in module.parameters())


def macs_of(call: Any) -> tuple[int, Any]:
    """MACs of one call, and what it returned."""
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        result = call()
    return flops.get_total_flops() // 2, result


def check_close(what: str, chunked: torch.Tensor, whole: torch.Tensor) -> None:
    """Chunk by chunk must give what one run gives."""
    if chunked.shape != whole.shape or not torch.allclose(chunked, whole, atol=1e-4):
        raise RuntimeError(f"{what}: chunk by chunk differs from one run")


def count_rnnt(modules: dict[str, Any]) -> dict[str, Any]:
    """RNN-T: LSTM over frames of 30 ms, two of which are stacked to one of 60 ms after the second layer."""
    torch.backends.mkldnn.set_flags(False)
    featurizer = {"features": 80, "frame_splicing": 3}
    model = modules["model_separable_rnnt.py"].RNNT(rnnt=RNNT, num_classes=29, feature_config=featurizer).eval()
    encoder = model.encoder

    def step(x: torch.Tensor, held: list[Any]) -> tuple[torch.Tensor, list[Any], dict[str, int]]:
        first, (pre, before) = macs_of(lambda: encoder.pre_rnn(x, held[0]))
        stacked, _ = encoder.stack_time(pre, torch.tensor([len(x)]))
        second, (post, after) = macs_of(lambda: encoder.post_rnn(stacked, held[1]))
        return post, [before, after], {"before_stacking": first, "after_stacking": second}

    frames = torch.randn(64, 1, 240)
    with torch.no_grad():
        whole, _ = encoder(frames, torch.tensor([64]))
    chunks = []
    for tokens in (2, 4, 8, 16, 32, 64):
        held: list[Any] = [None, None]
        made = []
        for piece in frames.split(tokens):
            out, held, parts = step(piece, held)
            made.append(out)
        check_close("mlperf-rnnt", torch.cat(made).transpose(0, 1), whole)
        names = ("pre_rnn.h", "pre_rnn.c", "post_rnn.h", "post_rnn.c")
        tensors = [tensor for pair in held for tensor in pair]
        described = [state(n, list(t.shape), "LSTM state") for n, t in zip(names, tensors, strict=True)]
        chunks.append(
            {
                **chunk_head(tokens, 30.0),
                "macs": {"encoder": sum(parts.values())},
                "macs_by_part": parts,
                "softmax_elements": 0,
                "state": described + audio(160),
                "state_elements": sum(t.numel() for t in tensors),
            }
        )
    predictor, (output, hidden) = macs_of(lambda: model.prediction(torch.tensor([[5]])))
    joiner, _ = macs_of(lambda: model.joint(whole[:, :1], output))
    sizes = {"encoder": encoder, "predictor": model.prediction, "joiner": model.joint}
    return {
        "source": f"{SOURCES['model_separable_rnnt.py']} and rnn.py",
        "config": {**RNNT, **featurizer, "symbols": 29},
        "params": {name: params(module) for name, module in sizes.items()},
        "unused_params": 0,
        "published_params": params(model),
        "published": "45.3 million parameters (README of speech_recognition/rnnt; mlcommons/inference pull 610)",
        "chunks": chunks,
        "calls": {
            "predictor": {"macs": predictor, "state_elements": sum(t.numel() for t in hidden)},
            "joiner": {"macs": joiner},
        },
    }


def check_favor() -> None:
    """The tokens of the last chunk see every token so far: with one run, or chunk by chunk."""
    attention, tokens, held = FavorAttention(72, 2, 40), torch.randn(12, 72), None
    with torch.no_grad():
        whole, _ = attention(tokens, None)
        for piece in tokens.split(4):
            made, held = attention(piece, held)
    check_close("FAVOR+", made, whole[-4:])


def count_performer(_: dict[str, Any]) -> dict[str, Any]:
    """The reference Performer-Conformer, chunk by chunk of 40 ms tokens."""
    torch.manual_seed(0)
    torch.backends.mkldnn.set_flags(False)
    check_favor()
    model = PerformerConformer().eval()
    longest = 32
    frames = torch.randn(4 * longest + model.again, PERFORMER["bands"])
    with torch.no_grad():
        tokens = model.embed(frames)
    chunks = []
    for count in (1, 2, 4, 8, 16, 32):
        held: list[Any] = [None] * len(model.layers)
        for start in range(0, longest, count):
            parts: Counter[str] = Counter()
            piece = frames[4 * start : 4 * (start + count) + model.again]
            parts["front_end"], x = macs_of(lambda piece=piece: model.embed(piece))
            check_close("performer-conformer-10m front end", x, tokens[start : start + count])
            for i, layer in enumerate(model.layers):
                done, (x, held[i]) = macs_of(lambda layer=layer, x=x, kept=held[i]: layer(x, kept))
                parts["layers"] += done
        largest, sums, norm = held[0][0]
        n = len(model.layers)
        described = [
            state("frames", [model.again, PERFORMER["bands"]], "feature frames read again by the subsampling"),
            state("attention.sums", [n, *sums.shape], "sum of key features times values"),
            state("attention.norm", [n, *norm.shape], "sum of key features"),
            state("attention.largest", [n, *largest.shape], "largest key feature so far"),
            state("convolution", [n, *held[0][1].shape], "rows that the depthwise convolution sees again"),
        ]
        chunks.append(
            {
                **chunk_head(count, 40.0),
                "macs": {"front_end": parts["front_end"], "encoder": parts["layers"]},
                "macs_by_part": dict(parts),
                "softmax_elements": 0,
                "state": described + audio(240),
                "state_elements": sum(math.prod(t["shape"]) for t in described),
            }
        )
    predictor, (y, hidden) = macs_of(lambda: model.lstm(model.embedding(torch.tensor([[5]]))))
    joiner, _ = macs_of(
        lambda: model.joiner_out(torch.tanh(model.joiner_encoder(x[-1]) + model.joiner_predictor(y[0, 0])))
    )
    sizes = {
        "front_end": [model.subsampling, model.subsampling_out],
        "encoder": [model.layers],
        "predictor": [model.embedding, model.lstm],
        "joiner": [model.joiner_encoder, model.joiner_predictor, model.joiner_out],
    }
    return {
        "source": "reference module of this script; the paper (arXiv 2011.04196) gives no structure: see its docstring",
        "config": PERFORMER,
        "params": {name: sum(map(params, modules)) for name, modules in sizes.items()},
        "unused_params": 0,
        "published_params": None,
        "published": "10 million (abstract of arXiv 2011.04196)",
        "chunks": chunks,
        "calls": {
            "predictor": {"macs": predictor, "state_elements": sum(t.numel() for t in hidden)},
            "joiner": {"macs": joiner, "softmax_elements": PERFORMER["symbols"]},
        },
    }


COUNTED = {
    "mlperf-rnnt": count_rnnt,
    "mlperf-tiny-kws": count_kws,
    "mlperf-tiny-sww": count_sww,
    "mlperf-tiny-ad": count_ad,
    "wav2letter": count_wav2letter,
    "performer-conformer-10m": count_performer,
}


def render(value: Any, depth: int = 0) -> str:
    """JSON with indent 1, where a short container of scalars stays on one line."""
    line = json.dumps(value)
    if not isinstance(value, dict | list) or (len(line) < 300 and "{" not in line[1:]):
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
    parser = argparse.ArgumentParser(description="Record the counts of small speech models as JSON.")
    parser.add_argument("--source", type=Path, required=True, help="folder with the model files (see SOURCES)")
    parser.add_argument("-o", "--output", type=Path, help="the JSON file (standard output when left out)")
    arguments = parser.parse_args()
    missing = [name for name in SOURCES if not (arguments.source / name).is_file()]
    if missing:
        parser.error(f"{arguments.source} lacks {', '.join(missing)}")
    if arguments.output is not None and not arguments.output.parent.is_dir():
        parser.error(f"{arguments.output.parent} is not a folder")
    modules = load(arguments.source)
    record = {
        "provenance": {
            "script": "tools/counts/small_models.py",
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "tensorflow": TENSORFLOW,
            "files": {
                f"{name} = {origin}": hashlib.sha256((arguments.source / name).read_bytes()).hexdigest()
                for name, origin in SOURCES.items()
            },
        },
        "models": {name: count(modules) for name, count in COUNTED.items()},
    }
    text = render(record) + "\n"
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        arguments.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
