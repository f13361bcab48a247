"""The JSON Schema of a model: dialect, order, descriptions."""

from __future__ import annotations

import json

from foldsim.schema import json_schema

TITLE, ADDRESS = "Chip", "https://example.org/chip.json"


def test_head_and_order(chip_model):
    schema = json_schema(chip_model, TITLE, ADDRESS)
    assert list(schema)[:3] == ["$schema", "$id", "title"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert (schema["$id"], schema["title"]) == (ADDRESS, TITLE)
    assert list(schema["properties"]) == list(chip_model.model_fields)
    assert list(schema)[-1] == "$defs"
    assert list(schema["$defs"]) == sorted(schema["$defs"])


def test_strictness_descriptions_and_aliases(chip_model):
    definitions = json_schema(chip_model, TITLE, ADDRESS)["$defs"]
    level = definitions["Level"]
    assert level["additionalProperties"] is False
    assert level["required"] == ["name", "capacity_bytes"]
    assert level["properties"]["capacity_bytes"]["description"] == "Usable size."
    assert level["properties"]["capacity_bytes"]["exclusiveMinimum"] == 0
    assert "from" in definitions["Number"]["properties"]
    assert "origin" not in definitions["Number"]["properties"]


def test_unions_are_plain_json_schema(chip_model):
    schema = json_schema(chip_model, TITLE, ADDRESS)
    items = schema["properties"]["layers"]["items"]
    assert list(items) == ["oneOf"]
    assert {branch["$ref"] for branch in items["oneOf"]} == {"#/$defs/Attention", "#/$defs/Conv"}
    assert schema["$defs"]["Attention"]["properties"]["kind"]["const"] == "attention"


def test_same_text_every_time(chip_model):
    first, second = (json.dumps(json_schema(chip_model, TITLE, ADDRESS)) for _ in range(2))
    assert first == second
