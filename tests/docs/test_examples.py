"""The notebooks of examples/ run from question to decision, and their numbers are those of today."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.md"))
CELL = re.compile(r"^```\{code-cell\} python3\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_there_are_five():
    assert len(NOTEBOOKS) == 5


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_decides(notebook, tmp_path, monkeypatch):
    """Cells in one namespace, as a kernel runs them; magics are left out."""
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    text = notebook.read_text(encoding="utf-8")
    cells = CELL.findall(text)
    assert len(cells) >= 3
    assert any("assert " in cell for cell in cells)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for number, cell in enumerate(cells, 1):
        code = "\n".join(line for line in cell.splitlines() if not line.startswith("%"))
        exec(compile(code, f"{notebook.name}, cell {number}", "exec"), namespace)
    plt.close("all")
    decision = text.rsplit("**Decision:**", 1)[1]
    assert re.search(r"\d", decision), "a decision names the numbers it rests on"
