"""The compact text of a compression, for the command line and for results.

``RULE,RULE...`` with ``RULE`` = ``COMPONENT[/LAYER+LAYER][.CLASS+CLASS]=METHOD+METHOD``. Text and the
records of :mod:`foldsim.workload.compression.records` are equivalent and convert to each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args

import numpy as np
from pydantic import TypeAdapter, ValidationError

from foldsim.errors import UserError
from foldsim.workload.compression.records import (
    AnyCompression,
    CodebookCodes,
    Compression,
    IntegerCodes,
    LayerDropping,
    LowRank,
    Pruning,
    QsqCodes,
    StructuredPruning,
    WeightClass,
)

NONE = "none"
GRAMMAR = "COMPONENT[/LAYER][.CLASS]=METHOD[+METHOD], such as joiner=int4-g32 or encoder.feedforward=2:4+int8"
METHOD_FORMS = (
    "int2..int8[-gGROUP][-sSCALE_BITS][-zZERO_BITS]",
    "qsq",
    "codebook[-gWEIGHTS][-bINDEX_BITS]",
    "prune-0.5[-runBITS|-csr][-gated]",
    "2:4[-skips][-gated]",
    "lowrank-RANK",
    "drop-every4 or drop-1-3",
)
_CLASSES = get_args(WeightClass)
_NUMBER = r"\d{1,9}"
_SHARE = r"\d{1,3}(?:\.\d{1,20})?"


class CompressionTextError(UserError):
    """A compact text that cannot be read; ``problems`` lists every reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


# ---- options of methods: letters, field, pattern, conversion ---------------------------------------------------------

Option = tuple[str, str, str, Callable[[str], Any]]
_FREE: Option = ("free", "decoder", "", lambda _: "free")
_GATED: Option = ("gated", "zero_gating", "", lambda _: True)
_OPTIONS: dict[type[Compression], tuple[Option, ...]] = {
    IntegerCodes: (
        ("g", "group_size", _NUMBER, int),
        ("s", "scale_bits", _NUMBER, int),
        ("z", "zero_bits", _NUMBER, int),
        _FREE,
    ),
    QsqCodes: (
        ("f", "coded_ratio", _SHARE, float),
        ("g", "group_size", _NUMBER, int),
        ("s", "scale_bits", _NUMBER, int),
        ("z", "zero_ratio", _SHARE, float),
        ("e", "mac_energy_ratio", _SHARE, float),
        ("ungated", "zero_gating", "", lambda _: False),
        _FREE,
    ),
    CodebookCodes: (
        ("g", "group_size", _NUMBER, int),
        ("b", "index_bits", _NUMBER, int),
        ("c", "entry_bits", _NUMBER, int),
        _FREE,
    ),
    Pruning: (
        ("csr", "index", "", lambda _: "csr"),
        ("bitmap", "index", "", lambda _: "bitmap"),
        ("run", "run_bits", _NUMBER, int),
        _GATED,
        _FREE,
    ),
    StructuredPruning: (("skips", "skips", "", lambda _: True), _GATED, _FREE),
    LowRank: (),
    LayerDropping: (),
}
_SHOWN_ALWAYS = {(CodebookCodes, "group_size"), (CodebookCodes, "index_bits")}


# ---- reading -------------------------------------------------------------------------------------------------------


def parse_compression(text: str) -> tuple[Compression, ...]:
    """Read a compact text.

    Raises
    ------
    CompressionTextError
        With every rule that cannot be read, and what is allowed.

    >>> [entry.method for entry in parse_compression("encoder.feedforward=2:4+int8,joiner=qsq")]
    ['n_of_m', 'integer', 'qsq']
    """
    if text.strip() == NONE:
        return ()
    entries: list[Compression] = []
    problems: list[str] = []
    for rule in text.split(","):
        selection, equals, methods = rule.strip().partition("=")
        if not equals or not selection.strip() or not methods.strip():
            problems.append(f"cannot read {rule.strip()!r}; write none, or {GRAMMAR}")
            continue
        for method in methods.split("+"):
            try:
                entries.append(_entry(_selection(selection.strip()), method.strip()))
            except ValueError as error:
                problems.append(f"{selection.strip()}: {error}")
    if problems:
        raise CompressionTextError(problems)
    return tuple(entries)


def _selection(text: str) -> dict[str, Any]:
    """``encoder/layer.class`` as fields."""
    rest, dot, classes = text.rpartition(".")
    chosen: dict[str, Any] = {}
    if dot and all(name in _CLASSES for name in classes.split("+")):
        text, chosen["tensors"] = rest, classes.split("+")
    elif dot and "/" not in rest:
        unknown = next(name for name in classes.split("+") if name not in _CLASSES)
        raise ValueError(f"class of weights {unknown!r} not found; allowed: {', '.join(_CLASSES)}")
    component, slash, layers = text.partition("/")
    chosen["component"] = component
    if slash:
        chosen["layers"] = [name for name in layers.split("+") if name]
    return chosen


def _entry(selection: dict[str, Any], text: str) -> Compression:
    """One method with its selection."""
    fields = {**selection, **_method(text)}
    try:
        return TypeAdapter(AnyCompression).validate_python(fields)
    except ValidationError as error:
        raise ValueError("; ".join(_error_text(text, dict(e)) for e in error.errors())) from None


