"""YAML in, with the position of every key and value; an unambiguous subset of YAML, safe against hostile files.

The tree is built from PyYAML's events rather than by its recursive composer. That bounds depth and expansion before
anything is built, gives exact positions, and lets reading go on after an error so that all of them are reported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import yaml

from foldsim.errors import nearest
from foldsim.schema._positions import KeyPositions, Place, Position, ValuePositions
from foldsim.schema._scalars import Refusal, refuse_key, resolve_plain
from foldsim.schema._source import check_characters, check_directives, file_name, read_text, split_lines, too_large
from foldsim.schema._syntax import MAX_DEPTH as MAX_DEPTH
from foldsim.schema._syntax import TOO_DEEP, explain
from foldsim.schema.findings import Finding, InputError, Path, excerpt, format_path, position_order

MAX_BYTES: Final = 10 * 1024**2
"""Largest file that is read."""
MAX_NODES: Final = 2_000_000
"""Most keys and values, counting an aliased value as often as it is used and long text as one per 128 characters."""
MAX_ALIASED_NODES: Final = 100_000
"""Most keys and values that aliases may add to what the file spells out."""
MAX_FINDINGS: Final = 1000
"""Reading stops after this many errors."""

# The C parser is 100 times faster, but a PyYAML built without libyaml does not have it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_PER_NODE_SHIFT: Final = 7
# Escapes in double quotes can make what no file may hold; such text breaks terminals and file names.
_BAD_ESCAPED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_TAG_PREFIX: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    """A YAML file, read.

    `data` is made of dict, list, str, int, float, bool and None; values that the file aliases are the same objects, so
    treat it as read-only. Positions are (line, column), both from 1, by path (keys and list indices; `()` is the root).
    """

    file: str
    text: str = field(repr=False)
    data: Any = field(repr=False)
    value_positions: Mapping[Path, Position] = field(repr=False)
    key_positions: Mapping[Path, Position] = field(repr=False)

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, without line breaks."""
        return split_lines(self.text)

    @property
    def parts(self) -> tuple[Document, ...]:
        """Every file that the data comes from, this one first."""
        return (self,)

    def home(self, path: Path) -> tuple[Document, Path]:
        """Return the document in which the value at a path was written, and its path there."""
        return self, path


def read_yaml(path: str | os.PathLike[str]) -> Document:
    """Read one YAML document from a file.

    Raises `InputError`, holding everything found, if the file cannot be read or is not acceptable YAML.
    """
    return parse_yaml(read_text(path, MAX_BYTES), file_name(path))


