"""What commands load: `--help` and `import foldsim` nothing of weight, `simulate` neither pandas nor
matplotlib.

Each check runs in a fresh interpreter. Which modules are loaded decides the start-up time; no time is asserted
here (see benchmarks/).
"""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("pandas", "matplotlib", "scipy", "pydantic", "numpy", "pyarrow", "pint", "rich")
COMMAND = """
import io, sys
from contextlib import redirect_stdout
sys.argv = ["foldsim", *{arguments!r}]
with redirect_stdout(io.StringIO()):
    from foldsim.cli import main
    try:
        main()
    except SystemExit as done:
        assert not done.code, done.code
"""


def loaded_after(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter holds after running the code."""
    tail = "\nimport sys; print('\\n'.join(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + tail], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def after_command(*arguments: str) -> set[str]:
    return loaded_after(COMMAND.format(arguments=arguments))


def test_the_check_sees_what_is_loaded():
    assert {"numpy", "foldsim"} <= loaded_after("import foldsim.model.evaluate")


def test_import_foldsim_loads_nothing_of_weight():
    loaded = loaded_after("import foldsim; foldsim.__version__")
    assert "foldsim" in loaded
    assert loaded.isdisjoint({*HEAVY, "typer", "yaml"})


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)], ids=" ".join)
def test_help_loads_nothing_of_weight(arguments):
    loaded = after_command(*arguments)
    assert "foldsim" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_without_arguments_the_help_is_as_light():
    """It ends with a usage error, like other tools."""
    loaded = loaded_after(COMMAND.format(arguments=()).replace("not done.code", "done.code in (0, 2)"))
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [("sweep",), ("simulate",), ("plot",), ("report",), ("profile",), ("workload", "list"), ("profile", "show")],
    ids=" ".join,
)
def test_help_of_a_command_loads_nothing_that_the_command_needs(arguments):
    """Recent typer reads options with pydantic; nothing else of weight comes with it."""
    assert after_command(*arguments, "--help").isdisjoint({*HEAVY} - {"pydantic"})


def test_simulate_loads_neither_pandas_nor_matplotlib():
    loaded = after_command("simulate", "emformer-rnnt-base", "phone-npu", "--chunk-ms", "160", "--fold", "2")
    assert {"numpy", "pydantic", "yaml"} <= loaded
    assert loaded.isdisjoint({"pandas", "matplotlib", "scipy", "pyarrow", "pint"})


def test_a_small_sweep_to_csv_loads_neither_pandas_nor_matplotlib(tmp_path):
    path = tmp_path / "r.csv"
    loaded = after_command("sweep", "-p", "phone-npu", "--chunk-ms", "160", "--fold", "1,2", "-o", str(path))
    assert path.exists()
    assert loaded.isdisjoint({"pandas", "matplotlib", "scipy", "pyarrow", "pint"})


def test_validation_does_without_numbers():
    """Checking a profile loads pydantic and YAML, not the plotting or the tables."""
    loaded = after_command("profile", "validate", "phone-npu")
    assert loaded.isdisjoint({"pandas", "matplotlib", "scipy", "pyarrow", "pint"})


def test_the_model_loads_only_numpy():
    """The pure core: no YAML, no schema, no command line (an import contract says so too; this sees what is
    loaded)."""
    loaded = loaded_after("import foldsim.model.evaluate")
    assert loaded.isdisjoint({"pandas", "matplotlib", "scipy", "pydantic", "yaml", "typer", "pyarrow", "pint"})
    parts = {name.split(".")[1] for name in loaded if name.startswith("foldsim.")}
    assert parts <= {"model", "units", "errors", "_version"}
