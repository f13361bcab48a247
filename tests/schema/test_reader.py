"""YAML reading: values, positions counted by hand, and files on disk."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from foldsim.schema.findings import Finding, InputError
from foldsim.schema.reader import Document, parse_yaml, read_yaml

# ---- values ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("int8", "int8"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("1_000_000", 1_000_000),
        ("1000000000000000000", 10**18),
        ("-1000000000000000000", -(10**18)),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("01.5", 1.5),
        ("1_000.25", 1000.25),
        ("1.0e-3", 0.001),
        ("1.0e+6", 1.0e6),
        ("1.5E+9", 1.5e9),
        ("0.0e-999", 0.0),
        ('"5"', "5"),
        ("'yes'", "yes"),
        ('"1e-3"', "1e-3"),
        ('"2024-01-01"', "2024-01-01"),
        ('"caf\\u00e9"', "café"),
        ("5 mW", "5 mW"),
        ("1,000", "1,000"),
        ("1.2.3", "1.2.3"),
        ("40:1280:40", "40:1280:40"),  # 1280 is no base-60 digit: text in every YAML
        ("2024-01", "2024-01"),
        ("inf", "inf"),
        ("e3", "e3"),
        ("-", None),
        ("north", "north"),
        ("[1, [2, x], {a: b}]", [1, [2, "x"], {"a": "b"}]),
        ("{a: 1, b: {c: []}}", {"a": 1, "b": {"c": []}}),
    ],
)
def test_values(text, value):
    if text == "-":  # a list with one empty entry
        assert parse_yaml("-\n", "f").data == [None]
        return
    data = parse_yaml(f"key: {text}\n", "f").data
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


@pytest.mark.usefixtures("loader")
def test_block_scalars_and_quotes_stay_text():
    text = "folded: >-\n  1e-3\n  yes\nliteral: |\n  012\n  a: b\nplain: one\n  two\n"
    assert parse_yaml(text, "f").data == {"folded": "1e-3 yes", "literal": "012\na: b\n", "plain": "one two"}


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    "text", ["a: 1\nb: 2\n", "a: 1\r\nb: 2\r\n", "a: 1\rb: 2\r", "\ufeffa: 1\nb: 2", "---\na: 1\nb: 2\n...\n"]
)
def test_line_breaks_byte_order_mark_and_markers(text):
    document = parse_yaml(text, "f")
    assert document.data == {"a": 1, "b": 2}
    line = 3 if text.startswith("---") else 2
    assert document.value_positions[("b",)] == (line, 4)
    assert not document.text.startswith("\ufeff")


@pytest.mark.parametrize("key", ["y", "n", "k", "N", '"1"', "'on'", '"<<"', "a b", "é", '""'])
def test_text_keys(key):
    assert list(parse_yaml(f"{key}: 1\n", "f").data) == [key.strip("'\"")]


def test_matches_pyyaml_on_the_common_subset():
    text = (
        "name: chip\nlevels:\n  - {name: sram, bytes: 1024, pj: 0.5}\n  - name: dram\n    bytes: 1_000\n"
        "    text: >\n      a\n      b\nnothing:\nlist: [a, 'b', \"c\\n\"]\n"
    )
    assert parse_yaml(text, "f").data == yaml.safe_load(text)


# ---- positions -------------------------------------------------------------------------------------------------

SAMPLE = """\
name: chip
memory:
  - name: sram
    size: {value: 5, low: 1}
  -
    - 1
    - "two"
empty:
  "odd key" : x
