"""Measurements against predictions: one panel per quantity, every number at its place."""

from __future__ import annotations

import numpy as np

from foldsim.plotting import draw
from foldsim.sweeps.results import Results

KIND = "predicted-vs-measured"


def rows(**changes):
    columns = {
        "group": ["a", "a", "b", "b"],
        "target": ["one", "one", "two", "three"],
        "quantity": ["latency", "energy", "latency", "latency"],
        "unit": ["ms", "uJ", "ms", "ms"],
        "measured_low": [1.0, 50.0, 20.0, 0.1],
        "measured_high": [1.0, 50.0, 20.0, 0.1],
        "predicted": [1.2, 40.0, 90.0, 0.1],
        "predicted_low": [0.9, 30.0, 60.0, 0.05],
        "predicted_high": [1.5, 60.0, 120.0, 0.2],
        "inside": [True, True, False, True],
    }
    columns.update(changes)
    return Results({k: np.array(v, dtype=object if isinstance(v[0], str) else None) for k, v in columns.items()})


def points(axes):
    found = [line for line in axes.get_lines() if line.get_marker() not in ("None", "", None)]
    return sorted((float(x), float(y)) for line in found for x, y in zip(*line.get_data(), strict=True))


def test_a_panel_per_quantity_with_every_number():
    latency, energy = draw(rows(), KIND).axes
    assert [axes.get_label() for axes in (latency, energy)] == ["latency", "energy"]
    assert points(latency) == [(0.1, 0.1), (1.0, 1.2), (20.0, 90.0)]
    assert points(energy) == [(50.0, 40.0)]
    assert latency.get_xscale() == latency.get_yscale() == "log"


def test_what_lies_outside_its_band_is_hollow():
    latency, _ = draw(rows(), KIND).axes
    hollow = [line for line in latency.get_lines() if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert [tuple(line.get_xdata()) for line in hollow] == [(20.0,)]


def test_published_ranges_keep_their_panels():
    ranges = rows(measured_high=[2.0, 60.0, 30.0, 0.2])
    assert len(draw(ranges, KIND).axes) == 3  # one per target
