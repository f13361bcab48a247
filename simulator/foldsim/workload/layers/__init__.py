"""Layer kinds. To add one: a file here with a :class:`Layer` subclass, and its name in ``LAYER_KINDS``.

Other packages add theirs as entry points of the group ``foldsim.layer_kinds``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from foldsim.workload.kinds import with_entry_points
from foldsim.workload.layers.attention_pooling import AttentionPooling
from foldsim.workload.layers.base import Layer
from foldsim.workload.layers.basic import (
    ActivationLayer,
    Add,
    Concatenate,
    Embedding,
    LayerNorm,
    Linear,
    MatrixProduct,
    Softmax,
)
from foldsim.workload.layers.conformer import ConformerLayer
from foldsim.workload.layers.conv_emformer import ConvEmformerLayer
from foldsim.workload.layers.convnext import ConvNext
from foldsim.workload.layers.convolution import ConvolutionStack
from foldsim.workload.layers.decoder import CrossKeyValue, DecoderLayer
from foldsim.workload.layers.emformer import EmformerLayer
from foldsim.workload.layers.features import LogMel
from foldsim.workload.layers.lstm import Lstm
from foldsim.workload.layers.mfcc import Mfcc
from foldsim.workload.layers.pooling import Pooling
from foldsim.workload.layers.stateless import StatelessPredictor
from foldsim.workload.layers.transformer import TransformerLayer
from foldsim.workload.layers.zipformer import BiasNorm, TokenAverage, TokenRepeat, ZipformerLayer

LAYER_KINDS = with_entry_points(
    "foldsim.layer_kinds",
    Layer,
    (
        LogMel,
        Mfcc,
        Linear,
        LayerNorm,
        ConvolutionStack,
        TransformerLayer,
        EmformerLayer,
        ConformerLayer,
        ConvEmformerLayer,
        ZipformerLayer,
        TokenAverage,
        TokenRepeat,
        BiasNorm,
        ConvNext,
        Pooling,
        AttentionPooling,
        CrossKeyValue,
        DecoderLayer,
        Embedding,
        StatelessPredictor,
        Lstm,
        Add,
        Concatenate,
        ActivationLayer,
        Softmax,
        MatrixProduct,
    ),
)

if TYPE_CHECKING:
    AnyLayer = Layer
else:
    AnyLayer = Annotated[Union[LAYER_KINDS], Field(discriminator="kind")]  # noqa: UP007

__all__ = ["LAYER_KINDS", "AnyLayer", "Layer"]