_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def _error_text(text: str, error: dict[str, Any]) -> str:
    """A pydantic error as text."""
    name = str(error["loc"][-1])
    limits = [f"{words} {error['ctx'][key]:g}" for key, words in _LIMITS.items() if key in error.get("ctx", {})]
    return f"{text}: {name} must be {limits[0]}, not {error['input']}" if limits else f"{text}: {name}: {error['msg']}"


def _method(text: str) -> dict[str, Any]:
    """A method and its parameters as fields."""
    head, _, tail = text.partition("-")
    words = tail.split("-") if tail else []
    if found := re.fullmatch(r"int(\d{1,3})", head):
        return {"method": "integer", "bits": int(found[1]), **_options(IntegerCodes, text, words)}
    if found := re.fullmatch(r"(\d{1,3}):(\d{1,3})", head):
        return {"method": "n_of_m", "n": int(found[1]), "m": int(found[2]), **_options(StructuredPruning, text, words)}
    if head == "qsq":
        return {"method": "qsq", **_options(QsqCodes, text, words)}
    if head == "codebook":
        return {"method": "codebook", **_options(CodebookCodes, text, words)}
    if head == "prune" and words and re.fullmatch(_SHARE, words[0]):
        fields = {"method": "prune", "zero_ratio": float(words[0]), **_options(Pruning, text, words[1:])}
        return {**fields, "index": "run_length"} if "run_bits" in fields else fields
    if head == "lowrank" and re.fullmatch(_NUMBER, tail):
        return {"method": "low_rank", "rank": int(tail)}
    if head == "drop" and (found := re.fullmatch(rf"every({_NUMBER})", tail)):
        return {"method": "drop_layers", "every": int(found[1])}
    if head == "drop" and re.fullmatch(rf"{_NUMBER}(-{_NUMBER})?(\.{_NUMBER}(-{_NUMBER})?)*", tail):
        return {"method": "drop_layers", "numbers": tail.replace(".", ",")}
    raise ValueError(f"cannot read the method {text!r}; allowed: {'; '.join(METHOD_FORMS)}")


def _options(method: type[Compression], text: str, words: Iterable[str]) -> dict[str, Any]:
    """The words after a method's name as fields."""
    fields: dict[str, Any] = {}
    for word in words:
        for letters, name, pattern, read in _OPTIONS[method]:
            if found := re.fullmatch(rf"{letters}({pattern})", word):
                if name in fields:
                    raise ValueError(f"{text}: {name} is given twice")
                fields[name] = read(found[1])
                break
        else:
            allowed = ", ".join(
                f"-{letters}{'NUMBER' if pattern else ''}" for letters, _, pattern, _ in _OPTIONS[method]
            )
            raise ValueError(f"{text}: cannot read -{word}; allowed: {allowed}")
    return fields


# ---- writing -------------------------------------------------------------------------------------------------------


def describe_compression(entries: Sequence[Compression]) -> str:
    """The compact text; ``none`` without compression.

    >>> describe_compression(parse_compression("joiner = prune-0.50 + int4-g32-s16"))
    'joiner=prune-0.5+int4-g32'
    """
    rules: list[tuple[str, list[str]]] = []
    for entry in entries:
        selection = entry.component
        if entry.layers is not None:
            selection += "/" + "+".join(entry.layers)
        if entry.tensors is not None:
            selection += "." + "+".join(entry.tensors)
        if rules and rules[-1][0] == selection:
            rules[-1][1].append(describe_method(entry))
        else:
            rules.append((selection, [describe_method(entry)]))
    return ",".join(f"{selection}={'+'.join(methods)}" for selection, methods in rules) or NONE


def describe_method(entry: Compression) -> str:
    """A method with the options that differ from their defaults.

    >>> describe_method(CodebookCodes(method="codebook", component="joiner", entry_bits=8))
    'codebook-g4-b8-c8'
    """
    if isinstance(entry, LowRank):
        return f"lowrank-{entry.rank}"
    if isinstance(entry, LayerDropping):
        numbers = (entry.numbers or "").replace(" ", "").replace(",", ".")
        return f"drop-every{entry.every}" if entry.every is not None else f"drop-{numbers}"
    words = [_head(entry)]
    fields = type(entry).model_fields
    for letters, name, pattern, read in _OPTIONS[type(entry)]:
        value = getattr(entry, name)
        if value == fields[name].default and (type(entry), name) not in _SHOWN_ALWAYS:
            continue
        if pattern:
            words.append(f"{letters}{_share(value) if isinstance(value, float) else value}")
        elif value == read(""):
            words.append(letters)
    if isinstance(entry, Pruning) and entry.index == "run_length" and entry.run_bits is None:
        words.insert(1, "run4")
    return "-".join(words)


def _head(entry: Compression) -> str:
    if isinstance(entry, IntegerCodes):
        return f"int{entry.bits}"
    if isinstance(entry, StructuredPruning):
        return f"{entry.n}:{entry.m}"
    if isinstance(entry, Pruning):
        return f"prune-{_share(entry.zero_ratio)}"
    return entry.method


def _share(value: float) -> str:
    """A ratio without an exponent.

    >>> _share(0.00001)
    '0.00001'
    """
    return np.format_float_positional(value, trim="-")
