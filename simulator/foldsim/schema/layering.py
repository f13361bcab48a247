"""One document laid over another: what it says replaces what the base says, and every value keeps its own place.

Mappings merge key by key; `null` takes an inherited key away. Lists of records that have a `name` merge by name; other
lists, numbers with a range (they have a `value`) and sources are replaced whole, so that no half of one is told with
the other half of another. `removes:` lists paths that are taken away before anything is laid over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from foldsim.errors import nearest
from foldsim.schema.findings import Finding, Path, Problem
from foldsim.schema.reader import Document
from foldsim.schema.validation import locate

EXTENDS: Final = "extends"
REMOVES: Final = "removes"
SOURCES: Final = "sources"


@dataclass(frozen=True)
class Layering:
    """How documents of one format are laid over one another.

    Attributes
    ----------
    own : top-level keys that every document says for itself.
    named : top-level lists of records that merge by name, and whether the order of their items means something.
    needed, keys : the keys that an item of such a list needs to stand alone, and all that it may have.
    displaced : the inherited keys that no longer hold once an item says what it says.
    """

    own: tuple[str, ...]
    named: Mapping[str, bool]
    needed: Callable[[str, Mapping[str, Any]], list[str]]
    keys: Callable[[str], list[str]]
    displaced: Callable[[str, Mapping[str, Any]], tuple[str, ...]] = lambda field, item: ()


@dataclass(frozen=True)
class Origin:
    """Where a value was written, and where those parts of it were that come from elsewhere."""

    document: Document
    path: Path
    below: Mapping[str | int, Origin] = field(default_factory=dict)

    def child(self, key: str | int) -> Origin:
        """The origin of one key or item."""
        return self.below.get(key) or Origin(self.document, (*self.path, key))


@dataclass(frozen=True)
class LayeredDocument(Document):
    """A document with what it inherits.

    `text` and positions are those of the document itself, `data` is the whole. `findings` are what is wrong with the
    way it is laid over its base. `filled` are values that nobody wrote and that follow from others, by path.
    """

    origin: Origin = field(repr=False)
    layers: tuple[Document, ...] = field(repr=False)
    findings: tuple[Finding, ...] = ()
    filled: Mapping[Path, Any] = field(default_factory=dict, repr=False)

    @property
    def parts(self) -> tuple[Document, ...]:
        """Every file that the data comes from, this one first."""
        return self.layers

    def home(self, path: Path) -> tuple[Document, Path]:
        """Return the document in which the value at a path was written, and its path there."""
        origin, used = self.origin, 0
        while used < len(path) and path[used] in origin.below:
            origin = origin.below[path[used]]
            used += 1
        return origin.document, (*origin.path, *path[used:])


def plant(origin: Origin, path: Path, at: Origin) -> Origin:
    """An origin in which the value at a path comes from elsewhere."""
    if not path:
        return at
    below = plant(origin.child(path[0]), path[1:], at)
    return Origin(origin.document, origin.path, {**origin.below, path[0]: below})


def origin_of(document: Document) -> Origin:
    """Where the values of a document were written."""
    return document.origin if isinstance(document, LayeredDocument) else Origin(document, ())


def lay_over(base: Document, document: Document, how: Layering) -> LayeredDocument:
    """Lay a document over its base. Both must hold a mapping."""
    laying = _Laying(document, how)
    inherited = {key: value for key, value in base.data.items() if key not in (*how.own, EXTENDS, REMOVES)}
    data, origin = laying.without_removed(inherited, origin_of(base))
    data, origin = laying.mapping(data, origin, document.data, ())
    data, origin = _without_unused_sources(data, origin, document)
    if set(document.data) <= {*how.own, EXTENDS}:
        message = f"this changes nothing of its base, {base.data.get('name', base.file)}, but how it is called"
        laying.problems.append(Problem((EXTENDS,), message, severity="warning"))
    findings = tuple(locate(document, problem) for problem in laying.problems)
    return LayeredDocument(
        document.file,
        document.text,
        data,
        document.value_positions,
        document.key_positions,
        origin,
        (document, *base.parts),
        (*getattr(base, "findings", ()), *findings),
    )


class _Laying:
    """One document laid over another, with the problems found on the way (at paths of the upper one)."""

    def __init__(self, document: Document, how: Layering) -> None:
        self.document = document
        self.how = how
        self.problems: list[Problem] = []

    # ---- taking away -----------------------------------------------------------------------------------------

    def without_removed(self, base: dict[str, Any], origin: Origin) -> tuple[Any, Origin]:
        """The base without what `removes:` names."""
        value: Any = base
        removes = self.document.data.get(REMOVES)
        for number, text in enumerate(removes if isinstance(removes, list) else ()):
            if not isinstance(text, str):
                continue  # the model of the format says so
            found = _drop(value, origin, text.split("."), Origin(self.document, (REMOVES, number)))
            if isinstance(found, _NotThere):
                message = f"`{text}` takes away nothing: the base has no {found.key!r} in {found.where}"
                self.problems.append(
                    Problem((REMOVES, number), message, ", ".join(found.known) or None, _close(found.key, found.known))
                )
            else:
                value, origin = found
        return value, origin

    # ---- laying over -----------------------------------------------------------------------------------------

    def mapping(self, base: Any, origin: Origin, over: Any, path: Path) -> tuple[dict[str, Any], Origin]:
        """Lay a mapping over a mapping."""
        merged: dict[str, Any] = {}
        # Keys that were taken away stay known by the place that says so.
        below = {key: at for key, at in origin.below.items() if key not in base and key not in over}
        for key, value in base.items():
            if key not in over:
                merged[key], below[key] = value, origin.child(key)
            elif over[key] is not None:
                merged[key], below[key] = self._value(value, origin.child(key), over[key], (*path, key))
        for key, value in over.items():
            if key in base:
                continue
            if value is not None:
                merged[key] = value
            else:
                names = [name for name in base if name not in over]
                message = f"`{key}: null` takes away nothing: the base has no `{key}` here"
                self.problems.append(Problem((*path, key), message, ", ".join(names) or None, _close(key, names)))
        return merged, Origin(self.document, path, below)

    def _value(self, base: Any, origin: Origin, over: Any, path: Path) -> tuple[Any, Origin]:
        if isinstance(base, dict) and isinstance(over, dict) and not _is_whole(base, over, path):
            return self.mapping(base, origin, over, path)
        if len(path) == 1 and path[0] in self.how.named and _all_named(base) and _all_named(over):
            return self._named(base, origin, over, path)
        return over, Origin(self.document, path)

    def _named(self, base: list[Any], origin: Origin, over: list[Any], path: Path) -> tuple[list[Any], Origin]:
        """Lay a list of named records over another; new items stand where their neighbours say."""
        merged = [(item, origin.child(index)) for index, item in enumerate(base)]
        inherited = [item["name"] for item in base]
        last = -1
        for number, item in enumerate(over):
            name, here = item["name"], (*path, number)
            place = next((i for i, (known, _) in enumerate(merged) if known["name"] == name), None)
            if place is not None:
                if place < last and self.how.named[str(path[0])]:
                    message = f"{name!r} stands before {merged[last][0]['name']!r} in the base; the order is inherited"
                    self.problems.append(Problem((*here, "name"), message, ", ".join(inherited)))
                known, origin_of_known = merged[place]
                gone = self.how.displaced(str(path[0]), item)
                kept = {key: value for key, value in known.items() if key not in gone}
                merged[place] = self.mapping(kept, origin_of_known, item, here)
                last = max(last, place)
                continue
            needed = self.how.needed(str(path[0]), item)
            lacking = [key for key in needed if key not in item]
            # With less than half of what a new item needs, the name is more likely a slip.
            if inherited and 2 * len(lacking) > len(needed):
                message = (
                    f"nothing called {name!r} is inherited in {path[0]}, and this is too little for a new one: it"
                    f" lacks {', '.join(lacking)}"
                )
                self.problems.append(Problem((*here, "name"), message, ", ".join(inherited), _close(name, inherited)))
                self._unknown_keys(str(path[0]), item, here)
                continue
            last = self._place_of(over, number, merged, last, here)
            merged.insert(last, (item, Origin(self.document, here)))
        values = [value for value, _ in merged]
        return values, Origin(self.document, path, {index: at for index, (_, at) in enumerate(merged)})

    def _unknown_keys(self, name: str, item: Mapping[str, Any], here: Path) -> None:
        """Wrong keys of an item that is left out, and that nothing else will look at."""
        known = self.how.keys(name)
        for key in item:
            if key not in known:
                message = f"unknown key `{key}` in `{name}[{here[-1]}]`"
                self.problems.append(
                    Problem((*here, key), message, ", ".join(known), _close(str(key), known), at_key=True)
                )

    def _place_of(self, over: list[Any], number: int, merged: Sequence[tuple[Any, Origin]], last: int, at: Path) -> int:
        """Where a new item goes: after the item before it, else before the item after it, else at the end."""
        if last >= 0:
            return last + 1
        following = {item["name"] for item in over[number + 1 :]}
        place = next((i for i, (known, _) in enumerate(merged) if known["name"] in following), None)
        if place is None:
            place = len(merged)
            if merged and self.how.named[str(at[0])]:
                names = [known["name"] for known, _ in merged]
                message = (
                    f"where does {over[number]['name']!r} stand? Name the inherited item before or after it as well, "
                    f"such as `- {{name: {names[0]}}}`"
                )
                self.problems.append(Problem((*at, "name"), message, ", ".join(names)))
        return place


@dataclass(frozen=True)
class _NotThere:
    """A path that leads nowhere: the key that is missing, where, and what is there."""

    key: str
    where: str
    known: list[str]


def _drop(value: Any, origin: Origin, keys: list[str], by: Origin, where: str = "") -> tuple[Any, Origin] | _NotThere:
    """A value without what a path leads to, or why the path leads nowhere.

    What is missing from a mapping then stands where it was taken away.
    """
    key, rest = keys[0], keys[1:]
    slots: list[str | int]
    if isinstance(value, dict):
        slots, names = list(value), [str(name) for name in value]
    elif isinstance(value, list):
        slots = list(range(len(value)))
        names = [str(item.get("name", i)) if isinstance(item, dict) else str(i) for i, item in enumerate(value)]
    else:
        slots, names = [], []
    if key not in names:
        return _NotThere(key, where or "the top level", names)
    slot = slots[names.index(key)]
    children = {s: (value[s], origin.child(s)) for s in slots}
    if rest:
        found = _drop(*children[slot], rest, by, f"{where}.{key}".lstrip("."))
        if isinstance(found, _NotThere):
            return found
        children[slot] = found
    else:
        del children[slot]
    kept = list(children.values())
    if isinstance(value, dict):
        origins = {**origin.below, **{s: at for s, (_, at) in children.items()}}
        if slot not in children:
            origins[slot] = by
        return {s: item for s, (item, _) in children.items()}, Origin(origin.document, origin.path, origins)
    return [item for item, _ in kept], Origin(origin.document, origin.path, {i: at for i, (_, at) in enumerate(kept)})


def _without_unused_sources(data: dict[str, Any], origin: Origin, document: Document) -> tuple[dict[str, Any], Origin]:
    """Leave out inherited sources that no number uses any more."""
    sources = data.get(SOURCES)
    if not isinstance(sources, dict):
        return data, origin
    said = document.data.get(SOURCES)
    own = set(said) if isinstance(said, dict) else set()
    used = {*used_sources(data), *own}
    kept = {key: value for key, value in sources.items() if key in used}
    at = origin.child(SOURCES)
    at = Origin(at.document, at.path, {key: at.child(key) for key in kept})
    return {**data, SOURCES: kept}, Origin(origin.document, origin.path, {**origin.below, SOURCES: at})


def used_sources(data: Any) -> Iterable[str]:
    """Every source that a number of plain data names."""
    pending = [data]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            pending += node.values()
            if "value" in node and isinstance(node.get("source"), str):
                yield node["source"]


def _is_whole(base: Mapping[str, Any], over: Mapping[str, Any], path: Path) -> bool:
    """Whether a mapping is replaced as one: a number with a range, or a source."""
    return "value" in base or "value" in over or path[:-1] == (SOURCES,)


def _all_named(items: Any) -> bool:
    return isinstance(items, list) and all(
        isinstance(item, dict) and isinstance(item.get("name"), str) for item in items
    )


def _close(name: str, known: Sequence[str]) -> str | None:
    return nearest(name, known, cutoff=0.5)
