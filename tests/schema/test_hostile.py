"""Hostile and broken files: bounded time, bounded depth, and never anything but an InputError."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from foldsim.schema import reader
from foldsim.schema._source import split_lines
from foldsim.schema.findings import Finding, InputError
from foldsim.schema.reader import (
    MAX_ALIASED_NODES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_FINDINGS,
    Document,
    parse_yaml,
    read_yaml,
)


def errors(text: str) -> tuple[Finding, ...]:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "f.yaml")
    return caught.value.findings


def only_error(text: str) -> Finding:
    (finding,) = errors(text)
    return finding


@pytest.mark.usefixtures("loader")
def test_billion_laughs_is_refused():
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    (finding,) = errors("\n".join(lines))
    assert f"add more than {MAX_ALIASED_NODES} values" in finding.message
    assert finding.line == 6  # 9 + 1 nodes, then 9 times as many in each line: 9^6 exceeds 100000


def test_long_text_cannot_be_multiplied_by_aliases():
    (finding,) = errors("a: &a " + "x" * 1_000_000 + "\nb: [" + "*a, " * 10_000 + "]\n")
    assert "aliases" in finding.message


def test_aliases_within_the_budget_are_fine():
    document = parse_yaml("a: &a [1, 2, 3]\nb: [" + "*a, " * 10_000 + "]\n", "f")
    assert len(document.data["b"]) == 10_000


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("piece", ["[", "- ", "? ", "{a: "])
def test_depth_is_bounded(piece):
    findings = errors(piece * 5000)
    assert findings[-1].message == f"mappings and lists are nested more than {MAX_DEPTH} deep"
    assert len(findings) <= 2


def test_depth_limit_is_exact():
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f").data
    finding = only_error("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert (finding.line, finding.column) == (1, MAX_DEPTH + 1)


@pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="needs libyaml")
@pytest.mark.parametrize("piece", ["[", "{", "- ", "? ", "\0", "%TAG !a! b\n", "&a ", '"', "\n", "a: 1\n", "- yes\n"])
def test_ten_megabytes_of_anything_give_a_clear_error(piece):
    findings = errors(piece * (MAX_BYTES // len(piece)))
    assert 1 <= len(findings) <= MAX_FINDINGS + 1
    assert len(str(InputError(findings))) < 50_000


def test_node_limit(monkeypatch):
    monkeypatch.setattr(reader, "MAX_NODES", 10)
    assert parse_yaml("[1, 2, 3, 4, 5, 6, 7, 8, 9]", "f").data
    finding = only_error("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]")
    assert (finding.line, finding.column) == (1, 29)
    assert "more than 10 keys and values" in finding.message


def test_size_limit_is_exact(tmp_path):
    path = tmp_path / "big.yaml"
    path.write_bytes(b"a: 1\n#" + b"x" * (MAX_BYTES - 6))
    assert read_yaml(path).data == {"a": 1}
    path.write_bytes(b"a: 1\n#" + b"x" * (MAX_BYTES - 5))
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert (
        caught.value.findings[0].headline() == f"{path}: error: the file is larger than 10 MiB, the most foldsim reads"
    )
    # Bytes count, not characters.
    assert "larger than 10 MiB" in only_error("é" * (MAX_BYTES // 2 + 1)).message


# ---- nothing but InputError ------------------------------------------------------------------------------------

# fmt: off
PIECES = [
    "{", "}", "[", "]", ",", ":", "-", "?", "&a", "*a", "!x", "!!int", "|", ">", "'", '"', "\\", "#", "\t", "\n", "\r",
    "%", "@", "`", "<<", "1e3", "0x1", "012", "yes", ".inf", "~", "null", "é", "\U0001f600", "\u2028", "\0", "---",
    "...", "a", "b:", "\\x00", "\\ud800", "\\UFFFFFFFF", "%TAG", "1:2", " ", "  ", ": ", "- ", "a: ", "\n  ", "\n- ",
]
# fmt: on


@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)), st.booleans())
@settings(max_examples=400)
def test_any_text_gives_a_document_or_an_input_error(text, own_parser):
    with pytest.MonkeyPatch.context() as patch:
        if own_parser:
            patch.setattr(reader, "_LOADER", yaml.SafeLoader)
        result = parsed(text)
    lines = split_lines(text.removeprefix("\ufeff"))
    if isinstance(result, Document):
        assert result.lines == lines
        places = [*result.value_positions.values(), *result.key_positions.values()]
    else:
        assert result.findings
        assert all(ch == "\n" or ch.isprintable() for ch in str(result))
        places = [(f.line, f.column) for f in result.findings if f.line is not None and f.column is not None]
    for line, column in places:
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1


def parsed(text: str) -> Document | InputError:
    try:
        return parse_yaml(text, "f")
    except InputError as error:
        return error


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_give_a_document_or_an_input_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        read_yaml(path)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: "e" not in repr(x)),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=20),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef_", min_size=1, max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(TREES, st.sampled_from([True, False, None]), st.sampled_from([20, 80]))
@settings(max_examples=200)
def test_what_pyyaml_writes_is_read_back(data, flow, width):
    quotes = '"' if isinstance(data, str) else None
    tree = {"root": data}
    result = parsed(
        yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True, width=width, default_style=quotes)
    )
    if isinstance(result, Document):
        assert result.data == tree
    else:  # PyYAML leaves some texts without quotes, such as 0o7, because they are text in YAML 1.1
        assert all("quote" in finding.message for finding in result.findings)
