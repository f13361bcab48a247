"""Where results come from: version, axes, inputs with their hashes; and the way back from rows to designs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from foldsim._version import __version__
from foldsim.data import shipped
from foldsim.designs.axes import AXES, SETS
from foldsim.designs.design import UNFOLDED, Design, resolve
from foldsim.errors import UserError
from foldsim.hardware import profile as hardware_profile
from foldsim.hardware.profile import Profile
from foldsim.schema import Document, InputError
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results
from foldsim.sweeps.space import DesignSpace
from foldsim.workload import workload as workload_module
from foldsim.workload.compression.text import describe_compression
from foldsim.workload.workload import Workload

MOST_LISTED = 1000  # values of one axis; of a longer one only the number is recorded
# Parts of a workload that are axes of a design, so that results carry them in columns.
_AXES_OF_A_WORKLOAD = ("folding", "compression")
# Keys that lead to other files. What they lead to is in the data already.
_LINKS = ("extends", "removes")


class ProvenanceError(UserError):
    """The designs of a result cannot be rebuilt; the message names the missing input."""


def provenance(space: DesignSpace, arguments: Sequence[str]) -> dict[str, Any]:
    """What a result file records about its origin. No date, so that equal runs give equal bytes.

    ``arguments`` are kept for the reader; no code reads them. ``space`` has the axes that were given, ``inputs`` every
    workload and profile: one that is not shipped as it is carries its whole content as ``data``.
    """
    return {**origin([*space.workloads, *space.profiles], arguments), "space": _axes(space)}


def origin(items: Iterable[Workload | Profile], arguments: Sequence[str]) -> dict[str, Any]:
    """Version, arguments and inputs."""
    return {"foldsim_version": __version__, "arguments": list(arguments), "inputs": [_input(item) for item in items]}


def _input(item: Workload | Profile) -> dict[str, Any]:
    """One input. If it is based on other files, it lists them with their hashes; its own hash covers all of them."""
    kind = "workload" if isinstance(item, Workload) else "profile"
    entry: dict[str, Any] = {
        "kind": kind,
        "name": item.name,
        "file": Path(item.document.file).name,
        "sha256": item.sha256,
    }
    if isinstance(item, Profile) and len(files := item.files()) > 1:
        entry["parts"] = [{"file": part, "sha256": digest} for part, digest in files]
    if _content(item) != _shipped_content(kind, item.name):
        entry["data"] = json.loads(_content(item))
    return entry


def _content(item: Workload | Profile) -> str:
    """An input as JSON, complete without other files."""
    data = {k: v for k, v in item.document.data.items() if k not in (*_LINKS, *_AXES_OF_A_WORKLOAD)}
    if isinstance(item, Profile):
        data["memory_levels"] = [{k: v for k, v in level.items() if k != "dram"} for level in data["memory_levels"]]
    return json.dumps(data, sort_keys=True)


@cache
def _shipped_content(kind: str, name: str) -> str | None:
    if kind == "workload":
        return _content(workload_module.load_workload(name)) if name in shipped("workloads") else None
    return _content(hardware_profile.load_profile(name)) if name in shipped("hw_profiles") else None


def _axes(space: DesignSpace) -> dict[str, Any]:
    """The axes that were given, by name, as plain values."""
    given: dict[str, Any] = {
        "workloads": [_reference("workload", item) for item in space.workloads],
        "profiles": [_reference("profile", item) for item in space.profiles],
        "placement": space.placement if space.placement != "auto" else None,
        "by": space.by if space.by != "total" else None,
        "compress": None if space.compress is None else [describe_compression(entries) for entries in space.compress],
        SETS: {path: _listed(values) for path, values in space.sets.items()},
    }
    for name in ("chunk_ms", "fold"):
        values = getattr(space, name)
        given[name] = None if values is None else _listed(values)
    given |= {name: getattr(space, name) for name in ("fold_layers", "fold_scope", "fold_heads", "policy")}
    if space.sampling is not None:
        given |= {"sample": space.sampling.count, "method": space.sampling.method, "seed": space.sampling.seed}
    return {name: given[name] for name in AXES if given.get(name) not in (None, {})}


def _reference(kind: str, item: Workload | Profile) -> str:
    """What to load an input by: its shipped name, or its file as it was given."""
    is_shipped = _shipped_content(kind, item.name) is not None
    return item.name if is_shipped and Path(item.document.file).stem == item.name else item.document.file


def _listed(values: Sequence[Any]) -> list[Any]:
    return list(values) if len(values) <= MOST_LISTED else [f"{len(values)} values"]


def inputs_of(results: Results) -> Mapping[tuple[str, str], dict[str, Any]]:
    """Recorded inputs by kind and name."""
    listed = results.provenance.get("inputs") or []
    entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    return {(str(e.get("kind")), str(e.get("name"))): e for e in entries}


def load_input(results: Results, kind: str, name: str) -> Any:
    """The workload or profile that rows were made from.

    Raises
    ------
    ProvenanceError
        If the result does not record it, or it is another one in this version of foldsim.
    """
    entry = inputs_of(results).get((kind, name))
    if entry is None:
        raise ProvenanceError(f"the result does not say which {kind} {name} is")
    module: Any = workload_module if kind == "workload" else hardware_profile
    try:
        if isinstance(entry.get("data"), dict):
            text = json.dumps(entry["data"])
            start: dict[tuple[str | int, ...], tuple[int, int]] = {(): (1, 1)}
            return module.from_document(Document(f"{name}.yaml", text, entry["data"], start, start))
        if name in shipped("workloads" if kind == "workload" else "hw_profiles"):
            found = module.load_workload(name) if kind == "workload" else module.load_profile(name)
            if found.sha256 == entry.get("sha256"):
                return found
    except (InputError, OSError) as error:
        raise ProvenanceError(f"{kind} {name} of the result cannot be read: {error}") from None
    digest = str(entry.get("sha256"))[:12]
    raise ProvenanceError(f"{kind} {name} as the sweep used it (sha256 {digest}…) is not shipped with this foldsim")


def designs_of(results: Results, rows: Iterable[int] | None = None) -> list[Design]:
    """The designs of some rows of a result (all if not given), rebuilt from columns and recorded inputs.

    Raises
    ------
    ProvenanceError
        If an input is not available.
    DesignError
        If a design cannot be evaluated by this version of foldsim.
    """
    loaded: dict[tuple[str, str], Any] = {}
    changed = [name for name in results.columns if name not in columns()]
    designs = []
    for row in range(len(results)) if rows is None else rows:
        values = {name: results[name][row] for name in results.columns}
        keys = [(kind, str(values[kind])) for kind in ("workload", "profile")]
        for key in keys:
            if key not in loaded:
                loaded[key] = load_input(results, *key)
        designs.append(_design(values, loaded[keys[0]], loaded[keys[1]], changed))
    return designs


def _design(values: Mapping[str, Any], workload: Workload, profile: Profile, changed: Sequence[str]) -> Design:
    given: dict[str, Any] = {}
    for name in ("fold", "fold_layers", "fold_scope", "fold_heads", "compress", "policy", "placement"):
        column = AXES[name].column or name
        if column in values and not (name.startswith("fold_") and values[column] == UNFOLDED):
            given[name] = _plain(values[column])
    changes = {path: _plain(values[path]) for path in changed}
    return resolve(workload, profile, float(values["chunk_ms"]), changes=changes, **given)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
