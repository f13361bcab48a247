"""Every refusal of the YAML reader at its line and column, counted by hand; in the words of people, not of parsers."""

from __future__ import annotations

import pytest

from foldsim.schema.findings import Finding, InputError
from foldsim.schema.reader import MAX_FINDINGS, parse_yaml


def errors(text: str) -> tuple[Finding, ...]:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "f.yaml")
    return caught.value.findings


def only_error(text: str) -> Finding:
    (finding,) = errors(text)
    return finding


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("scalar", "message", "suggestion"),
    [
        ("1e-3", "text in YAML 1.1", "1.0e-3"),
        ("1e9", "a point and a signed exponent", "1.0e+9"),
        ("1.5e9", "wants a signed exponent", "1.5e+9"),
        (".5e3", "signed exponent", "0.5e+3"),
        ("-2E6", "a point", "-2.0e+6"),
        ("yes", "is true in YAML 1.1", 'true or "yes"'),
        ("No", "is false in YAML 1.1", 'false or "No"'),
        ("ON", "is true in YAML 1.1", 'true or "ON"'),
        ("off", "is false in YAML 1.1", 'false or "off"'),
        ("y", "is true", 'true or "y"'),
        ("N", "is false", 'false or "N"'),
        ("012", "starts with 0", '12 or "012"'),
        ("-08", "starts with 0", '-8 or "-08"'),
        ("00", "starts with 0", '0 or "00"'),
        ("0o12", "base 8", '10 or "0o12"'),
        ("0x1F", "base 16", '31 or "0x1F"'),
        ("0b101", "base 2", '5 or "0b101"'),
        ("0b12", "base 2", '"0b12"'),
        ("12:30", "base 60", '"12:30"'),
        ("10:50:10", "base 60", '"10:50:10"'),
        ("2024-01-01", "is a date", '"2024-01-01"'),
        ("2024-01-01 10:00:00", "is a date", '"2024-01-01 10:00:00"'),
        (".inf", "not a finite number", None),
        ("-.INF", "not a finite number", None),
        (".NaN", "not a finite number", None),
        ("1.0e+999", "too large", None),
        ("1.0e-999", "too small", "0.0"),
        ("1000000000000000001", "too large (the limit is 1e18)", "1.0e+18"),
        ("9" * 300, "too large (the limit is 1e18)", "1.0e+300"),
        ("9" * 5000, "a number of 5000 characters", None),
        ("1__0", "stray `_`", '10 or "1__0"'),
        ("1_", "stray `_`", '1 or "1_"'),
    ],
)
def test_ambiguous_scalars(scalar, message, suggestion):
    for text, line, column, path in [
        (f"key: {scalar}\n", 1, 6, "key"),
        (f"a:\n  - x\n  - {scalar}\n", 3, 5, "a[1]"),
        (f"{{a: [1, {scalar}]}}", 1, 9, "a[1]"),
    ]:
        if ":" in scalar and text.startswith("{"):
            continue  # not a plain scalar there
        finding = only_error(text)
        assert (finding.line, finding.column, finding.path) == (line, column, path)
        assert message in finding.message
        assert finding.suggestion == suggestion
        assert len(finding.message) < 250


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        # structure
        ("a: 1\nb: 2\na: 3\n", 3, 1, "`a` is given twice; it is first given in line 1, column 1"),
        ("x:\n  - {p: 1, q: 2, p: 3}\n", 2, 18, "`p` is given twice; it is first given in line 2, column 6"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document"),
        ("a: *nope\n", 1, 4, "no anchor `&nope`"),
        ("a: &x [1, *x]\n", 1, 11, "inside the value it names (`&x`, line 1, column 4)"),
        ("a: &x 1\nb: &x 2\n", 2, 4, "the anchor `&x` is given twice; it is first given in line 1, column 4"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n", 3, 3, "merge keys"),
        # keys
        ("1: a\n", 1, 1, "`1` without quotes is a number"),
        ("a:\n  1.5: x\n", 2, 3, "is a number, not text"),
        ("true: a\n", 1, 1, "is true or false"),
        ("on: a\n", 1, 1, "is ambiguous in YAML"),
        ("2024-01-01: a\n", 1, 1, "is ambiguous in YAML"),
        ("~: a\n", 1, 1, "`~` is null"),
        ("a: 1\n?\n: b\n", 2, 2, "nothing before the `:`"),
        ("? [a, b]\n: 1\n", 1, 3, "but this is a mapping or list"),
        ("a:\n  {b: 1}: 2\n", 2, 3, "but this is a mapping or list"),
        ("a: &x k\n*x : 2\n", 2, 1, "but this is an alias"),
        # tags
        ("a: !foo 1\n", 1, 4, "the tag `!foo`"),
        ("a: !!str 1\n", 1, 4, "the tag `!!str`"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            1,
            4,
            "`!!python/object/apply:os.system` is not accepted; it would",
        ),
        ("a: ! 1\n", 1, 4, "the tag `!`"),
        ("--- !!set {a}\n", 1, 5, "the tag `!!set`"),
        ("a: !x!y 1\n", 1, 4, "tags (`!...`) are not accepted"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", 1, 1, "%TAG directives"),
        # text
        ('a: "x\\0y"\n', 1, 4, "control character (U+0000)"),
        ('"k\\e": 1\n', 1, 1, "control character (U+001B)"),
        ("a: b\0c\n", 1, 5, "a NUL character (U+0000)"),
        ("a: 1\nb: \x1b[31m\n", 2, 4, "a control character (U+001B)"),
        ("a: x\u2028y\n", 1, 5, "line separator (U+2028)"),
        ("a: 1\n\ufeffb: 2\n", 2, 1, "byte order mark (U+FEFF) inside"),
        ("a: \ud800\n", 1, 4, "a control character (U+D800)"),
    ],
)
def test_refusals(text, line, column, message):
    finding = only_error(text)
    assert (finding.line, finding.column) == (line, column)
    assert message in finding.message


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a:\n\tb: 1\n", 2, 1, "a tab is used for indentation"),
        ("a: 1\n\tb: 2\n", 2, 1, "a tab is used for indentation"),
        ("a:\n  b: 1\n  \tc: 1\n", 3, 3, "a tab is used for indentation"),
        ("a: |\n\tfoo\n", 2, 1, "a tab is used for indentation"),
        ("a: b: c\n", 1, 5, "a second `: `"),
        ("a: x\n  y: 1\n", 2, 4, "a second `: `"),
        ("a:1\nb: 2\n", 1, 2, "a space must follow this colon"),
        ("x: 1\nlow:2\nb: 3\n", 2, 4, "a space must follow this colon"),
        ("a: 1\nfoo\nb: 2\n", 2, 1, "no `: ` between key and value"),
        ("a:\n- 1\n-2\n", 3, 1, "no `: ` between key and value"),
        ("a:\n  b: 1\n c: 2\n", 3, 2, "the indentation or structure breaks here"),
        ("a: 1\n- b\n", 2, 1, "the indentation or structure breaks here"),
        ("a: [1, 2\nb: 3\n", 1, 4, "the list opened here"),
        ("a: {x: 1\nb: 3\n", 1, 4, "the mapping opened here"),
        ("a: [1, 2\n", 1, 4, "the list opened here"),
        ('a: {b: "x" c: 2}\n', 1, 12, "a `,` or the closing `}` of the mapping is missing here"),
        ('a: "foo\nb: 1\n', 1, 4, "quote opened here is never closed"),
        ("a: 'it's'\n", 1, 8, "text after the closing quote"),
        ('a: "C:\\path"\n', 1, None, "use single quotes, or write each backslash twice"),
        ("a: *\n", 1, 4, "`*` begins an alias"),
        ("a: &\n", 1, 4, "`&` begins an anchor"),
        ("a: @foo\n", 1, 4, "may not begin with `@`"),
        ("a: `foo\n", 1, 4, "may not begin with a backquote"),
        ("a: - 1\n", 1, 4, "a list entry (`- `) may not begin here"),
        ("- a\nb: 1\n", 2, 1, "a list entry must begin here"),
        ("[1]\nfoo: 1\n", 2, 1, "after the end of the document"),
        ("a: }\n", 1, 4, "a value must stand here"),
        ("a: >x\n  b\n", 1, 5, "after `|` or `>`"),
        ("%YAML 2.0\n--- a\n", 1, 1, "directives"),
        ("a: 1\n: b\n", 2, 1, "a key is missing before this `:`"),
        ("{a: 1, : b}\n", 1, 8, "a key is missing before this `:`"),
    ],
)
def test_syntax_errors(text, line, column, message):
    finding = only_error(text)
    assert finding.line == line
    assert column is None or finding.column == column
    assert message in finding.message
    assert "not valid YAML" not in finding.message  # no parser's jargon


