"""ONNX Runtime on the CPU, fp32 and dynamic int8."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from foldsim.hardware.measurement.runtime import COPY, TINY, TINY_CACHE, TINY_HEADS, Array, Between
from foldsim.hardware.measurement.timing import Work

_OPSET, _IR = 20, 10
_NODES = {
    "add": ("Add", True),
    "multiply": ("Mul", True),
    "divide": ("Div", True),
    "relu": ("Relu", False),
    "softmax": ("Softmax", False),
    "gelu": ("Gelu", False),
    "sigmoid": ("Sigmoid", False),
}


class OnnxRuntime:
    """One graph per case, run by one session."""

    name = "onnxruntime"
    precisions: tuple[str, ...] = ("fp32", "int8")

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self.versions = {"ONNX Runtime": onnxruntime.__version__}

    def products(self, weights: Sequence[Array], precision: str) -> Callable[[int], Work]:
        graph = _Graph()
        x = graph.input("x", ["rows", weights[0].shape[1]])
        names = {id(w): graph.constant(np.ascontiguousarray(w.T)) for w in weights}
        for w in weights:
            x = graph.node("MatMul", x, names[id(w)])
        session = self._session(graph, [x], precision)
        return lambda rows: _run(session, {"x": _array(rows, weights[0].shape[1])})

    def elementwise(self, operator: str, rows: int, width: int, count: int) -> Work:
        graph = _Graph()
        x = graph.input("x", [rows, width])
        other = graph.constant(_factors(rows, width)) if _NODES.get(operator, ("", False))[1] else ""
        for _ in range(count if operator != COPY else count // 2):
            if operator == COPY:  # slices are copies too, so half of the count
                ends = [graph.constant(np.array([at], np.int64)) for at in (0, rows // 2, rows)]
                first, second = (graph.node("Slice", x, ends[i], ends[i + 1], ends[0]) for i in (0, 1))
                x = graph.node("Concat", second, first, axis=0)
            elif operator == "layer_norm":
                x = graph.node("LayerNormalization", x, graph.constant(np.ones(width, np.float32)))
            else:
                name, binary = _NODES[operator]
                x = graph.node(name, x, other) if binary else graph.node(name, x)
        return _run(self._session(graph, [x], "fp32"), {"x": _array(rows, width)})

    def between(self, weights: Sequence[Array], rows: int, block: str, precision: str) -> Between:
        graph = _Graph()
        x, tiny = graph.input("x", [rows, weights[0].shape[1]]), graph.input("tiny", [rows, 1, TINY])
        ops = 0
        for w in weights:
            x = graph.node("MatMul", x, graph.constant(np.ascontiguousarray(w.T)))
            tiny, ops = _block(graph, tiny, block, rows)
        feeds = {
            "x": _array(rows, weights[0].shape[1]),
            "tiny": _array(rows, TINY)[:, None],
        }  # (time, batch, width), the layout of models
        session, nodes = self._counted(graph, [x, graph.node("Identity", tiny)], precision)
        block_nodes = max(0, nodes - len(weights) - 1)  # without the layers and the Identity node
        return Between(_run(session, feeds), ops, round(block_nodes / len(weights)))

    def _session(self, graph: _Graph, outputs: list[str], precision: str) -> Any:
        return self._counted(graph, outputs, precision)[0]

    def _counted(self, graph: _Graph, outputs: list[str], precision: str) -> tuple[Any, int]:
        """A session, and the number of nodes of its optimised graph."""
        model = graph.model(outputs)
        content = _quantised(model) if precision == "int8" else model.SerializeToString()
        return session_of(content, self._threads)


def session_of(model: bytes | str, threads: int) -> tuple[Any, int]:
    """A session on a model (or its file), and the number of nodes of its graph after optimisation."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        nodes = len(onnx.load(options.optimized_model_filepath, load_external_data=False).graph.node)
    return session, nodes


def _run(session: Any, feeds: dict[str, Array]) -> Work:
    return lambda: session.run(None, feeds)


class _Graph:
    """A graph under construction, with numbered tensor names."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self.results: list[str] = []  # in addition to the requested outputs

    def input(self, name: str, shape: list[int | str]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def constant(self, value: np.ndarray[Any, Any]) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def model(self, outputs: Sequence[str]) -> Any:
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (*outputs, *self.results)]
        graph = helper.make_graph(self._nodes, "measured", self._inputs, results, self._constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)


def _quantised(model: Any) -> bytes:
    """The model with dynamically quantised weight products."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        quantize_dynamic(model, target, op_types_to_quantize=["MatMul"], weight_type=QuantType.QInt8)
        return onnx.load(target).SerializeToString()


def _array(rows: int, width: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal((rows, width), dtype=np.float32)


def _factors(rows: int, width: int) -> Array:
    """Values near one, so that chains of products and quotients keep their magnitude."""
    return (np.float32(1) + np.float32(0.01) * _array(rows, width, seed=1)).astype(np.float32)


def _block(graph: _Graph, x: str, block: str, rows: int) -> tuple[str, int]:
    """Tiny ops after ``x``, and the number of ops that foldsim counts for them."""
    if block == "none":
        return x, 0
    if block == "linear":
        for seed in (2, 3):
            x = graph.node("MatMul", x, graph.constant(_array(TINY, TINY, seed) / np.float32(TINY)))
            x = graph.node("Add", x, graph.constant(_array(1, TINY, 4)[0]))
        return x, 2
    if block == "vector":
        norm = graph.node("LayerNormalization", x, graph.constant(np.ones(TINY, np.float32)))
        return graph.node("Softmax", graph.node("Add", graph.node("Gelu", norm), x)), 4
    width = TINY // TINY_HEADS
    heads = graph.constant(np.array([-1, TINY_HEADS, width], np.int64))
    # As in streaming code: right context and chunk in one tensor, and the cache between them in the keys.
    ends = [graph.constant(np.array([at], np.int64)) for at in (0, 1, rows)]
    right, chunk = (graph.node("Slice", x, ends[i], ends[i + 1], ends[0]) for i in (0, 1))
    parts, kept = [graph.node("Transpose", graph.node("Reshape", x, heads), perm=[1, 0, 2])], []
    for seed, order in ((2, [1, 2, 0]), (3, [1, 0, 2])):
        cache = graph.constant(_array(TINY_CACHE, TINY, seed)[:, None])
        whole = graph.node("Concat", right, cache, chunk, axis=0)
        parts.append(graph.node("Transpose", graph.node("Reshape", whole, heads), perm=order))
        kept.append(graph.node("Concat", cache, whole, axis=0))
    scaled = graph.node("Mul", parts[0], graph.constant(np.array(width**-0.5, np.float32)))
    mask = graph.constant(np.zeros((rows, TINY_CACHE + rows), np.float32))
    scores = graph.node("Add", graph.node("MatMul", scaled, parts[1]), mask)
    context = graph.node("MatMul", graph.node("Softmax", scores), parts[2])
    flat = graph.constant(np.array([-1, 1, TINY], np.int64))
    context = graph.node("Reshape", graph.node("Transpose", context, perm=[1, 0, 2]), flat)
    # The new caches are results too, so that the optimiser keeps them.
    graph.results += kept
    return context, 3
