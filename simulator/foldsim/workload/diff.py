"""Comparison of two workloads: sizes and work by component, and differences of structure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from foldsim.workload.compression.text import describe_compression
from foldsim.workload.spec import WorkloadSpec
from foldsim.workload.workload import Workload

TOTAL = "total"
ABSENT = "-"
_PROSE = ("name", "title", "summary", "sources", "published_params_count", "unused_params_count")


@dataclass(frozen=True)
class Size:
    """Size and work of a component.

    Attributes
    ----------
    params : trained parameters.
    macs_per_chunk : multiply-accumulates per chunk, at the component's rate.
    weights_bytes, state_bytes : stored, at the workload's number formats and compression.
    """

    params: float
    macs_per_chunk: float
    weights_bytes: float
    state_bytes: float


@dataclass(frozen=True)
class Difference:
    """A key whose value differs, as text; ``-`` if a workload does not have the key."""

    key: str
    first: str
    second: str


def component_sizes(workload: Workload, chunk_tokens: int) -> dict[str, Size]:
    """Sizes by component, and their sum under ``total``."""
    lowered = workload.lower(chunk_tokens)
    recogniser = lowered.recogniser
    params, macs = workload.params(), workload.macs_per_invocation(chunk_tokens)
    sizes: dict[str, Size] = {}
    for index, name in enumerate(recogniser.component_names):
        own_groups = recogniser.group_component == index
        stored = recogniser.group_bytes[:, 0]
        sizes[name] = Size(
            params[name],
            macs[name] * float(recogniser.invocations_per_chunk[index, 0]),
            float(stored[own_groups & ~recogniser.group_is_state].sum()),
            float(stored[own_groups & recogniser.group_is_state].sum()),
        )
    total = {key: sum(getattr(size, key) for size in sizes.values()) for key in Size.__dataclass_fields__}
    return {**sizes, TOTAL: Size(**total)}


def structure_differences(first: WorkloadSpec, second: WorkloadSpec) -> list[Difference]:
    """Every option that differs, in the order of the format; without prose and sources.

    Components and layers are matched by name. For layers of different kinds only shared fields are compared.
    """
    return list(_dicts(_plain(first), _plain(second), ()))


def _plain(spec: WorkloadSpec) -> dict[str, Any]:
    """The description as plain values, without names, prose, sources and published counts."""
    data = spec.model_dump(by_alias=True)
    kept = {key: value for key, value in data.items() if key not in _PROSE}
    kept["compression"] = describe_compression(spec.compression)
    return kept


def _dicts(first: Mapping[str, Any], second: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Difference]:
    keys = dict.fromkeys((*first, *second))
    if first.get("kind") != second.get("kind"):
        keys = {key: None for key in keys if key in first and key in second}
    for key in keys:
        yield from _values(first.get(key), second.get(key), (*path, key))


def _values(first: Any, second: Any, path: tuple[str, ...]) -> Iterator[Difference]:
    if first == second:
        return
    if _options(first) and _options(second) and (first or second):
        yield from _dicts(first or {}, second or {}, path)
    elif _named(first) and _named(second):
        yield from _lists(first, second, path)
    elif _text(first) != _text(second):
        yield Difference(".".join(path), _text(first), _text(second))


def _options(value: Any) -> bool:
    """Whether it is a section of options (or None), not a quantity with a range or a record with a kind."""
    return value is None or (isinstance(value, Mapping) and not {"value", "kind"} & value.keys())


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) and "name" in v for v in value)


def _lists(first: list[Any], second: list[Any], path: tuple[str, ...]) -> Iterator[Difference]:
    """Components or layers, matched by name."""
    first_items, second_items = ({item["name"]: item for item in items} for items in (first, second))
    inner = path[:-1] if path[-1] in ("components", "layers") else path
    for name in dict.fromkeys((*first_items, *second_items)):
        if name in first_items and name in second_items:
            yield from _dicts(first_items[name], second_items[name], (*inner, name))
        else:
            values = _text(first_items.get(name)), _text(second_items.get(name))
            yield Difference(".".join((*inner, name)), *values)


def _text(value: Any) -> str:
    """A value as short text."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_text(v) for v in value) + "]"
    if isinstance(value, Mapping):
        if "layers" in value:
            return ", ".join(_text(layer) for layer in value["layers"])
        if "name" in value:
            repeat = value.get("repeat", 1)
            return f"{value['kind']}" + (f" x{repeat}" if repeat > 1 else "")
        if "value" in value:
            span = f" ({value['low']:g} to {value['high']:g})" if value["low"] < value["high"] else ""
            return f"{value['value']:g}{span}"
        options = [f"{key} {_text(v)}" for key, v in value.items() if v is not None and key != "kind"]
        return " ".join([str(value.get("kind", "")), f"({', '.join(options)})" if options else ""]).strip()
    return f"{value:g}" if isinstance(value, float) else str(value)
