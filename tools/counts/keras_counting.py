"""Count the products of a Keras model's graph, and the parameters of its converted form. Used by small_models.py."""

from __future__ import annotations

import math
import os
from collections import Counter
from typing import Any

os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import tensorflow as tf  # type: ignore[import-not-found, import-untyped, unused-ignore]

TENSORFLOW = tf.__version__
NODES = ("Conv2D", "DepthwiseConv2dNative", "MatMul")
OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def graph_counts(model: Any, shape: tuple[int, ...]) -> tuple[list[tuple[str, int]], int]:
    """(node, MACs) of every product in the frozen graph, in order, and softmax elements; for one input."""
    from tensorflow.python.framework.convert_to_constants import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
        convert_variables_to_constants_v2,
    )

    call = tf.function(lambda x: model(x, training=False))
    frozen = convert_variables_to_constants_v2(call.get_concrete_function(tf.TensorSpec(shape, tf.float32)))
    macs, softmax = [], 0
    for node in frozen.graph.get_operations():
        if node.type in NODES:
            kernel, made = node.inputs[1].shape, node.outputs[0].shape
            inner = math.prod(kernel[:-1]) if node.type == "Conv2D" else math.prod(kernel[:2])
            if node.type == "MatMul":
                inner = kernel[0]
            macs.append((node.name, made.num_elements() * inner))
        elif node.type == "Softmax":
            softmax += node.outputs[0].shape.num_elements()
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    profile = tf.compat.v1.profiler.profile(frozen.graph, cmd="op", options=options)
    flops: Counter[str] = Counter()
    while profile.children:
        profile = profile.children[0]
        flops[profile.name] += profile.float_ops
    said = sum(flops[name] for name in NODES) // 2
    if said != sum(count for _, count in macs):
        raise RuntimeError(f"{sum(c for _, c in macs)} MACs, TensorFlow's profiler says {said}: {flops}")
    return macs, softmax


def deployed(model: Any) -> tuple[list[tuple[int, int]], int]:
    """(weights, biases) of every product of the converted model, in order; and biases that are all zero by design."""
    for variable in model.variables:  # the converter drops biases of zero
        variable.assign(tf.random.uniform(variable.shape, 0.5, 1.5))
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    interpreter = tf.lite.Interpreter(model_content=content)
    tensors = {t["index"]: t for t in interpreter.get_tensor_details()}
    without = [
        (isinstance(layer, (tf.keras.layers.Conv2D, tf.keras.layers.DepthwiseConv2D)) and not layer.use_bias)
        and not any(isinstance(n.layer, tf.keras.layers.BatchNormalization) for n in layer.outbound_nodes)
        for layer in model.layers
        if isinstance(layer, (tf.keras.layers.Conv2D, tf.keras.layers.DepthwiseConv2D, tf.keras.layers.Dense))
    ]
    rows, zeros = [], 0
    products = [op for op in interpreter._get_ops_details() if op["op_name"] in OPS]
    if len(products) != len(without):
        raise RuntimeError("the converter merged products")
    for op, biasless in zip(products, without, strict=True):
        weights, bias = (int(math.prod(tensors[i]["shape"])) for i in op["inputs"][1:3])
        rows.append((weights, 0 if biasless else bias))
        zeros += bias if biasless else 0
    return rows, zeros


def split(names: list[str], counts: list[int]) -> dict[str, int]:
    """Counts by component."""
    sums: Counter[str] = Counter()
    for name, count in zip(names, counts, strict=True):
        sums[name] += count
    return dict(sums)
