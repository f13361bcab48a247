"""Result files: what is written is what is read, whole or not at all, and broken files are told apart."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from foldsim import __version__
from foldsim.api import sweep
from foldsim.designs.changes import parse_set
from foldsim.sweeps.columns import columns
from foldsim.sweeps.engine import run
from foldsim.sweeps.provenance import provenance
from foldsim.sweeps.results import (
    ResultError,
    Results,
    check_suffix,
    read_results,
    write_atomically,
    write_results,
)
from foldsim.sweeps.space import DesignSpace

HAVE_PYARROW = importlib.util.find_spec("pyarrow") is not None
needs_pyarrow = pytest.mark.skipif(not HAVE_PYARROW, reason="pyarrow is an extra: pip install 'foldsim[parquet]'")
SUFFIXES = [".csv", ".jsonl", pytest.param(".parquet", marks=needs_pyarrow)]
SETS = ("workload.precision.weights=int4,int8", "profile.memory_levels.dram.read_pj_per_byte=0.1,80")


@pytest.fixture(scope="module")
def space(emformer, load_profile):
    phone, watch = load_profile("phone-npu"), load_profile("watch-npu")
    return DesignSpace([emformer], [phone, watch], (40.0, 160.0), (1, 2), sets=dict(parse_set(s) for s in SETS))


@pytest.fixture(scope="module")
def results(space):
    return Results(run(space), provenance(space, ["sweep", "--set", SETS[0]]))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("by", ["total", "component", "op"])
def test_what_is_written_is_read(tmp_path, emformer, load_profile, suffix, by):
    """Every column, every bit of every number, kinds of values and provenance."""
    axes = dict(parse_set(s) for s in SETS)
    space = DesignSpace([emformer], [load_profile("phone-npu")], (40.0,), (1, 2), sets=axes, by=by)
    results = Results(run(space), provenance(space, ["sweep"]))
    path = tmp_path / f"r{suffix}"
    write_results(results, path)
    again = read_results(path)
    assert list(again.columns) == list(results.columns)
    assert again.provenance == results.provenance
    assert len(again) == len(results) > 0
    for name, values in results.columns.items():
        found = again[name]
        assert found.tolist() == values.tolist(), name
        assert found.dtype.kind == values.dtype.kind, name


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("text", ["1.80", "007", "1e3", "true", "nan", "infinity", "1_000", "-", "3"])
def test_names_that_look_like_numbers_stay_names(tmp_path, suffix, text):
    """An operating point may be called 1.80, a workload 007."""
    names = np.array([text, text], dtype=object)
    table = {"workload": names, "operating_point": names, "fold_layers": names, "power_mw": np.array([1.0, 2.5])}
    write_results(Results(table), tmp_path / f"r{suffix}")
    again = read_results(tmp_path / f"r{suffix}")
    for name in ("workload", "operating_point", "fold_layers"):
        assert again[name].tolist() == [text, text]
    assert again["power_mw"].tolist() == [1.0, 2.5]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_awkward_text_survives(tmp_path, suffix):
    values = np.array(["a,b", 'say "x"', "two\nlines", "µW – α", " padded ", "# foldsim"], dtype=object)
    write_results(Results({"layer": values}), tmp_path / f"r{suffix}")
    assert read_results(tmp_path / f"r{suffix}")["layer"].tolist() == values.tolist()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_extreme_numbers_survive(tmp_path, suffix):
    values = np.array([0.1 + 0.2, 1e-300, 5e-324, 1.7976931348623157e308, -0.0, 123456789.123456789])
    whole = np.array([2**53 + 1, -1, 0, 1, 2, 3])
    write_results(Results({"power_mw": values, "chunk_tokens": whole}), tmp_path / f"r{suffix}")
    again = read_results(tmp_path / f"r{suffix}")
    assert again["power_mw"].tobytes() == values.tobytes()
    assert again["chunk_tokens"].tolist() == whole.tolist()


def test_provenance_says_where_results_come_from(space, results, emformer):
    """Version, arguments, and every input with the hash of its text; no date, no machine, no folder."""
    origin = results.provenance
    assert origin["foldsim_version"] == __version__
    assert origin["arguments"] == ["sweep", "--set", SETS[0]]
    assert [(i["kind"], i["name"]) for i in origin["inputs"]] == [
        ("workload", "emformer-rnnt-base"),
        ("profile", "phone-npu"),
        ("profile", "watch-npu"),
    ]
    assert [i["sha256"] for i in origin["inputs"]] == [x.sha256 for x in (*space.workloads, *space.profiles)]
    assert origin["inputs"][0]["file"] == "emformer-rnnt-base.yaml"
    assert not any("data" in i for i in origin["inputs"])  # shipped: name and hash say it all
    assert origin["space"] == {
        "workloads": ["emformer-rnnt-base"],
        "profiles": ["phone-npu", "watch-npu"],
        "chunk_ms": [40.0, 160.0],
        "fold": [1, 2],
        "sets": {
            "workload.precision.weights": ["int4", "int8"],
            "profile.memory_levels.dram.read_pj_per_byte": [0.1, 80],
        },
    }
    assert sorted(origin) == ["arguments", "foldsim_version", "inputs", "space"]


def test_the_hash_is_of_the_file(emformer):
    assert emformer.sha256 == hashlib.sha256(Path(emformer.document.file).read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_equal_runs_give_equal_bytes(tmp_path, space, results, suffix):
    written = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        again = Results(run(space), provenance(space, ["sweep", "--set", SETS[0]]))
        write_results(again, tmp_path / folder / f"r{suffix}")
        written.append((tmp_path / folder / f"r{suffix}").read_bytes())
    assert written[0] == written[1]


def test_csv_can_be_read_by_anything(tmp_path, results):
    """One comment line of JSON, a header, plain rows; booleans as true and false; Unix line ends."""
    path = tmp_path / "r.csv"
    write_results(results, path)
    text = path.read_text(encoding="utf-8")
    assert "\r" not in text
    first, rest = text.split("\n", 1)
    assert json.loads(first.removeprefix("# foldsim ")) == results.provenance
    rows = list(csv.DictReader(rest.splitlines()))
    assert len(rows) == len(results)
    assert {row["realtime"] for row in rows} <= {"true", "false"}
    assert [float(row["power_mw"]) for row in rows] == results["power_mw"].tolist()


def test_jsonl_is_one_object_per_line(tmp_path, results):
    write_results(results, tmp_path / "r.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[0] == {"foldsim": results.provenance}
    assert [line["power_mw"] for line in lines[1:]] == results["power_mw"].tolist()
    assert isinstance(lines[1]["realtime"], bool)


@needs_pyarrow
def test_parquet_keeps_types(tmp_path, results):
    import pyarrow.parquet

    write_results(results, tmp_path / "r.parquet")
    schema = pyarrow.parquet.read_schema(tmp_path / "r.parquet")
    kinds = {name: str(schema.field(name).type) for name in ("power_mw", "fold_factor", "realtime", "profile")}
    assert kinds == {"power_mw": "double", "fold_factor": "int64", "realtime": "bool", "profile": "string"}


def test_without_pyarrow_parquet_says_what_to_install(tmp_path, monkeypatch, results):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ResultError, match=r"foldsim\[parquet\]"):
        write_results(results, tmp_path / "r.parquet")
    assert list(tmp_path.iterdir()) == []


# ---- whole or not at all ------------------------------------------------------------------------------------


def test_a_file_is_replaced_as_a_whole(tmp_path, results):
    path = tmp_path / "r.csv"
    path.write_text("something else", encoding="utf-8")
    write_results(results, path)
    assert len(read_results(path)) == len(results)
    assert [p.name for p in tmp_path.iterdir()] == ["r.csv"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "r.csv"
    path.write_bytes(b"old")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["r.csv"]


def test_the_old_file_stands_until_the_new_one_is_complete(tmp_path, monkeypatch):
    """The move into place is the last step, and what is moved is complete."""
    path, seen = tmp_path / "r.csv", []
    path.write_bytes(b"old")
    replace = os.replace

    def watch(source, target):
        seen.append((path.read_bytes(), Path(source).read_bytes(), Path(source).parent))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    write_atomically(path, b"new")
    assert seen == [(b"old", b"new", tmp_path)]
    assert path.read_bytes() == b"new"


def test_result_files_get_ordinary_permissions(tmp_path):
    """Not the 0600 of a temporary file."""
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "r.csv", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "r.csv").stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["r", "r.txt", "r.csv.gz", "r.xlsx"])
def test_an_unknown_suffix_is_refused_before_any_work(tmp_path, name):
    for act in (check_suffix, read_results):
        with pytest.raises(ResultError, match=r"\.csv, \.jsonl, \.parquet"):
            act(tmp_path / name)


def test_a_missing_folder_is_refused_before_any_work(tmp_path):
    with pytest.raises(ResultError, match="does not exist"):
        check_suffix(tmp_path / "no" / "r.csv")


# ---- broken files -------------------------------------------------------------------------------------------

HEADER = "profile,chunk_ms,power_mw\n"
BROKEN = {
    "empty.csv": b"",
    "binary.csv": b"\x89PNG\r\n\x1a\n\xff\xfe\x00",
    "ragged.csv": (HEADER + "a,1,2\nb,3\n").encode(),
    "long.csv": (HEADER + "a,1,2,3\n").encode(),
    "provenance.csv": ("# foldsim {broken\n" + HEADER + "a,1,2\n").encode(),
    "huge-cell.csv": (HEADER + "a,1," + "9" * 200_000 + "\n").encode(),
    "empty.jsonl": b"",
    "not-json.jsonl": b"hello\n",
    "no-provenance.jsonl": b'{"power_mw": 1}\n',
    "list.jsonl": b"[1, 2]\n",
    "number.jsonl": b"1\n",
    "text.jsonl": b'"foldsim"\n',
    "truncated.jsonl": b'{"foldsim": {}}\n{"power_mw": 1.0}\n{"power',
    "missing-key.jsonl": b'{"foldsim": {}}\n{"a": 1, "b": 2}\n{"a": 1}\n',
    "row-is-a-number.jsonl": b'{"foldsim": {}}\n{"a": 1}\n7\n',
    "deep.jsonl": b"[" * 100_000 + b"\n",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_a_result_error_that_names_it(tmp_path, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(ResultError, match=name):
        read_results(tmp_path / name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_file_is_a_result_error(tmp_path, suffix):
    with pytest.raises(ResultError, match="nowhere"):
        read_results(tmp_path / f"nowhere{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_is_a_result_error(tmp_path, suffix):
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(ResultError, match="folder"):
        read_results(tmp_path / f"folder{suffix}")


@needs_pyarrow
@pytest.mark.parametrize("content", [b"", b"not parquet at all", b"PAR1" + bytes(64) + b"PAR1"])
def test_broken_parquet_is_a_result_error(tmp_path, content):
    (tmp_path / "r.parquet").write_bytes(content)
    with pytest.raises(ResultError, match=r"r\.parquet"):
        read_results(tmp_path / "r.parquet")


@needs_pyarrow
def test_truncated_parquet_is_a_result_error(tmp_path, results):
    path = tmp_path / "r.parquet"
    write_results(results, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ResultError, match=r"r\.parquet"):
        read_results(path)


def test_plain_csv_without_provenance_is_read(tmp_path):
    """A table made by something else, with foldsim's columns."""
    (tmp_path / "r.csv").write_text(HEADER + "a,1,2.5\n", encoding="utf-8")
    again = read_results(tmp_path / "r.csv")
    assert again.provenance == {}
    assert again["power_mw"].tolist() == [2.5]


