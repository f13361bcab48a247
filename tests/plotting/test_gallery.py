"""The gallery shows every kind and its page is current."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from foldsim.plotting import KINDS

PLOTS = Path(__file__).resolve().parents[2] / "plots"


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("plots_gallery", PLOTS / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_every_kind_is_shown_once(gallery):
    assert sorted(picture.kind for picture in gallery.PICTURES) == sorted(KINDS)


def test_page_is_current(gallery):
    assert (PLOTS / "README.md").read_text(encoding="utf-8") == gallery.readme(), "run: make gallery"


def test_pictures_show_the_data_of_today(gallery):
    """Plotted data, not pixels: a change of the model, of the shipped files or of a figure shows here."""
    assert gallery.changed() == [], "run: make gallery"


def test_a_change_of_the_data_is_reported(gallery, monkeypatch):
    current = gallery.hashes()
    monkeypatch.setattr(gallery, "hashes", lambda: {**current, "roofline": "another"})
    assert gallery.changed() == ["roofline"]
    assert gallery.main(["--check"]) == 1


def test_pictures_exist_and_are_small():
    found = {path.stem: path.stat().st_size for path in (PLOTS / "gallery").glob("*.png")}
    assert sorted(found) == sorted(KINDS)
    assert max(found.values()) < 100_000


def test_pictures_are_written(gallery, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "HERE", tmp_path)
    monkeypatch.setattr(gallery, "PICTURES", gallery.PICTURES[:1])
    assert gallery.main([]) == 0
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["README.md", "hashes.json", "power-vs-chunk.png"]
    assert gallery.main(["--else"]) == 2
