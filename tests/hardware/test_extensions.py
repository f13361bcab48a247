"""Device classes and derivation rules of other packages, from a distribution with entry points on the path."""

from __future__ import annotations

from textwrap import dedent

import pytest

from foldsim.hardware.derivation import RULES, all_rules
from foldsim.hardware.device_classes import BUILT_IN, device_classes
from foldsim.hardware.extensions import ExtensionError
from foldsim.hardware.json_schema import profile_schema

MODULE = """
    from typing import Literal

    from foldsim.hardware.derivation import NamedRule
    from foldsim.hardware.technology import Band

    CAR = "vehicle computer"

    class Halved(NamedRule):
        '''Half of the value.'''

        inputs = (1, 1)
        name: Literal["halved"]

        def give(self, numbers):
            return Band(*(0.5 * end for end in numbers[0]))

    class Misnamed(Halved):
        name: Literal["quartered"]
"""
HEAD = "extends: phone-npu\nname: mine\ntitle: T\nsummary: S\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a distribution called acme-chips with some entry points on the path."""

    def _install(entry_points):
        folder = tmp_path / "site"
        info = folder / "acme_chips-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-chips\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(dedent(entry_points))
        (folder / "acme_chips.py").write_text(dedent(MODULE))
        monkeypatch.syspath_prepend(folder)
        device_classes.cache_clear()
        all_rules.cache_clear()

    yield _install
    device_classes.cache_clear()
    all_rules.cache_clear()


def test_a_class_of_another_package(install, files):
    text = HEAD + "device_class: car\n"
    (finding,) = files.findings("mine.yaml", text)
    assert finding.message == "device class 'car' not found"
    assert finding.allowed == "phone, wearable, edge, microcontroller"
    install("[foldsim.device_classes]\ncar = acme_chips:CAR\n")
    assert device_classes() == {**BUILT_IN, "car": "vehicle computer"}
    assert files.findings("mine.yaml", text) == []
    assert files.load("mine.yaml", text).spec.device_class == "car"
    assert profile_schema()["$defs"]["ProfileSpec"]["properties"]["device_class"]["enum"][-1] == "car"


def test_a_rule_of_another_package(install, files):
    text = HEAD + dedent("""\
        system:
          idle_mw:
            {value: 0.5, low: 0.5, high: 0.5, source: s, from: [{what: P, value: 1, source: s}], rule: {name: halved}}
        sources:
          s: {title: T, kind: measured, url: "https://example.org"}
        """)
    (finding,) = files.findings("mine.yaml", text)
    assert finding.message == "rule 'halved' not found"
    install("[foldsim.profile_rules]\nhalved = acme_chips:Halved\n")
    assert list(all_rules()) == [*RULES, "halved"]
    assert files.findings("mine.yaml", text) == []
    (finding,) = files.findings("mine.yaml", text.replace("value: 1,", "value: 2,"))
    assert "does not follow from its rule halved: value 0.5 instead of 1" in finding.message
    assert {"$ref": "#/$defs/RuleHalved"} in profile_schema()["$defs"]["Rule"]["oneOf"]


@pytest.mark.parametrize(
    ("table", "group", "entry", "problem"),
    [
        (device_classes, "device_classes", "car = acme_chips:Halved", "is not a string"),
        (device_classes, "device_classes", "phone = acme_chips:CAR", "repeats a name"),
        (device_classes, "device_classes", "car = acme_chips:TRAIN", "cannot be loaded: AttributeError"),
        (all_rules, "profile_rules", "x = acme_chip:Halved", "cannot be loaded: ModuleNotFoundError"),
        (all_rules, "profile_rules", "halved = acme_chips:CAR", "is not a subclass of"),
        (all_rules, "profile_rules", "halved = acme_chips:Misnamed", 'lacks the field name: Literal["halved"]'),
        (all_rules, "profile_rules", "sum = acme_chips:Halved", "repeats a name"),
    ],
)
def test_a_broken_entry_point_names_its_distribution(install, table, group, entry, problem):
    install(f"[foldsim.{group}]\n{entry}\n")
    with pytest.raises(ExtensionError, match=r"^acme-chips: the entry point ") as error:
        table()
    assert problem in str(error.value)
