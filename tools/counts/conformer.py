"""Count the streaming Conformers of icefall and WeNet, and record the counts as JSON.

A maintenance script: it needs PyTorch, which foldsim itself never imports, and model files that foldsim does not
ship. The tests read the recorded file, so run this only when the record has to be made again:

    python -m venv torch-venv
    torch-venv/bin/pip install torch==2.13.0                   # a CPU build is enough
    torch-venv/bin/python tools/counts/conformer.py --source DIR -o tests/data/counts/conformer.json

Under DIR lie checkouts of k2-fsa/icefall@36e0420c7e3e849a25b3d24dbf913c424f3d23c9 as ``icefall`` and of
wenet-e2e/wenet@015469960db73eb19c49a48c020d5ac9db69bae5 as ``wenet``, or of them only the files in ``ICEFALL_FILES``
and ``WENET_FILES`` below. The record in this repository was made on transcriptions of stored versions of those files:
the streaming path alone, without docstrings, comments and training-only code (SHA-256 and commits are in the record).
The script stops where its counts differ from ``CHECKS``: the published size of the ConvEmformer, and what the project
had counted before on the repositories at the commits above.

It takes a minute on two cores and 2 GB of memory, with random weights: no checkpoint is read, and no count depends on
a weight.

What is counted, and how:

* MACs are half of what the formulas of ``torch.utils.flop_counter`` say of every matrix product and convolution that is
  dispatched, over explicit products only: biases, norms, activations, softmax and copies count nothing there. A fused
  attention operator, which those formulas may miss, stops the script.
* A chunk is one call of the streaming entry point (``streaming_forward``, ``infer``, ``forward_chunk``) with full
  caches, fed as many feature frames as the decoding scripts of the same repositories feed it, and then the linear that
  runs once per chunk on the encoder's output: the encoder half of icefall's joiner, the CTC output of WeNet.
* The tensors that the entry point returns for the next call are the state. Feature frames that the next chunk reads
  again are held outside of it: the last few in WeNet's runtime, all of the utterance in icefall's scripts, of which at
  least the recorded ones are needed.
* Parameters are split by the component that runs them. Scales of icefall's ``ScaledLinear`` and its like are scalars
  that its export folds into the weights (``scaling_converter.py``): they count as never run, as do the linears that
  only its training loss uses. The eps of a ``BasicNorm`` is run.
* WeNet's attention decoders run once per utterance, in the rescoring of the hypotheses of the CTC search, if at all:
  sherpa-onnx deploys the same models without them. They are counted under ``calls``.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import importlib
import platform
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from conformer_counting import Work, count, describe, make_pad_mask, params, render, scales, stub

ICEFALL = "k2-fsa/icefall@36e0420c7e3e849a25b3d24dbf913c424f3d23c9"
WENET = "wenet-e2e/wenet@015469960db73eb19c49a48c020d5ac9db69bae5"
RECIPES = "egs/librispeech/ASR"
ICEFALL_FILES = [
    f"icefall/{RECIPES}/{name}.py"
    for name in (
        "pruned_transducer_stateless2/conformer",
        "pruned_transducer_stateless2/decoder",
        "pruned_transducer_stateless2/joiner",
        "pruned_transducer_stateless2/model",
        "pruned_transducer_stateless2/scaling",
        "conv_emformer_transducer_stateless2/emformer",
        "transducer_stateless/encoder_interface",
    )
]
WENET_FILES = [
    f"wenet/wenet/transformer/{name}.py"
    for name in (
        "attention",
        "convolution",
        "ctc",
        "decoder",
        "decoder_layer",
        "embedding",
        "encoder",
        "encoder_layer",
        "positionwise_feed_forward",
        "subsampling",
    )
]
# Commits of the stored versions that the transcriptions were made from.
TRANSCRIBED_FROM = {
    "pruned_transducer_stateless2/conformer": "ad24b4ad9ec0ea427abaa05ba9c02884e7d32aaa",
    "pruned_transducer_stateless2/decoder": "7557470a64caef88d53a9460408017a4af956d1c",
    "pruned_transducer_stateless2/joiner": "9f515e5f1d17014a9287a179f0eedf3778d3f17c",
    "pruned_transducer_stateless2/model": "47565959d93e2355df5de1f7c9eecca81511eda7",
    "pruned_transducer_stateless2/scaling": "47565959d93e2355df5de1f7c9eecca81511eda7",
    "conv_emformer_transducer_stateless2/emformer": "915e8e399c48b0d206679e8f29c3f030e663fd00",
    "transformer/attention": "the newest stored version, with key and value caches as a pair",
    "transformer/convolution": "a70dbb35d06db380e64c23c63d12c5c31d27ab9d",
    "transformer/ctc": "6663c3e88f00218c69f1d9930c962b0b6fb8ed4a",
    "transformer/decoder": "00d5fe4a9853ea67e890c72808d402d0b01c9d3b",
    "transformer/decoder_layer": "ccd1a6184a69d736ec964200e85f7b62bb8c7a72",
    "transformer/embedding": "6421ec8cc8db9c392ad162cfb6d932361cc58833",
    "transformer/encoder": "a7a5aa5bdee0cc91c6b29160ccfc9159f68fed91",
    "transformer/encoder_layer": "bf15fc525423085217b0a144240e30eeb92fd396",
    "transformer/positionwise_feed_forward": "00e0f168ed500e8f99de5dfe5d015ca06946c91b",
    "transformer/subsampling": "5076e0f921fb44d812d378f21d13c70991ca2525",
}
BANDS = 80
FRAME_MS = 10.0
STRIDE_FRAMES = 4  # feature frames per token
ICEFALL_EXTRA_FRAMES = 11  # decode_stream.py, stream.py: 2 tokens that are cut off and 3 frames of the subsampling
WENET_WINDOW_FRAMES = 7  # subsampling.right_context + 1: what the first token needs
VOCABULARY = 500  # BPE of the LibriSpeech recipes of icefall
MEMORY_TOKENS = 32

CONFORMER_CHUNKS = [(2, 32, 0), (4, 32, 0), (8, 32, 0), (16, 32, 0)]
CONFORMER_CHUNKS += [(2, 64, 0), (4, 64, 0), (8, 64, 0), (16, 64, 0), (32, 64, 0), (16, 64, 4)]
EMFORMER_CHUNKS = [(2, 8, 2), (4, 8, 2), (8, 8, 2), (16, 8, 2), (32, 8, 2), (16, 16, 4), (32, 32, 8)]
WENET_CHUNKS = [(4, 16, 0), (8, 32, 0), (16, 64, 0), (32, 128, 0), (1, 64, 0), (4, 64, 0), (8, 64, 0), (32, 64, 0)]
RESCORING = [(1, 10, 100), (10, 20, 250)]  # hypotheses, symbols of each, encoder tokens

# name -> (model settings of the recipe's yaml, entries of its dictionary)
WENET_MODELS: dict[str, tuple[dict[str, Any], int]] = {
    "wenet-u2pp-aishell": ({"output_size": 256, "attention_heads": 4, "cnn_module_kernel": 8}, 4233),
    "wenet-u2pp-librispeech": ({"output_size": 256, "attention_heads": 4, "cnn_module_kernel": 15}, 5002),
    "wenet-u2pp-wenetspeech": ({"output_size": 512, "attention_heads": 8, "cnn_module_kernel": 15}, 5538),
}
RECIPE_OF = {
    "wenet-u2pp-aishell": "examples/aishell/s0",
    "wenet-u2pp-librispeech": "examples/librispeech/s0",
    "wenet-u2pp-wenetspeech": "examples/wenetspeech/s0",
}
PUBLISHED = {"icefall-conv-emformer": 75_490_012}  # docs/source/model-export/code of icefall

# The published size of the ConvEmformer, and earlier counts on the repositories (encoders with their front end, without
# the linear after them): the script stops where it differs.
CHECKS: dict[tuple[str, str], int] = {
    ("icefall-conformer", "params"): 78_648_040,
    ("icefall-conv-emformer", "params"): 75_490_012,
    ("icefall-conv-emformer", "macs 8 8 2"): 958_780_032,
    ("icefall-conv-emformer", "macs 16 16 4"): 1_716_253_312,
    ("icefall-conv-emformer", "state bytes 8 8 2"): 1_916_928,
    ("icefall-conv-emformer", "state bytes 16 16 4"): 2_310_144,
    ("wenet-u2pp-aishell", "encoder params"): 33_443_328,
    ("wenet-u2pp-aishell", "macs 4 16 0"): 200_873_728,
    ("wenet-u2pp-librispeech", "encoder params"): 33_464_832,
    ("wenet-u2pp-librispeech", "macs 4 16 0"): 211_969_792,
    ("wenet-u2pp-wenetspeech", "encoder params"): 83_133_440,
    ("wenet-u2pp-wenetspeech", "macs 4 16 0"): 643_091_968,
}


def load_icefall(source: Path) -> dict[str, Any]:
    """The model files of the two recipes, by module name."""
    stub("icefall", __path__=[])
    stub(
        "icefall.utils",
        is_jit_tracing=lambda: False,
        make_pad_mask=make_pad_mask,
        subsequent_chunk_mask=None,
        add_sos=None,
    )
    stub("k2", RaggedTensor=object)
    folders = ["transducer_stateless", "pruned_transducer_stateless2", "conv_emformer_transducer_stateless2"]
    # A checkout has symbolic links for scaling.py and decoder.py in the third folder: it comes last.
    sys.path[:0] = [str(source / "icefall" / RECIPES / folder) for folder in folders]
    return {name: importlib.import_module(name) for name in ("conformer", "emformer", "decoder", "joiner", "model")}


def load_wenet(source: Path) -> dict[str, Any]:
    """The encoder, CTC and decoder files, without the package's own ``__init__``."""
    stub("wenet", __path__=[str(source / "wenet" / "wenet")])
    return {name: importlib.import_module(f"wenet.transformer.{name}") for name in ("encoder", "ctc", "decoder")}


