"""Weight transformations: strict pydantic records of ``compression:`` in a workload.

Codes (``integer``, ``qsq``, ``codebook``), zeros (``prune``, ``n_of_m``), factors (``low_rank``) and depth
(``drop_layers``). A tensor takes at most one of each of these four groups. State and activations are never compressed.
Arithmetic: :mod:`foldsim.workload.compression.codec`; sources and formulas: ``docs/compression.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Union

from pydantic import Field

from foldsim.schema.quantity import Record

WeightClass = Literal["attention", "feedforward", "convolution", "recurrent", "embedding", "linear"]
Decoder = Literal["vector_unit", "free"]
Group = Literal["code", "zeros", "factors", "depth"]
ALL = "all"

_DECODER = Field(
    description="vector_unit: decoded by the vector unit each time weights enter the array; free: a decoder in the"
    " weight path without time and energy."
)
_GATING = Field(description="The array gates multiplications by zero: saves their energy, not their cycles.")
Decoded = Annotated[Decoder, _DECODER]
Gated = Annotated[bool, _GATING]
GroupSize = Annotated[int, Field(ge=1, le=1_000_000)]
ScaleBits = Annotated[int, Field(ge=0, le=32)]


class Compression(Record):
    """One transformation of the weights that it selects."""

    group: ClassVar[Group]  # a tensor takes one method of each group

    method: str
    component: str = Field(min_length=1, description="Component whose weights it transforms, or all.")
    layers: list[str] | None = Field(
        default=None, min_length=1, description="Names of layers; all layers of the component by default."
    )
    tensors: list[WeightClass] | None = Field(
        default=None, min_length=1, description="Classes of weight matrices and look-up tables; all by default."
    )

    @property
    def rank_of_selection(self) -> int:
        """Narrowness of the selection: of two entries of one group the narrower one applies."""
        return (self.component != ALL) + (self.layers is not None) + (self.tensors is not None)

    def selects(self, component: str, layer: str, tensor: str) -> bool:
        """Whether it transforms tensors of a class in a layer of a component."""
        return (
            self.component in (component, ALL)
            and (self.layers is None or layer in self.layers)
            and (self.tensors is None or tensor in self.tensors)
        )


class IntegerCodes(Compression):
    """Integer quantisation. A group of consecutive weights of one output column shares a scale and a zero point.

    Each group is stored as one block of whole bytes.
    """

    group: ClassVar[Group] = "code"

    method: Literal["integer"] = Field(description="Integer quantisation with group scales.")
    bits: Annotated[int, Field(ge=2, le=8)] = Field(description="Bits of a code.")
    group_size: GroupSize | None = Field(
        default=None,
        description="Weights that share a scale; by default a scale per output column, applied to the results.",
    )
    scale_bits: ScaleBits = Field(default=16, description="Bits of a scale.")
    zero_bits: ScaleBits = Field(default=0, description="Bits of a zero point; 0 for symmetric quantisation.")
    decoder: Decoded = "vector_unit"


class QsqCodes(Compression):
    """Quality-scalable quantisation (arXiv 2407.11260): 3-bit codes, decoded by a shift and an addition."""

    group: ClassVar[Group] = "code"

    method: Literal["qsq"] = Field(description="Quality-scalable 3-bit codes.")
    coded_ratio: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Share of the output columns that are coded; the others keep the workload's format."
    )
    group_size: GroupSize | None = Field(
        default=None, description="Weights that share a scale; all of an output column by default."
    )
    scale_bits: ScaleBits = Field(default=16, description="Bits of a scale.")
    zero_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0, description="Share of the coded weights that are zero; the paper reports up to 0.06 more."
    )
    zero_gating: bool = Field(default=True, description="Multiplications by a zero code are gated: no energy.")
    mac_energy_ratio: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0,
        description="Energy of a MAC of a coded weight over a full one: below 1 where the multiplier drops partial"
        " products.",
    )
    decoder: Decoded = "vector_unit"


class CodebookCodes(Compression):
    """Vector quantisation (as in Variable Bitrate Neural Fields, arXiv 2206.07707): indices into a learnt codebook.

    ``group_size`` consecutive weights of an output column are one vector. Every matrix has its own codebook.
    """

    group: ClassVar[Group] = "code"

    method: Literal["codebook"] = Field(description="Codebook (dictionary) compression.")
    group_size: Annotated[int, Field(ge=1, le=1024)] = Field(default=4, description="Weights of one vector.")
    index_bits: Annotated[int, Field(ge=1, le=16)] = Field(
        default=8, description="Bits of an index; the codebook has 2 to this power vectors."
    )
    entry_bits: Annotated[int, Field(ge=1, le=32)] = Field(
        default=16, description="Bits of one element of a codebook vector."
    )
    decoder: Decoded = "vector_unit"


class Pruning(Compression):
    """Unstructured pruning: only non-zero weights are stored, with an index of their positions."""

    group: ClassVar[Group] = "zeros"

    method: Literal["prune"] = Field(description="Unstructured pruning.")
    zero_ratio: Annotated[float, Field(gt=0, lt=1)] = Field(description="Share of the weights that are zero.")
    index: Literal["bitmap", "run_length", "csr"] = Field(
        default="bitmap",
        description="bitmap: a bit per weight. run_length: zeros before each weight, with filler entries for longer"
        " runs. csr: position in the column per weight, and a pointer per column.",
    )
    run_bits: Annotated[int, Field(ge=1, le=16)] | None = Field(
        default=None, description="Bits of a run length, for index: run_length only; 4 by default."
    )
    zero_gating: Gated = False
    decoder: Decoded = "vector_unit"


class StructuredPruning(Compression):
    """N:M pruning: of every M consecutive weights of an output column at most N are kept, as in 2:4.

    Metadata of ceil(log2 M) bits per kept weight give its position.
    """

    group: ClassVar[Group] = "zeros"

    method: Literal["n_of_m"] = Field(description="N:M structured pruning.")
    n: Annotated[int, Field(ge=1, le=64)] = Field(default=2, description="Weights kept.")
    m: Annotated[int, Field(ge=2, le=64)] = Field(default=4, description="Out of this number.")
    skips: bool = Field(
        default=False, description="The array skips the zeros: cycles and MAC energy shrink, and nothing is decoded."
    )
    zero_gating: Gated = False
    decoder: Decoded = "vector_unit"


class LowRank(Compression):
    """Low-rank factorisation: ``(m x k)(k x n)`` becomes ``(m x k)(k x r)`` and ``(m x r)(r x n)``.

    Matrices that the two factors would not shrink, and look-up tables, are not factored.
    """

    group: ClassVar[Group] = "factors"

    method: Literal["low_rank"] = Field(description="Low-rank factorisation.")
    rank: Annotated[int, Field(ge=1, le=1_000_000)] = Field(description="Rank r.")


class LayerDropping(Compression):
    """Layer dropping: some of a stack of identical layers are removed, before folding numbers the remaining ones.

    Layers are counted from 1 over the repeated layers of the component, or over those named in ``layers``.
    """

    group: ClassVar[Group] = "depth"

    method: Literal["drop_layers"] = Field(description="Layer dropping.")
    every: Annotated[int, Field(ge=2, le=100_000)] | None = Field(
        default=None, description="Drop layers K, 2K, 3K ...; this or numbers."
    )
    numbers: str | None = Field(default=None, description="Layers to drop: 1-3, or 2,5,7-9; this or every.")


METHODS: tuple[type[Compression], ...] = (
    IntegerCodes,
    QsqCodes,
    CodebookCodes,
    Pruning,
    StructuredPruning,
    LowRank,
    LayerDropping,
)

if TYPE_CHECKING:
    AnyCompression = Compression
else:
    AnyCompression = Annotated[Union[METHODS], Field(discriminator="method")]  # noqa: UP007
