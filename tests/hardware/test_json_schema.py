"""The JSON Schemas for editors: current, descriptive, and as strict as the formats."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from foldsim.data import schema_path, shipped, shipped_dram
from foldsim.hardware.derivation import RULES
from foldsim.hardware.json_schema import dram_schema, profile_schema
from foldsim.hardware.spec import ProfileSpec

SCHEMAS = {"profile": profile_schema, "dram": dram_schema}
MODELINE = "# yaml-language-server: $schema="
HEAD = {"extends": "phone-npu", "name": "mine", "title": "T", "summary": "S"}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_committed_schema_is_current(name):
    """`foldsim profile schema > schemas/profile.schema.json`, and `--dram > schemas/dram.schema.json`."""
    assert schema_path(name).read_text(encoding="utf-8") == json.dumps(SCHEMAS[name](), indent=2) + "\n"


@pytest.mark.parametrize("file", [*shipped("hw_profiles").values(), *shipped_dram().values()], ids=lambda f: f.stem)
def test_shipped_files_begin_with_a_modeline_that_leads_to_the_schema(file):
    first = file.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(MODELINE)
    kind = "dram" if file.parent.name == "dram" else "profile"
    assert (file.parent / first.removeprefix(MODELINE)).resolve() == schema_path(kind).resolve()


def errors(name, data):
    validator = jsonschema.Draft202012Validator(SCHEMAS[name]())
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(data)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_they_are_schemas(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name]())


@pytest.mark.parametrize("file", [*shipped("hw_profiles").values(), *shipped_dram().values()], ids=lambda f: f.stem)
def test_shipped_files_are_what_the_schema_asks_for(file: Path):
    kind = "dram" if file.parent.name == "dram" else "profile"
    assert errors(kind, yaml.safe_load(file.read_text(encoding="utf-8"))) == []


def test_every_key_is_described():
    """So that completion tells what to write."""
    for name, make in SCHEMAS.items():
        schema = make()
        for record, definition in schema["$defs"].items():
            for key, slot in definition.get("properties", {}).items():
                if record not in ("Range", "Fact") and "const" not in slot:
                    assert slot.get("description"), (name, record, key)


def test_descriptions_say_what_is_usual_and_where_to_find_it():
    unit = profile_schema()["$defs"]["ComputeUnit"]["properties"]
    assert "Usually 1e+07 to 5e+09. Where: Electrical characteristics" in unit["clock_hz"]["description"]
    level = profile_schema()["$defs"]["MemoryLevelChange"]["properties"]
    assert "dram: usually 25 to 1200. Where: Give dram" in level["read_pj_per_byte"]["description"]


def test_a_derived_profile_needs_little():
    assert errors("profile", HEAD) == []
    assert errors("profile", {**HEAD, "compute_units": [{"name": "npu", "precisions": {"int4": None}}]}) == []
    assert errors("profile", {**HEAD, "removes": ["operating_points"], "system": {"idle_mw": None}}) == []
    assert errors("profile", {"extends": "phone-npu", "name": "mine"}) != []
    assert errors("profile", {**HEAD, "system": {"idel_mw": None}}) != []
    number = {"value": 1, "source": "mine"}
    assert errors("profile", {**HEAD, "system": {"idle_mw": number}}) != [], "a number is replaced whole"


def test_a_profile_of_its_own_needs_everything():
    whole = yaml.safe_load(shipped("hw_profiles")["phone-npu"].read_text(encoding="utf-8"))
    for key in whole:
        if key != "policy":
            assert errors("profile", {k: v for k, v in whole.items() if k != key}), key
    assert errors("profile", {**whole, "operating_points": [{"name": "low"}]})


def test_a_level_by_type_needs_little():
    whole = yaml.safe_load(shipped("hw_profiles")["phone-npu"].read_text(encoding="utf-8"))
    one = {"value": 1, "low": 1, "high": 1, "source": "slc"}
    use = {"type": "lpddr5", "width_bits": one, "data_rate_mt_per_s": one, "charged_ratio": one}
    level = {"name": "far", "dram": use, "capacity_bytes": one, "usable_ratio": one}
    assert errors("profile", {**whole, "memory_levels": [level]}) == []
    assert errors("profile", {**whole, "memory_levels": [{k: v for k, v in level.items() if k != "dram"}]})


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_one_of_the_choices(name):
    choices = profile_schema()["$defs"]["Rule"]["oneOf"]
    assert {"$ref": f"#/$defs/Rule{RULES[name].__name__}"} in choices


def test_parameters_of_rules_are_checked():
    number = {"value": 1, "low": 1, "high": 1, "source": "slc"}

    def told(rule):
        return errors("profile", {**HEAD, "system": {"idle_mw": {**number, "rule": rule}}})

    assert told({"name": "ratio", "ratio": {"value": 2, "low": 1, "high": 3}}) == []
    assert told("twice that") == []
    assert told({"name": "ratio"})
    assert told({"name": "ratio", "ratoi": 2})
    assert told({"name": "rato", "ratio": 2})


def test_the_schema_has_every_field_of_the_format():
    definitions = profile_schema()["$defs"]
    for record in ("ProfileSpec", "ProfileSpecChange"):
        assert list(definitions[record]["properties"]) == list(ProfileSpec.model_fields)
