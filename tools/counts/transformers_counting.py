"""Counting for ``transformers_models.py``: MACs by part, vector work in elements, and the JSON it is written as."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from torch.utils._python_dispatch import TorchDispatchMode  # type: ignore[import-not-found, unused-ignore]
from torch.utils.flop_counter import FlopCounterMode  # type: ignore[import-not-found, unused-ignore]

FUSED = ("scaled_dot_product", "flash_att", "efficient_att")
ACTIVATIONS = ("gelu", "silu", "tanh")
PARTS = (  # first match of the module's name
    (r"encoder_attn\.[kv]_proj$", "cross_projections"),
    (r"(feature_extractor|encoder)\.conv", "convolution"),
    (r"pos_conv_embed", "position_convolution"),
    (r"feature_projection", "input_projection"),
    (r"(self_attn|encoder_attn|attention)\.", "projections"),
    (r"(fc[12]|feed_forward\..*)$", "feedforward"),
    (r"(proj_out|lm_head)$", "head"),
)


class VectorWork(TorchDispatchMode):  # type: ignore[misc, unused-ignore]
    """Counts elements of softmax, activations and norms, and refuses fused attention."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = str(func.overloadpacket.__name__)
        if any(part in name for part in FUSED):
            raise RuntimeError(f"{name} is a fused attention operator: the FLOP counter may miss it")
        if name == "_softmax":
            self.counts["softmax_elements"] += out.numel()
        elif name in ACTIVATIONS:
            self.counts["activation_elements"] += out.numel()
        elif name in ("native_layer_norm", "native_group_norm"):
            self.counts["norm_elements"] += out[0].numel()
        return out


def count_call(root: Any, call: Callable[[], Any]) -> tuple[dict[str, int], dict[str, int], Any]:
    """MACs of a call by part, its vector work in elements, and what it returned."""
    parts: Counter[str] = Counter()
    with torch.no_grad(), FlopCounterMode(display=False) as flops, VectorWork() as work:
        entry: dict[str, int] = {}
        handles = []
        for name, module in root.named_modules():
            if not isinstance(module, (torch.nn.Linear, torch.nn.Conv1d)):
                continue
            part = next(part for pattern, part in PARTS if re.search(pattern, name))

            def before(*_: Any, name: str = name) -> None:
                entry[name] = flops.get_total_flops()

            def after(*_: Any, name: str = name, part: str = part) -> None:
                parts[part] += (flops.get_total_flops() - entry[name]) // 2

            handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
        result = call()
        for handle in handles:
            handle.remove()
        rest = flops.get_total_flops() // 2 - sum(parts.values())
    return {**parts, "scores_context": rest}, dict(work.counts), result


def params(*modules: Any) -> int:
    """Parameters of modules."""
    return sum(int(p.numel()) for module in modules for p in module.parameters())


def elements(state: list[dict[str, Any]]) -> int:
    """Elements of a state."""
    return sum(int(torch.Size(tensor["shape"]).numel()) for tensor in state)


def render(value: Any, depth: int = 0) -> str:
    """JSON with indent 1, where a short container of scalars stays on one line."""
    line = json.dumps(value)
    if len(line) < 420 and not any(mark in line[1:] for mark in "{"):
        return line
    pad = "\n" + " " * (depth + 1)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {render(item, depth + 1)}" for key, item in value.items()]
    else:
        parts = [render(item, depth + 1) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return opening + pad + ("," + pad).join(parts) + "\n" + " " * depth + closing
