"""``foldsim profile show`` and ``rules``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from foldsim.cli.calibrate import record_text
from foldsim.cli.guard import check_choice
from foldsim.cli.tables import paragraph, print_json, table
from foldsim.hardware.numbers import dotted
from foldsim.hardware.profile import load_profile
from foldsim.hardware.spec import ProfileSpec
from foldsim.schema.quantity import quantities, sources_of


def run_show(name: str, sources: bool, as_json: bool) -> None:
    """Print every value with range and source, or the sources with the values that use each, or both as JSON."""
    spec = load_profile(name).spec
    if as_json:
        print_json(profile_details(spec))
        return
    print(_head(spec) + "\n")
    if sources:
        print("\n".join(_source_lines(spec)))
        return
    rows = [
        [value["path"], *(f"{value[end]:g}" for end in ("value", "low", "high")), value["source"]]
        for value in _values(spec)
    ]
    print(table(["parameter (unit in its name)", "value", "low", "high", "source"], rows, left=(0, 4)))


def profile_details(spec: ProfileSpec) -> dict[str, Any]:
    """What ``profile show --json`` prints.

    ``values`` : path as ``--set`` takes it after ``profile.``, value, low, high (unit in the path) and source key.
    ``sources`` : by key, as written in the file, with ``used_by``, the paths of the values that use it.
    ``calibration`` : the record of a calibrated profile, or null. The other keys are those of the YAML format.
    """
    return {
        **{
            key: getattr(spec, key)
            for key in ("name", "title", "summary", "device_class", "grade", "policy", "extends")
        },
        "compute_units": [
            {"name": unit.name, "dataflow": unit.dataflow, "runs": list(unit.runs), "precisions": list(unit.precisions)}
            for unit in spec.compute_units
        ],
        "memory_levels": [
            {
                **{key: getattr(level, key) for key in ("name", "kind", "on_chip", "clock", "keeps_data", "writable")},
                "dram_type": None if level.dram is None else level.dram.type,
            }
            for level in spec.memory_levels
        ],
        "values": _values(spec),
        "sources": {
            key: {**source.model_dump(), "used_by": _used_by(spec, key)} for key, source in spec.sources.items()
        },
        "calibration": None if spec.calibration is None else spec.calibration.model_dump(mode="json"),
    }


def _head(spec: ProfileSpec) -> str:
    """What the profile is: text, compute units, memory levels, record of calibration."""
    base = f", extends {spec.extends}" if spec.extends else ""
    lines = [
        paragraph(f"{spec.name}: {spec.title}"),
        f"class {spec.device_class}, grade {spec.grade}, default policy {spec.policy}{base}",
        f"\n{paragraph(spec.summary)}\n",
    ]
    lines += [f"compute unit {unit.name}: {unit.dataflow}, runs {', '.join(unit.runs)}" for unit in spec.compute_units]
    for level in spec.memory_levels:
        facts = ["on chip" if level.on_chip else "off chip", f"{level.clock} clock"]
        facts += ["keeps data between chunks"] if level.keeps_data else []
        facts += [] if level.writable else ["read-only"]
        kind = level.kind if level.dram is None else f"{level.kind} ({level.dram.type})"
        lines.append(f"memory level {level.name}: {kind}, {', '.join(facts)}")
    if spec.calibration is not None:
        lines.append("\n" + record_text(spec.calibration))
    return "\n".join(lines)


def _values(spec: ProfileSpec) -> list[dict[str, Any]]:
    return [
        {"path": dotted(spec, path), **{key: getattr(q, key) for key in ("value", "low", "high", "source")}}
        for path, q in quantities(spec)
    ]


def _used_by(spec: ProfileSpec, source_key: str) -> list[str]:
    """Paths of the values that use a source."""
    return [dotted(spec, path) for path, q in quantities(spec) if source_key in sources_of(q)]


def _source_lines(spec: ProfileSpec) -> Iterator[str]:
    """Every source, with the values that use it."""
    for key, source in spec.sources.items():
        used = _used_by(spec, key)
        place = ", ".join(x for x in (source.doi, source.url, source.page) if x)
        yield paragraph(f"{key} ({source.kind}, {len(used)} value{'s' * (len(used) != 1)}): {source.title}")
        for line in (place, source.note, "-> " + ", ".join(used) if used else ""):
            if line:
                yield paragraph(line, 4)


def run_rules(name: str | None, as_json: bool) -> None:
    """Print every rule in a line, or one with its parameters; as JSON an object per rule, by name."""
    from foldsim.hardware.derivation import all_rules

    if name is not None:
        check_choice("rule", name, all_rules())
    if as_json:
        print_json({key: rule_details(key) for key in ([name] if name else all_rules())})
    elif name is None:
        for key in all_rules():
            print(_rule_summary(rule_details(key), key))
    else:
        details = rule_details(name)
        print(f"{name}\n\n{details['description']}\n")
        for field, parameter in details["parameters"].items():
            default = "" if parameter["required"] else f" [default: {parameter['default']}]"
            print(f"  {field}: {parameter['description']}{default}")


def rule_details(name: str) -> dict[str, Any]:
    """What ``profile rules --json`` prints of a rule: description, number of inputs (``inputs_max`` null: any), and
    its parameters by name."""
    from foldsim.hardware.derivation import all_rules

    rule = all_rules()[name]
    fewest, most = rule.inputs
    return {
        "description": inspect.cleandoc(rule.__doc__ or ""),
        "inputs_min": fewest,
        "inputs_max": most,
        "parameters": {
            field: {
                "description": info.description,
                "required": info.is_required(),
                "default": None if info.is_required() else info.default,
            }
            for field, info in rule.model_fields.items()
            if field != "name"
        },
    }


def _rule_summary(details: dict[str, Any], name: str) -> str:
    fewest, most = details["inputs_min"], details["inputs_max"]
    inputs = str(fewest) if fewest == most else f"{fewest} or more" if most is None else f"{fewest} to {most}"
    parameters = ", ".join(details["parameters"])
    line = f"{name}: takes {inputs} value{'s' * (inputs != '1')}" + f"; parameters {parameters}" * bool(parameters)
    return line + "\n" + paragraph(details["description"].partition("\n\n")[0], 4)
