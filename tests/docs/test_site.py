"""The documentation site is complete: pages in the navigation, commands, Python interface, tutorial.

None of these tests needs Sphinx: `make site` builds the site and checks references and links between pages.
"""

from __future__ import annotations

import importlib
import inspect
import re
import runpy
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from foldsim import __version__
from foldsim.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SITE_PAGES = sorted((DOCS / "site").glob("*.md"))
TUTORIAL = (DOCS / "tutorial.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    """The settings of docs/conf.py."""
    before = list(sys.path)
    try:
        return runpy.run_path(str(DOCS / "conf.py"))
    finally:
        sys.path[:] = before


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a module of docs/_ext by name."""
    monkeypatch.syspath_prepend(DOCS / "_ext")
    return importlib.import_module


# ---- pages ---------------------------------------------------------------------------------------------------------


def pages_of(configuration: dict[str, Any]) -> set[str]:
    """Every page of the site, relative to the root."""
    files = {
        f.relative_to(ROOT).as_posix() for pattern in configuration["include_patterns"] for f in ROOT.glob(pattern)
    }
    return {f for f in files if not any(fnmatch(f, pattern) for pattern in configuration["exclude_patterns"])}


def listed_pages() -> set[str]:
    """Every page that a table of contents of docs/site names, relative to the root."""
    listed = set()
    for page in SITE_PAGES:
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S):
            for line in block.splitlines():
                entry = re.sub(r"^.*<(.*)>$", r"\1", line.strip())
                if not entry or entry.startswith(":"):
                    continue
                folder, _, name = entry.rpartition("/")
                files = [*(page.parent / folder).glob(f"{name}.md"), *(page.parent / folder).glob(f"{name}.ipynb")]
                assert files or "*" in name, f"{page.name}: {entry} is no page"
                listed |= {f.resolve().relative_to(ROOT).as_posix() for f in files}
    return listed


def test_every_page_is_in_a_table_of_contents(configuration: dict[str, Any]) -> None:
    pages = pages_of(configuration)
    assert {"docs/model.md", "docs/variants/folded.md", "plots/README.md", "docs/site/cli.md"} <= pages
    assert pages - listed_pages() == {"docs/site/index.md"}


def test_the_configuration_names_what_exists(configuration: dict[str, Any]) -> None:
    assert configuration["release"] == __version__
    assert (ROOT / f"{configuration['root_doc']}.md").is_file()
    for folder in (*configuration["html_static_path"], *configuration["templates_path"]):
        assert any((DOCS / folder).iterdir())
    own = [name for name in configuration["extensions"] if "." not in name and (DOCS / "_ext" / f"{name}.py").exists()]
    assert sorted(own) == sorted(f.stem for f in (DOCS / "_ext").glob("*.py"))


@pytest.mark.parametrize("page", [*SITE_PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_of_the_site_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_site_needs_no_network(configuration: dict[str, Any]) -> None:
    """MathJax comes from a server and other projects' inventories too; no page may need them."""
    assert not {"sphinx.ext.intersphinx", "sphinx.ext.extlinks"} & set(configuration["extensions"])
    assert not {"dollarmath", "amsmath"} & set(configuration["myst_enable_extensions"])
    for name in pages_of(configuration):
        if name.endswith(".md"):
            assert not re.search(r"^```\{math\}|\{math\}`", (ROOT / name).read_text(encoding="utf-8"), re.M), name


# ---- command line --------------------------------------------------------------------------------------------------


def test_the_command_line_page_has_every_command_and_option(extension: Any) -> None:
    cli_reference = extension("cli_reference")
    text = cli_reference.reference()
    sections = dict(re.findall(r"^#+ `(foldsim[^`]*)`\n(.*?)(?=^#+ `|\Z)", text, re.M | re.S))
    assert {"foldsim", "foldsim sweep", "foldsim profile new", "foldsim workload diff"} <= set(sections)
    for title, section in sections.items():
        help_text = CliRunner().invoke(app, [*title.split()[1:], "--help"]).stdout
        described = set(re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)", help_text, re.M)) - {"--help"}
        assert described == set(re.findall(r"`(--[a-z-]+)[^`]*`", section)), title


def test_help_text_is_plain_in_markdown(extension: Any) -> None:
    assert extension("cli_reference").prose("a|b [c] *d*") == r"a\|b \[c\] \*d\*"


# ---- Python interface ----------------------------------------------------------------------------------------------


def documented() -> list[str]:
    """Names below `foldsim` that the page of the Python interface takes from docstrings, members too."""
    text = (DOCS / "site" / "api.md").read_text(encoding="utf-8")
    names = []
    for name, options in re.findall(r"^\.\. auto\w+:: (\S+)\n((?:   :.*\n)*)", text, re.M):
        names.append(name)
        members = re.search(r":members: (.+)", options)
        names += [f"{name}.{member}" for member in members.group(1).split(", ")] if members else []
    return names


def find(name: str) -> Any:
    """The object of a dotted name."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            item: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            item = getattr(item, part)
        return item
    raise LookupError(name)


@pytest.mark.parametrize("name", documented())
def test_the_python_interface_has_docstrings_that_the_site_can_read(name: str, extension: Any) -> None:
    text = inspect.getdoc(find(name))
    assert text
    assert "-----" not in "\n".join(extension("docstrings").with_lists(text.splitlines()))


def test_the_public_functions_are_on_the_page() -> None:
    import foldsim

    assert {f"foldsim.{name}" for name in foldsim.__all__ if name != "__version__" and name.islower()} <= set(
        documented()
    )


def test_sections_become_lists(extension: Any) -> None:
    lines = [
        "One line.",
        "",
        "Parameters",
        "----------",
        "a, b : two",
        "    things.",
        "",
        "Raises",
        "------",
        "E",
        "    If.",
    ]
    made = extension("docstrings").with_lists(lines)
    assert [line for line in made if line.startswith("*")] == ["* ``a``, ``b``: two things.", "* ``E``: If."]


# ---- tutorial ------------------------------------------------------------------------------------------------------


def test_the_tutorial_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (profile,) = re.findall(r"^```yaml\n(.*?)^```$", TUTORIAL, re.M | re.S)
    Path("my-npu.yaml").write_text(profile, encoding="utf-8")
    lines = [
        line for block in re.findall(r"^```text\n(.*?)^```$", TUTORIAL, re.M | re.S) for line in block.splitlines()
    ]
    commands = [line for line in lines if line.startswith("foldsim ")]
    assert len(commands) >= 8
    printed = ""
    for command in commands:
        result = CliRunner().invoke(app, command.split()[1:])
        assert result.exit_code == 0, (command, result.output)
        printed += result.stdout
    assert not [line for line in lines if not line.startswith(("foldsim ", "pip ")) and line not in printed]
    assert {"power-breakdown.svg", "report.html", "results.csv"} <= {f.name for f in tmp_path.iterdir()}
    simulated = re.search(r"dram reads +25\.4 ", printed)
    assert simulated, "the tutorial quotes the power of reads from DRAM"


def test_the_picture_of_the_architecture_is_current():
    """Drawn from the imports; a new arrow or package asks for a new picture."""
    command = [sys.executable, ROOT / "docs" / "architecture_diagram.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