é: [ü, z]
"""


@pytest.mark.usefixtures("loader")
def test_positions_counted_by_hand():
    document = parse_yaml(SAMPLE, "f")
    values = {
        (): (1, 1),
        ("name",): (1, 7),
        ("memory",): (3, 3),
        ("memory", 0): (3, 5),
        ("memory", 0, "name"): (3, 11),
        ("memory", 0, "size"): (4, 11),
        ("memory", 0, "size", "value"): (4, 19),
        ("memory", 0, "size", "low"): (4, 27),
        ("memory", 1): (6, 5),
        ("memory", 1, 0): (6, 7),
        ("memory", 1, 1): (7, 7),
        ("empty",): (9, 3),
        ("empty", "odd key"): (9, 15),
        ("é",): (10, 4),
        ("é", 0): (10, 5),
        ("é", 1): (10, 8),
    }
    keys = {
        ("name",): (1, 1),
        ("memory",): (2, 1),
        ("memory", 0, "name"): (3, 5),
        ("memory", 0, "size"): (4, 5),
        ("memory", 0, "size", "value"): (4, 12),
        ("memory", 0, "size", "low"): (4, 22),
        ("empty",): (8, 1),
        ("empty", "odd key"): (9, 3),
        ("é",): (10, 1),
    }
    assert dict(document.value_positions) == values
    assert dict(document.key_positions) == keys
    assert (len(document.value_positions), len(document.key_positions)) == (len(values), len(keys))
    for path in [("nope",), ("name", 0), ("memory", 2), ("memory", -1), ("memory", "0"), (0,)]:
        assert path not in document.value_positions
        assert path not in document.key_positions


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("a: 1\nb:\nc: 2\n", (2, 3)),  # an empty value stands right behind its colon
        ("a: 1\nb:", (2, 3)),
        ("b: &x  5\n", (1, 4)),  # an anchor belongs to its value
        ("b: \U0001f600\n", (1, 4)),
        ("\U0001f600: 1\nb: {c: 2}\n", (2, 4)),
        ("b:\n- 1\n", (2, 1)),  # a list may stand in the column of its key
    ],
)
def test_position_of_b(text, position):
    assert parse_yaml(text, "f").value_positions[("b",)] == position


def test_missing_value_at_the_end_of_a_file_without_line_break(loader):
    document = parse_yaml("a: 1\n? b", "f")
    assert document.data == {"a": 1, "b": None}
    line, column = document.value_positions[("b",)]
    assert line == 2
    assert column <= 4


@pytest.mark.usefixtures("loader")
def test_aliases_share_values_and_keep_their_own_position():
    document = parse_yaml("a: &x {p: 1}\nb: *x\nc: [*x, &y 7, *y]\n", "f")
    assert document.data == {"a": {"p": 1}, "b": {"p": 1}, "c": [{"p": 1}, 7, 7]}
    assert document.value_positions[("b",)] == (2, 4)
    assert document.value_positions[("c", 2)] == (3, 15)
    # What stands inside the aliased value is where it is written.
    assert document.value_positions[("b", "p")] == document.value_positions[("a", "p")] == (1, 11)
    assert document.key_positions[("b", "p")] == (1, 8)


def test_documents_can_be_pickled():
    document = parse_yaml(SAMPLE, "f")
    copy = pickle.loads(pickle.dumps(document))
    assert copy.data == document.data
    assert dict(copy.value_positions) == dict(document.value_positions)
    assert copy.lines == document.lines
    assert "memory" not in repr(document)


# ---- files -----------------------------------------------------------------------------------------------------


def file_error(path) -> Finding:
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    (finding,) = caught.value.findings
    assert finding.file == os.fspath(path)
    return finding


def test_reads_a_file(tmp_path):
    path = tmp_path / "ü.yaml"
    path.write_text("\ufeffa: é\n", encoding="utf-8")
    for given_path in (path, str(path)):
        document = read_yaml(given_path)
        assert isinstance(document, Document)
        assert (document.file, document.text, document.data) == (str(path), "a: é\n", {"a": "é"})


def test_missing_file(tmp_path):
    (tmp_path / "phone-npu.yaml").write_text("a: 1\n")
    finding = file_error(tmp_path / "phone-npu.yml")
    assert (finding.line, finding.message) == (None, "there is no such file")
    assert finding.suggestion == str(tmp_path / "phone-npu.yaml")
    assert file_error(tmp_path / "no" / "such" / "folder.yaml").suggestion is None


def test_unreadable_files(tmp_path):
    assert "this is a directory" in file_error(tmp_path).message
    assert "cannot be read" in file_error(str(tmp_path / "a\0b")).message
    assert "cannot be read" in file_error(tmp_path / ("x" * 5000)).message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path):
    path = tmp_path / "secret.yaml"
    path.write_text("a: 1\n")
    path.chmod(0)
    assert "no permission" in file_error(path).message


def test_not_utf8(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: 1\nname: \xc3\xa9 caf\xe9 x\nb: 2\n")
    finding = file_error(path)
    assert (finding.line, finding.column) == (2, 12)
    assert "byte 0xe9 is not valid UTF-8" in finding.message
    assert finding.snippet == "a: 1\nname: é caf\ufffd x"
    path.write_text("a: 1\n", encoding="utf-16")
    assert "UTF-16; save it as UTF-8" in file_error(path).message
    path.write_bytes("a: 1\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="NUL character"):
        read_yaml(path)


def test_endless_file_is_cut_off():
    zero = Path("/dev/zero")
    if not zero.exists():
        pytest.skip("no /dev/zero")
    assert "larger than" in file_error(zero).message


# ---- imports ---------------------------------------------------------------------------------------------------


def test_reader_needs_neither_pydantic_nor_numpy():
    code = (
        "import sys, foldsim.schema.reader, foldsim.schema.findings\n"
        "print(*(m for m in ('pydantic', 'numpy', 'pandas') if m in sys.modules))\n"
        "import foldsim.schema\n"
        "foldsim.schema.InputError, foldsim.schema.parse_yaml\n"
        "print('pydantic' in sys.modules)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert out.stdout.split() == ["False"]
    code = "import sys, foldsim.schema.findings; print('yaml' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert out.stdout.split() == ["False"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
