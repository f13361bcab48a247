"""Import NeMo's streaming FastConformer from a folder of its source, without the rest of NeMo.

Only the model files in ``REAL`` are executed. Everything else that they import (logging, type checks, adapters,
configuration, omegaconf) is replaced: by what ``replacements`` lists, or by a module of empty classes.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import logging
import sys
import types
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]

REAL = (
    "collections.asr.modules.conformer_encoder",
    "collections.asr.modules.rnnt",
    "collections.asr.modules.rnnt_abstract",
    "collections.asr.modules.conv_asr",
    "collections.asr.parts.mixins.streaming",
    "collections.asr.parts.submodules.causal_convs",
    "collections.asr.parts.submodules.conformer_modules",
    "collections.asr.parts.submodules.multi_head_attention",
    "collections.asr.parts.submodules.subsampling",
    "collections.asr.parts.utils.activations",
    "collections.asr.parts.utils.regularization_utils",
    "collections.common.parts.rnn",
)


class Adapted:
    """NeMo's mix-in for adapters, without any."""

    def is_adapter_available(self) -> bool:
        return False

    def set_accepted_adapter_types(self, *_: Any) -> None:
        return None


class Accessed:
    """NeMo's mix-in for access to inner tensors, switched off."""

    def is_access_enabled(self, *_: Any) -> bool:
        return False


class TypeCheck:
    """``@typecheck()`` that checks nothing."""

    def __call__(self, function: Any) -> Any:
        return function


def replacements() -> dict[str, dict[str, Any]]:
    """By module of NeMo, the names that its model files cannot do without."""
    adapters = Stub("adapter_mixins")
    adapters.__dict__.update(AdapterModuleMixin=Adapted, get_registered_adapter=lambda _: True)
    attention_adapter = "nemo.collections.asr.parts.submodules.adapters.attention_adapter_mixin"
    return {
        "nemo.core": {"NeuralModule": torch.nn.Module},
        "nemo.core.classes": {"typecheck": TypeCheck, "adapter_mixins": adapters},
        "nemo.core.classes.common": {"typecheck": TypeCheck},
        "nemo.core.classes.mixins": {
            "AccessMixin": Accessed,
            "adapter_mixins": adapters,
            "AdapterModuleMixin": Adapted,
        },
        "nemo.core.classes.module": {"NeuralModule": torch.nn.Module},
        "nemo.utils": {
            "logging": logging.getLogger("nemo"),
            "avoid_float16_autocast_context": contextlib.nullcontext,
        },
        "nemo.collections.asr.parts.utils": {"adapter_utils": Stub("adapter_utils")},
        "nemo.collections.common.parts.utils": {"activation_registry": {}},
        "nemo.collections.asr.parts.submodules.jasper": {"init_weights": lambda *_, **__: None},
        attention_adapter: {"AttentionAdapterModuleMixin": Adapted},
    }


class Stub(types.ModuleType):
    """A module in which every name that is neither set nor real is an empty class."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        whole = f"{self.__name__}.{name}"
        value: Any = type(name, (), {})
        if whole.removeprefix("nemo.") in REAL:
            value = importlib.import_module(whole)
        setattr(self, name, value)
        return value


class StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``nemo`` and ``omegaconf``: the files of ``REAL`` from the source, stubs for the rest."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.replacements = replacements()

    def find_spec(self, name: str, *_: Any) -> Any:
        root, _, rest = name.partition(".")
        if root not in ("nemo", "omegaconf"):
            return None
        if rest in REAL:
            return importlib.util.spec_from_file_location(name, self.source / (name.replace(".", "/") + ".py"))
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> Any:
        return Stub(spec.name)

    def exec_module(self, module: Any) -> None:
        module.__dict__.update(self.replacements.get(module.__name__, {}))


def file_of(name: str, source: Path) -> Path:
    """The file of one of ``REAL``."""
    return source / "nemo" / f"{name.replace('.', '/')}.py"


def install(source: Path) -> None:
    """Let ``import nemo...`` find the source."""
    sys.meta_path.insert(0, StubFinder(source))