def test_suggestions():
    assert only_error("a: @foo # c\n").suggestion == '"@foo"'
    assert only_error("low:2\nb: 1\n").suggestion == "low: 2"
    assert only_error("a: &sram 1\nb: *sram1\n").suggestion == "*sram"
    assert only_error("1: a\n").suggestion == '"1"'


@pytest.mark.usefixtures("loader")
def test_all_errors_at_once_in_the_order_of_the_file():
    text = "a: 1e3\nb: !t x\na: 2\n3: x\nc: [yes, {d: 012, d: 1}]\ne: *q\nf: [1\ng: 2\n"
    found = [(f.line, f.column, f.path) for f in errors(text)]
    assert found == [
        (1, 4, "a"),
        (2, 4, "b"),
        (3, 1, ""),  # the second `a`
        (4, 1, ""),  # the key 3
        (5, 5, "c[0]"),
        (5, 14, "c[1].d"),
        (5, 19, "c[1]"),  # the second `d`
        (6, 4, "e"),
        (7, 4, ""),  # the syntax error, after which reading stops
    ]


def test_errors_inside_dropped_values_are_found():
    assert [(f.line, f.column) for f in errors("a: 1\na: {b: yes}\n? [c, 1e3]\n: 0x1\n")] == [
        (2, 1),
        (2, 8),
        (3, 3),
        (3, 7),
        (4, 3),
    ]


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("text", ["", "\n\n", "   ", "# only a comment\n", "---\n", "\ufeff"])
def test_empty(text):
    finding = only_error(text)
    assert finding.headline() == "f.yaml: error: the file is empty; a mapping of keys to values is expected"


def test_explicit_null_is_not_empty():
    assert parse_yaml("null\n", "f").data is None
    assert parse_yaml('""\n', "f").data == ""


def test_many_errors_stop_the_reading():
    findings = errors("\n".join("- 1e3" for _ in range(5 * MAX_FINDINGS)))
    assert len(findings) == MAX_FINDINGS + 1
    assert f"after {MAX_FINDINGS} errors" in findings[-1].message