def chunk_record(sizes: tuple[int, int, int], frames: int, work: Work, head: str, states: list[Any]) -> dict[str, Any]:
    """One entry of ``chunks``; the linear after the encoder counts in the component ``head``."""
    chunk, left, right = sizes
    macs = Counter({"front_end": work.macs["front_end"], head: work.macs["head"]})
    macs["encoder"] += sum(work.macs.values()) - work.macs["front_end"] - work.macs["head"]
    return {
        "chunk_tokens": chunk,
        "chunk_ms": chunk * STRIDE_FRAMES * FRAME_MS,
        "left_context_tokens": left,
        "right_context_tokens": right,
        "input_frames": frames,
        "held_frames": frames - chunk * STRIDE_FRAMES,
        "macs": dict(macs),
        "macs_by_part": dict(sorted(work.macs.items())),
        "softmax_elements": work.softmax["attention"],
        "head_softmax_elements": work.softmax["head"],
        **describe(states),
    }


def transducer(modules: dict[str, Any], encoder: Any) -> Any:
    """icefall's transducer around an encoder, at the widths of both recipes."""
    decoder = modules["decoder"].Decoder(vocab_size=VOCABULARY, decoder_dim=512, blank_id=0, context_size=2)
    joiner = modules["joiner"].Joiner(encoder_dim=512, decoder_dim=512, joiner_dim=512, vocab_size=VOCABULARY)
    return (
        modules["model"]
        .Transducer(
            encoder=encoder,
            decoder=decoder,
            joiner=joiner,
            encoder_dim=512,
            decoder_dim=512,
            joiner_dim=512,
            vocab_size=VOCABULARY,
        )
        .eval()
    )


