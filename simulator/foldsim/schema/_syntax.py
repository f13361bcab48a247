"""Plain-language explanations of YAML syntax errors, for both of PyYAML's parsers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SyntaxTrouble:
    """A syntax error: what it is, where it is (line and column from 1), and what to write instead."""

    line: int
    column: int
    message: str
    suggestion: str | None = None


_BROKEN_STRUCTURE = (
    "the indentation or structure breaks here: keys of one mapping must start in the same column, and nothing may "
    "follow a finished value"
)

MAX_DEPTH: Final = 64
"""Most mappings and lists inside one another."""
TOO_DEEP: Final = f"mappings and lists are nested more than {MAX_DEPTH} deep"

# (pattern in the parser's message, report at the beginning of the construct, explanation). First match wins. Both
# libyaml's wordings and those of PyYAML's own parser are listed.
_EXPLANATIONS: tuple[tuple[re.Pattern[str], bool, str], ...] = tuple(
    (re.compile(pattern), at_context, message)
    for pattern, at_context, message in (
        (
            "maximum nesting depth",
            False,
            TOO_DEEP,
        ),  # libyaml's own limit is higher, but meets a scanner that looks ahead
        (
            "mapping values are not allowed",
            False,
            "a second `: ` where only a value may stand; quote the value if the colon belongs to it, or correct the "
            "indentation (all keys of a mapping start in the same column, and a space follows the colon of each)",
        ),
        (
            "sequence entries are not allowed",
            False,
            "a list entry (`- `) may not begin here; put it on a line of its own, or quote the value",
        ),
        (
            "could not find expected ':'",
            True,
            "this line has no `: ` between key and value (a space must follow the colon, and the dash of a list entry)",
        ),
        (
            r"expected ',' or '\]'",
            True,
            "the list opened here with `[` is not closed; end it with `]`, with commas between the items",
        ),
        (
            r"expected ',' or '\}'",
            True,
            "the mapping opened here with `{` is not closed; end it with `}`, with commas between the entries",
        ),
        (
            "unexpected end of stream|unexpected document (indicator|separator)",
            True,
            "the quote opened here is never closed",
        ),
        (
            "found unexpected ':'",
            False,
            "a `:` may not stand here; put a space after it, or quote the value if it belongs to it",
        ),
        (
            "mapping keys are not allowed",
            False,
            "a `?` may not stand here; quote the value if it belongs to it",
        ),
        (
            "unknown escape character|invalid Unicode character|escape sequence|hexdecimal",
            False,
            "this is no escape that double quotes know; use single quotes, or write each backslash twice",
        ),
        (
            "expected '-' indicator|while parsing a block collection",
            False,
            "a list entry must begin here with `- `, in the same column as the entries before it",
        ),
        (
            "undefined tag handle|parsing a tag|scanning a tag",
            True,
            "tags (`!...`) are not accepted; write the plain value",
        ),
        ("<document start>", False, "text after the end of the document; a file holds one mapping"),
        ("expected (the )?node content", False, "a value must stand here; quote it if it begins with this character"),
        (
            "comment or (a )?line break|chomping or indentation|indentation indicator",
            False,
            "after `|` or `>` the text must begin on the next line; quote the value if the character belongs to it",
        ),
        ("directive|incompatible YAML document", False, "directives (lines that begin with `%`) are not accepted"),
        ("expected key|<block end>", False, _BROKEN_STRUCTURE),
    )
)
_AFTER_QUOTE = (
    "text after the closing quote; quote the whole value, and write a single quote inside single quotes twice ('')"
)
_UNCLOSED = re.compile(r"expected ',' or '([\]}])'")
# A key whose value is glued to the colon: YAML takes the whole line for text and stumbles over the next one.
_GLUED = re.compile(r"[ ]*(?:- +)*([A-Za-z_][\w.-]*):(?![ \t/])(.+)")
_KEYLESS = re.compile("expected key|<block end>|node content|<document start>")
_TAB = "a tab is used for indentation, which YAML forbids; use spaces"


def explain(
    problem: str, context: str, place: tuple[int, int], begin: tuple[int, int] | None, lines: Sequence[str]
) -> SyntaxTrouble:
    """Explain a parser's error.

    `place` is where the parser stopped and `begin` where the construct began that it was reading (line and column
    from 0); `problem` and `context` are its own words, which appear in the message only if nothing better is known.
    """
    line, column = place
    text = lines[line] if line < len(lines) else ""
    indent = text[: len(text) - len(text.lstrip(" \t"))]
    if "\t" in indent:
        return SyntaxTrouble(line + 1, indent.index("\t") + 1, _TAB)
    if text[column : column + 1] == "\t":
        return SyntaxTrouble(line + 1, column + 1, _TAB)
    if "alphabetic or numeric" in problem:
        return _explain_indicator(begin or place, lines)
    if "cannot start any token" in problem:
        char = text[column : column + 1]
        value = text[column:].split(" #")[0].strip()
        shown = "a backquote" if char == "`" else f"`{char}`"
        quotable = 0 < len(value) <= 60 and not set(value) & set('"\\,[]{}')
        return SyntaxTrouble(
            line + 1, column + 1, f"a value may not begin with {shown}; quote it", f'"{value}"' if quotable else None
        )
    if "mapping values" in problem and (glued := _glued_colon((line, line - 1), lines)) is not None:
        return glued
    if "could not find expected ':'" in problem and begin and (glued := _glued_colon(begin[:1], lines)) is not None:
        return glued
    if (unclosed := _UNCLOSED.search(problem)) and begin is not None and begin[0] == line:
        what = "list" if unclosed[1] == "]" else "mapping"
        return _at(line, column, f"a `,` or the closing `{unclosed[1]}` of the {what} is missing here", lines)
    if text[column : column + 1] == ":" and _KEYLESS.search(problem):
        return SyntaxTrouble(line + 1, column + 1, "a key is missing before this `:`")
    for pattern, at_context, message in _EXPLANATIONS:
        if pattern.search(problem) or pattern.search(context):
            row, col = begin if at_context and begin is not None else place
            if message is _BROKEN_STRUCTURE and text[:column].rstrip()[-1:] in ("'", '"'):
                message = _AFTER_QUOTE
            return _at(row, col, message, lines)
    words = ": ".join(part for part in (context, problem) if part)
    return _at(line, column, f"this is not valid YAML ({words})", lines)


def _explain_indicator(place: tuple[int, int], lines: Sequence[str]) -> SyntaxTrouble:
    line, column = place
    char = lines[line][column : column + 1] if line < len(lines) else ""
    what = "an alias" if char == "*" else "an anchor"
    return _at(line, column, f"`{char}` begins {what} in YAML and needs a name; quote the value if it is text", lines)


def _glued_colon(rows: Sequence[int], lines: Sequence[str]) -> SyntaxTrouble | None:
    for row in rows:
        if 0 <= row < len(lines) and (match := _GLUED.fullmatch(lines[row].rstrip())) and ": " not in match[2]:
            return SyntaxTrouble(
                row + 1, match.end(1) + 1, "a space must follow this colon", f"{match[1]}: {match[2]}"[:60]
            )
    return None


def _at(line: int, column: int, message: str, lines: Sequence[str]) -> SyntaxTrouble:
    # An error at the end of the file is reported behind its last line with text, where a reader can see it.
    if line >= len(lines) or (line == len(lines) - 1 and not lines[line].strip()):
        line = min(line, len(lines) - 1)
        while line > 0 and not lines[line].strip():
            line -= 1
        column = len(lines[line].rstrip())
    return SyntaxTrouble(line + 1, column + 1, message)
