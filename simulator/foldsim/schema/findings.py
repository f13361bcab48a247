"""What is wrong with an input file, and how it is shown.

A `Problem` names a place by its path in the document; a `Finding` also knows file, line and column. This module
imports nothing but the standard library, so that every command can raise and print findings at no cost.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]

CONTEXT_LINES = 2
"""Source lines shown before the one that is at fault."""
MAX_EXCERPT_COLUMNS = 100
"""Width of a shown source line, without its line number."""
_COLUMNS_BEFORE_CARET = 60
_LONG_LINE = 2000  # characters; beyond this a line is quoted alone, so that many findings in it share one string
_CUT = "..."


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a cross-field check found wrong.

    `path` leads from the document's root to the value at fault: keys for mappings, indices for lists. It may name a
    value that the document leaves out; the finding then points at the nearest enclosing value that is there.
    With `at_key` the finding points at the key of the last path element instead of its value.
    """

    path: Path
    message: str
    allowed: str | None = None
    suggestion: str | None = None
    severity: Severity = "error"
    at_key: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem with its place in a file. Lines and columns count from 1; columns count characters.

    `line` and `column` are None where a file has no such place (it cannot be read, it is empty). `snippet` is raw
    source text: lines of context and, last, line `line` itself.
    """

    file: str
    line: int | None
    column: int | None
    path: str
    message: str
    allowed: str | None = None
    suggestion: str | None = None
    severity: Severity = "error"
    snippet: str | None = None

    def headline(self) -> str:
        """Return `file:line:column: error: message`, without the parts that are unknown.

        >>> Finding("a.yaml", 3, 5, "fold", "unknown key `flod`").headline()
        'a.yaml:3:5: error: unknown key `flod`'
        """
        place = printable(self.file)
        if self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        return f"{place}: {self.severity}: {printable(self.message)}"


class InputError(Exception):
    """The input cannot be used; `findings` holds everything that is wrong with it, in the order of the file."""

    findings: tuple[Finding, ...]

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(self.findings)

    def __str__(self) -> str:
        return format_findings(self.findings)


def format_path(path: Path) -> str:
    """Spell a path the way a reader would: keys joined by dots, list indices (from 0) in brackets.

    >>> format_path(("memory", 1, "read_pj_per_byte"))
    'memory[1].read_pj_per_byte'
    >>> format_path(("sources", "a b"))
    'sources["a b"]'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part and all(ch.isalnum() or ch in "_-" for ch in part):
            text += f".{part}" if text else part
        else:
            shown = part if len(part) <= 60 else part[:57] + _CUT
            text += f'["{shown}"]'
    return text


def position_order(finding: Finding) -> tuple[bool, str, int, int]:
    """Sort key that puts findings in the order of the file (files by name), those without a place last."""
    return (finding.line is None, finding.file, finding.line or 0, finding.column or 0)


def printable(text: str) -> str:
    r"""Replace control, invisible and unassigned characters by escapes, so that text cannot disturb a terminal.

    >>> printable("tab\t and escape\x1b")
    'tab\\t and escape\\x1b'
    """
    if text.isprintable():
        return text
    return "".join(_printable_char(ch) for ch in text)


def excerpt(lines: Sequence[str], line: int, context: int = CONTEXT_LINES) -> str | None:
    """Return line number `line` (from 1) preceded by up to `context` lines, as raw text; None if there is no such line.

    Empty lines at the beginning of the excerpt are left out, and long context lines are cut.
    """
    if not 1 <= line <= len(lines):
        return None
    source = lines[line - 1]
    if len(source) > _LONG_LINE:
        return source
    before = [text[: 2 * MAX_EXCERPT_COLUMNS] for text in lines[max(0, line - 1 - context) : line - 1]]
    while before and not before[0].strip():
        del before[0]
    return "\n".join([*before, source])


def format_findings(findings: Iterable[Finding], limit: int = 50) -> str:
    """Render findings for people: headline, source with a caret, what is allowed, what was probably meant.

    Findings are separated by an empty line. Those after the first `limit` are only counted.
    """
    every = list(findings)
    blocks = [_format_one(finding) for finding in every[:limit]]
    if len(every) > limit:
        blocks.append(f"... and {len(every) - limit} more")
    return "\n\n".join(blocks)


