"""docs/tipping-points.md tells the truth: its output is the tool's, its commands run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from foldsim.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "tipping-points.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_output_is_the_tools() -> None:
    """If a model or a profile has changed, put what the command prints in the page, and read it again."""
    (block,) = [b for b in BLOCKS if b.startswith("$ foldsim ")]
    command, _, output = block.removeprefix("$ foldsim ").partition("\n")
    assert CliRunner().invoke(app, command.split()).stdout == output


@pytest.mark.parametrize(
    "command", [line for b in BLOCKS for line in b.splitlines() if re.match(r"foldsim (tipping-point|workload) ", line)]
)
def test_commands_run(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, command.split()[1:])
    assert result.exit_code == 0, result.output