# ---- tables -------------------------------------------------------------------------------------------------


def test_columns_are_those_of_the_dictionary_in_its_order(results):
    """Axes of `--set` stand before the chunk size under their own path."""
    paths = [s.split("=")[0] for s in SETS]
    known = [name for name in results.columns if name not in paths]
    expected = [n for n, column in columns().items() if column.group not in ("by", "validation", "tipping")]
    assert known == [name for name in expected if "_sampled_" not in name]  # those come with --sample
    at = list(results.columns).index("chunk_ms")
    assert list(results.columns)[at - 2 : at] == paths


def test_the_contract_columns_are_there():
    """Names that users script against (design, section 4)."""
    contract = [
        "workload",
        "profile",
        "operating_point",
        "fold_factor",
        "fold_layers",
        "weight_bits",
        "chunk_ms",
        "chunk_tokens",
        "left_context_tokens",
        "right_context_tokens",
        "params",
        "macs_per_chunk",
        "macs_per_audio_s",
        "weights_bytes",
        "state_bytes",
        "activation_peak_bytes",
        "memory_bytes",
        "onchip_bytes",
        "fits",
        "dram_bytes_per_chunk",
        "dram_bytes_per_audio_s",
        "latency_ms",
        "rtf",
        "realtime",
        "algorithmic_latency_ms",
        "bottleneck",
        "energy_per_chunk_uj",
        "power_mw",
        "power_low_mw",
        "power_high_mw",
        "power_compute_mw",
        "power_onchip_mw",
        "power_dram_mw",
        "power_static_mw",
        "power_saving_ratio",
        "memory_saving_ratio",
        "component",
        "layer",
        "op",
        "m",
        "k",
        "n",
        "batch",
    ]
    assert set(contract) <= set(columns())