def parse_yaml(text: str, file: str) -> Document:
    """Read one YAML document from text; `file` is the name used in messages.

    Raises `InputError` like `read_yaml`.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise too_large(file, MAX_BYTES)
    check_characters(text, file)
    check_directives(text, file)
    return _Builder(text, file).build()


class _Frame:
    """A mapping or list that is being filled."""

    __slots__ = ("anchor", "awaits_key", "is_key", "key", "label", "nodes_before", "place", "value")

    def __init__(self, value: Any, place: Place, anchor: _Anchor | None, nodes: int, is_key: bool) -> None:
        self.value = value
        self.place = place
        self.anchor = anchor
        self.nodes_before = nodes
        self.is_key = is_key
        self.awaits_key = isinstance(value, dict)
        self.key: str | None = None  # None while a value is read that will be dropped
        self.label = ""  # the key as messages show it


@dataclass(slots=True)
class _Anchor:
    position: Position
    value: Any = None
    node: Place | Position | None = None  # None while the anchored value is still open
    nodes: int = 0


class _Stop(Exception):  # noqa: N818
    """Reading cannot go on; the reason is among the findings."""


class _Builder:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.findings: list[Finding] = []
        self.stack: list[_Frame] = []
        self.anchors: dict[str, _Anchor] = {}
        self.nodes = 0
        self.aliased_nodes = 0
        self.documents = 0
        self.data: Any = None
        self.root: Place | Position | None = None
        self.empty = True

    @cached_property
    def lines(self) -> list[str]:
        return split_lines(self.text)

    def build(self) -> Document:
        try:
            for event in yaml.parse(self.text, Loader=_LOADER):
                self._take(event)
        except _Stop:
            pass
        except yaml.MarkedYAMLError as error:
            self._syntax_error(error)
        except yaml.YAMLError as error:
            self._report(None, f"this is not valid YAML ({error})")
        except (ValueError, OverflowError):  # from chr() in PyYAML's own parser
            self._report(None, 'an escape in double quotes (such as "\\UFFFFFFFF") names no character')
        if self.empty and not self.findings:
            self._report(None, "the file is empty; a mapping of keys to values is expected")
        if self.findings:
            raise InputError(sorted(self.findings, key=position_order))
        assert self.root is not None
        values = ValuePositions(self.root)
        return Document(self.file, self.text, self.data, values, KeyPositions(values))

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self._report(
                    _position(event),
                    "a second document begins here; a file holds one, so split it (and drop the `---`)",
                )
                raise _Stop

    # ---- values ----------------------------------------------------------------------------------------------

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        at = _position(event)
        text: str = event.value
        plain = not event.style and event.tag is None
        if not text and at[0] > 1 and self.text[-1] not in "\r\n" and at[0] > len(self.lines):
            # A value that is missing at the end of a file without a final line break: one line too far.
            at = (len(self.lines), len(self.lines[-1]) + 1)
        self._check_tag(event)
        if self.stack and self.stack[-1].awaits_key:
            self._anchor(event, text, at, 1)
            self._spend(at, text)
            self._key(text, at, plain)
            return
        value: Any = resolve_plain(text) if plain else text
        if isinstance(value, Refusal):
            self._report(at, value.message, value.suggestion)
            value = None
        elif not plain and (bad := _BAD_ESCAPED.search(text)):
            self._report(at, f"this text holds a control character (U+{ord(bad[0]):04X}); remove its escape")
        self._spend(at, text)
        self._anchor(event, value, at, 1 + (len(text) >> _TEXT_PER_NODE_SHIFT))
        self._put(value, at)
        if self.stack or text or not plain:
            self.empty = False

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        at = _position(event)
        self.empty = False
        if len(self.stack) >= MAX_DEPTH:
            self._report(at, TOO_DEEP)
            raise _Stop
        is_key = bool(self.stack) and self.stack[-1].awaits_key
        if is_key and not any(frame.is_key for frame in self.stack):
            self._report(at, "a key must be text, but this is a mapping or list (`{` and `[` begin one unless quoted)")
        self._check_tag(event)
        before = self.nodes
        self._spend(at, "")
        anchor = self._anchor(event, None, None, 0)
        if isinstance(event, yaml.MappingStartEvent):
            self.stack.append(_Frame({}, Place(at, {}, {}), anchor, before, is_key))
        else:
            self.stack.append(_Frame([], Place(at, [], {}), anchor, before, is_key))

    def _close(self) -> None:
        frame = self.stack.pop()
        if frame.anchor is not None:
            frame.anchor.value, frame.anchor.node = frame.value, frame.place
            frame.anchor.nodes = self.nodes - frame.nodes_before
        if frame.is_key:  # reported when it was opened
            self._expect_value(None, "?")
        else:
            self._put(frame.value, frame.place)

    def _alias(self, event: yaml.AliasEvent) -> None:
        at = _position(event)
        name = event.anchor or ""
        anchor = self.anchors.get(name)
        if self.stack and self.stack[-1].awaits_key:
            self._report(at, "a key must be text, but this is an alias; write the key out")
            self._expect_value(None, f"*{name}")
            return
        value: Any = None
        node: Place | Position = at
        if anchor is None:
            close = nearest(name, list(self.anchors)[:MAX_FINDINGS])
            self._report(
                at,
                f"the alias `*{name}` has no anchor `&{name}` before it; quote it if text is meant",
                f"*{close}" if close else None,
            )
        elif anchor.node is None:
            line, column = anchor.position
            self._report(
                at, f"the alias `*{name}` stands inside the value it names (`&{name}`, line {line}, column {column})"
            )
        else:
            value = anchor.value
            node = anchor.node.moved(at) if isinstance(anchor.node, Place) else at
            self.aliased_nodes += anchor.nodes
            self._spend(at, "", anchor.nodes)
        self._put(value, node)

    def _put(self, value: Any, node: Place | Position) -> None:
        """Add a finished value to the mapping or list that is open."""
        if not self.stack:
            self.data, self.root = value, node
            return
        frame = self.stack[-1]
        children = frame.place.children
        if isinstance(children, list):
            frame.value.append(value)
            children.append(node)
            return
        if frame.key is not None:
            frame.value[frame.key] = value
            children[frame.key] = node
        frame.awaits_key = True

    # ---- keys ------------------------------------------------------------------------------------------------

    def _key(self, text: str, at: Position, plain: bool) -> None:
        keys = self.stack[-1].place.keys
        keep: str | None = text
        if plain and (refusal := refuse_key(text)) is not None:
            self._report(at, refusal.message, refusal.suggestion)
            keep = None if text == "<<" else text
        elif not plain and (bad := _BAD_ESCAPED.search(text)):
            self._report(at, f"this key holds a control character (U+{ord(bad[0]):04X}); remove its escape")
        if text in keys:
            line, column = keys[text]
            shown = text if len(text) <= 60 else text[:57] + "..."
            self._report(at, f"the key `{shown}` is given twice; it is first given in line {line}, column {column}")
            keep = None
        elif keep is not None:
            keys[text] = at
        self._expect_value(keep, text)

    def _expect_value(self, key: str | None, label: str) -> None:
        frame = self.stack[-1]
        frame.key, frame.label, frame.awaits_key = key, label, False

    # ---- anchors, tags, budget, reports ----------------------------------------------------------------------

    def _anchor(self, event: yaml.NodeEvent, value: Any, node: Position | None, nodes: int) -> _Anchor | None:
        name: str | None = event.anchor
        if name is None:
            return None
        at = _position(event)
        if (first := self.anchors.get(name)) is not None:
            line, column = first.position
            self._report(at, f"the anchor `&{name}` is given twice; it is first given in line {line}, column {column}")
        self.anchors[name] = anchor = _Anchor(at, value, node, nodes)
        return anchor

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is None:
            return
        tag: str = event.tag
        shown = "!!" + tag.removeprefix(_TAG_PREFIX) if tag.startswith(_TAG_PREFIX) else tag
        danger = "; it would run code in a loader that allows it" if "python/" in tag else ""
        self._report(
            _position(event),
            f"the tag `{shown[:60]}` is not accepted{danger}; write the plain value (in quotes if it is text)",
        )

    def _spend(self, at: Position, text: str, nodes: int = 1) -> None:
        self.nodes += nodes + (len(text) >> _TEXT_PER_NODE_SHIFT)
        if self.nodes <= MAX_NODES and self.aliased_nodes <= MAX_ALIASED_NODES:
            return
        if self.aliased_nodes > MAX_ALIASED_NODES:
            what = f"the aliases of this file add more than {MAX_ALIASED_NODES} values; write some of them out"
        else:
            what = f"the file holds more than {MAX_NODES} keys and values, the most foldsim reads"
        self._report(at, what)
        raise _Stop

    def _path(self) -> Path:
        parts: list[str | int] = []
        for frame in self.stack:
            if isinstance(frame.value, list):
                parts.append(len(frame.value))
            elif not frame.awaits_key:
                parts.append(frame.label)
        return tuple(parts)

    def _report(self, at: Position | None, message: str, suggestion: str | None = None) -> None:
        line, column = at if at is not None else (None, None)
        snippet = excerpt(self.lines, line) if line is not None else None
        self.findings.append(
            Finding(self.file, line, column, format_path(self._path()), message, None, suggestion, "error", snippet)
        )
        if len(self.findings) == MAX_FINDINGS:
            message = f"reading stopped after {MAX_FINDINGS} errors"
            self.findings.append(Finding(self.file, None, None, "", message))
            raise _Stop

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        place = (mark.line, mark.column) if mark is not None else (0, 0)
        begin = (error.context_mark.line, error.context_mark.column) if error.context_mark is not None else None
        trouble = explain(error.problem or "", error.context or "", place, begin, self.lines)
        self.findings.append(
            Finding(
                self.file,
                trouble.line,
                trouble.column,
                "",
                trouble.message,
                None,
                trouble.suggestion,
                "error",
                excerpt(self.lines, trouble.line),
            )
        )


def _position(event: yaml.Event) -> Position:
    mark: Any = event.start_mark  # PyYAML's stubs allow None here, its parsers never give it
    return (mark.line + 1, mark.column + 1)
