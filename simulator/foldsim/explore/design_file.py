"""A design space in YAML: the same axes as the options of ``foldsim sweep``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from foldsim.explore.sampling import Sampling
from foldsim.explore.space import DesignSpace, FoldOptions, SpaceError, parse_numbers, parse_set
from foldsim.explore.variants import SetAxis
from foldsim.hardware.profile import load_profile
from foldsim.schema import InputError, read_yaml, validate_document
from foldsim.schema.quantity import Record
from foldsim.workload.compression import Compression
from foldsim.workload.compression_text import CompressionTextError, parse_compression
from foldsim.workload.workload import load_workload

SetValues = float | int | str | bool


class DesignFile(Record):
    """``DESIGN.yaml``: what to sweep. Everything is optional; options on the command line override it."""

    workloads: list[str] | None = Field(
        default=None, min_length=1, description="Shipped names, or files beside this one."
    )
    profiles: list[str] | None = Field(
        default=None, min_length=1, description="Shipped names, or files beside this one."
    )
    chunk_ms: str | list[float] | None = Field(default=None, description='A list, or "40:1280:40" (first:last:step).')
    fold: str | list[int] | None = Field(default=None, description="Folding factors; 1 is the baseline.")
    fold_layers: str | None = Field(default=None, description="all, 1-10, 1,4,7 or every:2.")
    fold_scope: str | None = Field(default=None, description="attention or attention+feedforward.")
    fold_heads: str | None = Field(default=None, description="keep_head_dim or keep_heads.")
    compress: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Compressions, one design each: none, or rules such as joiner=int4-g32,encoder.feedforward=2:4.",
    )
    policy: str | None = Field(default=None, description="race-to-idle, slowest-real-time or an operating point.")
    placement: str | None = Field(default=None, description="auto, dram or pinned:COMPONENT,...")
    sets: dict[str, list[SetValues]] | None = Field(default=None, description="Path -> values, as --set takes them.")
    by: str | None = Field(default=None, description="total, component, op, term, level or tensor.")
    sample: int | None = Field(default=None, description="Joint samples of all ranged numbers, for bands.")
    method: str | None = Field(default=None, description="How to draw them: lhs, sobol or random.")
    seed: int | None = Field(default=None, description="The same seed draws the same samples; 0 by default.")


def read_design(path: Path) -> dict[str, Any]:
    """Options that a design file gives, with names of files made relative to its folder."""
    document = read_yaml(path)
    options = validate_document(document, DesignFile).model_dump(exclude_none=True)
    for key in ("workloads", "profiles"):
        if key in options:
            options[key] = [_beside(path, name) for name in options[key]]
    return options


def _beside(design: Path, name: str) -> str:
    if name.endswith((".yaml", ".yml")) and not Path(name).is_absolute():
        return str(design.parent / name)
    return name


def build_space(
    options: dict[str, Any], default_workloads: Sequence[str], default_profiles: Sequence[str]
) -> DesignSpace:
    """A checked design space from options; each may be missing or None.

    Every problem of the inputs and of the options is reported at once.

    Raises
    ------
    InputError, SpaceError
        With every reason.
    """
    findings: list[Any] = []
    problems: list[str] = []
    loaded: dict[str, list[Any]] = {"workloads": [], "profiles": []}
    for key, load, default in (
        ("workloads", load_workload, default_workloads),
        ("profiles", load_profile, default_profiles),
    ):
        for name in dict.fromkeys(options.get(key) or default):
            try:
                loaded[key].append(load(name))
            except InputError as error:
                findings += error.findings
            except LookupError as error:
                problems.append(str(error))
    axes: dict[str, Any] = {}
    for key, parse in (("chunk_ms", _chunks), ("fold", _factors), ("sets", _sets), ("compress", read_compressions)):
        try:
            axes[key] = parse(options.get(key))
        except SpaceError as error:
            problems += error.problems
    folding = FoldOptions(*(options.get(f"fold_{key}") for key in ("layers", "scope", "heads")))
    if findings:
        raise InputError(tuple(findings))
    if problems:
        raise SpaceError([*problems, *folding.problems()])
    space = DesignSpace(
        loaded["workloads"],
        loaded["profiles"],
        axes["chunk_ms"] or None,
        axes["fold"],
        folding,
        options.get("policy"),
        options.get("placement") or "auto",
        axes["sets"],
        options.get("by") or "total",
        axes["compress"],
        sampling_of(options.get("sample"), options.get("method"), options.get("seed")),
    )
    space.check()
    return space


def sampling_of(count: int | None, method: str | None, seed: int | None) -> Sampling | None:
    """The samples that options ask for; None where they ask for none."""
    if count is None:
        if method is not None or seed is not None:
            raise SpaceError(["--method and --seed say how to draw samples; give --sample N too"])
        return None
    return Sampling(count, method or "lhs", seed or 0)


def _chunks(given: str | list[float] | None) -> list[float] | None:
    if given is None or not isinstance(given, str):
        return given
    return parse_numbers(given, "--chunk-ms")


def _factors(given: str | list[int] | None) -> list[int] | None:
    if given is None or not isinstance(given, str):
        return given
    return [int(v) for v in parse_numbers(given, "--fold", whole=True)]


def read_compressions(given: list[str] | None) -> list[tuple[Compression, ...]] | None:
    """Compact texts as records; None where none are given. Tells every problem of every text at once."""
    problems: list[str] = []
    read = []
    for text in given or ():
        try:
            read.append(parse_compression(text))
        except CompressionTextError as error:
            problems += [f"--compress: {problem}" for problem in error.problems]
    if problems:
        raise SpaceError(problems)
    return read or None


def _sets(given: list[str] | dict[str, list[SetValues]] | None) -> list[SetAxis]:
    if not given:
        return []
    axes = (
        [SetAxis(path, tuple(v)) for path, v in given.items()]
        if isinstance(given, dict)
        else list(map(parse_set, given))
    )
    twice = sorted({a.path for a in axes if [b.path for b in axes].count(a.path) > 1})
    if twice:
        raise SpaceError([f"--set {path} is given twice; list its values once: {path}=v1,v2" for path in twice])
    return axes
