"""How findings look: headline, excerpt with caret, cuts, and nothing that could disturb a terminal."""

from __future__ import annotations

import doctest
import pickle
import pkgutil
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldsim import schema
from foldsim.schema.findings import (
    MAX_EXCERPT_COLUMNS,
    Finding,
    InputError,
    Problem,
    excerpt,
    format_findings,
    format_path,
    position_order,
    printable,
)


@pytest.mark.parametrize("name", sorted(info.name for info in pkgutil.iter_modules(schema.__path__)))
def test_doctests(name):
    assert doctest.testmod(import_module(f"foldsim.schema.{name}")).failed == 0


@pytest.mark.parametrize(
    ("line", "column", "severity", "headline"),
    [
        (3, 5, "error", "a.yaml:3:5: error: wrong"),
        (3, None, "warning", "a.yaml:3: warning: wrong"),
        (None, None, "error", "a.yaml: error: wrong"),
    ],
)
def test_headline(line, column, severity, headline):
    assert Finding("a.yaml", line, column, "x", "wrong", severity=severity).headline() == headline


def test_full_layout():
    finding = Finding(
        file="a.yaml",
        line=12,
        column=5,
        path="memory[0].capacity_kb",
        message="unknown key `capacity_kb`",
        allowed="name, capacity_bytes",
        suggestion="capacity_bytes: 524288",
        snippet="memory:\n  - name: sram\n    capacity_kb: 512",
    )
    assert format_findings([finding]) == (
        "a.yaml:12:5: error: unknown key `capacity_kb`\n"
        "   10 | memory:\n"
        "   11 |   - name: sram\n"
        "   12 |     capacity_kb: 512\n"
        "      |     ^\n"
        "  allowed: name, capacity_bytes\n"
        "  did you mean: capacity_bytes: 524288"
    )


def test_layout_without_place():
    finding = Finding("a.yaml", None, None, "memory[0]", "wrong")
    assert format_findings([finding]) == "a.yaml: error: wrong\n  at: memory[0]"
    assert format_findings([Finding("a.yaml", None, None, "", "wrong")]) == "a.yaml: error: wrong"


def test_findings_are_separated_and_limited():
    many = [Finding("a", None, None, "", f"m{i}") for i in range(53)]
    text = format_findings(many)
    assert text.startswith("a: error: m0\n\na: error: m1\n\n")
    assert text.endswith("a: error: m49\n\n... and 3 more")
    assert format_findings(many, limit=100).endswith("m52")
    assert format_findings(iter(many[:1]), limit=1) == "a: error: m0"
    assert format_findings([]) == ""


def test_order_of_the_file():
    places = [(None, None), (2, 1), (1, 9), (1, 2), (2, None)]
    ordered = sorted((Finding("f", line, column, "", "") for line, column in places), key=position_order)
    assert [(f.line, f.column) for f in ordered] == [(1, 2), (1, 9), (2, None), (2, 1), (None, None)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("a",), "a"),
        (("a", 0, "b-c_1"), "a[0].b-c_1"),
        ((0, "a"), "[0].a"),
        (("a b", "c"), '["a b"].c'),
        (("a", ""), 'a[""]'),
        (("x" * 100 + " ",), '["' + "x" * 57 + '..."]'),
    ],
)
def test_paths(path, text):
    assert format_path(path) == text


def test_excerpts():
    lines = ["one", "", "three", "four", "five"]
    assert excerpt(lines, 5) == "three\nfour\nfive"
    assert excerpt(lines, 1) == "one"
    assert excerpt(lines, 4) == "three\nfour"  # no empty line at the beginning
    assert excerpt(lines, 3) == "one\n\nthree"
    assert excerpt(lines, 0) is None
    assert excerpt(lines, 6) is None
    long = "x" * 5000
    assert excerpt(["a", long], 2) is long  # shared, not copied for each finding
    assert excerpt([long, "a"], 2) == "x" * 200 + "\na"


def shown(source: str, column: int, context: str = "") -> list[str]:
    snippet = f"{context}\n{source}" if context else source
    text = format_findings([Finding("f", 7, column, "", "m", snippet=snippet)])
    return text.split("\n")[1:]


@pytest.mark.parametrize("column", [1, 50, 99, 100, 101, 400, 999, 1000, 1001])
def test_long_lines_are_cut_around_the_caret(column):
    source = "".join(chr(ord("a") + i % 26) for i in range(1000))
    line, caret = shown(source, column)
    assert len(line) <= len("    7 | ") + MAX_EXCERPT_COLUMNS + 6
    at = caret.index("^")
    if column <= 1000:
        assert line[at] == source[column - 1]
    else:
        assert at == len(line)  # behind the end
    assert line[8:11] == ("..." if column > 80 else "abc")
    assert line.endswith("...") == (column < 950)


def test_short_lines_are_whole():
    source = "y" * 70
    assert shown(source, 70) == [f"    7 | {source}", "      | " + " " * 69 + "^"]


def test_caret_accounts_for_escapes_wide_and_combining_characters():
    assert shown("\tab", 3) == ["    7 | \\tab", "      |    ^"]
    assert shown("日本x", 3) == ["    7 | 日本x", "      |     ^"]
    assert shown("e\u0301x", 3) == ["    7 | e\u0301x", "      |  ^"]
    assert shown("a\x1b[31mb", 2) == ["    7 | a\\x1b[31mb", "      |  ^"]


def test_context_is_cut_at_the_right():
    first, *_ = shown("a", 1, context="z" * 150)
    assert first == "    6 | " + "z" * 100 + "..."


def test_line_numbers_widen_the_gutter():
    text = format_findings([Finding("f", 1234567, 1, "", "m", snippet="a\nb")])
    assert text.split("\n")[1:] == [" 1234566 | a", " 1234567 | b", "         | ^"]


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\u202e", "\u200b", "\0", "\r", "\ud800", "\xa0"])
def test_control_characters_are_shown_not_sent(text):
    line = text.replace("\n", "")
    finding = Finding(text, 2, 1, text, f"m {text}", f"a {text}", f"s {text}", snippet=f"{line}\n{line}")
    out = format_findings([finding])
    assert all(ch == "\n" or ch.isprintable() for ch in out)
    assert out.encode("utf-8")
    assert printable(text) != text
    assert finding.headline().isprintable()


@given(st.text(max_size=300).filter(lambda text: "\n" not in text), st.integers(1, 310))
def test_any_line_is_shown_within_bounds(source, column):
    line, caret = shown(source, column)
    assert len(line) <= 8 + MAX_EXCERPT_COLUMNS + 30
    assert caret.index("^") <= 8 + MAX_EXCERPT_COLUMNS + 3
    assert line.isprintable()


def test_input_error():
    findings = [Finding("f", 1, 2, "", "first"), Finding("f", 3, 4, "", "second")]
    error = InputError(iter(findings))
    assert error.findings == tuple(findings)
    assert str(error) == "f:1:2: error: first\n\nf:3:4: error: second"
    assert pickle.loads(pickle.dumps(error)).findings == error.findings


def test_defaults():
    problem = Problem(("a",), "m")
    assert (problem.allowed, problem.suggestion, problem.severity, problem.at_key) == (None, None, "error", False)
    with pytest.raises(AttributeError):
        problem.message = "other"  # type: ignore[misc]
