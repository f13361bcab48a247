"""Where every key and value of a document stands, kept as a tree and looked up by path.

A tree shares what aliases share, so its size is that of the file and not that of the expanded document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from foldsim.schema.findings import Path

Position = tuple[int, int]
"""Line and column, both from 1."""


class Place:
    """The position of a mapping or list, and the places inside it."""

    __slots__ = ("children", "keys", "start")

    def __init__(
        self, start: Position, children: dict[str, Place | Position] | list[Place | Position], keys: dict[str, Position]
    ) -> None:
        self.start = start
        self.children = children
        self.keys = keys

    def child(self, part: str | int) -> Place | Position | None:
        """Return the place of one key or index, or None if there is none."""
        children = self.children
        if isinstance(children, dict):
            return children.get(part) if isinstance(part, str) else None
        if isinstance(part, int) and 0 <= part < len(children):
            return children[part]
        return None

    def moved(self, start: Position) -> Place:
        """Return the same place seen through an alias that stands at `start`."""
        return Place(start, self.children, self.keys)


def start_of(node: Place | Position) -> Position:
    """Return the position at which a value begins."""
    return node.start if isinstance(node, Place) else node


class ValuePositions(Mapping[Path, Position]):
    """Path of a value -> position of its first character. The root has the path `()`."""

    __slots__ = ("_root",)

    def __init__(self, root: Place | Position) -> None:
        self._root = root

    def find(self, path: Path) -> Place | Position | None:
        """Return the place at a path, or None if the document has no such value."""
        node: Place | Position | None = self._root
        for part in path:
            if not isinstance(node, Place):
                return None
            node = node.child(part)
        return node

    def __getitem__(self, path: Path) -> Position:
        node = self.find(path)
        if node is None:
            raise KeyError(path)
        return start_of(node)

    def __iter__(self) -> Iterator[Path]:
        todo: list[tuple[Path, Place | Position]] = [((), self._root)]
        while todo:
            path, node = todo.pop()
            yield path
            if isinstance(node, Place):
                below = node.children.items() if isinstance(node.children, dict) else enumerate(node.children)
                todo.extend(reversed([((*path, part), child) for part, child in below]))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class KeyPositions(Mapping[Path, Position]):
    """Path of a value in a mapping -> position of its key."""

    __slots__ = ("_values",)

    def __init__(self, values: ValuePositions) -> None:
        self._values = values

    def __getitem__(self, path: Path) -> Position:
        if path and isinstance(path[-1], str):
            parent = self._values.find(path[:-1])
            if isinstance(parent, Place) and path[-1] in parent.keys:
                return parent.keys[path[-1]]
        raise KeyError(path)

    def __iter__(self) -> Iterator[Path]:
        return (path for path in self._values if path and isinstance(path[-1], str))

    def __len__(self) -> int:
        return sum(1 for _ in self)
