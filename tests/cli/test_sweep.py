"""``foldsim sweep`` as a user types it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import read_results

Foldsim = Callable[..., Result]
SMALL = ("sweep", "-p", "phone-npu", "--chunk-ms", "40,160")


def test_main_job_prints_the_answer_and_writes_results_and_plots(foldsim: Foldsim, tmp_path: Path) -> None:
    result = foldsim("sweep")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    for word in ("baseline", "folded", "saving", "bottleneck", "real time", "fits"):
        assert word in result.stdout
    for profile in ("phone-npu", "pixel5-cpu", "watch-npu", "coral-edge-tpu", "gap9"):
        assert f"on {profile} (" in result.stdout
    folder = tmp_path / "foldsim-results"
    rows = read_results(folder / "sweep.csv")
    large = rows["workload"] == "emformer-rnnt-base"
    assert large.sum() == 4 * 6 * 2
    assert set(rows["workload"][~large]) == {"mlperf-tiny-sww"}
    assert set(rows["profile"][~large]) == {"gap9"}
    assert rows["fits"].all()  # no row of the first table says only that the model does not fit
    assert "too little for the 77 M weights" in " ".join(result.stdout.split())
    assert [p.name for p in sorted(folder.glob("*.png"))]
    for file in folder.iterdir():
        assert file.stat().st_size > 1000
        assert file.name in result.stderr


def test_table_shows_the_numbers_of_the_result_file(foldsim: Foldsim, tmp_path: Path) -> None:
    table = foldsim(*SMALL).stdout
    assert foldsim(*SMALL, "-o", "r.csv").exit_code == 0
    rows = read_results(tmp_path / "r.csv")
    for power in rows["power_mw"]:
        assert f"{power:.1f}" in table or f"{power:.0f}" in table


def test_csv_has_the_columns_of_the_dictionary_in_order(foldsim: Foldsim) -> None:
    text = foldsim(*SMALL, "--format", "csv").stdout
    first, rest = text.split("\n", 1)
    origin = json.loads(first.removeprefix("# foldsim "))
    assert [i["name"] for i in origin["inputs"]] == ["emformer-rnnt-base", "phone-npu"]
    assert all(len(i["sha256"]) == 64 for i in origin["inputs"])
    header = next(csv.reader(io.StringIO(rest)))
    known = [name for name, column in columns().items() if column.group not in ("by", "validation", "tipping")]
    sampled = [name for name in known if "_sampled_" in name]
    assert header == [name for name in known if name not in sampled]
    with_samples = foldsim(*SMALL, "--format", "csv", "--sample", 20, "--seed", 1).stdout.split("\n", 1)[1]
    assert next(csv.reader(io.StringIO(with_samples))) == known
    assert len(sampled) == 9


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_output_suffix_picks_the_format(foldsim: Foldsim, tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="Parquet is an extra")
    assert foldsim(*SMALL, "-o", f"r{suffix}").exit_code == 0
    assert len(read_results(tmp_path / f"r{suffix}")) == 4


@pytest.mark.parametrize("by", ["component", "op"])
def test_by_puts_its_columns_in_front(foldsim: Foldsim, tmp_path: Path, by: str) -> None:
    assert foldsim(*SMALL, "--by", by, "-o", "r.csv").exit_code == 0
    names = list(read_results(tmp_path / "r.csv").columns)
    front = ["component"] if by == "component" else ["component", "layer", "op", "m", "k", "n", "batch"]
    assert names[: len(front)] == front
    assert foldsim(*SMALL, "--by", by).exit_code == 0


def test_set_sweeps_values_and_becomes_a_column(foldsim: Foldsim, tmp_path: Path) -> None:
    path = "profile.memory_levels.dram.read_pj_per_byte"
    result = foldsim(*SMALL, "--set", f"{path}=40,80", "--set", "workload.decoding.symbols_per_s=2,8", "-o", "r.csv")
    assert result.exit_code == 0, result.output
    rows = read_results(tmp_path / "r.csv")
    assert len(rows) == 2 * 2 * 2 * 2
    assert sorted(set(rows[path].tolist())) == [40, 80]
    cheap = rows["power_mw"][(rows[path] == 40) & (rows["chunk_ms"] == 40)]
    dear = rows["power_mw"][(rows[path] == 80) & (rows["chunk_ms"] == 40)]
    assert (dear > cheap).all()


def test_design_file_gives_the_same_rows_as_options(foldsim: Foldsim, tmp_path: Path) -> None:
    (tmp_path / "design.yaml").write_text(
        "profiles: [phone-npu]\nchunk_ms: [40.0, 160.0]\nfold: [1, 2]\nfold_layers: 1-10\n"
        "sets: {profile.system.idle_mw: [1.0, 2.0]}\n"
    )
    assert foldsim("sweep", "design.yaml", "-o", "a.csv").exit_code == 0
    options = ("--fold", "1,2", "--fold-layers", "1-10", "--set", "profile.system.idle_mw=1,2")
    assert foldsim(*SMALL, *options, "-o", "b.csv").exit_code == 0
    a, b = read_results(tmp_path / "a.csv"), read_results(tmp_path / "b.csv")
    assert {k: v.tolist() for k, v in a.columns.items()} == {k: v.tolist() for k, v in b.columns.items()}


def test_options_override_the_design_file(foldsim: Foldsim, tmp_path: Path) -> None:
    (tmp_path / "design.yaml").write_text("profiles: [phone-npu]\nchunk_ms: '40:160:40'\n")
    assert foldsim("sweep", "design.yaml", "--chunk-ms", "320", "-o", "r.csv").exit_code == 0
    assert set(read_results(tmp_path / "r.csv")["chunk_ms"].tolist()) == {320}


def test_savings_are_against_a_baseline_that_was_not_asked_for(foldsim: Foldsim, tmp_path: Path) -> None:
    assert foldsim(*SMALL, "--fold", "2", "-o", "only.csv").exit_code == 0
    assert foldsim(*SMALL, "--fold", "1,2", "-o", "both.csv").exit_code == 0
    only, both = read_results(tmp_path / "only.csv"), read_results(tmp_path / "both.csv")
    assert set(only["fold_factor"].tolist()) == {2}
    folded = both.where(both["fold_factor"] == 2)
    assert only["power_saving_ratio"].tolist() == folded["power_saving_ratio"].tolist()


@pytest.mark.parametrize(
    "options",
    [
        ("--policy", "slowest-real-time"),
        ("--policy", "nominal"),
        ("--placement", "dram"),
        ("--placement", "pinned:joiner"),
        ("--fold", "1,2,4"),
        ("--fold-scope", "attention+feedforward"),
        ("--fold-heads", "keep_heads"),
        ("--fold-layers", "every:2"),
        ("--chunk-ms", "40:160:40"),
    ],
)
def test_every_option_runs(foldsim: Foldsim, options: tuple[str, ...]) -> None:
    result = foldsim(*SMALL, *options)
    assert result.exit_code == 0, result.output
    assert "phone-npu" in result.stdout


BAD = [
    (("--chunk-ms", "50"), "nearest: 40 ms or 80 ms"),
    (("--chunk-ms", "abc"), "--chunk-ms: cannot read 'abc'"),
    (("--chunk-ms", "0"), "above zero"),
    (("--chunk-ms", "160:40:40"), "empty"),
    (("--chunk-ms", ""), "--chunk-ms is empty"),
    (("--fold", "3"), "N = 1, 2, 4, 8"),
    (("--fold", "1.5"), "whole numbers"),
    (("--fold-layers", "1-30"), "foldable layers 1 to 20"),
    (("--fold-layers", "x"), "cannot read 'x'"),
    (("--fold-heads", "keepheads"), "keep_head_dim, keep_heads"),
    (("--fold-scope", "ffn"), "attention+feedforward"),
    (("--policy", "fast"), "race-to-idle, slowest-real-time"),
    (("--placement", "sram"), "auto, dram, pinned:COMPONENT"),
    (("--placement", "pinned:joinr"), "front_end, encoder, predictor, joiner"),
    (("--by", "layer"), "total, component, op"),
    (("--format", "xml"), "table, csv, jsonl"),
    (("--set", "profile.system.idle_mw"), "path=value"),
    (("--set", "chip.x=1"), "starts with 'workload.' or 'profile.'"),
    (("--set", "profile.memory_levels.drm.read_pj_per_byte=1"), "did you mean 'dram'"),
    (("--set", "profile.memory_levels.dram.read_pj_per_byte=-1"), "at least 0"),
    (("--set", "workload.precision.weights=int5"), "int4, int8, int16, fp16, bf16, fp32"),
    (("--set", "profile.system=1"), "names a whole section"),
    (("-w", "emformer-rnt-base"), "did you mean 'emformer-rnnt-base'"),
    (("-p", "phone-np"), "did you mean 'phone-npu'"),
    (("-p", "missing.yaml"), "no such file"),
    (("-o", "r.txt"), ".csv, .jsonl, .parquet"),
    (("-o", "no/such/folder/r.csv"), "does not exist"),
    (("--fol", "2"), "--fold"),
]


@pytest.mark.parametrize(("options", "told"), BAD, ids=[" ".join(o) for o, _ in BAD])
def test_bad_options_say_what_is_allowed_and_leave_nothing_behind(
    foldsim: Foldsim, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    result = foldsim("sweep", *options)
    assert result.exit_code == 2, result.output
    assert told in result.stderr.replace("\n", " ")
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_all_bad_options_are_told_at_once(foldsim: Foldsim) -> None:
    result = foldsim("sweep", "--chunk-ms", "50", "--fold", "3", "--policy", "fast", "--by", "layer")
    for told in ("50 ms", "--fold: 3", "'fast'", "'layer'"):
        assert told in result.stderr


def test_bad_profile_is_located(foldsim: Foldsim, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("name: x\nnmae: z\n")
    result = foldsim("sweep", "-p", "p.yaml")
    assert result.exit_code == 2
    assert "p.yaml:2:1: error: unknown key `nmae`" in result.stderr
