"""A design space from options, as a YAML file, the command line or Python gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from foldsim.designs.axes import AXES, SETS, DesignError, parse_numbers, problem
from foldsim.designs.changes import Scalar, parse_set
from foldsim.designs.checks import fold_policy_problems
from foldsim.designs.design import read_compression
from foldsim.errors import UserError
from foldsim.hardware.profile import Profile, load_profile
from foldsim.schema import Finding, InputError, Problem, read_yaml, validate_document
from foldsim.schema.quantity import Record
from foldsim.sweeps.sampling import sampling_of
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.compression.records import Compression
from foldsim.workload.workload import Workload, load_workload

SetValues = float | int | str | bool


def _axis(name: str, least: int | None = None) -> Any:
    return Field(default=None, min_length=least, description=f"{AXES[name].meaning}.")


class DesignFile(Record):
    """``DESIGN.yaml``: what to sweep. Everything is optional; options on the command line override it."""

    workloads: list[str] | None = _axis("workloads", 1)
    profiles: list[str] | None = _axis("profiles", 1)
    chunk_ms: str | list[float] | None = _axis("chunk_ms")
    fold: str | list[int] | None = _axis("fold")
    fold_layers: str | None = _axis("fold_layers")
    fold_scope: str | None = _axis("fold_scope")
    fold_heads: str | None = _axis("fold_heads")
    compress: list[str] | None = _axis("compress", 1)
    policy: str | None = _axis("policy")
    placement: str | None = _axis("placement")
    sets: dict[str, list[SetValues]] | None = Field(default=None, description="Path -> values, as --set takes them.")
    by: str | None = _axis("by")
    sample: int | None = _axis("sample")
    method: str | None = _axis("method")
    seed: int | None = _axis("seed")


def read_design(path: Path) -> dict[str, Any]:
    """Options in a design file, with file names relative to its folder."""
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
    options: Mapping[str, Any], default_workloads: Sequence[str] = (), default_profiles: Sequence[str] = ()
) -> DesignSpace:
    """A checked design space from options by the names of :data:`AXES`; each may be missing or None.

    Workloads and profiles are names, paths or loaded objects; values are texts, as the command line takes them, or
    plain values. Every problem of the inputs and of the options is reported together.

    Raises
    ------
    InputError, DesignError
        With every reason.
    """
    findings: list[Finding] = []
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for name, load, default in (
        ("workloads", load_workload, default_workloads),
        ("profiles", load_profile, default_profiles),
    ):
        given = options.get(name)
        found[name] = _loaded(name, load, default if given is None else given, findings, problems)
    for name, read in (
        ("chunk_ms", _chunks),
        ("fold", _factors),
        (SETS, _sets),
        ("compress", _compressions),
    ):
        try:
            found[name] = read(options.get(name))
        except DesignError as error:
            problems += error.problems
    try:
        sampling = sampling_of(*(options.get(name) for name in ("sample", "method", "seed")))
    except DesignError as error:
        problems += error.problems
    if findings:
        raise InputError(tuple(findings))
    if problems:
        raise DesignError([*problems, *fold_policy_problems(options.get("fold_scope"), options.get("fold_heads"))])
    texts = ("fold_layers", "fold_scope", "fold_heads", "policy", "placement", "by")
    found |= {name: options[name] for name in texts if options.get(name) is not None}
    space = DesignSpace(**found, sampling=sampling)
    space.check()
    return space


def _loaded(
    axis: str, load: Any, given: Any, findings: list[Finding], problems: list[Problem]
) -> list[Workload | Profile]:
    """The inputs of one kind, each once; what is wrong with them is added to findings and problems."""
    items = list(given) if isinstance(given, (list, tuple)) else [given]
    loaded: list[Workload | Profile] = []
    for item in {item if isinstance(item, str) else id(item): item for item in items}.values():
        try:
            loaded.append(item if isinstance(item, (Workload, Profile)) else load(item))
        except InputError as error:
            findings += error.findings
        except LookupError as error:
            problems.append(problem(axis, str(error)))
    return loaded


def read_numbers(given: object, axis: str, whole: bool = False) -> list[float]:
    """A number, a sequence of numbers, or text such as ``40:160:40`` as a list.

    Raises
    ------
    DesignError
        If an item is not a number, or not a whole one where ``whole`` is set.
    """
    if isinstance(given, str):
        return parse_numbers(given, axis, whole)
    items: list[Any] = list(given) if isinstance(given, Iterable) else [given]
    for item in items:
        number = hasattr(item, "__float__") and not isinstance(item, (bool, str))
        if not number or (whole and item % 1):
            raise DesignError([problem(axis, f"{item!r} is not a {'whole number' if whole else 'number'}")])
    return [float(item) for item in items]


def _chunks(given: object) -> list[float] | None:
    return None if given is None else read_numbers(given, "chunk_ms")


def _factors(given: object) -> list[int] | None:
    return None if given is None else [int(n) for n in read_numbers(given, "fold", whole=True)]


def _compressions(given: str | Sequence[str] | None) -> list[tuple[Compression, ...]] | None:
    """Compact texts as rules; None if none are given. Every problem of every text is reported."""
    problems: list[Problem] = []
    read = []
    for text in [given] if isinstance(given, str) else given or ():
        try:
            read.append(read_compression(text))
        except DesignError as error:
            problems += error.problems
    if problems:
        raise DesignError(problems)
    return read or None


def _sets(given: Sequence[str] | Mapping[str, Sequence[Scalar]] | None) -> dict[str, tuple[Scalar, ...]]:
    if isinstance(given, Mapping):
        return {path: tuple(values) for path, values in given.items()}
    axes = [parse_set(text) for text in given or ()]
    paths = [path for path, _ in axes]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        message = "given twice; list its values once: {}=v1,v2"
        raise DesignError([Problem((SETS, path), message.format(path)) for path in twice])
    return dict(axes)


def one_value_each(texts: Iterable[str] | None, command: str) -> dict[str, Scalar]:
    """Changes from ``path=value`` texts for a command that evaluates one design.

    Raises
    ------
    UserError
        If a text cannot be read, or gives several values.
    """
    changes: dict[str, Scalar] = {}
    for text in texts or ():
        path, values = parse_set(text)
        if len(values) > 1:
            raise UserError(f"--set {path}: {command} takes one value, not {len(values)}; use foldsim sweep")
        changes[path] = values[0]
    return changes