def icefall_record(model: Any, chunks: list[dict[str, Any]], config: dict[str, Any], source: str) -> dict[str, Any]:
    """Parameters by component, and the calls of predictor and joiner."""
    decoder, joiner = model.decoder, model.joiner
    unused = {
        "simple_am_proj": params(model.simple_am_proj) - scales(model.simple_am_proj),
        "simple_lm_proj": params(model.simple_lm_proj) - scales(model.simple_lm_proj),
        "scales": scales(model),
    }
    parts = {
        "subsampling": model.encoder.encoder_embed,
        "encoder": model.encoder.encoder,
        "encoder_projection": joiner.encoder_proj,
        "decoder": decoder,
        "decoder_projection": joiner.decoder_proj,
        "joiner": joiner.output_linear,
    }
    run = {name: params(part) - scales(part) for name, part in parts.items()}
    symbols = torch.tensor([[0, 1]])
    predictor, out = count(model, lambda: joiner.decoder_proj(decoder(symbols, need_pad=False)))
    join, _ = count(model, lambda: joiner(out.unsqueeze(1), out.unsqueeze(1), project_input=False))
    return {
        "source": source,
        "config": config,
        "params": {
            "front_end": run["subsampling"],
            "encoder": run["encoder"] + run["encoder_projection"],
            "predictor": run["decoder"] + run["decoder_projection"],
            "joiner": run["joiner"],
        },
        "params_by_module": {name: params(part) for name, part in parts.items()},
        "unused_params": sum(unused.values()),
        "unused_params_by_part": unused,
        "total_params": params(model),
        "chunks": chunks,
        "calls": {
            "predictor": {"macs": sum(predictor.macs.values()), "state_elements": 0, "kept_symbols": symbols.numel()},
            "joiner": {"macs": sum(join.macs.values())},
        },
    }


