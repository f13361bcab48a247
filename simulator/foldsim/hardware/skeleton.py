"""A new profile to fill in: another one under a new name, every number explained."""

from __future__ import annotations

import copy
from typing import Any, Final

from foldsim.hardware.guide import advice
from foldsim.hardware.profile import Profile, from_document
from foldsim.hardware.spec import ProfileSpec
from foldsim.schema import Document, parse_yaml
from foldsim.schema.layering import EXTENDS, REMOVES, LayeredDocument
from foldsim.schema.skeleton import skeleton

LEFT_OUT: Final = (EXTENDS, REMOVES, "calibration")
GRADE: Final = "D"
"""Of numbers that are another chip's."""

HINTS: Final = {
    **advice(),
    ("ProfileSpec", "extends"): "For a chip that differs in little; everything else is then taken from there.",
    ("ProfileSpec", "removes"): "Only with extends.",
    (
        "ProfileSpec",
        "grade",
    ): "A measured, B mostly measured, C structure published and energies ranged, D assumed.",
    ("ProfileSpec", "sources"): "One entry for each data sheet, paper or measurement; every number names one of them.",
    ("ProfileSpec", "memory_levels"): "Registers are no level. A chip without DRAM ends in flash or MRAM.",
    ("ComputeUnit", "precisions"): "Formats that the unit does not compute in are left out.",
    ("MemoryLevel", "background"): "Follows from dram where that is given.",
}

_HEADER = """\
# yaml-language-server: $schema={schema}
# A hardware profile for foldsim, made by: foldsim profile new {name} --from {preset}
# Every number below is that of {preset} until you change it: what is here is not yet your chip.
# A key is explained where it first stands; keys that may be left out stand there as comments.
# A number is {{value: 80, low: 56, high: 144, source: KEY}}: the range is what you would still believe, KEY one of
# `sources`. Where it follows from others, say so: from: [...], rule: {{name: ...}}; foldsim profile rules lists them.
# Check it as you write:   foldsim profile validate {name}.yaml     (at last: --strict)
# See what changed:        foldsim profile diff {preset} {name}.yaml
# From a data sheet:       docs/profile-authoring.md
"""


def new_profile(name: str, preset: Profile, schema: str, called: str | None = None) -> str:
    """YAML of a profile to fill in, with a comment at every key; it validates as it is.

    Parameters
    ----------
    name : of the new profile: small letters, digits, dots and hyphens.
    preset : where structure and numbers come from. What it inherits is written out; DRAM by type stays by type.
    schema : path or address of the JSON Schema, for editors.
    called : how the preset was asked for; its name if left out.

    Raises
    ------
    UserError
        If the name is none, with one that is.
    """
    data = {key: value for key, value in written(preset.document).items() if key not in LEFT_OUT}
    data |= {
        "summary": f"Started from {preset.name}. Say here what is measured, what is derived, what is assumed.",
        "grade": GRADE,
    }
    head = _HEADER.format(name=name, preset=called or preset.name, schema=schema)
    text = head + skeleton("profile", name, preset.name, data, ProfileSpec, HINTS, short_items=False)
    from_document(parse_yaml(text, f"{name}.yaml"))
    return text


def written(document: Document) -> dict[str, Any]:
    """The data of a document without what was filled in from DRAM records."""
    data: dict[str, Any] = copy.deepcopy(document.data)
    filled = document.filled if isinstance(document, LayeredDocument) else {}
    for path, value in filled.items():
        *way, last = path
        node: Any = data
        for key in way:
            node = node[key]
        if node.get(last) == value:
            del node[last]
    for level in data["memory_levels"]:
        if not level.get("background", True):
            del level["background"]
    return data
