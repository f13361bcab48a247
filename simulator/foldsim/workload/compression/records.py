"""Weight transformations: what ``compression:`` in a workload may say, as strict pydantic records.

Codes (``integer``, ``qsq``, ``codebook``), zeros (``prune``, ``n_of_m``), factors (``low_rank``) and depth
(``drop_layers``). Of each of these four groups a tensor takes at most one. State and activations are never compressed.
The arithmetic is in :mod:`foldsim.workload.compression.codec`, sources and formulas are in ``docs/compression.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Union

from pydantic import Field

from foldsim.schema.quantity import Record

WeightClass = Literal["attention", "feedforward", "convolution", "recurrent", "embedding", "linear"]
Decoder = Literal["vector_unit", "free"]
Group = Literal["code", "zeros", "factors", "depth"]
ALL = "all"

_DECODER = Field(
    description="Who decodes: the vector unit, each time weights enter the array; or free: a decoder in the weight path"
    " that takes no time and no energy.",
)
_GATING = Field(description="The array gates multiplications by zero: their energy is saved, their cycles are not.")
Decoded = Annotated[Decoder, _DECODER]
Gated = Annotated[bool, _GATING]
GroupSize = Annotated[int, Field(ge=1, le=1_000_000)]
ScaleBits = Annotated[int, Field(ge=0, le=32)]


class Compression(Record):
    """One transformation of the weights that it selects."""

    method: str
    component: str = Field(min_length=1, description="Component whose weights it transforms, or all.")
    layers: list[str] | None = Field(
        default=None, min_length=1, description="Names of layers; all layers of the component if left out."
    )
    tensors: list[WeightClass] | None = Field(
        default=None,
        min_length=1,
        description="Classes of weight matrices and look-up tables; all of them if left out.",
    )

    @property
    def group(self) -> Group:
        """Of the methods of one group a tensor takes one."""
        raise NotImplementedError

    @property
    def rank_of_selection(self) -> int:
        """How narrow the selection is: of two entries of one group the narrower one counts."""
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

    method: Literal["integer"] = Field(description="Integer quantisation with group scales.")
    bits: Annotated[int, Field(ge=2, le=8)] = Field(description="Bits of a code.")
    group_size: GroupSize | None = Field(
        default=None,
        description="Weights that share a scale. Left out: a scale per output column, applied to the results.",
    )
    scale_bits: ScaleBits = Field(default=16, description="Bits of a scale.")
    zero_bits: ScaleBits = Field(default=0, description="Bits of a zero point; 0 where quantisation is symmetric.")
    decoder: Decoded = "vector_unit"

    @property
    def group(self) -> Group:
        return "code"


class QsqCodes(Compression):
    """Quality-scalable quantisation (arXiv 2407.11260): 3-bit codes that a shift and an addition decode."""

    method: Literal["qsq"] = Field(description="Quality-scalable 3-bit codes.")
    coded_ratio: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Share of the output columns that are coded; the others keep the workload's format."
    )
    group_size: GroupSize | None = Field(
        default=None, description="Weights that share a scale; all of an output column if left out."
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

    @property
    def group(self) -> Group:
        return "code"


class CodebookCodes(Compression):
    """Vector quantisation (as in Variable Bitrate Neural Fields, arXiv 2206.07707): indices into a learnt codebook.

    ``group_size`` consecutive weights of an output column are one vector. Every matrix has a codebook of its own.
    """

    method: Literal["codebook"] = Field(description="Codebook (dictionary) compression.")
    group_size: Annotated[int, Field(ge=1, le=1024)] = Field(default=4, description="Weights of one vector.")
    index_bits: Annotated[int, Field(ge=1, le=16)] = Field(
        default=8, description="Bits of an index; the codebook holds 2 to this power vectors."
    )
    entry_bits: Annotated[int, Field(ge=1, le=32)] = Field(
        default=16, description="Bits of one element of a codebook vector."
    )
    decoder: Decoded = "vector_unit"

    @property
    def group(self) -> Group:
        return "code"


class Pruning(Compression):
    """Unstructured pruning: some weights are zero and only the others are stored, with an index of where they are."""

    method: Literal["prune"] = Field(description="Unstructured pruning.")
    zero_ratio: Annotated[float, Field(gt=0, lt=1)] = Field(description="Share of the weights that are zero.")
    index: Literal["bitmap", "run_length", "csr"] = Field(
        default="bitmap",
        description="bitmap: a bit per weight. run_length: zeros before each weight, with fillers where a run is too"
        " long. csr: position in the column per weight, and a pointer per column.",
    )
    run_bits: Annotated[int, Field(ge=1, le=16)] | None = Field(
        default=None, description="Bits of a run length, with index: run_length only; 4 if left out."
    )
    zero_gating: Gated = False
    decoder: Decoded = "vector_unit"

    @property
    def group(self) -> Group:
        return "zeros"


class StructuredPruning(Compression):
    """N:M pruning: of every M consecutive weights of an output column at most N are kept, as in 2:4.

    Metadata of ceil(log2 M) bits per kept weight say which.
    """

    method: Literal["n_of_m"] = Field(description="N:M structured pruning.")
    n: Annotated[int, Field(ge=1, le=64)] = Field(default=2, description="Weights kept.")
    m: Annotated[int, Field(ge=2, le=64)] = Field(default=4, description="Of this many.")
    skips: bool = Field(
        default=False, description="The array skips the zeros: cycles and MAC energy shrink, and nothing is decoded."
    )
    zero_gating: Gated = False
    decoder: Decoded = "vector_unit"

    @property
    def group(self) -> Group:
        return "zeros"


class LowRank(Compression):
    """Low-rank factorisation: ``(m x k)(k x n)`` becomes ``(m x k)(k x r)`` and ``(m x r)(r x n)``.

    A matrix that the two factors would not shrink stays whole, and so do look-up tables.
    """

    method: Literal["low_rank"] = Field(description="Low-rank factorisation.")
    rank: Annotated[int, Field(ge=1, le=1_000_000)] = Field(description="Rank r.")

    @property
    def group(self) -> Group:
        return "factors"


class LayerDropping(Compression):
    """Layer dropping: some of a stack of identical layers are left out, before folding numbers what is left.

    Layers are counted from 1 over the repeated layers of the component, or over those named in ``layers``.
    """

    method: Literal["drop_layers"] = Field(description="Layer dropping.")
    every: Annotated[int, Field(ge=2, le=100_000)] | None = Field(
        default=None, description="Drop layers K, 2K, 3K ...; this or numbers."
    )
    numbers: str | None = Field(default=None, description="Layers to drop: 1-3, or 2,5,7-9; this or every.")

    @property
    def group(self) -> Group:
        return "depth"


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
