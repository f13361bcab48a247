"""The page as a file: its data, its size, its safety, and what is refused. The browser's part is in test_browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from foldsim.report import ReportError, render_report, write_report
from foldsim.report.data import design_axes, rounded
from foldsim.report.page import json_for_html
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results, read_results, write_results

plotly = pytest.importorskip("plotly", reason="the extra foldsim[report] is not installed")


@pytest.fixture(scope="module")
def page(totals):
    return render_report(totals)


class Shape(HTMLParser):
    """Tags and what they refer to."""

    def __init__(self):
        super().__init__()
        self.tags, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for key, value in attrs if key in ("src", "href", "action", "data", "srcset")]


def shape_of(page):
    shape = Shape()
    shape.feed(page)
    return shape


# ---- the data ----


def test_embedded_rows_equal_the_result_file(totals, tmp_path, data_of):
    write_results(totals, tmp_path / "rows.csv")
    results = read_results(tmp_path / "rows.csv")
    write_report(results, tmp_path / "report.html")
    decoded = data_of((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert list(decoded) == list(results.columns)
    for name, values in results.columns.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(np.array(decoded[name], dtype=float), values, rtol=5e-7)
        else:
            assert decoded[name] == values.tolist()


def test_the_page_says_how_numbers_are_rounded(page, part_of):
    meta = json.loads(part_of(page, "meta"))
    assert meta["significant_digits"] == 7
    assert rounded(123.45678912) == 123.4568
    assert rounded(76_738_049) == 76_738_049  # whole numbers stay whole
    assert [rounded(float(x)) for x in ("nan", "inf", "-inf")] == [None] * 3


def test_labels_and_units_come_from_the_column_dictionary(page, totals, part_of):
    dictionary = columns()
    for column in json.loads(part_of(page, "meta"))["columns"]:
        assert (column["label"], column["unit"], column["meaning"]) == (
            dictionary[column["name"]].label,
            dictionary[column["name"]].unit,
            dictionary[column["name"]].meaning,
        )


def test_provenance_is_the_result_file_s(page, totals, part_of):
    assert json.loads(part_of(page, "meta"))["provenance"] == totals.provenance


def test_equal_results_give_equal_pages(totals, page):
    assert render_report(totals) == page


def test_plotly_is_the_packages_own(page, part_of, unpacked):
    from plotly.offline import get_plotlyjs

    assert unpacked(part_of(page, "plotly")).decode() == get_plotlyjs()


# ---- size and self-containment ----


def test_a_large_sweep_stays_under_five_megabytes(large, tmp_path):
    write_report(large, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 5_000_000


def test_the_page_refers_to_nothing_outside(page):
    links = shape_of(page).links
    assert [link for link in links if not link.startswith("#")] == []
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "http" not in policy[1]
    assert "unsafe-inline'" not in policy[1].split("script-src")[1].split(";")[0]


def test_the_page_names_no_folder_of_this_machine(page, tmp_path):
    plain = re.sub(r'id="report-(rows|plotly)">[^<]*<', "", page)
    assert not re.search(r"/(home|root|work|tmp|Users)/", plain)


# ---- untrusted names ----


def test_hostile_names_add_no_markup(hostile_name, totals, renamed, page, data_of):
    results = renamed(totals, hostile_name)
    hostile = render_report(results)
    assert shape_of(hostile).tags == shape_of(page).tags
    assert data_of(hostile)["workload"] == results["workload"].tolist()


def test_json_in_html_has_nothing_that_html_reads(hostile_name):
    name = hostile_name + "<>&\u2028\u2029'\""
    text = json_for_html({name: [name]})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {name: [name]}


# ---- which columns pick a design ----


def test_axes_are_what_was_swept(totals, make_rows):
    assert design_axes(totals) == ["workload", "profile", "chunk_ms", "fold_factor"]
    path = "profile.memory_levels.dram.read_pj_per_byte"
    swept = make_rows(profiles=("phone-npu",), chunk_ms=(160.0,), sets=[(path, (60, 80))])
    assert design_axes(swept) == ["workload", "profile", path, "chunk_ms", "fold_factor"]


def test_joined_sweeps_are_distinguished_by_a_column_that_differs(totals):
    other = {**totals.columns, "placement": np.array(["dram"] * len(totals), dtype=object)}
    joined = Results({name: np.concatenate([totals[name], other[name]]) for name in totals.columns})
    assert design_axes(joined)[-1] == "placement"


def test_two_rows_for_one_design_are_refused(totals):
    twice = Results({name: np.concatenate([values, values[:1]]) for name, values in totals.columns.items()})
    with pytest.raises(ReportError, match=r"2 rows describe one design \(workload emformer-rnnt-base, .*chunk_ms 40"):
        render_report(twice)


# ---- constants ----


def test_constants_carry_value_range_share_and_source(page, part_of):
    notes = {note["name"]: note for note in json.loads(part_of(page, "meta"))["profiles"]}
    first = notes["phone-npu"]["constants"][0]
    assert first["name"] == "memory_levels.dram.read_pj_per_byte"
    assert first["unit"] == "pJ/byte"
    assert first["low"] < first["value"] < first["high"]
    assert first["kind"] == "derived"
    assert first["source"]
    # The share is what power is proportional to: the range times the share moves power.
    assert first["up"] == pytest.approx(first["share"] * (first["high"] / first["value"] - 1), abs=1e-6)


def test_the_share_of_a_constant_is_what_setting_it_shows(make_rows, part_of):
    """Power with DRAM reads 10 % dearer is 10 % of the share higher; a sweep with --set is the independent way."""
    path = "memory_levels.dram.read_pj_per_byte"
    kwargs = {"profiles": ("phone-npu",), "chunk_ms": (160.0,), "fold": (1,)}
    plain = make_rows(**kwargs)
    (note,) = json.loads(part_of(render_report(plain), "meta"))["profiles"]
    (constant,) = [c for c in note["constants"] if c["name"] == path]
    dearer = make_rows(**kwargs, sets=[(f"profile.{path}", (1.1 * constant["value"],))])
    rise = float(dearer["power_mw"][0] / plain["power_mw"][0]) - 1.0
    assert rise == pytest.approx(0.1 * constant["share"], abs=1e-6)


def test_a_profile_that_is_not_the_sweep_s_own_is_not_used(totals, part_of):
    origin = json.loads(json.dumps(totals.provenance))
    for item in origin["inputs"]:
        item["sha256"] = "0" * 64
    for note in json.loads(part_of(render_report(Results(totals.columns, origin)), "meta"))["profiles"]:
        assert "constants" not in note
        assert "sha256 000000000000" in note["problem"]


def test_powers_that_this_foldsim_does_not_compute_are_reported(totals, part_of):
    columns = {**totals.columns, "power_mw": 1.5 * totals["power_mw"]}
    page = render_report(Results(columns, totals.provenance))
    assert "other powers" in json.loads(part_of(page, "meta"))["profiles"][0]["problem"]


def test_rows_without_provenance_are_reported(totals, part_of):
    (first, *_) = json.loads(part_of(render_report(Results(totals.columns)), "meta"))["profiles"]
    assert "does not say which profile" in first["problem"]


# ---- refusals and files ----


@pytest.mark.parametrize("by", ["component", "op"])
def test_rows_of_parts_are_refused_with_the_command_that_makes_whole_ones(by, make_rows):
    with pytest.raises(
        ReportError, match=r"one row per design.* foldsim sweep -w emformer-rnnt-base -p phone-npu .* -o results\.csv$"
    ):
        render_report(make_rows(by=by, chunk_ms=(160.0,)))


def test_missing_columns_are_named(totals):
    some = Results({name: v for name, v in totals.columns.items() if name not in ("rtf", "fits")})
    with pytest.raises(ReportError, match="lack: rtf, fits"):
        render_report(some)


def test_no_rows_are_refused(totals):
    with pytest.raises(ReportError, match="no rows"):
        render_report(totals.where(np.zeros(len(totals), dtype=bool)))


def test_without_plotly_it_says_what_to_install(totals, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ReportError, match=r"the report needs plotly: pip install 'foldsim\[report\]'"):
        write_report(totals, tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_bad_paths_are_refused(totals, tmp_path):
    with pytest.raises(ReportError, match=r"must end in \.html"):
        write_report(totals, tmp_path / "report.txt")
    with pytest.raises(ReportError, match="does not exist"):
        write_report(totals, tmp_path / "nowhere" / "report.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ReportError, match="is a folder"):
        write_report(totals, tmp_path / "folder.html")


def test_a_failed_report_leaves_the_old_one(totals, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(totals, path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8") == "old"


def test_the_command_writes_the_page_and_says_where(totals, tmp_path, capsys):
    from foldsim.cli.report import run_report

    write_results(totals, tmp_path / "rows.csv")
    run_report(tmp_path / "rows.csv", tmp_path / "report.html")
    assert "report.html (16 designs, 2." in capsys.readouterr().err
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_importing_the_report_loads_nothing_of_weight():
    code = (
        "import sys; import foldsim.report; "
        "print([m for m in ('plotly', 'pandas', 'matplotlib', 'pydantic', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
