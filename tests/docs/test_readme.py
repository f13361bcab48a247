"""The README tells the truth: its table is the tool's, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from foldsim.cli.app import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_is_what_the_tool_prints() -> None:
    printed = CliRunner().invoke(app, ["sweep", "-p", "phone-npu"]).stdout
    block = next(b for b in re.findall(r"```\n(.*?)```", README, re.S) if "emformer-rnnt-base on phone-npu" in b)
    assert block.strip() in printed


def test_quick_start_has_exactly_two_commands() -> None:
    section = README.split("## Quick start")[1].split("## ")[0]
    commands = [line.split("#")[0].strip() for line in re.findall(r"```\n(.*?)```", section, re.S)[0].splitlines()]
    assert commands == ["make sweep", "make test"]


def test_links_and_pictures_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
