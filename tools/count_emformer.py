"""Count the real PyTorch Emformer transducer, folded and unfolded, and record the counts as JSON.

A maintenance script: it needs PyTorch and torchaudio, which foldsim itself never imports. The tests read the
recorded file, so run this only when the record has to be made again:

    python -m venv torch-venv
    torch-venv/bin/pip install torch==2.13.0                   # a CPU build is enough
    torch-venv/bin/pip install --no-deps torchaudio==2.11.0    # only two pure-Python files of it are loaded
    torch-venv/bin/python tools/count_emformer.py -o tests/data/emformer_counts.json

It takes a few minutes on two cores and 1 to 2 GB of memory, with random weights: no checkpoint is read, and
no count depends on a weight.

What is counted, and how:

* MACs are ``torch.utils.flop_counter.FlopCounterMode`` FLOPs / 2, over matrix products only: biases, norms,
  activations, softmax and copies count nothing there. ``score_context_macs`` is what no linear accounts for:
  the two batched products. A fused attention operator, which that counter may miss, stops the script.
* Vector work is counted in elements, from the tensors that the dispatched softmax, GELU and layer-norm
  operators return. ``kernels_count`` is the number of dispatched operators other than views, allocations and
  reads of a scalar by the host; each folded layer has one more, which scales the utterance length.
* A chunk is one call of ``transcribe_streaming``, after as many calls as fill the left context and the memory
  bank; the script stops if the softmax then sees another number of keys.
* Folding has no official code. `FoldedAttention` and `FoldedFeedForward` are reference modules written from
  the definition: a token of width D becomes N sub-tokens of width D/N, which go through one shared module of
  width D/N and are concatenated again. They stand in for the real ones inside the real Emformer layer. The
  folded attention is the real attention class at width D/N, so that its arithmetic is the real code's.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import math
import platform
import sys
import types
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch  # type: ignore[import-not-found, unused-ignore]
from torch.utils._python_dispatch import TorchDispatchMode  # type: ignore[import-not-found, unused-ignore]
from torch.utils.flop_counter import FlopCounterMode  # type: ignore[import-not-found, unused-ignore]

NUM_SYMBOLS = 4097
CHUNK_TOKENS = (1, 2, 4, 8, 16, 32)
MEMORY_BANK_TOKENS = 4
REFERENCE = "reference module from the definition, inside the real layer"
FUSED = ("scaled_dot_product", "multi_head_attention", "transformer_encoder", "flash_att", "efficient_att")
MOVES = {"cat", "clone"}  # operators that only rearrange
NO_KERNEL = ("_unsafe_view", "empty", "empty_like", "_local_scalar_dense")


@dataclass(frozen=True)
class Fold:
    """One folded variant."""

    factor: int
    heads: str  # keep_head_dim (H / N heads) or keep_heads (H heads)
    feedforward: bool  # folded as well as the attention
    layers: int  # how many, from the first on


def load_rnnt() -> tuple[Any, dict[str, str]]:
    """Import ``torchaudio.models.rnnt`` under stub parent packages, and the SHA-256 of the files loaded.

    The package's own ``__init__`` loads a compiled extension tied to one build of PyTorch, which the two
    model files do without.
    """
    spec = importlib.util.find_spec("torchaudio")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("count_emformer: torchaudio is not installed (see the top of this script)")
    root = Path(next(iter(spec.submodule_search_locations)))
    for name, folder in (("torchaudio", root), ("torchaudio.models", root / "models")):
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    emformer = importlib.import_module("torchaudio.models.emformer")
    sys.modules["torchaudio.models"].__dict__["Emformer"] = emformer.Emformer
    rnnt = importlib.import_module("torchaudio.models.rnnt")
    files = {f"torchaudio/models/{name}.py": root / "models" / f"{name}.py" for name in ("emformer", "rnnt")}
    return rnnt, {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def split(tokens: torch.Tensor, factor: int) -> torch.Tensor:
    """(T, B, D) tokens to (T N, B, D / N) sub-tokens, those of one token next to each other."""
    length, batch, width = tokens.shape
    subtokens = tokens.reshape(length, batch, factor, width // factor).transpose(1, 2)
    return subtokens.reshape(length * factor, batch, width // factor)


def join(subtokens: torch.Tensor, factor: int) -> torch.Tensor:
    """The inverse of `split`."""
    rows, batch, width = subtokens.shape
    tokens = subtokens.reshape(rows // factor, factor, batch, width).transpose(1, 2)
    return tokens.reshape(rows // factor, batch, factor * width)


class FoldedAttention(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """The real Emformer attention at width D / N over N times as many rows; the cache keeps K and V."""

    def __init__(self, attention: Any, factor: int, heads: str) -> None:
        super().__init__()
        count = attention.num_heads if heads == "keep_heads" else attention.num_heads // factor
        self.factor = factor
        self.shared = type(attention)(
            attention.input_dim // factor,
            count,
            dropout=attention.dropout,
            tanh_on_mem=attention.tanh_on_mem,
            negative_inf=attention.negative_inf,
        )

    def infer(
        self,
        utterance: torch.Tensor,
        lengths: torch.Tensor,
        right_context: torch.Tensor,
        summary: torch.Tensor,
        mems: torch.Tensor,
        left_context_key: torch.Tensor,
        left_context_val: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        """The streaming entry point that the real layer calls, with shapes in tokens of width D."""
        if summary.numel() or mems.numel():
            raise NotImplementedError("folding with a memory bank: its mask would need one row per sub-token")
        n = self.factor
        output, next_mems, key, value = self.shared.infer(
            utterance=split(utterance, n),
            lengths=lengths * n,
            right_context=split(right_context, n),
            summary=summary,
            mems=split(mems, n),
            left_context_key=split(left_context_key, n),
            left_context_val=split(left_context_val, n),
        )
        return join(output, n), join(next_mems, n), join(key, n), join(value, n)


class FoldedFeedForward(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """The layer's feedforward as D/N -> F/N -> D/N over N times as many rows; the layer norm keeps D."""

    def __init__(self, pos_ff: Any, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.norm, expand, activation, dropout, project, last = pos_ff
        self.shared = torch.nn.Sequential(
            torch.nn.Linear(expand.in_features // factor, expand.out_features // factor),
            activation,
            dropout,
            torch.nn.Linear(project.in_features // factor, project.out_features // factor),
            last,
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(T, B, D) to (T, B, D)."""
        return join(self.shared(split(self.norm(tokens), self.factor)), self.factor)


def apply_fold(encoder: Any, fold: Fold) -> None:
    """Replace the modules of the first layers by folded ones, in place."""
    for layer in list(encoder.transformer.emformer_layers)[: fold.layers]:
        layer.attention = FoldedAttention(layer.attention, fold.factor, fold.heads)
        if fold.feedforward:
            layer.pos_ff = FoldedFeedForward(layer.pos_ff, fold.factor)


class VectorWork(TorchDispatchMode):  # type: ignore[misc, unused-ignore]
    """Counts elements of vector operators, softmax rows and kernels, and refuses fused attention."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.keys: set[int] = set()

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = str(func.overloadpacket.__name__)
        if any(part in name for part in FUSED):
            raise RuntimeError(f"{name} is a fused attention operator: the FLOP counter may miss it")
        self.counts["kernels_count"] += not func.is_view and name not in NO_KERNEL
        self.counts["calls_count"] += 1
        if name in MOVES:
            self.counts["moved_elements"] += out.numel()
        if name == "_softmax":
            self.counts["softmax_elements"] += out.numel()
            self.counts["softmax_rows"] += out.numel() // out.shape[-1]
            self.keys.add(out.shape[-1])
        elif name == "gelu":
            self.counts["gelu_elements"] += out.numel()
        elif name == "native_layer_norm":
            self.counts["layer_norm_elements"] += out[0].numel()
        return out


def group_of(linear: str) -> str:
    """The count that the MACs of a linear, given by its module name, belong to."""
    for mark, group in ((".attention.", "projection_macs"), (".pos_ff.", "feedforward_macs")):
        if mark in linear:
            return group
    return linear.rsplit(".", 1)[-1] + "_macs"


def count_call(root: Any, call: Any) -> tuple[dict[str, int], VectorWork, Any]:
    """MACs of one call (total, by group of linears, the rest), its vector work, and what it returned."""
    macs: Counter[str] = Counter()
    with torch.no_grad(), FlopCounterMode(display=False) as flops, VectorWork() as work:
        entry: dict[str, int] = {}

        def before(name: str) -> Any:
            return lambda *_: entry.__setitem__(name, flops.get_total_flops())

        def after(name: str) -> Any:
            return lambda *_: macs.update({group_of(name): (flops.get_total_flops() - entry[name]) // 2})

        handles = []
        for name, module in root.named_modules():
            if isinstance(module, torch.nn.Linear):
                handles += [
                    module.register_forward_pre_hook(before(name)),
                    module.register_forward_hook(after(name)),
                ]
        result = call()
        for handle in handles:
            handle.remove()
        total = flops.get_total_flops() // 2
    return {"macs": total, **macs, "score_context_macs": total - sum(macs.values())}, work, result


def params(module: Any) -> int:
    """Parameters of a module."""
    return sum(int(p.numel()) for p in module.parameters())


def run_chunk(model: Any, arguments: dict[str, Any], factors: set[int]) -> tuple[dict[str, int], list[Any]]:
    """Counts of one steady-state streaming chunk, and the state tensors it hands on."""
    stride, left = arguments["time_reduction_stride"], arguments["transformer_left_context_length"]
    bank = arguments["transformer_max_memory_size"]
    frames = arguments["segment_length"] + arguments["right_context_length"]
    chunk, queries = arguments["segment_length"] // stride, frames // stride
    keys = bank + left + queries
    features, lengths = torch.randn(1, frames, arguments["input_dim"]), torch.tensor([frames])
    state = None
    with torch.no_grad():
        for _ in range(max(math.ceil(left / chunk), bank) + 1):
            _, _, state = model.transcribe_streaming(features, lengths, state)
    macs, work, (output, _, state) = count_call(
        model.transcriber, lambda: model.transcribe_streaming(features, lengths, state)
    )
    if tuple(output.shape) != (1, chunk, arguments["encoding_dim"]):
        raise RuntimeError(f"the chunk gave {tuple(output.shape)}")
    if work.keys != {n * keys for n in factors}:
        raise RuntimeError(f"not in steady state: softmax over {work.keys} keys")
    head = {
        "chunk_tokens": chunk,
        "query_tokens": queries,
        "key_tokens": keys,
        "macs_per_chunk": macs.pop("macs"),
    }
    return {**head, **macs, **dict(sorted(work.counts.items()))}, state


def count_variant(rnnt: Any, base: dict[str, Any], fold: Fold | None) -> dict[str, Any]:
    """One encoder, folded or not, over all chunk sizes."""
    layers, stride = base["transformer_num_layers"], base["time_reduction_stride"]
    rows = []
    for chunk in CHUNK_TOKENS:
        arguments = {**base, "segment_length": chunk * stride}
        model = rnnt.emformer_rnnt_model(**arguments)
        factors = {1}
        if fold:
            apply_fold(model.transcriber, fold)
            factors = {fold.factor} | ({1} if fold.layers < layers else set())
        row, state = run_chunk(model.eval(), arguments, factors)
        rows.append(row)
    encoder = model.transcriber
    if fold is None:
        label = {"fold_factor": 1, "fold_targets": [], "fold_heads": None, "fold_layers": 0}
    else:
        label = {
            "fold_factor": fold.factor,
            "fold_targets": ["attention", "feedforward"] if fold.feedforward else ["attention"],
            "fold_heads": fold.heads,
            "fold_layers": fold.layers,
        }
    return {
        **label,
        "counted_on": "real module" if fold is None else REFERENCE,
        "encoder_params": params(encoder),
        "first_layer_params": params(encoder.transformer.emformer_layers[0]),
        "last_layer_params": params(encoder.transformer.emformer_layers[-1]),
        "state_float_elements": sum(t.numel() for layer in state for t in layer if t.is_floating_point()),
        "chunks": rows,
    }


def describe_state(state: list[Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Shapes and sizes of a state: a list of layers, each a list of tensors."""
    tensors = [tensor for layer in state for tensor in layer]
    return {
        "layers": len(state),
        "shape_per_layer": {name: list(tensor.shape) for name, tensor in zip(names, state[0], strict=True)},
        "float_elements": sum(t.numel() for t in tensors if t.is_floating_point()),
        "integer_elements": sum(t.numel() for t in tensors if not t.is_floating_point()),
        "float32_bytes": sum(t.numel() * t.element_size() for t in tensors if t.is_floating_point()),
    }


def split_params(model: Any) -> dict[str, Any]:
    """Parameters of the transducer, by component and inside the encoder."""
    encoder = model.transcriber
    layer = encoder.transformer.emformer_layers[0]
    return {
        "total": params(model),
        "encoder": params(encoder),
        "predictor": params(model.predictor),
        "joiner": params(model.joiner),
        "encoder_split": {
            "input_linear": params(encoder.input_linear),
            "emformer_layers": params(encoder.transformer),
            "output_linear": params(encoder.output_linear),
            "layer_norm": params(encoder.layer_norm),
        },
        "emformer_layer": {
            "layers": len(encoder.transformer.emformer_layers),
            "total": params(layer),
            "attention": params(layer.attention),
            "feedforward": sum(params(m) for m in layer.pos_ff if isinstance(m, torch.nn.Linear)),
            "layer_norms": sum(params(m) for m in layer.modules() if isinstance(m, torch.nn.LayerNorm)),
        },
        "predictor_split": {name: params(child) for name, child in model.predictor.named_children()},
    }


def count_all() -> dict[str, Any]:
    """The whole record."""
    torch.manual_seed(0)
    rnnt, sources = load_rnnt()
    with mock.patch.object(rnnt, "emformer_rnnt_model") as factory:
        rnnt.emformer_rnnt_base(num_symbols=NUM_SYMBOLS)  # only to read the arguments of the base model
    base: dict[str, Any] = dict(factory.call_args.kwargs)
    layers = base["transformer_num_layers"]
    model = rnnt.emformer_rnnt_base(num_symbols=NUM_SYMBOLS).eval()
    lengths = torch.tensor([1])

    _, encoder_state = run_chunk(model, base, {1})
    banked_arguments = {**base, "transformer_max_memory_size": MEMORY_BANK_TOKENS}
    banked = rnnt.emformer_rnnt_model(**banked_arguments).eval()
    bank_counts, bank_state = run_chunk(banked, banked_arguments, {1})

    symbol = torch.tensor([[1]])
    with torch.no_grad():
        _, _, state = model.predict(symbol, lengths, None)
    predictor, _, (_, _, symbol_state) = count_call(model, lambda: model.predict(symbol, lengths, state))
    encoding = torch.randn(1, 1, base["encoding_dim"])
    joiner, _, _ = count_call(model, lambda: model.join(encoding, lengths, encoding, lengths))

    both = (False, True)
    plan = ((2, layers, both), (4, layers, both), (8, layers, (False,)), (2, layers // 2, (False,)))
    folds = [
        Fold(factor, heads, feedforward, count)
        for factor, count, feedforwards in plan
        for feedforward in feedforwards
        for heads in ("keep_head_dim", "keep_heads")
    ]
    variants = []
    for number, fold in enumerate([None, *folds], start=1):
        print(f"variant {number} of {len(folds) + 1}: {fold or 'unfolded'}", file=sys.stderr)
        variants.append(count_variant(rnnt, base, fold))

    kv_names = ("memory", "left_context_key", "left_context_value", "past_length")
    return {
        "about": "torchaudio's emformer_rnnt_base, from tools/count_emformer.py: batch 1, MACs = FLOPs / 2",
        "made_with": {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchaudio": importlib.metadata.version("torchaudio"),
            "sha256": sources,
        },
        "arguments": base,
        "params": {"counted_on": "real module", **split_params(model)},
        "encoder": variants,
        "encoder_memory_bank": {
            "counted_on": "real module",
            "memory_bank_tokens": MEMORY_BANK_TOKENS,
            "encoder_params": params(banked.transcriber),
            **bank_counts,
            "state": describe_state(bank_state, kv_names),
        },
        "encoder_state": {"counted_on": "real module", **describe_state(encoder_state, kv_names)},
        "predictor": {
            "counted_on": "real module",
            "macs_per_symbol": predictor["macs"],
            "state": describe_state(symbol_state, ("h", "c")),
        },
        "joiner": {"counted_on": "real module", "macs_per_call": joiner["macs"], "frames": 1, "symbols": 1},
    }


def render(value: Any, depth: int = 0) -> str:
    """JSON with indent 1, where a short container of scalars stays on one line."""
    line = json.dumps(value)
    if len(line) < 420 and not any(mark in line[1:] for mark in "[{"):
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
    parser = argparse.ArgumentParser(description="Record the counts of the real Emformer transducer as JSON.")
    parser.add_argument("-o", "--output", type=Path, help="the JSON file (standard output when left out)")
    output: Path | None = parser.parse_args().output
    if output is not None and not output.parent.is_dir():
        parser.error(f"{output.parent} is not a folder")
    text = render(count_all()) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
