"""Predict the time of a streaming Emformer encoder on this machine, then run the real module and compare.

Needs PyTorch and torchaudio as tools/count_emformer.py does; with onnx, onnxscript and onnxruntime also ONNX Runtime:

    torch-venv/bin/pip install torch==2.13.0 onnx onnxscript onnxruntime
    torch-venv/bin/pip install --no-deps torchaudio==2.11.0
    PYTHONPATH=simulator torch-venv/bin/python benchmarks/cpu_prediction.py -o benchmarks/cpu_prediction.json

The prediction knows the machine only through `foldsim profile measure`: microbenchmarks of single kernels on random
matrices of generic sizes. Nothing is fitted to the module. The module is torchaudio's own encoder with random weights
in streaming steady state, folded as in tools/count_emformer.py (attention only, heads divided by N).

One thread, pinned to one processor. Times are processor time of the thread: waiting for the processor does not count; a
shared memory bus or core does, so each repeat of the module waits (for a while) until nothing else runs. The host of a
virtual machine is slow for minutes on end and does not tell. Profile and module are therefore measured in turns; other
work only ever adds time, so the fastest prediction of all profiles stands beside the fastest repeat of all turns.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.util
import json
import math
import os
import platform
import re
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import yaml

import foldsim
from foldsim.hardware.measurement.build import profile_text
from foldsim.hardware.measurement.machine import describe
from foldsim.hardware.measurement.runtime import Runtime
from foldsim.hardware.measurement.runtime_onnx import session_of
from foldsim.hardware.measurement.runtime_torch import calls_of
from foldsim.hardware.measurement.runtimes import open_runtime
from foldsim.hardware.measurement.session import measure
from foldsim.hardware.measurement.timing import Work, cpu_clock

ROOT = Path(__file__).resolve().parent.parent
FOLDS = (1, 2, 4)
CHUNKS = (1, 2, 4, 8, 16, 32)
TARGETS = {"torch fp32": 0.15, "torch int8": 0.20, "onnxruntime fp32": 0.20, "onnxruntime int8": 0.20}
SPEEDUP_TARGET = 0.08
ARGUMENTS: dict[str, Any] = {
    "input_dim": 80,
    "encoding_dim": 1024,
    "num_symbols": 4097,
    "right_context_length": 4,
    "time_reduction_input_dim": 128,
    "time_reduction_stride": 4,
    "transformer_num_heads": 8,
    "transformer_ffn_dim": 2048,
    "transformer_num_layers": 20,
    "transformer_dropout": 0.1,
    "transformer_activation": "gelu",
    "transformer_left_context_length": 30,
    "transformer_max_memory_size": 0,
    "transformer_weight_init_scale_strategy": "depthwise",
    "transformer_tanh_on_mem": True,
    "symbol_embedding_dim": 512,
    "num_lstm_layers": 3,
    "lstm_layer_norm": True,
    "lstm_layer_norm_epsilon": 1e-3,
    "lstm_dropout": 0.3,
}


def counting() -> Any:
    """tools/count_emformer.py as a module: how to load and fold the real encoder."""
    spec = importlib.util.spec_from_file_location("count_emformer", ROOT / "tools" / "count_emformer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Chunk(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """One streaming call of an encoder, with the state as flat arguments."""

    def __init__(self, encoder: Any, chunk: int) -> None:
        super().__init__()
        self.encoder, self.frames = encoder, 4 * chunk + 4
        self.layers = len(encoder.transformer.emformer_layers)

    def forward(self, features: Any, *state: Any) -> Any:
        """(1, frames, 80) and four tensors per layer."""
        grouped = [list(state[4 * i : 4 * i + 4]) for i in range(self.layers)]
        output, _, new = self.encoder.infer(features, torch.tensor([self.frames]), grouped)
        return (output, *(tensor for layer in new for tensor in layer))


def real_module(tools: Any, rnnt: Any, fold: int, chunk: int) -> tuple[Chunk, tuple[Any, ...]]:
    """The encoder and the arguments of one call in steady state."""
    torch.manual_seed(0)
    encoder = rnnt.emformer_rnnt_model(**ARGUMENTS, segment_length=4 * chunk).transcriber
    if fold > 1:
        tools.apply_fold(encoder, tools.Fold(fold, "keep_head_dim", False, ARGUMENTS["transformer_num_layers"]))
    encoder.eval()
    features, lengths = torch.randn(1, 4 * chunk + 4, 80), torch.tensor([4 * chunk + 4])
    state = None
    with torch.inference_mode():
        for _ in range(math.ceil(ARGUMENTS["transformer_left_context_length"] / chunk) + 1):
            _, _, state = encoder.infer(features, lengths, state)
    # Ordinary tensors: those of inference mode cannot be traced.
    return Chunk(encoder, chunk), (features, *(tensor.clone() for layer in state for tensor in layer))


def run_torch(module: Chunk, arguments: tuple[Any, ...], precision: str) -> Work:
    """Eager PyTorch, with dynamically quantised linears for int8."""
    if precision == "int8":
        module = torch.ao.quantization.quantize_dynamic(module, {torch.nn.Linear}, dtype=torch.qint8)

    def work() -> None:
        with torch.inference_mode():
            module(*arguments)

    return work


@contextlib.contextmanager
def without_empty() -> Iterator[None]:
    """Folding hands on an empty memory bank without reshaping it, which ONNX Runtime cannot do with no elements."""
    tools = sys.modules["count_emformer"]
    split, join = tools.split, tools.join

    def split_some(tokens: Any, factor: int) -> Any:
        length, batch, width = tokens.shape
        return split(tokens, factor) if length else tokens.new_zeros(0, batch, width // factor)

    def join_some(subtokens: Any, factor: int) -> Any:
        rows, batch, width = subtokens.shape
        return join(subtokens, factor) if rows else subtokens.new_zeros(0, batch, width * factor)

    with mock.patch.multiple(tools, split=split_some, join=join_some):
        yield


def exported(module: Chunk, arguments: tuple[Any, ...], precision: str, folder: Path) -> str:
    """File of the exported module, with dynamically quantised products for int8."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    plain, quantised = folder / "fp32.onnx", folder / "int8.onnx"
    if not plain.exists():
        names = [f"in{i}" for i in range(len(arguments))]
        with torch.no_grad(), without_empty():
            torch.onnx.export(module, arguments, str(plain), input_names=names, opset_version=17, dynamo=False)
        model = onnx.load(plain)
        for node in model.graph.node:  # the memory bank is empty: a size of 0 is meant as such
            if node.op_type == "Reshape":
                del node.attribute[:]
                node.attribute.append(onnx.helper.make_attribute("allowzero", 1))
        onnx.save(model, plain)
    if precision == "fp32":
        return str(plain)
    quantize_dynamic(plain, quantised, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8)
    return str(quantised)


