"""Checks of the compression of a workload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from foldsim.errors import nearest
from foldsim.schema import Problem
from foldsim.workload.compression.apply import droppable, dropped_numbers, shrinks, winner
from foldsim.workload.compression.records import (
    ALL,
    CodebookCodes,
    Compression,
    IntegerCodes,
    LayerDropping,
    LowRank,
    Pruning,
    QsqCodes,
    StructuredPruning,
)
from foldsim.workload.compression.text import describe_compression
from foldsim.workload.lowering import lowered_ops
from foldsim.workload.spec import WorkloadSpec

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Tensor:
    """A weight matrix or look-up table of the unfolded workload."""

    component: str
    layer: str
    kind: str  # tensor class
    k: float
    n: float  # 0: a look-up table

    @property
    def where(self) -> tuple[str, str, str]:
        """Component, layer and class."""
        return self.component, self.layer, self.kind


def tensors_of(workload: WorkloadSpec) -> list[Tensor]:
    """Every weight matrix and look-up table; their shapes do not depend on the chunk."""
    plain = workload.model_copy(update={"compression": [], "folding": None})
    ops, owners, _ = lowered_ops(plain, np.array([float(workload.streaming.chunk_tokens)]), np.ones(1))
    tensors = []
    for op, owner in zip(ops, owners, strict=True):
        where = workload.components[owner].name, op.layer, op.tensor_class
        if op.matrix is not None and op.matrix.second == "weights":
            tensors.append(Tensor(*where, float(np.max(op.matrix.k)), float(np.max(op.matrix.n))))
        elif np.any(op.table):
            tensors.append(Tensor(*where, float(np.max(op.table)), 0.0))
    return tensors


def compression_problems(workload: WorkloadSpec, path: Path = ("compression",)) -> Iterable[Problem]:
    """Yield why a workload's ``compression`` cannot be applied; ``path`` leads to the list.

    The layers themselves must be valid.
    """
    if not workload.compression:
        return
    valid = True
    for i, entry in enumerate(workload.compression):
        for problem in (*_names(workload, entry), *_parameters(entry)):
            valid = False
            yield _below((*path, i), problem)
    if not valid:
        return
    tensors = tensors_of(workload)
    for i, entry in enumerate(workload.compression):
        check = _depth(workload, entry) if isinstance(entry, LayerDropping) else _selection(entry, tensors)
        for problem in check:
            valid = False
            yield _below((*path, i), problem)
    if valid:
        for i, problem in (*_conflicts(workload, tensors), *_pairs(workload, tensors)):
            yield _below((*path, i), problem)


def compression_problems_of(workload: WorkloadSpec, entries: Sequence[Compression]) -> list[Problem]:
    """Why compression entries cannot be applied to a workload; each problem names its rule."""
    compressed = workload.model_copy(update={"compression": list(entries)})
    return [
        Problem((), f"{describe_compression([entries[int(p.path[1])]])}: {p.message}", p.allowed, p.suggestion)
        for p in compression_problems(compressed)
    ]


def _below(path: Path, problem: Problem) -> Problem:
    return replace(problem, path=(*path, *problem.path))


def _names(workload: WorkloadSpec, entry: Compression) -> Iterator[Problem]:
    """Components and layers that do not exist."""
    names = [component.name for component in workload.components]
    if entry.component not in (*names, ALL):
        yield _not_found(("component",), "component", entry.component, [*names, ALL])
        return
    layers = [layer.name for c in workload.components if entry.component in (c.name, ALL) for layer in c.layers]
    for j, name in enumerate(entry.layers or ()):
        if name not in layers:
            yield _not_found(("layers", j), "layer", name, layers)


def _not_found(path: Path, what: str, name: str, names: list[str]) -> Problem:
    return Problem(path, f"{what} {name!r} not found", ", ".join(names), nearest(name, names))


def _parameters(entry: Compression) -> Iterator[Problem]:
    """Parameters of one entry that contradict each other."""
    if isinstance(entry, StructuredPruning) and entry.n >= entry.m:
        yield Problem(
            ("n",), f"{entry.n}:{entry.m} prunes nothing", allowed=f"n of 1 to {entry.m - 1} with m: {entry.m}"
        )
    if isinstance(entry, Pruning) and entry.run_bits is not None and entry.index != "run_length":
        yield Problem(("run_bits",), f"the index {entry.index} has no run lengths", allowed="index: run_length")
    if isinstance(entry, LayerDropping):
        if entry.tensors is not None:
            yield Problem(
                ("tensors",), "drop_layers drops whole layers; tensors does not apply", allowed="leave it out"
            )
        if (entry.every is None) == (entry.numbers is None):
            yield Problem(
                ("method",), "drop_layers needs either every or numbers", allowed='every: 4, or numbers: "1-3"'
            )


def _depth(workload: WorkloadSpec, entry: LayerDropping) -> Iterator[Problem]:
    """Layers that cannot be dropped."""
    key = "every" if entry.every is not None else "numbers"
    counted = False
    for component in workload.components:
        count = sum(component.layers[j].repeat for j in droppable(entry, component))
        if not count:
            continue
        counted = True
        try:
            dropped = dropped_numbers(entry, count)
        except ValueError as error:
            message = str(error).replace("the workload has foldable layers", f"{component.name} has layers")
            yield Problem((key,), message, allowed=f"numbers and ranges of 1 to {count}")
            return
        if not dropped:
            yield Problem((key,), f"{component.name} has {count} layers; none would be dropped", f"at most {count}")
        elif len(dropped) == count and count == sum(layer.repeat for layer in component.layers):
            yield Problem((key,), f"all layers of {component.name} would be dropped", allowed="keep at least one layer")
    if not counted:
        yield Problem(
            ("component",),
            f"{entry.component} has no repeated layers to drop; list single layers under layers",
            allowed="components with repeated layers: "
            + (", ".join(c.name for c in workload.components if any(x.repeat > 1 for x in c.layers)) or "none"),
        )


def _selection(entry: Compression, tensors: list[Tensor]) -> Iterator[Problem]:
    """Entries that select no tensor to which they apply."""
    inside = [t for t in tensors if entry.component in (t.component, ALL)]
    inside = [t for t in inside if entry.layers is None or t.layer in entry.layers]
    classes = list(dict.fromkeys(t.kind for t in inside))
    what = entry.component + (f", layers {', '.join(entry.layers)}" if entry.layers is not None else "")
    if not inside:
        yield Problem(("component",), f"{what}: no weight matrices or tables to compress")
        return
    for j, kind in enumerate(entry.tensors or ()):
        if kind not in classes:
            yield Problem(("tensors", j), f"{what}: no weights of class {kind}", ", ".join(classes))
    if isinstance(entry, LowRank):
        matrices = [t for t in inside if t.n and entry.selects(*t.where)]
        if not matrices:
            allowed = ", ".join(dict.fromkeys(t.kind for t in inside if t.n)) or "another component"
            yield Problem(("method",), f"{what}: low_rank factors matrices only; none selected", allowed)
        elif not any(shrinks(entry.rank, t.k, t.n) for t in matrices):
            most = max((-(-t.k * t.n // (t.k + t.n)) - 1 for t in matrices), default=0)
            yield Problem(
                ("rank",),
                f"two factors of rank {entry.rank} are no smaller than any matrix of {what}",
                allowed=f"1 to {most:g}" if most else "larger matrices",
            )


def _conflicts(workload: WorkloadSpec, tensors: list[Tensor]) -> Iterator[tuple[int, Problem]]:
    """Pairs of equally narrow entries of one group that select the same tensor."""
    entries = list(enumerate(workload.compression))
    for (a, first), (b, second) in combinations(entries, 2):
        if first.group != second.group or first.rank_of_selection != second.rank_of_selection:
            continue
        if isinstance(first, LayerDropping) and isinstance(second, LayerDropping):
            shared = [
                f"{component.name} {component.layers[j].name}"
                for component in workload.components
                for j in droppable(first, component)
                if j in droppable(second, component)
            ]
        else:
            shared = [" ".join(t.where) for t in tensors if first.selects(*t.where) and second.selects(*t.where)]
        if shared:
            yield (
                b,
                Problem(
                    ("method",),
                    f"{second.method} and {first.method} (entry {a + 1}) both apply to {shared[0]}; a tensor takes one",
                    allowed="one of them, or layers or tensors for one of them: the narrower selection applies",
                ),
            )


def _pairs(workload: WorkloadSpec, tensors: list[Tensor]) -> Iterator[tuple[int, Problem]]:
    """Codes and zeros that cannot be combined in one tensor."""
    entries = workload.compression
    checked: set[tuple[int, int]] = set()
    for tensor in tensors:
        code, zeros = (winner(entries, group, tensor.where) for group in ("code", "zeros"))
        if code is None or zeros is None:
            continue
        pair = next(i for i, e in enumerate(entries) if e is code), next(i for i, e in enumerate(entries) if e is zeros)
        if pair in checked:
            continue
        checked.add(pair)
        where = " ".join(tensor.where)
        if isinstance(code, CodebookCodes):
            yield (
                pair[1],
                Problem(
                    ("method",),
                    f"{zeros.method} and codebook both apply to {where}; codebook vectors cannot be pruned",
                    allowed="integer or qsq codes with pruning, or the codebook alone",
                ),
            )
        elif (
            isinstance(code, (IntegerCodes, QsqCodes))
            and isinstance(zeros, StructuredPruning)
            and (code.group_size or 0) % zeros.m
        ):
            yield (
                pair[0],
                Problem(
                    ("group_size",),
                    f"groups of {code.group_size} weights split the patterns of {zeros.n}:{zeros.m} in {where}",
                    allowed=f"multiples of {zeros.m}",
                ),
            )