def count_conformer(modules: dict[str, Any]) -> dict[str, Any]:
    """icefall's streaming Conformer transducer."""
    config = {
        "num_features": BANDS,
        "subsampling_factor": STRIDE_FRAMES,
        "d_model": 512,
        "nhead": 8,
        "dim_feedforward": 2048,
        "num_encoder_layers": 12,
        "dynamic_chunk_training": True,
        "causal": True,
    }
    model = transducer(modules, modules["conformer"].Conformer(**config))
    encoder, rows = model.encoder, []
    for sizes in CONFORMER_CHUNKS:
        chunk, left, right = sizes
        frames = (chunk + right) * STRIDE_FRAMES + ICEFALL_EXTRA_FRAMES
        features, lengths = torch.randn(1, frames, BANDS), torch.tensor([frames])
        states = [s.unsqueeze(2).clone() for s in encoder.get_init_state(left, device=torch.device("cpu"))]

        def step(
            features: Any = features, lengths: Any = lengths, states: Any = states, left: int = left, right: int = right
        ) -> Any:
            out, _, new = encoder.streaming_forward(
                x=features,
                x_lens=lengths,
                states=states,
                processed_lens=torch.tensor([left]),
                left_context=left,
                right_context=right,
            )
            return model.joiner.encoder_proj(out), new

        work, (out, new) = count(model, step)
        if tuple(out.shape) != (1, chunk, 512):
            raise RuntimeError(f"the chunk gave {tuple(out.shape)}")
        note = {"attention": "layer inputs after the macaron feedforward", "convolution": "after the gate"}
        kept = [(k, t, n) for (k, n), t in zip(note.items(), new, strict=True)]
        rows.append(chunk_record(sizes, frames, work, "encoder", kept))
    where = f"{ICEFALL}:{RECIPES}/pruned_transducer_stateless2/{{train,conformer,decoder,joiner,streaming_decode}}.py"
    return icefall_record(model, rows, {**config, "cnn_module_kernel": 31, "vocabulary": VOCABULARY}, where)


