"""The figures of docs/variants show the data of today, and every variant has its page."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from foldsim.workload.attention import ATTENTION_KINDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in (ROOT / "docs" / "variants").glob("*.md") if path.stem != "README")


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("plots_variants", ROOT / "plots" / "variants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_figures_show_the_data_of_today(figures):
    assert figures.changed() == [], "run: make gallery"


def test_every_figure_is_there_and_on_a_page(figures):
    shown = {name for page in PAGES for name in re.findall(r"gallery/variants/([\w-]+)\.png", page.read_text())}
    drawn = {comparison.name for comparison in figures.COMPARISONS}
    assert shown == drawn == {path.stem for path in figures.FOLDER.glob("*.png")}


def test_every_attention_kind_has_a_page():
    text = "".join(page.read_text() for page in PAGES)
    for kind in ATTENTION_KINDS:
        (name,) = get_args(kind.model_fields["kind"].annotation)
        assert f"kind: {name}" in text, name


def test_the_index_names_every_page():
    index = (ROOT / "docs" / "variants" / "README.md").read_text()
    assert [page.name for page in PAGES if f"({page.name})" not in index] == []


@pytest.mark.parametrize("name", ["folded", "favor", "focused-linear"])
def test_macs_cross_at_the_published_key_counts(figures, name):
    """D = 512, H = 8: 2 D / N = 512 keys; 2 m (1 + 1 / 4 dh) = 534; dh + (k + 1) / 2 = 67."""
    keys = {"folded": 512, "favor": 534, "focused-linear": 67}[name]
    (comparison,) = (c for c in figures.COMPARISONS if c.name == name)
    _, left, ratios = figures.panels(comparison)[0]
    other_keys = 3  # a chunk of 2 tokens and 1 of right context
    side = np.sign(left + other_keys - keys)  # 64 + 3 keys are the tie itself
    better = np.sign(np.round(1.0 - ratios["macs_per_chunk"], 12))
    assert better.tolist() == (-side if name == "folded" else side).tolist()
