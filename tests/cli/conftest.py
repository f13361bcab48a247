"""Running the command in-process, in an empty folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from foldsim.cli.app import app


@pytest.fixture
def foldsim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call ``foldsim`` with arguments; the working folder is empty and traceback-free errors are asserted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FOLDSIM_DEBUG", raising=False)

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        assert "Traceback" not in result.output
        assert result.exit_code != 70, result.output
        return result

    return run