def count_conv_emformer(modules: dict[str, Any]) -> dict[str, Any]:
    """icefall's ConvEmformer transducer: the chunk is a parameter of the model."""
    config: dict[str, Any] = {
        "num_features": BANDS,
        "subsampling_factor": STRIDE_FRAMES,
        "d_model": 512,
        "nhead": 8,
        "dim_feedforward": 2048,
        "num_encoder_layers": 12,
        "cnn_module_kernel": 31,
        "memory_size": MEMORY_TOKENS,
    }
    rows = []
    for sizes in EMFORMER_CHUNKS:
        chunk, left, right = sizes
        lengths_of = {"chunk_length": chunk, "left_context_length": left, "right_context_length": right}
        encoder = modules["emformer"].Emformer(**config, **{k: v * STRIDE_FRAMES for k, v in lengths_of.items()})
        model = transducer(modules, encoder)
        frames = (chunk + right) * STRIDE_FRAMES + ICEFALL_EXTRA_FRAMES
        features, lengths = torch.randn(1, frames, BANDS), torch.tensor([frames])
        attention, convolution = encoder.init_states()
        states = (
            [[t.unsqueeze(1) for t in layer] for layer in attention],
            [t.unsqueeze(0) for t in convolution],
        )
        done = torch.tensor([(MEMORY_TOKENS + 1) * chunk * STRIDE_FRAMES])

        def step(
            model: Any = model, features: Any = features, lengths: Any = lengths, states: Any = states, done: Any = done
        ) -> Any:
            out, _, new = model.encoder.infer(features, lengths, done, states)
            return model.joiner.encoder_proj(out), new

        work, (out, (attention, convolution)) = count(model, step)
        if tuple(out.shape) != (1, chunk, 512):
            raise RuntimeError(f"the chunk gave {tuple(out.shape)}")
        kept = [
            (name, torch.stack([layer[i] for layer in attention]), note)
            for i, (name, note) in enumerate(
                [("memory", "means of past chunks, not projected"), ("key", "projected"), ("value", "projected")]
            )
        ]
        kept.append(("convolution", torch.stack(convolution), "after the gate"))
        rows.append(chunk_record(sizes, frames, work, "encoder", kept))
    where = (
        f"{ICEFALL}:{RECIPES}/conv_emformer_transducer_stateless2/{{train,emformer,decoder,joiner,streaming_decode}}.py"
    )
    return icefall_record(model, rows, {**config, "vocabulary": VOCABULARY}, where)