def test_a_frame_has_the_same_rows_and_knows_its_origin(results):
    frame = results.to_frame()
    assert list(frame.columns) == list(results.columns)
    assert frame["power_mw"].tolist() == results["power_mw"].tolist()
    assert frame.attrs["foldsim"] == results.provenance


def test_python_sweeps_carry_provenance(emformer):
    frame = sweep(emformer, "phone-npu", [160], [1])
    assert frame.attrs["foldsim"]["inputs"][0]["sha256"] == emformer.sha256


def test_rows_can_be_picked(results):
    some = results.where(results["fold_factor"] == 2)
    assert len(some) == len(results) / 2
    assert set(some["fold_factor"].tolist()) == {2}
    assert some.provenance == results.provenance


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("realtime", "maybe", "true or false"),
        ("fits", "", "true or false"),
        ("power_mw", "abc", "a number"),
        ("power_mw", "nan", "not finite"),
        ("chunk_ms", "", "a number"),
    ],
)
def test_a_cell_of_the_wrong_kind_is_named(results, tmp_path, column, cell, said):
    """One bad cell must not turn a column into text, or a NO into a yes."""
    write_results(results, tmp_path / "r.csv")
    lines = (tmp_path / "r.csv").read_text().splitlines()
    cells = lines[2].split(",")
    cells[lines[1].split(",").index(column)] = cell
    (tmp_path / "bad.csv").write_text("\n".join([*lines[:2], ",".join(cells), *lines[3:]]) + "\n")
    with pytest.raises(ResultError, match=f"{column}.*{said}"):
        read_results(tmp_path / "bad.csv")


def test_flags_as_pandas_and_spreadsheets_write_them_are_read(results, tmp_path):
    write_results(results, tmp_path / "r.csv")
    text = (tmp_path / "r.csv").read_text()
    (tmp_path / "excel.csv").write_text("\ufeff" + text.replace(",true,", ",TRUE,").replace(",false,", ",FALSE,"))
    assert read_results(tmp_path / "excel.csv")["realtime"].tolist() == results["realtime"].tolist()


@pytest.mark.parametrize("first", ["3", "[]", '{"inputs": 3}', '{"inputs": null}', '{"inputs": [1]}'])
def test_a_damaged_provenance_is_a_result_error(results, tmp_path, first):
    write_results(results, tmp_path / "r.csv")
    rest = (tmp_path / "r.csv").read_text().split("\n", 1)[1]
    (tmp_path / "bad.csv").write_text(f"# foldsim {first}\n{rest}")
    with pytest.raises(ResultError, match="provenance"):
        read_results(tmp_path / "bad.csv")
