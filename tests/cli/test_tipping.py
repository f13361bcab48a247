"""``foldsim tipping-point`` as a user types it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from foldsim.sweeps.results import read_results

Foldsim = Callable[..., Result]
SMALL = ("tipping-point", "emformer-rnnt-base", "phone-npu", "--chunk-ms", "160,1280")


def lines_of(result: Result, start: str) -> list[list[str]]:
    """Cells of the table rows whose first cell is given, two spaces apart."""
    return [
        [cell for cell in line.split("  ") if cell.strip()]
        for line in result.stdout.splitlines()
        if line.strip().startswith(start)
    ]


def test_the_question_everybody_has(foldsim: Foldsim) -> None:
    """Baseline against folded by two, on the shipped phone: work breaks even at 2 D / N = 512 keys."""
    result = foldsim("tipping-point")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("emformer-rnnt-base fold=2 against baseline on phone-npu\n")
    for chunk in ("40", "80", "160", "320", "640", "1280"):
        keys, saving = lines_of(result, f"{chunk} ")
        assert keys[1].strip() == "up to 512"
        assert keys[2].strip().startswith("up to ")
        assert all(cell.strip().endswith("%") for cell in saving[2:])
    assert "Chunk sizes at which it pays" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_metrics_are_chosen(foldsim: Foldsim) -> None:
    result = foldsim(*SMALL, "--metric", "macs", "--variant", "fold=4", "--variant", "attention=favor")
    assert result.exit_code == 0, result.output
    assert "energy" not in result.stdout
    cells = [row[1].strip() for row in lines_of(result, "160 ")]
    assert cells[0] == "up to 256"
    assert cells[2] == "from 535"


def test_two_workloads(foldsim: Foldsim, data_dir: Path) -> None:
    result = foldsim(*SMALL, "--against", data_dir / "closed_form_workload.yaml", "--metric", "macs,memory")
    assert result.exit_code == 0, result.output
    assert "emformer-rnnt-base against closed-form-workload on phone-npu" in result.stdout
    assert lines_of(result, "160 ")[0][1:] == ["never", "never"]


def test_variants_against_variants(foldsim: Foldsim) -> None:
    """Both fold; the one with the feedforward network needs less work everywhere."""
    both = "fold=2,fold_scope=attention+feedforward"
    result = foldsim(*SMALL, "--variant", both, "--against", "fold=2", "--metric", "macs")
    assert result.exit_code == 0, result.output
    assert lines_of(result, "160 ")[0][1].strip() == "always"
    back = foldsim(*SMALL, "--variant", "fold=2", "--against", both, "--metric", "macs")
    assert lines_of(back, "160 ")[0][1].strip() == "never"
    same = foldsim(*SMALL, "--variant", "fold=2", "--against", "emformer-rnnt-base,fold=2")
    assert {cell.strip() for cell in lines_of(same, "160 ")[0][1:]} == {"equal"}


def test_settings_change_the_answer(foldsim: Foldsim) -> None:
    """With weights that cost nothing to fetch, folding stops paying earlier."""
    plain = foldsim(*SMALL, "--metric", "energy", "--format", "csv")
    free = foldsim(
        *SMALL, "--metric", "energy", "--format", "csv", "--set", "profile.memory_levels.dram.read_pj_per_byte=0"
    )
    first, second = (next(csv.DictReader(io.StringIO(r.stdout.split("\n", 1)[1]))) for r in (plain, free))
    assert int(second["keys_tokens"]) < int(first["keys_tokens"])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_files_carry_rows_and_provenance(foldsim: Foldsim, tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="Parquet is an extra")
    result = foldsim(*SMALL, "--against", "emformer-rnnt-base,fold=4", "--variant", "fold=2", "-o", f"t{suffix}")
    assert result.exit_code == 0, result.output
    rows = read_results(tmp_path / f"t{suffix}")
    assert set(rows["metric"].tolist()) == {"macs", "energy", "latency", "memory"}
    assert set(rows["against"].tolist()) == {"fold=4"}
    names = [(i["kind"], i["name"]) for i in rows.provenance["inputs"]]
    assert names == [("workload", "emformer-rnnt-base"), ("profile", "phone-npu")]
    assert all(len(i["sha256"]) == 64 for i in rows.provenance["inputs"])


def test_rows_can_be_drawn(foldsim: Foldsim, tmp_path: Path) -> None:
    assert foldsim(*SMALL, "-o", "t.csv").exit_code == 0
    result = foldsim("plot", "t.csv")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "break-even.png").stat().st_size > 1000


def test_printed_rows_are_those_of_a_file(foldsim: Foldsim, tmp_path: Path) -> None:
    assert foldsim(*SMALL, "-o", "t.jsonl").exit_code == 0
    printed = foldsim(*SMALL, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in printed[1:]] == [
        json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()[1:]
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--metric", "energie"), "did you mean 'energy'"),
        (("--variant", "fodl=2"), "did you mean 'fold'"),
        (("--variant", "fold=3", "--variant", "attention=favr"), "did you mean 'favor'"),
        (("--variant", "fold=3"), "allowed: N = 1, 2, 4, 8"),
        (("--against", "emformer-rnnt"), "did you mean 'emformer-rnnt-base'"),
        (("--chunk-ms", "45"), "not a multiple of the 40 ms token"),
        (("--max-keys", "20"), "has as many already"),
        (("--format", "xml"), "allowed: table, csv, jsonl"),
        (("--format", "csv", "-o", "t.csv"), "the suffix of the file picks the format"),
        (("-o", "t.txt"), ".csv, .jsonl, .parquet"),
        (("--set", "profile.system.idle_mw=1,2"), "takes one value"),
        (("--policy", "fast"), "neither a policy nor an operating point"),
        (("--placement", "pinned:joinr"), "cannot pin 'joinr'"),
    ],
)
def test_refusals(foldsim: Foldsim, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    result = foldsim(*SMALL, *arguments)
    assert result.exit_code == 2, result.output
    assert told in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_every_problem_at_once(foldsim: Foldsim) -> None:
    result = foldsim("tipping-point", "emformer-rnnt-base", "phone-npu", "gap9", "--chunk-ms", "45", "--policy", "fast")
    assert result.exit_code == 2
    assert "45 ms is not a multiple" in result.stderr
    assert "nor an operating point of phone-npu" in result.stderr
    assert "nor an operating point of gap9" in result.stderr


def test_what_cannot_be_folded_says_what_to_ask_instead(foldsim: Foldsim) -> None:
    result = foldsim("tipping-point", "saep-speaker")
    assert result.exit_code == 2
    assert "allowed: N = 1" in result.stderr
    assert "--variant, such as attention=favor" in result.stderr
