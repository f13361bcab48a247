"""A profile of the user's own: the same report and figures however it was named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from foldsim.cli.app import app
from foldsim.plotting import draw, plotted_points
from foldsim.plotting.roofs import roofs_of
from foldsim.plotting.rows import panels
from foldsim.report import render_report
from foldsim.sweeps.results import read_results

WAYS = (
    ("-p", "sub/mychip.yaml"),
    ("--profile=sub/mychip.yaml",),
    ("design.yaml",),
)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load_profile):
    """Results of the three ways, read after the profile's file has gone."""
    (tmp_path / "sub").mkdir()
    source = load_profile("phone-npu").document.text
    text = source.replace("name: phone-npu", "name: mychip", 1)
    (tmp_path / "sub" / "mychip.yaml").write_text(text)
    (tmp_path / "design.yaml").write_text("profiles: [sub/mychip.yaml]\n")
    monkeypatch.chdir(tmp_path)
    results = []
    for number, way in enumerate(WAYS):
        file = f"r{number}.csv"
        done = CliRunner().invoke(app, ["sweep", *way, "--by", "total", "-o", file])
        assert done.exit_code == 0, done.output
        by_op = CliRunner().invoke(app, ["sweep", *way, "--by", "op", "-o", f"ops{number}.csv"])
        assert by_op.exit_code == 0, by_op.output
        results.append((read_results(tmp_path / file), read_results(tmp_path / f"ops{number}.csv")))
    (tmp_path / "sub" / "mychip.yaml").unlink()
    return results


def test_the_constants_of_an_own_profile_are_in_the_report_however_it_was_named(made, part_of):
    notes = [json.loads(part_of(render_report(totals), "meta"))["profiles"] for totals, _ in made]
    assert notes[0] == notes[1] == notes[2]
    (note,) = notes[0]
    assert note["name"] == "mychip"
    assert len(note["constants"]) > 3


def test_the_roofs_of_an_own_profile_are_in_the_figure_however_it_was_named(made):
    assert all(roofs_of(ops, panels(ops, "op")[0]).peaks for _, ops in made)
    points = [plotted_points(draw(ops, "roofline")) for _, ops in made]
    for other in points[1:]:
        for name, values in points[0].columns.items():
            assert values.tolist() == other.columns[name].tolist(), name
