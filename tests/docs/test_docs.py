"""The documentation is true: generated pages are current, names exist, examples run, links lead somewhere."""

from __future__ import annotations

import csv
import doctest
import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldsim import api
from foldsim.hardware.profile import Profile, profile_findings
from foldsim.hardware.profile import from_document as profile_from
from foldsim.schema import parse_yaml
from foldsim.workload.layers import LAYER_KINDS, Layer
from foldsim.workload.ops import Context
from foldsim.workload.workload import Workload, workload_findings
from foldsim.workload.workload import from_document as workload_from

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
PACKAGES = ("cli", "errors", "hardware", "model", "plotting", "schema", "sweep", "units", "workload")


def blocks(page: str, language: str) -> list[str]:
    """Fenced blocks of a page in one language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


# ---- generated pages -----------------------------------------------------------------------------------------------


def test_generated_pages_are_current():
    done = subprocess.run([sys.executable, DOCS / "build.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stale_page_is_found_and_made_again(tmp_path, monkeypatch, capsys):
    build = load_file("docs_build", DOCS / "build.py")
    monkeypatch.setattr(build, "DOCS", tmp_path)
    assert build.main(["--check"]) == 1
    assert "glossary.md is out of date" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0
    (tmp_path / "glossary.md").write_text("old", encoding="utf-8")
    assert build.stale_pages() == ["glossary.md"]


def test_every_layer_kind_has_a_section():
    text = (DOCS / "workload-reference.md").read_text(encoding="utf-8")
    assert len(LAYER_KINDS) == text.count("\n### `")


# ---- names ---------------------------------------------------------------------------------------------------------


def dotted_names(page: Path) -> list[str]:
    """Names such as `model.energy.busy_terms` in backticks outside fenced blocks."""
    found = re.findall(r"`((?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*)`", prose(page))
    return sorted(
        {n for n in found if n.split(".")[0] in PACKAGES and n.rsplit(".", 1)[1] not in ("py", "csv", "yaml")}
    )


def resolve(name: str) -> Any:
    """The object that a dotted name below `foldsim` stands for; fields of records count."""
    parts = ("foldsim." + name).split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            known = {**getattr(found, "__dataclass_fields__", {}), **getattr(found, "model_fields", {})}
            found = getattr(found, part) if hasattr(found, part) else known[part]
        return found
    raise LookupError(name)


@pytest.mark.parametrize("page", ["authoring.md", "model.md", "python.md"])
def test_names_in_backticks_exist(page):
    names = dotted_names(DOCS / page)
    assert len(names) >= {"model.md": 40}.get(page, 0)
    missing = []
    for name in names:
        try:
            resolve(name)
        except (LookupError, AttributeError):
            missing.append(name)
    assert not missing


def test_every_module_of_the_model_is_named():
    text = (DOCS / "model.md").read_text(encoding="utf-8")
    modules = [p.stem for p in (ROOT / "simulator" / "foldsim" / "model").glob("*.py") if p.stem != "__init__"]
    assert [m for m in modules if f"`model.{m}." not in text] == []


# ---- examples ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [p.name for p in PAGES if ">>> " in p.read_text(encoding="utf-8")])
def test_examples_run(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    source = "\n\n".join(blocks(page, "pycon"))
    test = doctest.DocTestParser().get_doctest(source, {}, page, str(DOCS / page), 0)
    assert test.examples
    report: list[str] = []
    result = doctest.DocTestRunner().run(test, out=report.append)
    assert result.failed == 0, "".join(report)


def minimal(page: str = "authoring.md") -> tuple[str, str]:
    """The complete workload and the complete profile of the authoring page."""
    whole = [text for text in blocks(page, "yaml") if text.startswith("name:")]
    assert len(whole) == 2
    return whole[0], whole[1]


@pytest.fixture
def written() -> tuple[Workload, Profile]:
    workload, profile = minimal()
    return workload_from(parse_yaml(workload, "my-encoder.yaml")), profile_from(parse_yaml(profile, "my-chip.yaml"))


def test_minimal_files_validate_without_a_warning():
    workload, profile = minimal()
    assert workload_findings(parse_yaml(workload, "w"))[1] == []
    assert profile_findings(parse_yaml(profile, "p"))[1] == []


def test_minimal_files_can_be_swept(written):
    workload, profile = written
    rows = api.sweep(workload, profile, chunk_ms=[80, 160], fold=[1, 2])
    assert len(rows) == 4
    assert rows.fits.all()
    assert rows.realtime.all()
    assert (rows.power_mw > 0).all()


def test_snippets_of_yaml_parse():
    for text in blocks("authoring.md", "yaml"):
        assert isinstance(parse_yaml(text, "snippet").data, dict)


def load_file(name: str, file: Path) -> Any:
    """A module from a file that is in no package."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks there for the names that annotations use
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def test_the_example_of_a_layer_kind_works(tmp_path):
    (source,) = blocks("authoring.md", "python")
    (tmp_path / "depthwise.py").write_text(source, encoding="utf-8")
    depthwise: type[Layer] = load_file("docs_depthwise", tmp_path / "depthwise.py").Depthwise
    layer = depthwise.model_validate({"kind": "depthwise", "name": "conv", "width": 144, "taps": 15})
    tokens = np.array([4.0, 8.0])
    (op,) = layer.lower(Context(tokens, 16.0, 1.0, 0.0, 4.0))
    assert op.params == 144 * 15 + 144
    assert np.asarray(op.macs).tolist() == [4 * 144 * 15, 8 * 144 * 15]
    assert op.state == 14 * 144


# ---- links and style -----------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_relative_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+://", target):
            continue
        file, _, anchor = target.partition("#")
        where = (page.parent / file).resolve() if file else page
        if not where.exists() or (anchor and anchor not in anchors(where)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_pages_name_no_place_of_this_machine(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"/(?:work|home|root|tmp|Users)/", text)


def test_index_names_every_page():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [p.name for p in PAGES if p.name != "index.md" and f"({p.name})" not in text] == []


def test_paths_in_backticks_exist():
    missing = []
    for page in PAGES:
        for path in re.findall(r"`((?:simulator|tests|tools|docs|hw_profiles|workloads)/[\w./-]*)`", prose(page)):
            if not (ROOT / path).exists():
                missing.append((page.name, path))
    assert not missing


def test_every_symbol_of_the_model_is_in_the_nomenclature():
    """Single letters and indexed names on the left of an equation, and every listed symbol on the page."""
    text = (DOCS / "model.md").read_text(encoding="utf-8")
    with (DOCS / "nomenclature.csv").open(encoding="utf-8", newline="") as file:
        listed = [row["symbol"] for row in csv.DictReader(file)]
    assert len(set(listed)) == len(listed)
    equations = "\n".join(re.findall(r"```text\n(.*?)```", text, flags=re.DOTALL))
    defined = set(re.findall(r"^([A-Z]|[a-z]|[A-Za-z]'|[dN][fh]|t_\w+)\s+=\s", equations, flags=re.MULTILINE))
    assert defined - set(listed) == set()
    beyond_tables = re.sub(r"<!-- symbols.*?end of symbols -->", "", text, flags=re.DOTALL)
    unused = [symbol for symbol in listed if not re.search(rf"(?<![\w']){re.escape(symbol)}(?![\w'])", beyond_tables)]
    assert unused == []
