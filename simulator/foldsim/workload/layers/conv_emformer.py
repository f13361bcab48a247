"""The ConvEmformer layer: a Conformer layer whose attention also sees a memory bank, as icefall streams it.

Structure: icefall's ``conv_emformer_transducer_stateless2``, after Shi et al., arXiv 2010.10759 (Emformer). Unlike
in Emformer, a memory vector is the mean of the chunk's rows before attention, not the result of a summary query: no
additional query, and no tanh. The bank is projected again in every chunk; keys and values of the left context are kept.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Literal

from pydantic import Field

from foldsim.workload.attention import Block
from foldsim.workload.layers.conformer import ConformerLayer
from foldsim.workload.layers.encoder import Bias
from foldsim.workload.ops import Context


class ConvEmformerLayer(ConformerLayer):
    """Macaron feedforward, attention over memory bank, left context, chunk and right context, and convolution."""

    kind: Literal["conv_emformer"] = Field(description="ConvEmformer layer.")  # type: ignore[assignment]

    def block(self, context: Context, biases: Collection[Bias]) -> Block:
        return replace(super().block(context, biases), memory="mean")
