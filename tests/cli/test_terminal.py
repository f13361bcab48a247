"""What a terminal, a pipe and a shell get: widths, colours, encodings, completion, progress."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foldsim.cli import options, tables
from foldsim.cli.progress import Progress, track
from foldsim.data import shipped
from foldsim.designs.checks import PLACEMENTS
from foldsim.hardware.measurement.runtime import RUNTIMES
from foldsim.hardware.spec import POLICIES
from foldsim.plotting import KINDS, STYLES
from foldsim.sweeps.sampling import METHODS
from foldsim.sweeps.space import BY

pytestmark = pytest.mark.filterwarnings("error")
COMMAND = "import sys; sys.argv[0] = 'foldsim'; from foldsim.cli import main; main()"


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def completed(line: str) -> list[str]:
    """What bash is offered for the last word of a command line."""
    words = str(len(line.split(" ")) - 1)
    return run(_FOLDSIM_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=words).stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("foldsim work", ["workload"]),
        ("foldsim profile show phone", ["phone-npu"]),
        ("foldsim workload diff moonshine-base moonshine-", ["moonshine-base", "moonshine-tiny"]),
        ("foldsim workload new mine --from saep", ["saep-speaker"]),
        ("foldsim sweep -p gap", ["gap9"]),
        ("foldsim sweep -w wav2l", ["wav2letter"]),
        ("foldsim sweep --policy slow", ["slowest-real-time"]),
        ("foldsim plot -k roofline", ["roofline", "roofline-levels"]),
    ],
)
def test_the_shell_completes(line: str, expected: list[str]) -> None:
    assert completed(line) == expected


def test_completion_loads_nothing_heavy() -> None:
    """Recent typer itself loads pydantic."""
    code = COMMAND.replace("main()", "", 1).rstrip("; ") + (
        "\ntry:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    variables = {"_FOLDSIM_COMPLETE": "complete_bash", "COMP_WORDS": "foldsim plot -k po", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert "power-vs-chunk" in done.stdout
    assert set(done.stderr.split()).isdisjoint({"pandas", "matplotlib", "scipy", "rich", "yaml"})


@pytest.mark.parametrize(
    ("completion", "allowed"),
    [
        (options.Policy, POLICIES),
        (options.By, BY),
        (options.Method, METHODS),
        (options.PlotStyle, STYLES),
        (options.Runtime, RUNTIMES),
        (options.PlotKinds, KINDS),
        (options.Groups, shipped("validation")),
    ],
    ids=["policy", "by", "method", "style", "runtime", "kind", "group"],
)
def test_completion_offers_what_is_allowed(completion: object, allowed: object) -> None:
    """The fixed lists are written out, so that completion loads nothing; they stay those of the library."""
    (option,) = completion.__metadata__  # type: ignore[attr-defined]
    assert option.autocompletion("") == list(allowed)  # type: ignore[call-overload]


def test_completion_of_placements() -> None:
    (option,) = options.Placement.__metadata__  # type: ignore[attr-defined]
    assert option.autocompletion("") == [*PLACEMENTS, "pinned:"]


# ---- width, colour, encoding -----------------------------------------------------------------------------------------


def test_help_wraps_to_the_terminal() -> None:
    for columns in (60, 100):
        lines = run("sweep", "--help", COLUMNS=str(columns)).stdout.splitlines()
        assert columns - 15 < max(map(len, lines)) <= columns


def test_every_command_is_described_without_a_cut() -> None:
    for group in ((), ("profile",), ("workload",)):
        assert "..." not in run(*group, "--help", COLUMNS="80").stdout.partition("Commands:")[2]


def test_tables_are_cut_at_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    header, rows = ["name", "title"], [["a", "long " * 10], ["b", "short"]]
    assert "long long" in tables.fitted_table(header, rows, left=(0, 1))
    monkeypatch.setattr(tables, "terminal_width", lambda: 30)
    lines = tables.fitted_table(header, rows, left=(0, 1)).splitlines()
    assert max(map(len, lines)) == 30
    assert lines[1].endswith("…")
    monkeypatch.setattr(tables, "terminal_width", lambda: 15)
    assert tables.fitted_table(header, rows).split() == ["name", "a", "b"]


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("arguments", [("profile", "list"), ("sweep", "--fol", "2")], ids=" ".join)
def test_nothing_is_coloured_and_terminals_are_filled(arguments: tuple[str, ...]) -> None:
    leader, follower = os.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        stdout=follower,
        stderr=follower,
        env={**os.environ, "COLUMNS": "90", "TERM": "xterm-256color"},
    )
    os.close(follower)
    chunks = []
    try:
        while chunk := os.read(leader, 65536):
            chunks.append(chunk)
    except OSError:  # Linux: the other end is closed
        pass
    os.close(leader)
    done.wait(timeout=60)
    text = b"".join(chunks).decode()
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 90
    assert ("…" in text) == (arguments == ("profile", "list"))


def test_an_encoding_without_the_characters_gives_escapes() -> None:
    done = run("simulate", "--top", "3", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell pipe")
def test_a_closed_pipe_ends_the_command_quietly(tmp_path: Path) -> None:
    python = f'"{sys.executable}" -c "{COMMAND}"'
    done = subprocess.run(
        f"({python} profile show gap9; echo $? > code) | head -1; {python} profile list >&-",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "code").read_text().strip() == "0"


# ---- progress --------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_appears_late_and_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldsim.cli.progress.DELAY_S", 0.01)
    monkeypatch.setattr("foldsim.cli.progress.INTERVAL_S", 0.0)
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    with Progress("evaluating design points") as update:
        limit = time.monotonic() + 10
        while not stderr.getvalue() and time.monotonic() < limit:
            time.sleep(0.01)
        assert stderr.getvalue() == "\revaluating design points ..."
        update(1_000, 2_000)
    shown = stderr.getvalue().split("\r")
    assert shown[2] == "evaluating design points: 1,000 of 2,000"
    assert shown[-2:] == [" " * len(shown[2]), ""]


def test_short_work_and_pipes_show_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    for stderr in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setattr("foldsim.cli.progress.DELAY_S", 60.0 if stderr.isatty() else 0.0)
        assert list(track("abc", "drawing figures")) == ["a", "b", "c"]
        assert stderr.getvalue() == ""
