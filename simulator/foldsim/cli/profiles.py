"""``foldsim profile list`` and ``profile show``."""

from __future__ import annotations

from foldsim.cli.tables import count, number, paragraph, shorten, size, table
from foldsim.data import shipped
from foldsim.hardware.profile import load_profile
from foldsim.schema.quantity import quantities


def run_list() -> None:
    """One line per shipped profile."""
    rows = []
    for name in shipped("hw_profiles"):
        spec = load_profile(name).spec
        unit = spec.compute_units[0]
        precision = "int8" if "int8" in unit.precisions else next(iter(unit.precisions))
        rate = unit.precisions[precision].macs_per_cycle.value
        peak = f"{count(rate * unit.cores_count.value * unit.clock_hz.value)}MAC/s {precision}"
        on_chip = sum(level.capacity_bytes.value for level in spec.memory_levels if level.on_chip)
        outer = spec.memory_levels[-1]
        rows.append(
            [
                name,
                spec.device_class,
                spec.grade,
                peak,
                size(on_chip),
                f"{outer.kind} {number(outer.bandwidth_gb_per_s.value)} GB/s",
                shorten(spec.title, 24),
            ]
        )
    print(table(["name", "class", "grade", "peak", "on chip", "outermost", "title"], rows, left=(0, 1, 2, 5, 6)))


def run_show(name: str, sources: bool) -> None:
    """Every number with range and source, or the sources with what rests on each."""
    spec = load_profile(name).spec
    print(paragraph(f"{spec.name}: {spec.title}"))
    print(f"class {spec.device_class}, grade {spec.grade}, default policy {spec.policy}")
    print("\n" + paragraph(spec.summary) + "\n")
    for unit in spec.compute_units:
        print(f"compute unit {unit.name}: {unit.dataflow}, runs {', '.join(unit.runs)}")
    for level in spec.memory_levels:
        facts = ["on chip" if level.on_chip else "off chip", f"{level.clock} clock"]
        facts += ["keeps data between chunks"] if level.keeps_data else []
        facts += [] if level.writable else ["read-only"]
        print(f"memory level {level.name}: {level.kind}, {', '.join(facts)}")
    print()
    found = list(quantities(spec))
    if sources:
        for key, source in spec.sources.items():
            used = sum(quantity.source == key for _, quantity in found)
            place = ", ".join(x for x in (source.doi, source.url, source.page) if x)
            print(f"{key} ({source.kind}, {used} number{'s' * (used != 1)}): {source.title}")
            for line in (place, source.note):
                if line:
                    print(f"    {line.strip()}")
        return
    rows = []
    for path, quantity in found:
        label = ".".join(str(part) for part in _named(spec, path))
        rows.append([label, f"{quantity.value:g}", f"{quantity.low:g}", f"{quantity.high:g}", quantity.source])
    print(table(["number (unit in its name)", "value", "low", "high", "source"], rows, left=(0, 4)))


def _named(spec: object, path: tuple[str | int, ...]) -> list[str | int]:
    """A path with list indices replaced by names, as ``--set`` takes them."""
    node, parts = spec, list[str | int]()
    for key in path:
        node = node[key] if isinstance(node, (list, dict)) else getattr(node, str(key))  # type: ignore[index]
        parts.append(getattr(node, "name", key) if isinstance(key, int) else key)
    return parts
