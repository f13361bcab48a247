"""The table of a figure's points, and the command that writes it."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.cli import plot as command
from foldsim.plotting import KINDS, STYLES, draw, plotted_points
from foldsim.sweeps.results import read_results, write_results


def of(points, **wanted):
    mask = np.ones(len(points), dtype=bool)
    for name, value in wanted.items():
        mask &= points[name] == value
    return points.where(mask)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_points_and_both_styles_the_same(kind, rows_for):
    light, printed = (list(plotted_points(draw(rows_for(kind), kind, style)).rows()) for style in STYLES)
    assert len(light) >= 6
    assert light == printed
    assert all(row[0] for row in light), "every panel has a name"


def test_points_are_the_rows(totals):
    points = plotted_points(draw(totals, "power-vs-chunk"), "power-vs-chunk", totals)
    own = totals.where((totals["profile"] == "gap9") & (totals["fold_factor"] == 2))
    drawn = of(points, panel="gap9", series="folded, N = 2")
    assert drawn["x"].tolist() == own["chunk_ms"].tolist()
    assert drawn["y"].tolist() == own["power_mw"].tolist()
    assert set(drawn["y_label"]) == {"Average power [mW]"}
    assert points.provenance["figure"] == "power-vs-chunk"
    assert points.provenance["arguments"] == totals.provenance["arguments"]


def test_bars_and_cells_name_their_categories(totals, by_tensor):
    bars = of(plotted_points(draw(totals, "power-breakdown")), panel="phone-npu", series="Off-chip memory, baseline")
    assert bars["x_name"].tolist() == ["40", "160", "640"]
    own = totals.where((totals["profile"] == "phone-npu") & (totals["fold_factor"] == 1))
    np.testing.assert_allclose((bars["y"] - bars["base"]).astype(float), own["power_dram_mw"])
    cells = of(plotted_points(draw(by_tensor, "residency")), panel="phone-npu, baseline", x_name="dram")
    assert cells["y_name"][2].startswith("encoder weights")
    assert cells["value"][2] == pytest.approx(0.9779, abs=1e-4)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_command_writes_points(suffix, by_left, tmp_path):
    write_results(by_left, tmp_path / "left.csv")
    target = tmp_path / f"points{suffix}"
    command.run_plot(tmp_path / "left.csv", ["tipping-points"], None, data=target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["left.csv", target.name]
    read = read_results(target)
    expected = plotted_points(draw(by_left, "tipping-points"))
    assert len(read) == len(expected)
    assert read["panel"].tolist() == expected["panel"].tolist()
    assert read.provenance["figure"] == "tipping-points"


def test_command_writes_both_and_in_print(totals, tmp_path):
    write_results(totals, tmp_path / "r.csv")
    command.run_plot(tmp_path / "r.csv", ["trade-off"], tmp_path / "t.pdf", "print", tmp_path / "t.csv")
    assert (tmp_path / "t.pdf").read_bytes().startswith(b"%PDF")
    assert len(read_results(tmp_path / "t.csv")) > 0


@pytest.mark.parametrize(
    ("kinds", "style", "data", "expected"),
    [
        (["trade-off", "roofline"], "light", "p.csv", "takes the points of one kind"),
        (None, "light", "p.csv", "takes the points of one kind"),
        (["trade-off"], "dark", None, "--style 'dark' is not known; allowed: light, print"),
        (["trade-off"], "light", "p.txt", "unknown format of"),
    ],
)
def test_command_refuses(kinds, style, data, expected, totals, tmp_path, capsys):
    write_results(totals, tmp_path / "r.csv")
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        command.run_plot(tmp_path / "r.csv", kinds, None, style, tmp_path / data if data else None)
    assert expected in capsys.readouterr().err + str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_print_is_grey_and_a_column_wide(kind, rows_for, tmp_path):
    from PIL import Image

    figure = draw(rows_for(kind), kind, "print")
    assert figure.get_figwidth() == 3.5
    figure.savefig(tmp_path / "f.png", dpi=60)
    with Image.open(tmp_path / "f.png") as image:
        red, green, blue = np.asarray(image.convert("RGB"), dtype=int).transpose(2, 0, 1)
    assert max(np.abs(red - green).max(), np.abs(green - blue).max()) <= 4
