"""The public workload object: a validated description, its transformations and its counts."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from foldsim.data import resolve
from foldsim.model.records import FloatArray, Recogniser
from foldsim.notebook import workload_html, workload_text
from foldsim.schema import Document, Finding, InputError, Problem, locate, read_yaml
from foldsim.schema.quantity import collect_sourced_findings, validate_sourced
from foldsim.workload.checks import check_workload, fold_problems
from foldsim.workload.compression.records import Compression
from foldsim.workload.compression.text import parse_compression
from foldsim.workload.compression_check import compression_problems_of
from foldsim.workload.folding import FoldHeads, FoldScope
from foldsim.workload.kinds import kind_name
from foldsim.workload.layers import LAYER_KINDS
from foldsim.workload.lowering import Lowered, lower
from foldsim.workload.spec import FoldingSpec, WorkloadSpec

_ATTENDING = {kind_name(kind) for kind in LAYER_KINDS if "attention" in kind.model_fields}


@dataclass(frozen=True, repr=False)
class Workload:
    """A streaming recogniser, validated.

    Attributes
    ----------
    spec : the description.
    document : the YAML it came from, for located messages.
    """

    spec: WorkloadSpec
    document: Document

    def __repr__(self) -> str:
        return workload_text(self)

    def _repr_html_(self) -> str:
        return workload_html(self)

    @property
    def name(self) -> str:
        """Short name."""
        return self.spec.name

    @property
    def sha256(self) -> str:
        """Hash of the YAML text."""
        return hashlib.sha256(self.document.text.encode()).hexdigest()

    def fold(
        self,
        factor: int,
        layers: str | Sequence[int] = "all",
        scope: FoldScope = "attention",
        heads: FoldHeads = "keep_head_dim",
    ) -> Workload:
        """The same recogniser with its encoder layers folded (arXiv 2309.07988).

        Parameters
        ----------
        factor : sub-tokens per token, N.
        layers : ``all``, ``1-10``, ``every:2``, ``1,4,7`` or a sequence of layer numbers (from 1).
        scope : ``attention`` or ``attention+feedforward``.
        heads : ``keep_head_dim`` (heads divide by N) or ``keep_heads`` (head width divides by N).

        Raises
        ------
        InputError
            If N does not divide what it must; the message lists the factors that do.
        """
        chosen = layers if isinstance(layers, str) else list(layers)
        try:
            folding = FoldingSpec(factor=factor, layers=chosen, scope=scope, heads=heads)
            problems = list(fold_problems(self.spec, folding, ()))
        except ValidationError as error:
            problems = [Problem((), f"fold: {e['loc'][0]}: {e['msg']}") for e in error.errors()]
        if problems:
            raise InputError(tuple(locate(self.document, Problem((), p.message, p.allowed)) for p in problems))
        return self._with_folding(folding)

    def with_attention(self, kind: str, **options: object) -> Workload:
        """The same recogniser with another attention kind in every encoder layer.

        Parameters
        ----------
        kind : an attention kind (:data:`foldsim.workload.attention.ATTENTION_KINDS`).
        options : of the attention kind, as in the YAML.

        Raises
        ------
        InputError
            If the kind does not exist or does not fit a layer, or no layer has attention; says what is allowed.
        """
        data = copy.deepcopy(dict(self.document.data))
        layers = [layer for c in data["components"] for layer in c["layers"] if layer["kind"] in _ATTENDING]
        if not layers:
            raise InputError((locate(self.document, Problem((), f"{self.name}: no layer has attention")),))
        for layer in layers:
            layer["attention"] = {"kind": kind, **options}
        return from_document(replace(self.document, data=data))

    def compress(self, compression: str | Sequence[Compression]) -> Workload:
        """The same recogniser with its weights transformed, in place of any compression it has.

        Parameters
        ----------
        compression : the compact form of the command line, such as ``joiner=int4-g32,encoder.feedforward=2:4``, or
            ``none``; or records of :mod:`foldsim.workload.compression.records`.

        Raises
        ------
        CompressionTextError, InputError
            If the text cannot be read, or if an entry does not fit the workload or another entry.

        >>> load_workload("emformer-rnnt-base").compress("encoder=drop-every2").params()["encoder"]
        32071680
        """
        entries = parse_compression(compression) if isinstance(compression, str) else compression
        if problems := compression_problems_of(self.spec, entries):
            raise InputError(tuple(locate(self.document, problem) for problem in problems))
        data = {k: v for k, v in self.document.data.items() if k != "compression"}
        if entries:
            data["compression"] = [entry.model_dump(exclude_defaults=True) for entry in entries]
        return from_document(replace(self.document, data=data))

    def unfolded(self) -> Workload:
        """The same recogniser without folding."""
        return self._with_folding(None)

    def _with_folding(self, folding: FoldingSpec | None) -> Workload:
        """The recogniser with this folding, in the description and in the data of its document."""
        data = {key: value for key, value in self.document.data.items() if key != "folding"}
        if folding is not None:
            data["folding"] = folding.model_dump()
        return replace(
            self, spec=self.spec.model_copy(update={"folding": folding}), document=replace(self.document, data=data)
        )

    def lower(self, chunk_tokens: int | Sequence[int] | None = None) -> Lowered:
        """Ops and counts at one or more chunk sizes (the workload's by default), folded as described."""
        tokens = np.atleast_1d(np.asarray(chunk_tokens or self.spec.streaming.chunk_tokens, dtype=np.float64))
        factor = float(self.spec.folding.factor) if self.spec.folding else 1.0
        return lower(self.spec, tokens, np.full(tokens.shape, factor), self.spec.folding)

    def params(self) -> dict[str, int]:
        """Trained parameters by component."""
        recogniser = self.lower().recogniser
        return _by_component(recogniser, recogniser.ops.params * recogniser.ops.repeat)

    def macs_per_invocation(self, chunk_tokens: int | None = None) -> dict[str, int]:
        """Multiply-accumulates of one invocation of every component."""
        recogniser = self.lower(chunk_tokens).recogniser
        ops = recogniser.ops
        return _by_component(recogniser, ops.steps * ops.batch * ops.m * ops.k * ops.n * ops.repeat[: ops.matrix_rows])


def _by_component(recogniser: Recogniser, counts: FloatArray) -> dict[str, int]:
    """Sums of the first column of ``counts``, rows of the op table, by component."""
    component = recogniser.ops.component[: len(counts)]
    names = recogniser.component_names
    return {name: round(float(counts[component == i, 0].sum())) for i, name in enumerate(names)}


def workload_findings(document: Document) -> tuple[WorkloadSpec | None, list[Finding]]:
    """Validate a workload document; all findings, warnings too."""
    return collect_sourced_findings(document, WorkloadSpec, (check_workload,))


def from_document(document: Document) -> Workload:
    """Validate a document and wrap it."""
    return Workload(validate_sourced(document, WorkloadSpec, (check_workload,)), document)


def load_workload(name_or_path: str | Path) -> Workload:
    """Load a shipped workload by name, or a workload YAML by path.

    Raises
    ------
    InputError
        If the file cannot be read or is not a valid workload; holds every finding with line and column.
    UnknownNameError
        If no shipped workload has this name.
    """
    return from_document(read_yaml(resolve("workloads", name_or_path)))
