"""The base of layer kinds: a strict record that lowers itself to ops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal, Protocol

import numpy as np
from pydantic import Field

from foldsim.model.records import Number
from foldsim.schema import Problem
from foldsim.schema.quantity import Record
from foldsim.workload.ops import Context, Op

Rows = Literal[
    "one",
    "chunk_tokens",
    "all_tokens",
    "window_tokens",
    "output_frames",
    "chunk_frames",
    "all_frames",
    "chunk_samples",
    "utterance_tokens",
]
Activation = Literal["none", "relu", "gelu", "silu", "tanh", "sigmoid", "swoosh", "double_swish", "leaky_relu"]
Width = Annotated[int, Field(ge=1, le=10_000_000)]


class Streaming(Protocol):
    """Chunk and context of a workload, for checks of layers."""

    @property
    def left_context_tokens(self) -> int: ...
    @property
    def right_context_tokens(self) -> int: ...
    @property
    def memory_bank_tokens(self) -> int: ...


Components = Mapping[str, Sequence["Layer"]]  # layers by the name of their component


class Layer(Record):
    """A layer (or ``repeat`` identical ones)."""

    kind: str
    name: str = Field(min_length=1, description="Name used in results; unique within its component.")
    repeat: Annotated[int, Field(ge=1, le=100_000)] = Field(default=1, description="Identical layers in a row.")
    downsampling: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="Runs once per this many tokens (multi-rate encoders, time reduction)."
    )

    framework_calls_count: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None,
        description="Calls of the runtime in one run of the layer other than its products with weights: operators of"
        " eager code, views included, or nodes of an exported graph. Used only with profiles that have a cost per call"
        " (call_s).",
    )
    folded_framework_calls_count: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="The same for the folded layer; framework_calls_count by default."
    )

    @property
    def foldable(self) -> bool:
        """Whether folding can be applied to this kind."""
        return False

    def framework_calls(self, fold_factor: Number) -> Number | None:
        """Calls of the runtime other than products with weights, by folding factor; None if not counted."""
        plain, folded = self.framework_calls_count, self.folded_framework_calls_count
        if plain is None or folded is None:
            return plain
        return np.where(np.asarray(fold_factor) > 1, float(folded), float(plain))

    def lower(self, context: Context) -> Iterator[Op]:
        """Ops of one such layer in one invocation."""
        raise NotImplementedError

    def problems(self) -> Iterable[Problem]:
        """Problems of this layer other than types; paths relative to the layer."""
        return ()

    def problems_in(self, streaming: Streaming, components: Components) -> Iterable[Problem]:
        """Problems of this layer with the chunk and context of the workload, or with its other layers."""
        return ()

    def chunk_problem(self, context: Context) -> str | None:
        """Why this layer cannot process a chunk (numbers, not arrays), or None."""
        return None

    def rows_problem(self, context: Context) -> Problem | None:
        """A warning, without path, if the layer outputs other rows of a chunk than the next layer takes; else None."""
        return None

    def widths(self) -> tuple[float | None, float | None]:
        """Widths of an input row and of an output row; None if adjacent layers may have other widths."""
        return None, None

    def fold_problems(self, factor: int, feedforward: bool, keep_head_dim: bool) -> Iterable[str]:
        """Why this layer cannot be folded by ``factor``; empty if it can."""
        return ()

    def fold_factors(self, feedforward: bool, keep_head_dim: bool) -> list[int]:
        """All factors by which this layer can be folded."""
        return []
