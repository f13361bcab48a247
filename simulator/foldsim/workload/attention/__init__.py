"""Attention kinds. To add one: a file here with an :class:`Attention` subclass, and its name in ``ATTENTION_KINDS``.

Other packages add theirs as entry points of the group ``foldsim.attention_kinds``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from foldsim.workload.attention.base import Attention, Block
from foldsim.workload.attention.linear import FavorAttention, FocusedLinearAttention
from foldsim.workload.attention.reduced import ChannelMixingAttention, SpatialReductionAttention, TokenFusionAttention
from foldsim.workload.attention.softmax import SoftmaxAttention
from foldsim.workload.attention.sparse import LocalAttention, SerializedAttention
from foldsim.workload.kinds import with_entry_points

ATTENTION_KINDS = with_entry_points(
    "foldsim.attention_kinds",
    Attention,
    (
        SoftmaxAttention,
        FavorAttention,
        FocusedLinearAttention,
        LocalAttention,
        SpatialReductionAttention,
        TokenFusionAttention,
        SerializedAttention,
        ChannelMixingAttention,
    ),
)

if TYPE_CHECKING:
    AnyAttention = Attention
else:
    AnyAttention = Annotated[Union[ATTENTION_KINDS], Field(discriminator="kind")]  # noqa: UP007

__all__ = [
    "ATTENTION_KINDS",
    "AnyAttention",
    "Attention",
    "Block",
    "ChannelMixingAttention",
    "FavorAttention",
    "FocusedLinearAttention",
    "LocalAttention",
    "SerializedAttention",
    "SoftmaxAttention",
    "SpatialReductionAttention",
    "TokenFusionAttention",
]
