"""Figures as files: reproducible bytes, hostile names, matplotlib imported only to draw."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from foldsim.plotting import KINDS, STYLES, PlotError, draw, save
from foldsim.sweeps.results import Results

NAMES = (
    "<script>alert('x')</script>",
    "$x$ and $\\frac{1}{2}",
    "one $ alone, \\$ escaped, _under ^score {brace",
    "_hidden",
    "a-very-long-name-that-goes-on-and-on-without-any-space-in-it-at-all-until-it-is-far-wider-than-a-panel",
    "many words that go on and on and on and on and on and on and on and on and on and on and on and on and on",
    "شريحة الساعة",
    "שעון חכם",
    "gnp.\u202eexe",
    "line\nbreak\ttab\x00null\x1b[31m",
    "日本語チップ 🎤",
    "--> ]]> &amp;",
    "",
)


# Columns that may contain any name; those of IDENTIFYING identify rows, so their values stay distinct.
NAMED = (
    "workload",
    "profile",
    "component",
    "layer",
    "op",
    "operating_point",
    "policy",
    "profile.policy",
    "group",
    "target",
)
IDENTIFYING = ("term", "tensors", "level", "policy", "profile.policy", "target")


@pytest.fixture(scope="module")
def hostile(rows_for):
    """Rows of one profile with a strange name wherever a name can be."""

    def rename(kind, name):
        rows = rows_for(kind)
        columns = dict(rows.columns)
        for key in (*NAMED, *IDENTIFYING):
            values = columns[key].tolist() if key in columns else []
            order = list(dict.fromkeys(values))
            kept = [v if v == "system" else name + "!" * (order.index(v) if key in IDENTIFYING else 0) for v in values]
            if values:
                columns[key] = np.array(kept, dtype=object)
        return Results(columns).where(rows["profile"] == "phone-npu")

    return rename


@pytest.mark.parametrize("kind", KINDS)
def test_strange_names_render(kind, hostile, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in NAMES:
            save(draw(hostile(kind, name), kind), tmp_path / "figure.png")
            with Image.open(tmp_path / "figure.png") as image:
                assert image.size[0] > 300


def test_dollars_are_shown_and_not_set_as_formulas(hostile):
    figure = draw(hostile("power-vs-chunk", "$x$"), "power-vs-chunk")
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == r"\$x\$"  # matplotlib's way to write $x$
    assert not matplotlib.cbook.is_math_text(axes.get_title(loc="left"))


@pytest.mark.parametrize("name", NAMES)
def test_svg_is_xml_without_scripts(name, hostile, tmp_path):
    save(draw(hostile("power-vs-chunk", name), "power-vs-chunk"), tmp_path / "figure.svg")
    tags = {element.tag.rpartition("}")[2] for element in ET.parse(tmp_path / "figure.svg").iter()}
    assert "script" not in tags
    assert "svg" in tags


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
@pytest.mark.parametrize("kind", ["power-breakdown", "roofline"])
def test_equal_figures_are_equal_bytes(kind, suffix, by_op, tmp_path):
    for name in ("one", "two"):
        save(draw(by_op, kind), tmp_path / f"{name}{suffix}")
    one, two = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("one", "two"))
    assert one == two
    assert b"CreationDate" not in one
    assert b"<dc:date>" not in one


def test_saving_the_same_figure_twice_gives_equal_bytes(totals, tmp_path):
    figure = draw(totals, "power-vs-chunk")
    for name in ("one.png", "two.png"):
        save(figure, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_settings_of_the_user_change_nothing_and_come_back(totals, tmp_path):
    save(draw(totals, "latency-vs-chunk"), tmp_path / "one.png")
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 9, "axes.facecolor": "red"}):
        save(draw(totals, "latency-vs-chunk"), tmp_path / "two.png")
        assert matplotlib.rcParams["font.size"] == 20
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_pictures_are_small_and_faithful(totals, tmp_path):
    figure = draw(totals, "power-vs-chunk")
    save(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size < 100_000
    whole = io.BytesIO()
    figure.savefig(whole, format="png", dpi=110, facecolor="white")
    with Image.open(whole) as one, Image.open(tmp_path / "figure.png") as other:
        difference = np.asarray(one.convert("RGB"), dtype=int) - np.asarray(other.convert("RGB"), dtype=int)
    assert np.abs(difference).max() <= 16


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("style", STYLES)
def test_nothing_is_cut_off(kind, style, rows_for):
    """Every text is within the figure, including savings and names outside the axes."""
    figure = draw(rows_for(kind), kind, style)
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    artists = [figure._suptitle, *figure.legends]  # type: ignore[attr-defined]
    for axes in figure.axes:
        artists += [axes, axes.xaxis, axes.yaxis, *axes.texts]
    for artist in artists:
        box = artist.get_tightbbox()
        if box is None:  # the empty axis above a strip
            continue
        assert box.x0 >= -2, artist
        assert box.y0 >= -2, artist
        assert box.x1 <= figure.bbox.x1 + 2, artist
        assert box.y1 <= figure.bbox.y1 + 2, artist


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"trade-off"}))  # whose points may lie on each other
@pytest.mark.parametrize("style", STYLES)
def test_no_words_lie_on_each_other(kind, style, rows_for):
    """Tick labels and notes of a panel overlap by at most a fifth of their height."""
    figure = draw(rows_for(kind), kind, style)
    figure.draw_without_rendering()
    for axes in figure.axes:
        words = [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels()]
        boxes = [(word, word.get_window_extent()) for word in words if word.get_text() and not word.get_rotation() % 90]
        for i, (word, box) in enumerate(boxes):
            for other, its in boxes[:i]:
                across = min(box.x1, its.x1) - max(box.x0, its.x0)
                up = min(box.y1, its.y1) - max(box.y0, its.y0)
                separate = across <= 0.5 or up <= 0.2 * min(box.height, its.height)
                assert separate, f"{word.get_text()!r} overlaps {other.get_text()!r} in {axes.get_label()}"


def test_bad_paths_are_refused(totals, tmp_path):
    figure = draw(totals, "latency-vs-chunk")
    with pytest.raises(PlotError, match=r"unknown format of .*; the name must end in \.png, \.svg, \.pdf"):
        save(figure, tmp_path / "figure.gif")
    with pytest.raises(PlotError, match="does not exist"):
        save(figure, tmp_path / "nowhere" / "figure.png")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_nothing_behind(totals, tmp_path, monkeypatch):
    figure = draw(totals, "latency-vs-chunk")
    (tmp_path / "figure.svg").write_text("old", encoding="utf-8")

    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(MemoryError):
        save(figure, tmp_path / "figure.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["figure.svg"]
    assert (tmp_path / "figure.svg").read_text(encoding="utf-8") == "old"


def test_importing_plotting_loads_neither_matplotlib_nor_pandas():
    code = (
        "import sys; from foldsim import plotting; plotting.KINDS; "
        "print([m for m in ('matplotlib', 'pandas', 'pydantic', 'yaml', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