def run_onnx(module: Chunk, arguments: tuple[Any, ...], precision: str, folder: Path) -> Work:
    """The exported module in ONNX Runtime."""
    session, _ = session_of(exported(module, arguments, precision, folder), 1)
    known = {item.name for item in session.get_inputs()}
    feeds = {f"in{i}": value.numpy() for i, value in enumerate(arguments) if f"in{i}" in known}
    return lambda: session.run(None, feeds)


def encoder_workload(folder: Path, precision: str, calls: Mapping[int, int]) -> Any:
    """The shipped transducer's encoder alone, in one number format, with its calls of the runtime by folding factor."""
    text = (ROOT / "workloads" / "emformer-rnnt-base.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    data["name"] = f"emformer-encoder-{precision}"
    data["components"] = [c for c in data["components"] if c["name"] == "encoder"]
    data["precision"] = {"weights": precision, "activations": precision, "state": "fp32"}
    (layers,) = (layer for layer in data["components"][0]["layers"] if layer["kind"] == "emformer")
    layers["framework_calls_count"], layers["folded_framework_calls_count"] = calls[1], calls[max(calls)]
    del data["published_params_count"]
    path = folder / f"{data['name']}.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return foldsim.load_workload(path)


def counted_calls(runtime: Runtime, tools: Any, rnnt: Any, precision: str) -> dict[int, int]:
    """Calls of the runtime per layer beside those of products with weights, by folding factor.

    Counted in the module, not timed: operators that reach PyTorch's dispatcher, or nodes of the optimised graph and
    the tensors that are handed to it and back.
    """
    linear = runtime.between([np.eye(16, dtype=np.float32)], 2, "linear", precision).calls_count / 2
    found = {}
    for fold in (1, FOLDS[-1]):
        module, arguments = real_module(tools, rnnt, fold, 8)
        linears = sum(isinstance(part, torch.nn.Linear) for part in module.modules())
        if runtime.name == "torch":
            total = calls_of(lambda module=module, arguments=arguments: module(*arguments))
        else:
            with tempfile.TemporaryDirectory() as folder:
                session, nodes = session_of(exported(module, arguments, precision, Path(folder)), 1)
            total = nodes + len(session.get_inputs()) + len(session.get_outputs())
        found[fold] = round((total - linears * linear) / module.layers)
    return found


def predict(profile: Path, workload: Any) -> dict[tuple[int, int], float]:
    """Milliseconds per chunk, by folding factor and chunk."""
    found = {}
    chip = foldsim.load_profile(profile)
    for fold in FOLDS:
        for chunk in CHUNKS:
            folded = workload if fold == 1 else workload.fold(factor=fold)
            result = foldsim.simulate(folded, chip, chunk_ms=chunk * 40.0)
            found[fold, chunk] = float(result.totals["latency_ms"])
    return found


def measured_profile(runtime: Runtime, folder: Path, name: str) -> Path:
    """Run the microbenchmarks and write the profile."""
    done = measure(runtime, 1, False, lambda step: say(f"  {name}: {step}"), cpu_clock(1))
    path = folder / f"{name}.yaml"
    path.write_text(profile_text(done, name), encoding="utf-8")
    return path


def say(message: str) -> None:
    """Progress."""
    print(message, file=sys.stderr, flush=True)


def compare(
    name: str, measured: dict[tuple[int, int], float], predicted: dict[tuple[int, int], float]
) -> dict[str, Any]:
    """The table of one runtime and number format, with its errors."""
    rows = []
    for (fold, chunk), real in measured.items():
        guess = predicted[fold, chunk]
        row = {"fold": fold, "chunk_tokens": chunk, "measured_ms": round(real, 2), "predicted_ms": round(guess, 2)}
        row["error"] = round(guess / real - 1, 3)
        if fold > 1:
            row["measured_time_ratio"] = round(real / measured[1, chunk], 3)
            row["predicted_time_ratio"] = round(guess / predicted[1, chunk], 3)
        rows.append(row)
    errors = [abs(row["error"]) for row in rows]
    ratios = [abs(row["predicted_time_ratio"] - row["measured_time_ratio"]) for row in rows if row["fold"] > 1]
    return {
        "case": name,
        "median_error": round(statistics.median(errors), 3),
        "worst_error": max(errors),
        "median_ratio_error": round(statistics.median(ratios), 3),
        "worst_ratio_error": round(max(ratios), 3),
        "target_median_error": TARGETS[name],
        "target_ratio_error": SPEEDUP_TARGET,
        "rows": rows,
    }


def quiet_moment(limit_s: float = 1.5, calm: int = 20) -> None:
    """Wait, without sleeping, until no other process wants to run; no longer than the limit. Linux only."""
    table, start, seen = Path("/proc/stat"), time.monotonic(), 0
    while table.exists() and seen < calm and time.monotonic() - start < limit_s:
        running = re.search(r"^procs_running (\d+)", table.read_text(), re.MULTILINE)
        seen = seen + 1 if running is not None and int(running.group(1)) <= 1 else 0


def repeats_of(works: dict[tuple[int, int], Work], rounds: int) -> dict[tuple[int, int], list[float]]:
    """Seconds of every repeat, in turns; each right after an untimed call, as in a stream that does not pause."""
    clock, found = cpu_clock(1), {key: list[float]() for key in works}
    for _ in range(rounds):
        for key, work in works.items():
            quiet_moment()
            work()
            start = clock()
            work()
            found[key].append(clock() - start)
    return found


@dataclass
class Case:
    """One runtime and number format: what is run, what it took and what each profile predicts."""

    name: str
    workload: Any
    calls: dict[int, int]
    works: dict[tuple[int, int], Work]
    seconds: dict[tuple[int, int], list[float]] = field(default_factory=dict)
    predicted: list[dict[tuple[int, int], float]] = field(default_factory=list)

    def turn(self, profile: Path, rounds: int) -> None:
        """Run the module, and predict with a profile that was measured right before."""
        for key, repeats in repeats_of(self.works, rounds).items():
            self.seconds.setdefault(key, []).extend(repeats)
        self.predicted.append(predict(profile, self.workload))

    def table(self) -> dict[str, Any]:
        """Fastest prediction beside fastest repeat, and what each profile alone would have given."""
        real = {key: min(repeats) * 1e3 for key, repeats in self.seconds.items()}
        table = compare(self.name, real, {key: min(each[key] for each in self.predicted) for key in real})
        table["calls_per_layer"] = {str(fold): count for fold, count in self.calls.items()}
        table["median_error_of_each_profile"] = [compare(self.name, real, p)["median_error"] for p in self.predicted]
        return table


def case(name: str, runtime: Runtime, tools: Any, rnnt: Any, folder: Path) -> Case:
    """Everything of one case that takes no measuring."""
    precision = name.split()[1]
    calls = counted_calls(runtime, tools, rnnt, precision)
    works: dict[tuple[int, int], Work] = {}
    for fold in FOLDS:
        for chunk in CHUNKS:
            module, arguments = real_module(tools, rnnt, fold, chunk)
            if runtime.name == "torch":
                works[fold, chunk] = run_torch(module, arguments, precision)
            else:
                exports = folder / f"n{fold}-t{chunk}"  # fp32 and int8 are of one export
                exports.mkdir(exist_ok=True)
                works[fold, chunk] = run_onnx(module, arguments, precision, exports)
    return Case(name, encoder_workload(folder, precision, calls), calls, works)


def main() -> int:
    """Measure, predict, compare."""
    parser = argparse.ArgumentParser(description="Compare predicted with measured time of a streaming encoder.")
    parser.add_argument("-o", "--output", type=Path, help="the JSON file (standard output when left out)")
    parser.add_argument("--turns", type=int, default=3, help="how often profile and module are measured in turns")
    parser.add_argument("--rounds", type=int, default=7, help="repeats of every case in a turn")
    parser.add_argument("--cpu", type=int, default=None, help="processor to run on")
    parser.add_argument("--cases", default=",".join(TARGETS), help="of: " + ", ".join(TARGETS))
    parser.add_argument("--keep", type=Path, help="folder that keeps the measured profiles")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {given.cpu if given.cpu is not None else max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    tools = counting()
    rnnt, _ = tools.load_rnnt()
    load_before = os.getloadavg()[0]
    tables = []
    versions = {"python": platform.python_version(), "foldsim": foldsim.__version__}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        names = given.cases.split(",")
        for runtime_name in dict.fromkeys(name.split()[0] for name in names):
            runtime = open_runtime(runtime_name, 1)
            versions |= runtime.versions
            cases = [
                case(name, runtime, tools, rnnt, Path(temporary)) for name in names if name.split()[0] == runtime_name
            ]
            for turn in range(1, given.turns + 1):
                profile = measured_profile(runtime, folder, f"{runtime_name}-{turn}")
                for each in cases:
                    each.turn(profile, given.rounds)
                    say(f"  {each.name}, turn {turn} of {given.turns}")
            for each in cases:
                tables.append(each.table())
                for row in tables[-1]["rows"]:
                    say("    " + json.dumps(row))
                say("  " + json.dumps({k: v for k, v in tables[-1].items() if k != "rows"}))
    record = {
        "about": "predicted and measured time per chunk of torchaudio's Emformer encoder; benchmarks/cpu_prediction.py",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": describe().model,
        "versions": versions,
        "load_average": [round(load_before, 2), round(os.getloadavg()[0], 2)],
        "turns": given.turns,
        "rounds": given.rounds,
        "tables": tables,
    }
    text = json.dumps(record, indent=1) + "\n"
    if given.output is None:
        sys.stdout.write(text)
    else:
        given.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
