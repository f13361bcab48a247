"""Files about the project say what the project is: citation, continuous integration, oldest dependencies."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from foldsim import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read_yaml(name: str) -> dict:
    """A YAML file of the repository."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version() -> None:
    citation = read_yaml("CITATION.cff")
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["license"]


def test_the_workflow_runs_the_whole_check_on_supported_pythons() -> None:
    workflow = read_yaml(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    commands = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in workflow["jobs"].items()}
    assert commands == {"check": [".ci/run"], "oldest": ["make test-oldest"], "site": ["make site"]}
    pythons = workflow["jobs"]["check"]["strategy"]["matrix"]["python"]
    assert f">={pythons[0]}" == PROJECT["requires-python"]


def test_targets_named_by_the_workflow_and_the_guide_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = set(re.findall(r"\bmake ([a-z-]+)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert {"test", "site", "test-oldest"} <= named <= targets


def test_hooks_before_a_commit_use_no_repository_of_hooks() -> None:
    assert {repo["repo"] for repo in read_yaml(".pre-commit-config.yaml")["repos"]} == {"local"}


def test_oldest_versions_are_the_lower_bounds() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "oldest.py"], capture_output=True, text=True, check=True
    ).stdout
    assert done.splitlines() == [requirement.replace(">=", "==") for requirement in PROJECT["dependencies"]]


def test_other_requirements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools")
    from oldest import oldest  # type: ignore[import-not-found]

    with pytest.raises(ValueError, match=r"numpy>=1,<2"):
        oldest(["numpy>=1,<2"])
