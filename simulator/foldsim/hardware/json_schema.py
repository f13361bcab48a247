"""JSON Schemas of profiles and DRAM records for editors; descriptions include usual ranges and where to find values.

A profile that extends another has few required keys and may remove keys with null; a memory level with a DRAM type may
omit the keys that are filled in. The schema allows both.
"""

from __future__ import annotations

import copy
from typing import Any, Final, get_args

from foldsim.hardware.derivation import all_rules
from foldsim.hardware.device_classes import device_classes
from foldsim.hardware.guide import PLACES, advice
from foldsim.hardware.inheritance import OWN
from foldsim.hardware.memory.dram import FILLED, DramSpec
from foldsim.hardware.spec import Precision, ProfileSpec
from foldsim.schema.jsonschema import json_schema

Schema = dict[str, Any]
NAMED: Final = ("ComputeUnit", "MemoryLevel", "OperatingPoint")
MERGED: Final = (*NAMED, "PrecisionRate", "KernelLibrary", "VectorUnit", "PowerLaw", "Background", "DramUse", "System")
"""Records of which a derived profile may give a part."""
CHANGE: Final = "Change"


def profile_schema() -> Schema:
    """The JSON Schema (draft 2020-12) of a profile, derived or not."""
    schema = json_schema(ProfileSpec, "foldsim profile", "urn:foldsim:profile")
    definitions: Schema = schema["$defs"]
    _add_rules(definitions)
    whole = {key: schema.pop(key) for key in ("properties", "required", "additionalProperties", "type")}
    definitions["ProfileSpec"] = whole
    for name in PLACES:
        _add_guide(name, definitions[name])
    classes = device_classes()
    whole["properties"]["device_class"]["enum"] = list(classes)
    whole["properties"]["device_class"]["description"] += "".join(f" {key}: {text}." for key, text in classes.items())
    _spell_out_precisions(definitions["ComputeUnit"])
    level = definitions["MemoryLevel"]
    needed = level.pop("required")
    by_type = [key for key in needed if key not in FILLED]
    level["anyOf"] = [{"required": needed}, {"required": [*by_type, "dram"]}]
    for name in MERGED:
        definitions[name + CHANGE] = _changed(definitions[name], ["name"] if name in NAMED else [])
    change = _changed(whole, [*OWN, "extends"])
    definitions["ProfileSpec" + CHANGE] = change
    for key in ("extends", *OWN):  # these do not merge
        change["properties"][key] = whole["properties"][key]
    del schema["$defs"]
    return {
        **schema,
        "type": "object",
        "required": list(OWN),
        "if": {"required": ["extends"]},
        "then": {"$ref": f"#/$defs/ProfileSpec{CHANGE}"},
        "else": {"$ref": "#/$defs/ProfileSpec"},
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }


def dram_schema() -> Schema:
    """The JSON Schema (draft 2020-12) of the record of a DRAM type."""
    schema = json_schema(DramSpec, "foldsim DRAM record", "urn:foldsim:dram")
    _add_rules(schema["$defs"])
    schema["$defs"] = {name: schema["$defs"][name] for name in sorted(schema["$defs"])}
    return schema


def _add_rules(definitions: Schema) -> None:
    """Restrict a rule to the named ones, each with its own parameters."""
    choices = []
    for name, rule in all_rules().items():
        own = rule.model_json_schema(by_alias=True)
        definitions.update(own.pop("$defs", {}))
        key = "Rule" + rule.__name__
        own["properties"]["name"] = {"const": name, "description": own.get("description", "").partition("\n")[0]}
        own["required"] = ["name", *(item for item in own.get("required", []) if item != "name")]
        definitions[key] = own
        choices.append({"$ref": f"#/$defs/{key}"})
    definitions["Rule"] = {
        "description": definitions["Rule"]["description"],
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"enum": list(all_rules()), "description": "Name of the rule."}},
        "oneOf": choices,
    }


def _add_guide(name: str, record: Schema) -> None:
    """Add the usual range and the place in data sheets to every description."""
    for key, slot in record["properties"].items():
        if hint := advice().get((name, key)):
            slot["description"] = f"{slot.get('description', '')} {hint}".strip()


def _spell_out_precisions(unit: Schema) -> None:
    """List the number formats as `properties`, because editors do not complete `propertyNames`."""
    slot = unit["properties"]["precisions"]
    rate = slot.pop("additionalProperties")
    slot.pop("propertyNames", None)
    slot["properties"] = {name: dict(rate) for name in get_args(Precision)}
    slot["additionalProperties"] = False


def _changed(record: Schema, required: list[str]) -> Schema:
    """A partial record: few required keys, null removes a key, and nested records may be partial."""
    new = copy.deepcopy(record)
    new.pop("anyOf", None)
    new["required"] = required
    for key, slot in new["properties"].items():
        if key in required:
            continue
        about = {word: slot.pop(word) for word in ("description", "default", "title") if word in slot}
        _refer_to_changes(slot)
        for inside in slot.get("properties", {}):
            slot["properties"][inside] = _or_null(slot["properties"][inside])
        if isinstance(slot.get("additionalProperties"), dict):
            slot["additionalProperties"] = _or_null(slot["additionalProperties"])
        slot.pop("minProperties", None)
        about.pop("default", None)
        new["properties"][key] = {**_or_null(slot), **about}
    return new


def _or_null(slot: Schema) -> Schema:
    """A value or null."""
    options = slot["anyOf"] if set(slot) == {"anyOf"} else [slot]
    return {"anyOf": [option for option in options if option != {"type": "null"}] + [{"type": "null"}]}


def _refer_to_changes(node: Any) -> None:
    todo = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            name = str(item.get("$ref", "")).removeprefix("#/$defs/")
            if name in MERGED:
                item["$ref"] = f"#/$defs/{name}{CHANGE}"
            item.pop("minItems", None)
            todo += item.values()
        elif isinstance(item, list):
            todo += item