def finding_dict(finding: Finding) -> dict[str, str | int | None]:
    """A finding as plain values, for JSON."""
    names = ("file", "line", "column", "severity", "path", "message", "allowed", "suggestion")
    return {name: getattr(finding, name) for name in names}


def format_github(findings: Iterable[Finding]) -> str:
    """Render findings as workflow commands, which GitHub shows as annotations beside the line.

    >>> print(format_github([Finding("a.yaml", 3, 5, "fold", "unknown key", allowed="a, b")]))
    ::error file=a.yaml,line=3,col=5,title=fold::unknown key%0Aallowed: a, b
    """
    lines = []
    for finding in findings:
        place = {"file": finding.file, "line": finding.line, "col": finding.column, "title": finding.path or None}
        told = ",".join(
            f"{key}={_escaped(str(value), property_of=True)}" for key, value in place.items() if value is not None
        )
        text = [finding.message]
        text += [f"allowed: {finding.allowed}"] if finding.allowed is not None else []
        text += [f"did you mean: {finding.suggestion}"] if finding.suggestion is not None else []
        body = _escaped("\n".join(printable(part) for part in text))
        lines.append(f"::{finding.severity} {told}::{body}")
    return "\n".join(lines)


def _escaped(text: str, property_of: bool = False) -> str:
    """Text as workflow commands take it: percent-encoded line breaks, and separators within properties."""
    signs = {"%": "%25", "\r": "%0D", "\n": "%0A"} | ({":": "%3A", ",": "%2C"} if property_of else {})
    return "".join(signs.get(sign, sign) for sign in text)


def _format_one(finding: Finding) -> str:
    lines = [finding.headline()]
    if finding.snippet is not None and finding.line is not None:
        lines += _format_snippet(finding.snippet, finding.line, finding.column)
    elif finding.path:
        lines.append(f"  at: {printable(finding.path)}")
    if finding.allowed is not None:
        lines.append(f"  allowed: {printable(finding.allowed)}")
    if finding.suggestion is not None:
        lines.append(f"  did you mean: {printable(finding.suggestion)}")
    return "\n".join(lines)


def _format_snippet(snippet: str, line: int, column: int | None) -> list[str]:
    *context, source = snippet.split("\n")
    gutter = max(4, len(str(line))) + 1
    first = line - len(context)
    shown = [f"{first + i:>{gutter}} | {_cut_line(text, 0)[0]}" for i, text in enumerate(context)]
    text, caret = _cut_line(source, 0 if column is None else column - 1)
    shown.append(f"{line:>{gutter}} | {text}")
    if column is not None:
        shown.append(f"{'':>{gutter}} | {' ' * caret}^")
    return [text.rstrip() for text in shown]


def _cut_line(line: str, index: int) -> tuple[str, int]:
    """Return a printable piece of a line around character `index`, and the terminal column of that character in it."""
    index = max(0, min(index, len(line)))
    start, before = index, 0
    while start > 0 and before < MAX_EXCERPT_COLUMNS:
        before += _width(line[start - 1])
        start -= 1
    if start > 0 or before > MAX_EXCERPT_COLUMNS - 20:
        # The caret would be near or beyond the right edge: keep less of what stands before it.
        start, before = index, 0
        while start > 0 and before < _COLUMNS_BEFORE_CARET:
            before += _width(line[start - 1])
            start -= 1
    end, width = index, before
    while end < len(line) and width < MAX_EXCERPT_COLUMNS:
        width += _width(line[end])
        end += 1
    head = _CUT if start > 0 else ""
    tail = _CUT if end < len(line) else ""
    return head + printable(line[start:end]) + tail, len(head) + before


def _printable_char(ch: str) -> str:
    if ch.isprintable():
        return ch
    return repr(ch)[1:-1]


def _width(ch: str) -> int:
    """Terminal columns taken by a character once it is made printable."""
    if not ch.isprintable():
        return len(_printable_char(ch))
    if unicodedata.combining(ch):
        return 0
    return 2 if unicodedata.east_asian_width(ch) in "WF" else 1
