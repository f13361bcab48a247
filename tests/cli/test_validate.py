"""``foldsim validate`` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldsim.sweeps.results import read_results

BAD = """\
name: bad
title: A number far from any prediction
summary: Made up.
scope: chip rail
sources:
  paper: {title: A paper, kind: paper}
tolerance_ratio: {latency_ms: 0.4}
defaults: {workload: mlperf-tiny-kws, profile: gap9, chunk_ms: 1000, mode: busy}
targets:
  - id: one
    device: GAP9
    conditions: none
    source: paper
    measured:
      - {quantity: latency_ms, value: 1000.0}
omitted:
  - {row: other, device: A chip, reason: Nobody knows it.}
"""


def test_a_group_is_told_with_errors_bands_and_summary(foldsim):
    result = foldsim("validate", "--group", "tiling", "--group", "mlperf-tiny-ad")
    assert result.exit_code == 0, result.output
    for told in (
        "small-products",
        "stm32u575-160mhz-ad",
        "measured",
        "predicted",
        "band",
        "one left out",
        "nine in ten",
    ):
        assert told in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 120


def test_the_folding_paper_is_a_group(foldsim):
    result = foldsim("validate", "-g", "folding-paper")
    assert result.exit_code == 0, result.output
    for told in ("12-24 %", "11-23 %", "0.91-0.96", "half", "all", "Assumptions:"):
        assert told in result.stdout


def test_strict_fails_beyond_tolerance(foldsim, tmp_path: Path):
    (tmp_path / "bad.yaml").write_text(BAD, encoding="utf-8")
    loose = foldsim("validate", "-g", "bad.yaml")
    assert loose.exit_code == 0, loose.output
    for told in ("beyond tolerance", "not predicted: A chip. Nobody knows it.", "Beyond their tolerance: bad"):
        assert told in loose.stdout
    assert foldsim("validate", "-g", "bad.yaml", "--strict").exit_code == 1
    assert foldsim("validate", "-g", "tiling", "--strict").exit_code == 0


def test_strict_fails_where_nothing_can_be_predicted(foldsim, tmp_path: Path):
    (tmp_path / "bad.yaml").write_text(BAD.replace("profile: gap9", "profile: gap99"), encoding="utf-8")
    result = foldsim("validate", "-g", "bad.yaml", "--strict")
    assert result.exit_code == 1
    assert "not predicted: no profile named 'gap99'" in result.stdout


def test_errors_are_located(foldsim, tmp_path: Path):
    (tmp_path / "bad.yaml").write_text(BAD.replace("source: paper", "source: papre"), encoding="utf-8")
    result = foldsim("validate", "-g", "bad.yaml")
    assert result.exit_code == 2
    assert "bad.yaml:13:13: error: no source called 'papre'" in result.stderr


def test_an_unknown_group_has_a_suggestion(foldsim):
    result = foldsim("validate", "-g", "tilling")
    assert result.exit_code == 2
    assert "did you mean 'tiling'?" in result.stderr


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_rows_are_written_and_plotted(foldsim, tmp_path: Path, suffix: str):
    groups = [x for name in ("folding-paper", "tiling", "mlperf-tiny-ad") for x in ("-g", name)]
    assert foldsim("validate", *groups, "-o", f"v.{suffix}").exit_code == 0
    rows = read_results(tmp_path / f"v.{suffix}")
    assert {"size saving", "power saving", "small-products", "gap9-240mhz-ad"} <= set(rows["target"].tolist())
    assert (rows["predicted_low"] <= rows["predicted"] * (1 + 1e-9)).all()
    assert foldsim("plot", f"v.{suffix}", "-k", "predicted-vs-measured", "-o", "v.png").exit_code == 0
    assert (tmp_path / "v.png").stat().st_size > 10_000
