"""``foldsim workload list``, ``show``, ``diff`` and ``new`` as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from foldsim.data import shipped

Foldsim = Callable[..., Result]


def test_list_says_what_a_workload_is(foldsim: Foldsim) -> None:
    header, *lines = foldsim("workload", "list").stdout.splitlines()
    assert header.split() == ["name", "parameters", "chunk", "ms", "step", "ms", "title"]
    assert [line.split()[0] for line in lines] == list(shipped("workloads"))
    line = next(line for line in lines if line.startswith("emformer-rnnt-base "))
    assert line.split()[:4] == ["emformer-rnnt-base", "76,738,049", "160", "40"]
    assert "Emformer RNN-T base" in line


def test_list_as_json_has_components_chunks_and_source(foldsim: Foldsim) -> None:
    records = {r["name"]: r for r in json.loads(foldsim("workload", "list", "--json").stdout)}
    assert list(records) == list(shipped("workloads"))
    base = records["emformer-rnnt-base"]
    assert base["params_count"] == 76_738_049
    components = {"front_end": 0, "encoder": 63_605_760, "predictor": 8_932_864, "joiner": 4_199_425}
    assert base["params_count_by_component"] == components
    assert (base["token_ms"], base["chunk_ms"], base["chunk_step_ms"]) == (40, 160, 40)
    assert records["fastconformer-large-ctc"]["chunk_ms_published"] == [80, 160, 560, 1120]
    assert base["source"]["kind"] == "paper"
    assert base["source"]["title"].startswith("torchaudio")


def test_show_as_json_has_the_numbers_of_the_table(foldsim: Foldsim) -> None:
    details = json.loads(foldsim("workload", "show", "emformer-rnnt-base", "--fold", "2", "--json").stdout)
    assert details["variant"] == "fold=2"
    assert details["params_count"] == sum(c["params_count"] for c in details["components"]) == 60_988_929
    assert details["evaluated_chunk_ms"] == 160
    encoder = next(c for c in details["components"] if c["name"] == "encoder")
    ops = [op for op in details["ops"] if op["component"] == "encoder"]
    assert sum(op["macs"] * op["repeat"] for op in ops) == encoder["macs_per_invocation"]
    query = next(op for op in ops if op["op"] == "query")
    assert [query[key] for key in ("m", "k", "n", "batch", "steps")] == [10, 256, 256, 1, 1]  # 2 x 5 rows of 512 / 2
    assert next(op for op in ops if op["op"] == "norm_in")["m"] is None
    assert foldsim("workload", "show", "emformer-rnnt-base").stdout.count("paper: torchaudio") == 1


@pytest.mark.parametrize("name", sorted(shipped("workloads")))
def test_every_workload_is_shown_in_100_columns(foldsim: Foldsim, name: str) -> None:
    result = foldsim("workload", "show", name)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_show_prints_every_op_with_its_shape(foldsim: Foldsim) -> None:
    """The query projection of the Emformer: 5 rows, 512 x 512 weights and 512 biases in one byte each."""
    shown = foldsim("workload", "show", "emformer-rnnt-base").stdout
    (query,) = [line.split() for line in shown.splitlines() if line.strip().startswith("query")]
    assert query == ["query", "5", "512", "512", f"{5 * 512 * 512:,}", f"{512 * 513:,}", "263", "kB"]
    (keys,) = [line.split() for line in shown.splitlines() if line.strip().startswith("key_value")]
    assert keys[-2:] == ["30.7", "kB"]  # 30 tokens of keys and values of 512
    (scores,) = [line.split() for line in shown.splitlines() if line.strip().startswith("scores")]
    assert scores == ["scores", "5", "64", "35", "8", f"{5 * 64 * 35 * 8:,}"]
    assert "76,738,049 parameters (as published)" in shown


def test_show_takes_variants(foldsim: Foldsim) -> None:
    folded = foldsim("workload", "show", "emformer-rnnt-base", "--variant", "fold=2").stdout
    assert "variant fold=2" in folded
    assert "60,988,929 parameters;" in folded
    rest = folded.split("\n", 3)[3]
    for other in (("emformer-rnnt-base", "--fold", "2"), ("emformer-rnnt-base,fold=2",)):
        assert foldsim("workload", "show", *other).stdout.split("\n", 3)[3] == rest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--chunk-ms", "45"), "nearest: 40 ms or 80 ms"),
        (("--fold", "3"), "does not divide"),
        (("--fold", "2", "--variant", "attention=favor"), "give one of them"),
        (("--variant", "fodl=2"), "did you mean 'fold'"),
    ],
)
def test_show_refuses(foldsim: Foldsim, arguments: tuple[str, ...], message: str) -> None:
    result = foldsim("workload", "show", "emformer-rnnt-base", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_diff_of_a_variant(foldsim: Foldsim) -> None:
    """Folding all layers by two leaves a quarter of 4 D^2 projections: 63,605,760 -> 47,856,640 parameters."""
    result = foldsim("workload", "diff", "emformer-rnnt-base", "--variant", "fold=2")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("encoder"))
    assert lines[at].split() == ["encoder", "parameters", "63,605,760", "47,856,640", "0.752"]
    assert lines[at + 1].split() == ["MACs", "per", "chunk", "320,458,752", "271,613,952", "0.848"]
    assert lines[at + 3].split() == ["state", "614", "kB", "614", "kB", "="]
    assert any(line.split() == ["folding.factor", "-", "2"] for line in lines)
    assert max(map(len, lines)) <= 120
    record = json.loads(foldsim("workload", "diff", "emformer-rnnt-base", "--variant", "fold=2", "--json").stdout)
    assert record["first"]["components"]["encoder"]["params"] == 63_605_760
    assert record["second"]["variant"] == "fold=2"
    assert (
        record["second"]["components"]["total"]["macs_per_chunk"]
        < record["first"]["components"]["total"]["macs_per_chunk"]
    )
    assert {"key": "folding.factor", "first": "-", "second": "2"} in record["differences"]
    again = foldsim("workload", "diff", "emformer-rnnt-base", "emformer-rnnt-base,fold=2").stdout
    assert again == result.stdout


def test_diff_of_two_workloads(foldsim: Foldsim, data_dir: Path) -> None:
    result = foldsim("workload", "diff", "emformer-rnnt-base", data_dir / "closed_form_workload.yaml")
    assert result.exit_code == 0, result.output
    for words in ("only in A", "encoder.emformer", "emformer x20", "streaming.right_context_tokens"):
        assert words in result.stdout
    same = foldsim("workload", "diff", "emformer-rnnt-base", "emformer-rnnt-base")
    assert "The options are the same." in same.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("emformer-rnnt-base",), "give two workloads, or one and --variant"),
        (("emformer-rnnt-base", "emformer-rnnt-bass"), "did you mean 'emformer-rnnt-base'"),
        (("emformer-rnnt-base", "--variant", "fold=3"), "does not divide"),
        (("emformer-rnnt-base", "--variant", "fold=2", "--chunk-ms", "45"), "45 ms is not a multiple"),
    ],
)
def test_diff_refuses(foldsim: Foldsim, arguments: tuple[str, ...], message: str) -> None:
    result = foldsim("workload", "diff", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_new_writes_a_valid_file_and_keeps_what_is_there(foldsim: Foldsim, tmp_path: Path) -> None:
    result = foldsim("workload", "new", "mine", "-o", "mine.yaml")
    assert result.exit_code == 0, result.output
    assert "foldsim workload validate mine.yaml" in result.stderr
    assert foldsim("workload", "validate", "mine.yaml").exit_code == 0
    assert "mine.yaml: valid" in foldsim("workload", "validate", "mine.yaml").stderr
    (tmp_path / "mine.yaml").write_text("# my work\n")
    refused = foldsim("workload", "new", "mine", "-o", "mine.yaml")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert (tmp_path / "mine.yaml").read_text() == "# my work\n"
    assert foldsim("workload", "new", "mine", "-o", "mine.yaml", "--force").exit_code == 0
    assert (tmp_path / "mine.yaml").read_text() == foldsim("workload", "new", "mine").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("My Encoder",), "such as my-encoder"),
        (("mine", "--from", "emformer-rnnt"), "did you mean 'emformer-rnnt-base'"),
        (("mine", "-o", "mine.txt"), "ends in .yaml"),
        (("mine", "-o", "no/mine.yaml"), "does not exist"),
    ],
)
def test_new_refuses(foldsim: Foldsim, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = foldsim("workload", "new", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []
