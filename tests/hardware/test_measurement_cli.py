"""``foldsim profile measure`` as a user calls it; the measurement itself is stubbed, for it takes a minute."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from foldsim.cli.app import app
from foldsim.cli.measure import _THREAD_VARIABLES
from foldsim.hardware.measurement import build, session


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """Run the command in an empty folder; the text of the profile is its name."""
    monkeypatch.chdir(tmp_path)
    for variable in _THREAD_VARIABLES:
        monkeypatch.setenv(variable, "1")  # set back after the test
    monkeypatch.setattr(build, "profile_text", lambda measured, name: f"{measured}: {name}\n")
    monkeypatch.setattr(build, "default_name", lambda measured: "given")

    def stub(runtime, threads, quick, progress, clock):
        progress("a step")
        return f"{runtime.name} {threads} {quick}"

    monkeypatch.setattr(session, "measure", stub)

    def run(*arguments):
        return CliRunner().invoke(app, ["profile", "measure", *arguments])

    return run


def test_the_profile_goes_to_standard_output(measure):
    result = measure()
    assert result.exit_code == 0
    assert result.stdout == "numpy 1 False: given\n"
    assert "a step" in result.stderr


def test_the_profile_goes_to_a_file_and_takes_its_name(measure, tmp_path):
    assert measure("-o", "Lap-Top.yaml", "--threads", "2", "--quick").exit_code == 0
    assert (tmp_path / "Lap-Top.yaml").read_text(encoding="utf-8") == "numpy 2 True: lap-top\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--runtime", "tensorflow"], "numpy, torch, onnxruntime"),
        (["Two Words"], "no name of a profile"),
        (["-o", "missing/x.yaml"], "is not a folder"),
    ],
)
def test_wrong_arguments_are_said(measure, arguments, said):
    result = measure(*arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_missing_runtime_is_said(measure, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "foldsim.hardware.measurement.runtime_torch", raising=False)
    result = measure("--runtime", "torch")
    assert result.exit_code == 2
    assert "pip install torch" in result.stderr
    assert "Traceback" not in result.stderr