def count_wenet(modules: dict[str, Any], name: str) -> dict[str, Any]:
    """One of WeNet's U2++ Conformers."""
    changes, vocabulary = WENET_MODELS[name]
    config = {
        "linear_units": 2048,
        "num_blocks": 12,
        "input_layer": "conv2d",
        "normalize_before": True,
        "use_cnn_module": True,
        "activation_type": "swish",
        "pos_enc_layer_type": "rel_pos",
        "selfattention_layer_type": "rel_selfattn",
        "causal": True,
        "use_dynamic_chunk": True,
        "cnn_module_norm": "layer_norm",
        "use_dynamic_left_chunk": False,
        **changes,
    }
    width, heads, kernel = config["output_size"], config["attention_heads"], config["cnn_module_kernel"]
    root = torch.nn.Module()
    root.encoder = modules["encoder"].ConformerEncoder(BANDS, **config)
    root.ctc = modules["ctc"].CTC(vocabulary, width)
    root.decoder = modules["decoder"].BiTransformerDecoder(
        vocabulary, width, attention_heads=heads, linear_units=2048, num_blocks=3, r_num_blocks=3
    )
    root.eval()
    rows = []
    for sizes in WENET_CHUNKS:
        chunk, left, _ = sizes
        frames = (chunk - 1) * STRIDE_FRAMES + WENET_WINDOW_FRAMES
        features = torch.randn(1, frames, BANDS)
        attention = torch.zeros(12, heads, left, 2 * width // heads)
        convolution = torch.zeros(12, 1, width, kernel - 1)

        def step(
            features: Any = features, left: int = left, attention: Any = attention, convolution: Any = convolution
        ) -> Any:
            out, *new = root.encoder.forward_chunk(
                features, offset=left, required_cache_size=left, att_cache=attention, cnn_cache=convolution
            )
            return root.ctc.log_softmax(out), new

        work, (out, new) = count(root, step)
        if tuple(out.shape) != (1, chunk, vocabulary):
            raise RuntimeError(f"the chunk gave {tuple(out.shape)}")
        kept = [
            ("attention", new[0], "projected keys and values, side by side"),
            ("convolution", new[1], "before the first pointwise convolution"),
        ]
        rows.append(chunk_record(sizes, frames, work, "ctc_head", kept))
    left_decoder, right_decoder = root.decoder.left_decoder, root.decoder.right_decoder
    return {
        "source": f"{WENET}:{RECIPE_OF[name]}/conf/train_u2++_conformer.yaml, wenet/transformer/*.py",
        "config": {**config, "vocabulary": vocabulary},
        "params": {
            "front_end": params(root.encoder.embed),
            "encoder": params(root.encoder) - params(root.encoder.embed),
            "ctc_head": params(root.ctc),
        },
        "unused_params": params(root.decoder),
        "unused_params_by_part": {"left_decoder": params(left_decoder), "right_decoder": params(right_decoder)},
        "total_params": params(root),
        "chunks": rows,
        "calls": {"rescoring": [rescoring(root, width, *sizes) for sizes in RESCORING]},
    }


def rescoring(root: Any, width: int, hypotheses: int, symbols: int, tokens: int) -> dict[str, int]:
    """The left decoder over all hypotheses of an utterance, once (forward_attention_decoder, reverse_weight 0)."""
    memory = torch.randn(1, tokens, width).repeat(hypotheses, 1, 1)
    mask = torch.ones(hypotheses, 1, tokens, dtype=torch.bool)
    texts = torch.ones(hypotheses, symbols + 1, dtype=torch.long)  # one more: the start symbol
    lengths = torch.full((hypotheses,), symbols + 1)
    work, _ = count(root, lambda: root.decoder.left_decoder(memory, mask, texts, lengths))
    return {
        "hypotheses": hypotheses,
        "symbols": symbols,
        "encoder_tokens": tokens,
        "macs": sum(work.macs.values()),
        "softmax_elements": work.softmax["attention"],
    }


def check(models: dict[str, dict[str, Any]]) -> None:
    """Stop where a number differs from what it must be."""
    for (name, what), expected in CHECKS.items():
        model = models[name]
        if what == "params":
            found = model["total_params"]
        elif what == "encoder params":
            found = model["params"]["front_end"] + model["params"]["encoder"]
        else:
            sizes = [int(word) for word in what.split()[-3:]]
            row = next(
                c
                for c in model["chunks"]
                if [c[f"{k}_tokens"] for k in ("chunk", "left_context", "right_context")] == sizes
            )
            macs = sum(row["macs_by_part"].values()) - row["macs_by_part"]["head"]
            found = macs if what.startswith("macs") else 4 * row["state_elements"]
        if found != expected:
            raise SystemExit(f"conformer: {name}, {what}: {found}, not {expected}")


def count_all(source: Path) -> dict[str, Any]:
    """The whole record."""
    torch.manual_seed(0)
    icefall, wenet = load_icefall(source), load_wenet(source)
    models = {"icefall-conformer": count_conformer(icefall), "icefall-conv-emformer": count_conv_emformer(icefall)}
    for name in WENET_MODELS:
        models[name] = count_wenet(wenet, name)
    check(models)
    for name, model in models.items():
        model["published_params"] = PUBLISHED.get(name)
    return {
        "about": "Streaming Conformers, from tools/counts/conformer.py: batch 1, MACs = FLOPs / 2",
        "provenance": {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "repositories": [ICEFALL, WENET],
            "counted_on": "transcription of the streaming path: no docstrings, comments and training-only code",
            "transcribed_from_commits": TRANSCRIBED_FROM,
            "checked_against": "published size and earlier counts on the repositories (CHECKS in the script)",
            "sha256": {
                name: hashlib.sha256((source / name).read_bytes()).hexdigest() for name in ICEFALL_FILES + WENET_FILES
            },
        },
        "models": models,
    }


def main() -> int:
    """Count everything, then write it."""
    parser = argparse.ArgumentParser(description="Record the counts of streaming Conformers as JSON.")
    parser.add_argument("--source", type=Path, required=True, help="folder with icefall/ and wenet/ (see the top)")
    parser.add_argument("-o", "--output", type=Path, help="the JSON file (standard output when left out)")
    arguments = parser.parse_args()
    missing = [name for name in ICEFALL_FILES + WENET_FILES if not (arguments.source / name).is_file()]
    if missing:
        parser.error(f"{arguments.source} lacks {', '.join(missing)}")
    if arguments.output is not None and not arguments.output.parent.is_dir():
        parser.error(f"{arguments.output.parent} is not a folder")
    text = render(count_all(arguments.source)) + "\n"
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        arguments.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
