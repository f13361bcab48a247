"""``foldsim profile list``, ``show`` and ``rules``."""

from __future__ import annotations

import difflib
import inspect
from typing import Final

from foldsim.cli.calibrate import record_text
from foldsim.cli.guard import stop
from foldsim.cli.tables import count, number, paragraph, shorten, size, table
from foldsim.data import shipped
from foldsim.hardware.profile import load_profile
from foldsim.schema.quantity import quantities, sources_of

CLASSES: Final = ("phone", "wearable", "edge", "microcontroller")
TITLE_WIDTH: Final = 36


def run_list() -> None:
    """One line per shipped profile, by class of device."""
    rows: list[list[str]] = []
    specs = [load_profile(name).spec for name in shipped("hw_profiles")]
    specs.sort(key=lambda spec: CLASSES.index(spec.device_class))
    for spec in specs:
        unit = spec.compute_units[0]
        precision = "int8" if "int8" in unit.precisions else next(iter(unit.precisions))
        rate = unit.precisions[precision].macs_per_cycle.value
        peak = f"{count(rate * unit.cores_count.value * unit.clock_hz.value)}MAC/s {precision}"
        on_chip = sum(level.capacity_bytes.value for level in spec.memory_levels if level.on_chip)
        outer = spec.memory_levels[-1]
        rows.append(
            [
                spec.name,
                spec.grade,
                peak,
                size(on_chip),
                f"{outer.kind} {number(outer.bandwidth_gb_per_s.value)} GB/s",
                shorten(spec.title, TITLE_WIDTH),
            ]
        )
    columns = ["name", "grade", "peak", "on chip", "outermost", "title"]
    header, *lines = table(columns, rows, left=(0, 1, 4, 5)).split("\n")
    print(header)
    for device_class in CLASSES:
        print("\n" + device_class)
        print("\n".join(line for line, spec in zip(lines, specs, strict=True) if spec.device_class == device_class))


def run_show(name: str, sources: bool) -> None:
    """Every number with range and source, or the sources with what rests on each."""
    spec = load_profile(name).spec
    print(paragraph(f"{spec.name}: {spec.title}"))
    base = f", extends {spec.extends}" if spec.extends else ""
    print(f"class {spec.device_class}, grade {spec.grade}, default policy {spec.policy}{base}")
    print("\n" + paragraph(spec.summary) + "\n")
    for unit in spec.compute_units:
        print(f"compute unit {unit.name}: {unit.dataflow}, runs {', '.join(unit.runs)}")
    for level in spec.memory_levels:
        facts = ["on chip" if level.on_chip else "off chip", f"{level.clock} clock"]
        facts += ["keeps data between chunks"] if level.keeps_data else []
        facts += [] if level.writable else ["read-only"]
        kind = level.kind if level.dram is None else f"{level.kind} ({level.dram.type})"
        print(f"memory level {level.name}: {kind}, {', '.join(facts)}")
    if spec.calibration is not None:
        print("\n" + record_text(spec.calibration))
    print()
    found = list(quantities(spec))
    if sources:
        for key, source in spec.sources.items():
            used = [".".join(map(str, _named(spec, path))) for path, q in found if key in sources_of(q)]
            place = ", ".join(x for x in (source.doi, source.url, source.page) if x)
            print(paragraph(f"{key} ({source.kind}, {len(used)} number{'s' * (len(used) != 1)}): {source.title}"))
            for line in (place, source.note, "-> " + ", ".join(used) if used else ""):
                if line:
                    print(paragraph(line, 4))
        return
    rows = []
    for path, quantity in found:
        label = ".".join(str(part) for part in _named(spec, path))
        rows.append([label, f"{quantity.value:g}", f"{quantity.low:g}", f"{quantity.high:g}", quantity.source])
    print(table(["number (unit in its name)", "value", "low", "high", "source"], rows, left=(0, 4)))


def run_rules(name: str | None) -> None:
    """Every rule in a line, or one with its parameters."""
    from foldsim.hardware.derivation import RULES

    if name is None:
        for key, rule in RULES.items():
            fewest, most = rule.inputs
            takes = str(fewest) if fewest == most else f"{fewest} or more" if most is None else f"{fewest} to {most}"
            fields = ", ".join(field for field in rule.model_fields if field != "name")
            takes = f"takes {takes} number{'s' * (takes != '1')}" + f"; parameters {fields}" * bool(fields)
            print(f"{key}: {takes}")
            print(paragraph((rule.__doc__ or "").partition("\n\n")[0], 4))
        return
    if name not in RULES:
        close = difflib.get_close_matches(name, list(RULES), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        stop(f"error: no rule is called {name!r}{hint} There are: {', '.join(RULES)}")
    rule = RULES[name]
    print(f"{name}\n\n{inspect.cleandoc(rule.__doc__ or '')}\n")
    for field, info in rule.model_fields.items():
        if field != "name":
            needed = "" if info.is_required() else f" [default: {info.default}]"
            print(f"  {field}: {info.description}{needed}")


def _named(spec: object, path: tuple[str | int, ...]) -> list[str | int]:
    """A path with list indices replaced by names, as ``--set`` takes them."""
    node, parts = spec, list[str | int]()
    for key in path:
        node = node[key] if isinstance(node, (list, dict)) else getattr(node, str(key))  # type: ignore[index]
        parts.append(getattr(node, "name", key) if isinstance(key, int) else key)
    return parts
