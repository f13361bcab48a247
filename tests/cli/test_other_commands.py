"""``simulate``, ``validate``, ``profile``, ``workload`` and ``plot`` as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from foldsim.data import shipped
from foldsim.sweeps.results import read_results

Foldsim = Callable[..., Result]


def test_simulate_explains_every_milliwatt(foldsim: Foldsim) -> None:
    result = foldsim("simulate", "emformer-rnnt-base", "phone-npu", "--chunk-ms", "160", "--fold", "2", "--json")
    assert result.exit_code == 0, result.output
    details = json.loads(result.stdout)
    assert sum(t["power_mw"] for t in details["power_terms"]) == pytest.approx(details["totals"]["power_mw"], rel=1e-9)
    assert sum(details["ops"]["power_mw"]) == pytest.approx(details["totals"]["power_mw"], rel=1e-9)
    for home in details["homes"]:
        assert sum(home["served_ratio"].values()) == pytest.approx(1.0, abs=1e-12)


def test_simulate_prints_a_page_of_at_most_120_columns(foldsim: Foldsim) -> None:
    result = foldsim("simulate")
    assert result.exit_code == 0, result.output
    for part in ("Where each milliwatt goes", "Where the time goes", "What lives where", "Ops by energy"):
        assert part in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 120


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--chunk-ms", "45", "--fold", "3"), "N = 3 does not divide"),
        (("--chunk-ms", "45", "--fold", "3"), "45 ms is not a multiple"),
        (("--fold", "0"), "at least 1"),
        (("--fold-layers", "1-3"), "need --fold N"),
        (("--set", "profile.system.idle_mw=1,2"), "use foldsim sweep"),
        (("--chunk-ms", "abc"), "Invalid value for '--chunk-ms'"),
    ],
)
def test_simulate_refuses(foldsim: Foldsim, arguments: tuple[str, ...], message: str) -> None:
    result = foldsim("simulate", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("kind", ["profile", "workload"])
def test_lists_and_shows_everything_shipped(foldsim: Foldsim, kind: str) -> None:
    names = list(shipped("hw_profiles" if kind == "profile" else "workloads"))
    listed = foldsim(kind, "list")
    assert listed.exit_code == 0, listed.output
    for name in names:
        assert name in listed.stdout
        assert foldsim(kind, "show", name).exit_code == 0
        assert foldsim(kind, "validate", name).exit_code == 0


def test_profile_show_gives_value_range_and_source(foldsim: Foldsim) -> None:
    shown = foldsim("profile", "show", "phone-npu").stdout
    line = next(x for x in shown.splitlines() if x.startswith("memory_levels.dram.read_pj_per_byte"))
    assert line.split() == ["memory_levels.dram.read_pj_per_byte", "80", "56", "144", "dram-energy"]
    assert "dram-energy (derived" in foldsim("profile", "show", "phone-npu", "--sources").stdout


def test_validation_errors_exit_1_and_are_located(foldsim: Foldsim, tmp_path: Path) -> None:
    text = shipped("hw_profiles")["phone-npu"].read_text()
    broken = text.replace("capacity_bytes:", "capacity_kb:", 1).replace(
        "source: npu-efficiency", "source: npu-eficiency", 1
    )
    (tmp_path / "p.yaml").write_text(broken)
    result = foldsim("profile", "validate", "p.yaml")
    assert result.exit_code == 1
    row = next(i for i, line in enumerate(broken.splitlines(), 1) if "capacity_kb" in line)
    assert f"p.yaml:{row}:5: error: unknown key `capacity_kb`" in result.stdout
    row = next(i for i, line in enumerate(broken.splitlines(), 1) if "source: npu-eficiency" in line)
    assert f"p.yaml:{row}:" in result.stdout
    assert "did you mean: npu-efficiency" in result.stdout
    assert "2 errors" in result.stderr


def test_workload_with_heads_that_do_not_divide_is_located(foldsim: Foldsim, tmp_path: Path) -> None:
    text = shipped("workloads")["emformer-rnnt-base"].read_text()
    (tmp_path / "w.yaml").write_text(text.replace("heads: 8", "heads: 7"))
    result = foldsim("workload", "validate", "w.yaml")
    assert result.exit_code == 1
    row = next(i for i, line in enumerate(text.splitlines(), 1) if "heads: 8" in line)
    assert f"w.yaml:{row}:" in result.stdout
    assert "7 heads do not divide the width 512" in result.stdout


def test_unknown_names_suggest(foldsim: Foldsim) -> None:
    result = foldsim("profile", "show", "phone-nup")
    assert result.exit_code == 2
    assert "did you mean 'phone-npu'" in result.stderr


def test_plot_draws_what_the_rows_allow(foldsim: Foldsim, tmp_path: Path) -> None:
    assert foldsim("sweep", "-p", "phone-npu", "-o", "r.csv").exit_code == 0
    result = foldsim("plot", "r.csv", "-k", "power-vs-chunk", "-o", "power.svg")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "power.svg").stat().st_size > 1000
    assert foldsim("plot", "r.csv", "-o", "figures").exit_code == 0
    assert len(list((tmp_path / "figures").glob("*.png"))) >= 4
    assert "power-vs-chunk" in foldsim("plot", "--list").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("r.csv", "-k", "powr-vs-chunk"), "did you mean 'power-vs-chunk'"),
        (("r.csv", "-k", "roofline"), "--by op"),
        (("r.csv", "-k", "power-vs-chunk", "-o", "x.bmp"), ".png, .svg, .pdf"),
        (("r.csv", "-o", "x.png"), "give one -k, or a folder"),
        (("missing.csv",), "No such file"),
        (("broken.csv",), "not a foldsim result file"),
        ((), "give a result file"),
    ],
)
def test_plot_refuses(foldsim: Foldsim, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    assert foldsim("sweep", "-p", "phone-npu", "--chunk-ms", "160", "-o", "r.csv").exit_code == 0
    (tmp_path / "broken.csv").write_text("a,b\n1\n")
    result = foldsim("plot", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.csv", "r.csv"]


@pytest.mark.parametrize("kind", ["profile", "workload"])
def test_schema_is_json_schema_of_the_format(foldsim: Foldsim, kind: str) -> None:
    schema = json.loads(foldsim(kind, "schema").stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"name", "title"} <= set(schema["required"])
    whole = schema["$defs"]["ProfileSpec"] if kind == "profile" else schema  # a derived profile needs less
    assert {"name", "title", "sources"} <= set(whole["required"])


def test_plot_of_one_chunk_size(foldsim: Foldsim, tmp_path: Path) -> None:
    assert foldsim("sweep", "-p", "phone-npu", "--by", "op", "-o", "r.csv").exit_code == 0
    result = foldsim("plot", "r.csv", "-k", "roofline", "--chunk-ms", "80", "--data", "points.csv")
    assert result.exit_code == 0, result.output
    assert len(read_results(tmp_path / "points.csv")) > 0
    refused = foldsim("plot", "r.csv", "-k", "roofline", "--chunk-ms", "100")
    assert refused.exit_code == 2
    assert "40, 80, 160, 320, 640, 1280 ms" in refused.stderr
