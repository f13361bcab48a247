"""``foldsim profile measure`` as a user calls it; the measurement itself is stubbed, for it takes a minute."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from foldsim.cli.app import app
from foldsim.cli.measure import _THREAD_VARIABLES, next_command
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
    result = measure("-o", "Lap-Top.yaml", "--threads", "2", "--quick")
    assert result.exit_code == 0
    assert (tmp_path / "Lap-Top.yaml").read_text(encoding="utf-8") == "numpy 2 True: lap-top\n"
    assert "next: foldsim sweep -p Lap-Top.yaml --set workload.precision.activations=fp32" in result.stderr


def test_the_next_command_works(tmp_path, monkeypatch):
    """NumPy computes fp32 only, the default workload int8: the printed options make the sweep run, and so does an int8
    runtime without any."""
    (tmp_path / "host.yaml").write_text(FP32_PROFILE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    foldsim, *arguments = shlex.split(next_command(Path("host.yaml"), ("fp32",)))
    assert foldsim == "foldsim"
    result = CliRunner().invoke(app, [*arguments, "--chunk-ms", "160"])
    assert result.exit_code == 0, result.output
    assert next_command(Path("host.yaml"), ("fp32", "int8")) == "foldsim sweep -p host.yaml"
    refused = CliRunner().invoke(app, ["sweep", "-p", "host.yaml"])
    assert refused.exit_code == 2
    assert " ".join(arguments[3:]) in refused.stderr


# A chip without integer formats, like a measured profile of NumPy.
FP32_PROFILE = """\
extends: gap9
name: host
title: A variant of GAP9
summary: Computes in fp32 only.
removes:
- compute_units.ne16.precisions.int4
- compute_units.ne16.precisions.int8
- compute_units.ne16.precisions.int16
- compute_units.ne16.precisions.fp16
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--runtime", "tensorflow"], "numpy, torch, onnxruntime"),
        (["Two Words"], "cannot name a profile"),
        (["-o", "missing/x.yaml"], "the folder 'missing' does not exist"),
        (["-o", "host"], "ends in .yaml"),
    ],
)
def test_wrong_arguments_are_reported(measure, arguments, said):
    result = measure(*arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_missing_runtime_is_reported(measure, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "foldsim.hardware.measurement.runtime_torch", raising=False)
    result = measure("--runtime", "torch")
    assert result.exit_code == 2
    assert "pip install torch" in result.stderr
    assert "Traceback" not in result.stderr
