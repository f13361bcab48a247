"""A part of the recogniser with its own invocation rate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from foldsim.schema.quantity import Record, Share
from foldsim.workload.layers import AnyLayer

Event = Literal["chunk", "symbol", "output_frame", "utterance"]


class Component(Record):
    """Part of the recogniser with its own invocation rate."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name used in results.")
    invoked_per: list[Event] = Field(
        min_length=1,
        description="Events that cause one invocation each: chunk, symbol (emitted), output_frame, utterance.",
    )
    run_ratio: Share | None = Field(
        default=None, description="Share of those events on which it runs (blank skipping); all of them if left out."
    )
    layers: list[AnyLayer] = Field(min_length=1, description="Layers in the order they run.")
