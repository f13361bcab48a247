"""Layer and attention kinds of other packages: entry points that load, and those that cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from foldsim.errors import UserError
from foldsim.workload import kinds
from foldsim.workload.kinds import kind_name, with_entry_points
from foldsim.workload.layers import LAYER_KINDS, Layer
from foldsim.workload.layers.basic import Add, Linear
from foldsim.workload.workload import load_workload, workload_findings

PLUGIN = '''\
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from foldsim.workload.attention.base import Attention, Block
from foldsim.workload.layers.base import Layer, Width
from foldsim.workload.ops import Context, Matrix, Op


class Doubling(Layer):
    """Double every row."""

    kind: Literal["doubling"] = Field(description="Doubling layer.")
    width: Width = Field(description="Width.")

    def lower(self, context: Context) -> Iterator[Op]:
        elements = context.rows("all_tokens") * self.width
        yield Op("double", inputs=elements, outputs=elements, multiply_add=elements, live=2 * elements)


class NoAttention(Attention):
    """Tokens that attend to themselves alone: one product."""

    kind: Literal["self_only"] = Field(description="No attention.")

    def lower(self, block: Block, context: Context) -> Iterator[Op]:
        yield Op("mix", matrix=Matrix(block.tokens, block.width, block.width), live=2 * block.elements)
'''


class Third(Layer):
    """A kind of another package."""

    kind: Literal["third"] = Field(description="Third.")


class Repeated(Layer):
    """A kind whose name is in use."""

    kind: Literal["add"] = Field(description="Add.")


class Unnamed(Layer):
    """A kind without a name of its own."""


class FakeDistribution(Distribution):
    """An installed package."""

    def read_text(self, filename):
        return "Name: acme-layers\nVersion: 1.0\n" if filename == "METADATA" else None

    def locate_file(self, path):
        return Path(path)


def register(monkeypatch, *values):
    """Register entry points, all of one distribution."""
    points = [
        EntryPoint(f"kind{i}", value, "foldsim.layer_kinds")._for(FakeDistribution()) for i, value in enumerate(values)
    ]
    monkeypatch.setattr(kinds, "entry_points", lambda group: [point for point in points if point.group == group])


def test_kinds_of_other_packages_follow_those_of_foldsim(monkeypatch):
    register(monkeypatch, f"{__name__}:Third")
    assert with_entry_points("foldsim.layer_kinds", Layer, (Linear, Add)) == (Linear, Add, Third)
    assert with_entry_points("foldsim.attention_kinds", Layer, (Linear, Add)) == (Linear, Add)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("acme_nowhere:Layer", "cannot be loaded: ModuleNotFoundError: No module named 'acme_nowhere'"),
        (f"{__name__}:Missing", "cannot be loaded: AttributeError"),
        (f"{__name__}:register", "is not a subclass of foldsim.workload.layers.base.Layer"),
        (f"{__name__}:FakeDistribution", "is not a subclass of foldsim.workload.layers.base.Layer"),
        (f"{__name__}:Repeated", "repeats the kind 'add' of foldsim; choose another name"),
        (f"{__name__}:Unnamed", 'has no name; declare its field as kind: Literal["name"]'),
    ],
)
def test_unusable_entry_points_name_their_distribution(monkeypatch, value, message):
    register(monkeypatch, value)
    with pytest.raises(UserError) as caught:
        with_entry_points("foldsim.layer_kinds", Layer, (Linear, Add))
    assert str(caught.value).startswith(f"acme-layers: entry point 'kind0' ({value}) of foldsim.layer_kinds")
    assert message in str(caught.value)


def test_two_packages_cannot_share_a_kind(monkeypatch):
    register(monkeypatch, f"{__name__}:Third", f"{__name__}:Third")
    with pytest.raises(UserError, match=r"entry point 'kind1' .* repeats the kind 'third' of acme-layers"):
        with_entry_points("foldsim.layer_kinds", Layer, (Linear, Add))


def test_every_kind_has_a_name():
    assert None not in {kind_name(kind) for kind in LAYER_KINDS}
    assert kind_name(Unnamed) is None


def install(folder: Path, entry_points: str) -> None:
    """An installed package in a folder."""
    (folder / "acme_layers.py").write_text(PLUGIN)
    info = folder / "acme_layers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-layers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the package of ``folder`` installed."""
    paths = os.pathsep.join([str(folder), *(path for path in sys.path if path)])
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


USE = """
from foldsim import load_workload
from foldsim.schema import parse_yaml
from foldsim.workload.workload import from_document
plain = load_workload("emformer-rnnt-base")
changed = plain.with_attention("self_only")
layers = "    layers:\\n"
added = layers + "      - {kind: doubling, name: twice, width: 80}\\n"
text = plain.document.text.replace(layers, added, 1)
doubled = from_document(parse_yaml(text, "doubled.yaml"))
assert changed.params()["encoder"] < plain.params()["encoder"]
print(next(row.op for row in doubled.lower().rows if row.layer == "twice"))
"""


def test_an_installed_package_adds_a_layer_and_an_attention(tmp_path):
    install(
        tmp_path,
        "[foldsim.layer_kinds]\ndoubling = acme_layers:Doubling\n"
        "[foldsim.attention_kinds]\nself_only = acme_layers:NoAttention\n",
    )
    ran = python(tmp_path, "-c", USE)
    assert (ran.stdout, ran.returncode) == ("double\n", 0), ran.stderr


def test_a_package_imported_before_foldsim_is_told_the_order(tmp_path):
    install(tmp_path, "[foldsim.layer_kinds]\ndoubling = acme_layers:Doubling\n")
    ran = python(tmp_path, "-c", "import acme_layers")
    assert ran.returncode == 1
    assert ran.stderr.rstrip().endswith("; import foldsim.workload.layers before it")
    assert python(tmp_path, "-c", "import foldsim.workload.layers, acme_layers").returncode == 0


def test_a_broken_package_is_reported_without_a_traceback(tmp_path):
    install(tmp_path, "[foldsim.layer_kinds]\ndoubling = acme_layers:Tripling\n")
    ran = python(tmp_path, "-m", "foldsim", "workload", "show", "emformer-rnnt-base")
    assert "acme-layers: entry point 'doubling' (acme_layers:Tripling) of foldsim.layer_kinds cannot be" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.returncode == 2


def test_a_warning_of_a_layer_stays_a_warning():
    """FAVOR has no relative positions: that the layer asks for them is worth a warning, not a refusal."""
    changed = load_workload("fastconformer-medium-rnnt").with_attention("favor")
    _, findings = workload_findings(changed.document)
    assert findings
    assert {finding.severity for finding in findings} == {"warning"}
