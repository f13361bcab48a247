"""``foldsim profile list`` and ``workload list``."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from foldsim.cli.progress import track
from foldsim.cli.tables import count, fitted_table, number, print_json, size
from foldsim.data import Kind, shipped
from foldsim.hardware.device_classes import device_classes
from foldsim.hardware.profile import load_profile
from foldsim.hardware.spec import ProfileSpec
from foldsim.workload.workload import Workload, load_workload


def run_list(kind: Kind, as_json: bool) -> None:
    """Print one line, or one JSON object, per shipped file."""
    if kind == "workloads":
        records = [workload_record(load_workload(name)) for name in track(shipped(kind), "reading workloads")]
    else:
        records = [profile_record(load_profile(name).spec) for name in track(shipped(kind), "reading profiles")]
        records.sort(key=lambda record: list(device_classes()).index(record["device_class"]))
    if as_json:
        print_json(records)
    elif kind == "workloads":
        print(_workload_table(records))
    else:
        print(_profile_table(records))


def profile_record(spec: ProfileSpec) -> dict[str, Any]:
    """What ``profile list --json`` says of a profile; the keys carry the units.

    The peak rate is that of the first compute unit, in int8 if it computes in int8, at the reference clock.
    """
    unit, outer = spec.compute_units[0], spec.memory_levels[-1]
    precision = "int8" if "int8" in unit.precisions else next(iter(unit.precisions))
    rate = unit.precisions[precision].macs_per_cycle.value
    return {
        "name": spec.name,
        "title": spec.title,
        "device_class": spec.device_class,
        "grade": spec.grade,
        "peak_macs_per_s": rate * unit.cores_count.value * unit.clock_hz.value,
        "peak_precision": precision,
        "onchip_bytes": sum(level.capacity_bytes.value for level in spec.memory_levels if level.on_chip),
        "outermost_level": outer.kind,
        "outermost_bandwidth_gb_per_s": outer.bandwidth_gb_per_s.value,
    }


def workload_record(workload: Workload) -> dict[str, Any]:
    """What ``workload list --json`` says of a workload; the keys carry the units.

    ``source`` is the first source that is not an assumption, as written in the file, or null.
    """
    spec, params = workload.spec, workload.params()
    published = sorted(spec.streaming.chunk_tokens_published or ())
    sources = sorted(spec.sources.values(), key=lambda source: source.kind == "assumption")
    return {
        "name": spec.name,
        "title": spec.title,
        "params_count": sum(params.values()),
        "params_count_by_component": params,
        "token_ms": spec.token_ms,
        "chunk_ms": spec.streaming.chunk_tokens * spec.token_ms,
        "chunk_ms_published": [tokens * spec.token_ms for tokens in published],
        "chunk_step_ms": spec.chunk_step_ms,
        "source": sources[0].model_dump() if sources else None,
    }


def _profile_table(records: list[dict[str, Any]]) -> str:
    """One table with a heading per class of device."""
    rows = [
        [
            record["name"],
            record["grade"],
            f"{count(record['peak_macs_per_s'])} {record['peak_precision']}",
            size(record["onchip_bytes"]),
            f"{record['outermost_level']} {number(record['outermost_bandwidth_gb_per_s'])}",
            record["title"],
        ]
        for record in records
    ]
    head = ["name", "grade", "peak MAC/s", "on chip", "outermost GB/s", "title"]
    header, *lines = fitted_table(head, rows, left=(0, 1, 4, 5)).split("\n")
    blocks = [header]
    for device_class, group in groupby(zip(records, lines, strict=True), key=lambda pair: pair[0]["device_class"]):
        blocks.append("\n".join([device_class, *(line for _, line in group)]))
    return "\n\n".join(blocks)


def _workload_table(records: list[dict[str, Any]]) -> str:
    rows = [
        [
            record["name"],
            f"{record['params_count']:,}",
            f"{record['chunk_ms']:g}",
            f"{record['chunk_step_ms']:g}",
            record["title"],
        ]
        for record in records
    ]
    head = ["name", "parameters", "chunk ms", "step ms", "title"]
    return fitted_table(head, rows, left=(0, 4))
