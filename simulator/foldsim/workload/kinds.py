"""Layer kinds and attention kinds of other packages, registered as Python entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar, get_args

from foldsim.errors import UserError
from foldsim.schema.quantity import Record

RecordT = TypeVar("RecordT", bound=Record)


def kind_name(record: type[Record]) -> str | None:
    """The ``kind`` of a record in YAML; None if its field ``kind`` is not a ``Literal`` of one name."""
    names = get_args(record.model_fields["kind"].annotation)
    return names[0] if len(names) == 1 and isinstance(names[0], str) else None


def with_entry_points(group: str, base: type[RecordT], kinds: tuple[type[RecordT], ...]) -> tuple[type[RecordT], ...]:
    """``kinds`` and the kinds that installed packages register, sorted by the name of their entry point.

    Parameters
    ----------
    group : of the entry points; each refers to a subclass of ``base``.

    Raises
    ------
    UserError
        If an entry point cannot be loaded, is not a subclass or repeats the name of a kind; names its distribution.
    """
    owners = {kind_name(kind): "foldsim" for kind in kinds}
    added: list[type[RecordT]] = []
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        distribution = point.dist.name if point.dist else "an unnamed distribution"
        place = f"{distribution}: entry point {point.name!r} ({point.value}) of {group}"
        kind = _loaded(point, place)
        if not (isinstance(kind, type) and issubclass(kind, base)):
            raise UserError(f"{place} is not a subclass of {base.__module__}.{base.__name__}")
        name = kind_name(kind)
        if name is None:
            raise UserError(f'{place} has no name; declare its field as kind: Literal["name"]')
        if name in owners:
            raise UserError(f"{place} repeats the kind {name!r} of {owners[name]}; choose another name")
        owners[name] = distribution
        added.append(kind)
    return (*kinds, *added)


def _loaded(point: EntryPoint, place: str) -> Any:
    """The object of an entry point."""
    try:
        return point.load()
    except Exception as error:  # whatever the module of another package raises when it is imported
        reason = f"{type(error).__name__}: {error}"
        hint = "; import foldsim.workload.layers before it" if "partially initialized" in reason else ""
        raise UserError(f"{place} cannot be loaded: {reason}{hint}") from error
