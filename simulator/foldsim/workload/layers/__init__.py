"""Layer kinds. To add one: a file here with a :class:`Layer` subclass, and its name in ``LAYER_KINDS``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from foldsim.workload.layers.base import Layer
from foldsim.workload.layers.basic import Add, Embedding, LayerNorm, Linear, MatrixProduct, Relu, Softmax
from foldsim.workload.layers.emformer import EmformerLayer
from foldsim.workload.layers.features import LogMel
from foldsim.workload.layers.lstm import Lstm

LAYER_KINDS: tuple[type[Layer], ...] = (
    LogMel,
    Linear,
    LayerNorm,
    EmformerLayer,
    Embedding,
    Lstm,
    Add,
    Relu,
    Softmax,
    MatrixProduct,
)

if TYPE_CHECKING:
    AnyLayer = Layer
else:
    AnyLayer = Annotated[Union[LAYER_KINDS], Field(discriminator="kind")]  # noqa: UP007

__all__ = ["LAYER_KINDS", "AnyLayer", "Layer"]
