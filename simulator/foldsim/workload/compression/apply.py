"""Compression applied to a workload: remaining layers, and ops with compressed weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from foldsim.model.records import Number
from foldsim.workload.component import Component
from foldsim.workload.compression.codec import Recipe, pack
from foldsim.workload.compression.records import Compression, Group, LayerDropping, LowRank
from foldsim.workload.folding import layer_numbers
from foldsim.workload.ops import Op, Packed

# ---- depth ---------------------------------------------------------------------------------------------------------


def droppable(entry: LayerDropping, component: Component) -> list[int]:
    """Positions in the component of the layers that an entry counts: those it names, by default all repeated ones."""
    if entry.component not in (component.name, "all"):
        return []
    return [
        j
        for j, layer in enumerate(component.layers)
        if (layer.name in entry.layers if entry.layers is not None else layer.repeat > 1)
    ]


def dropped_numbers(entry: LayerDropping, count: int) -> list[int]:
    """Numbers (from 1) of the layers that an entry drops out of ``count``.

    Raises
    ------
    ValueError
        If the selection cannot be read or names a layer that does not exist.

    >>> dropped_numbers(LayerDropping(method="drop_layers", component="encoder", every=3), 8)
    [3, 6]
    """
    if entry.every is not None:
        return list(range(entry.every, count + 1, entry.every))
    return layer_numbers(entry.numbers or "", count)


def kept_repeats(components: Sequence[Component], compression: Sequence[Compression]) -> dict[tuple[int, int], int]:
    """Repeats of layers after dropping, by component and position; only layers that an entry counts."""
    entries = [e for e in compression if isinstance(e, LayerDropping)]
    kept: dict[tuple[int, int], int] = {}
    for i, component in enumerate(components if entries else ()):
        rank: dict[int, int] = {}
        for entry in entries:
            layers = droppable(entry, component)
            owner = [j for j in layers for _ in range(component.layers[j].repeat)]
            try:
                dropped = [owner[number - 1] for number in dropped_numbers(entry, len(owner))] if owner else []
            except ValueError:  # reported by compression_check
                dropped = []
            for j in layers:
                if entry.rank_of_selection >= rank.get(j, 0):
                    rank[j] = entry.rank_of_selection
                    kept[i, j] = component.layers[j].repeat - dropped.count(j)
    return kept


# ---- tensors -------------------------------------------------------------------------------------------------------


def winner(entries: Iterable[Compression], group: Group, where: tuple[str, str, str]) -> Compression | None:
    """The narrowest entry of one group that selects the tensors ``where``: component, layer, class."""
    chosen = [entry for entry in entries if entry.group == group and entry.selects(*where)]
    return max(chosen, key=lambda entry: entry.rank_of_selection, default=None)


def recipe_for(entries: Sequence[Compression], component: str, layer: str, tensor: str) -> Recipe:
    """Transformations of the tensors of a class in a layer of a component."""
    where = (component, layer, tensor)
    low_rank = winner(entries, "factors", where)
    return Recipe(
        winner(entries, "code", where),
        winner(entries, "zeros", where),
        low_rank if isinstance(low_rank, LowRank) else None,
    )


def compressed(
    entries: Sequence[Compression], bits: tuple[int, int], component: str, layer: str, ops: Iterable[Op]
) -> Iterator[Op]:
    """Ops of a layer with their weights compressed; a factored product is two ops. Biases and norms are not compressed.

    Parameters
    ----------
    bits : of a stored weight, and of the arithmetic.
    component, layer : names in the workload.
    ops : its ops at any design points.
    """
    if not entries:
        yield from ops
        return
    for op in ops:
        recipe = recipe_for(entries, component, layer, op.tensor_class)
        whole = recipe.low_rank is None or op.matrix is None or op.matrix.second != "weights"
        for part in [op] if whole else factored(op, recipe.low_rank.rank):  # type: ignore[union-attr]
            yield _packed(part, recipe, *bits)


def shrinks(rank: float, k: Number, n: Number) -> np.ndarray:
    """Whether two factors of a rank are smaller than the matrix ``k x n``."""
    return rank * (np.asarray(k, dtype=np.float64) + n) < np.asarray(k, dtype=np.float64) * n


def factored(op: Op, rank: float) -> Iterator[Op]:
    """The two products of a low-rank factorisation; the first is empty where the factors would not shrink the matrix.

    Bias, vector work and state stay with the second.
    """
    x = op.matrix
    if x is None or not shrinks(rank, x.k, x.n).any():
        yield op
        return
    smaller = shrinks(rank, x.k, x.n)
    share = np.where(smaller, 1.0, 0.0)
    live = op.live + share * x.batch * x.m * rank
    yield Op(
        f"{op.name}_down",
        matrix=replace(x, n=float(rank), batch=x.batch * share, steps=x.steps * share),
        live=live,
        from_outside=op.from_outside,
        tensor_class=op.tensor_class,
        state_of=op.state_of,
        layer=op.layer,
        repeat=op.repeat,
    )
    up = replace(
        x,
        k=np.where(smaller, float(rank), x.k),
        first_state_ratio=np.where(smaller, 0.0, x.first_state_ratio),
        first_unique_ratio=np.where(smaller, 1.0, x.first_unique_ratio),
        taps=np.where(smaller, 1.0, x.taps),
    )
    yield op.changed(name=f"{op.name}_up", matrix=up, live=live, from_outside=False)


def _packed(op: Op, recipe: Recipe, weight_bits: int, arithmetic_bits: int) -> Op:
    """The op with its weights packed, and the vector work that does not depend on the hardware."""
    if recipe.code is None and recipe.zeros is None:
        return op
    x, adds, compares = op.matrix, op.multiply_add, op.compare
    matrix: Packed | None = None
    table: Packed | None = None
    if x is not None and x.second == "weights":
        matrix = pack(recipe, x.k, x.batch * x.n, weight_bits, arithmetic_bits)
        adds = adds + matrix.result_multiply_adds * x.steps * x.batch * x.m * x.n
    if np.any(op.table):
        width = op.table_width if op.table_width else op.table
        table = pack(recipe, width, op.table / width, weight_bits, arithmetic_bits)
        # A row is decoded when it is read; its codewords are read from the memory of the table.
        adds = adds + op.table_read * table.multiply_adds
        compares = compares + op.table_read * table.compares
    return op.changed(packed=matrix, packed_table=table, multiply_add=adds, compare=compares)
