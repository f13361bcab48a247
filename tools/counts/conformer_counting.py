"""How ``conformer.py`` counts: the work of a call by part of the model, its state, and the JSON that holds it."""

from __future__ import annotations

import json
import sys
import types
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch  # type: ignore[import-not-found, unused-ignore]
from torch.utils._python_dispatch import TorchDispatchMode  # type: ignore[import-not-found, unused-ignore]
from torch.utils.flop_counter import FlopCounterMode, flop_registry  # type: ignore[import-not-found, unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Part of the counts by a piece of the module's path; the first that matches. Attention is split by operator.
PARTS = (
    ("encoder_embed", "front_end"),
    ("embed", "front_end"),
    ("linear_pos", "positions"),
    ("feed_forward", "feedforward"),
    ("conv_module", "convolution"),
    ("self_attn", "attention"),
    ("attention", "attention"),
    ("ctc_lo", "head"),
    ("encoder_proj", "head"),
)
FUSED = ("scaled_dot_product", "multi_head_attention", "transformer_encoder", "flash_att", "efficient_att")


class Work(TorchDispatchMode):  # type: ignore[misc, unused-ignore]
    """MACs by part, and softmax elements, of what is dispatched; refuses fused attention."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.macs: Counter[str] = Counter()
        self.softmax: Counter[str] = Counter()

    def part(self, products: bool) -> str:
        """The part that an operator of the module on top of the stack belongs to."""
        name = self.stack[-1] if self.stack else ""
        found = next((part for mark, part in PARTS if mark in name), name or "other")
        if found != "attention":
            return found
        return "scores_context" if products else "projections"

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        name = str(packet.__name__)
        if any(mark in name for mark in FUSED):
            raise RuntimeError(f"{name} is a fused attention operator: its products may be missed")
        if packet in flop_registry:
            self.macs[self.part(name in ("bmm", "baddbmm"))] += flop_registry[packet](*args, **kwargs, out_val=out) // 2
        elif name in ("_softmax", "_log_softmax"):
            self.softmax["attention" if name == "_softmax" else "head"] += out.numel()
        return out


@contextmanager
def named(work: Work, root: Any) -> Iterator[None]:
    """While it lasts, ``work`` knows which module of ``root`` runs."""
    handles = []
    for name, module in root.named_modules():
        if name:
            handles += [
                module.register_forward_pre_hook(lambda *_, n=name: work.stack.append(n)),
                module.register_forward_hook(lambda *_: work.stack.pop() and None),
            ]
    # Streaming methods other than forward (infer, chunk_forward) run no hooks of their own module, but the linears,
    # convolutions and attention modules inside them do, except icefall's EmformerAttention.infer: patched here.
    patched = []
    for name, module in root.named_modules():
        if type(module).__name__ == "EmformerAttention":
            original = module.infer
            module.infer = _within(work, name, original)
            patched.append(module)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module in patched:
            del module.infer


def _within(work: Work, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """``call`` with the module ``name`` on the stack, for its own products."""

    def run(*args: Any, **kwargs: Any) -> Any:
        work.stack.append(name)
        try:
            return call(*args, **kwargs)
        finally:
            work.stack.pop()

    return run


def count(root: Any, call: Callable[[], Any]) -> tuple[Work, Any]:
    """The work of one call, checked against PyTorch's own counter, and what it returned."""
    with torch.no_grad(), FlopCounterMode(display=False) as flops, Work() as work, named(work, root):
        result = call()
    if sum(work.macs.values()) * 2 != flops.get_total_flops():
        raise RuntimeError(f"{sum(work.macs.values())} MACs, PyTorch says {flops.get_total_flops() / 2}")
    return work, result


def params(module: Any) -> int:
    """Parameters of a module."""
    return sum(int(p.numel()) for p in module.parameters())


def scales(module: Any) -> int:
    """Scalar scales that icefall's export folds into the weights: all its 0-d parameters but a norm's eps."""
    return sum(1 for name, p in module.named_parameters() if p.ndim == 0 and not name.endswith("eps"))


def stub(name: str, **members: Any) -> None:
    """Put an empty module in the way of an import that only training needs."""
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module


def make_pad_mask(lengths: torch.Tensor) -> torch.Tensor:
    """True beyond the length of each row: icefall.utils.make_pad_mask."""
    return torch.arange(int(lengths.max())).unsqueeze(0) >= lengths.unsqueeze(1)


def describe(states: list[tuple[str, torch.Tensor, str]]) -> dict[str, Any]:
    """The state record of a chunk."""
    entries = [
        {"name": name, "shape": list(t.shape), "dtype": str(t.dtype).removeprefix("torch."), "note": note}
        for name, t, note in states
    ]
    return {"state": entries, "state_elements": sum(int(t.numel()) for _, t, _ in states if t.is_floating_point())}


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
