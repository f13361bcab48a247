"""Variants: transformations of a workload as short text, such as ``fold=2,fold_layers=1-10,compress=joiner:int4``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from foldsim.data import UnknownNameError
from foldsim.errors import UserError, nearest
from foldsim.schema import InputError
from foldsim.schema.findings import Finding
from foldsim.workload.attention import ATTENTION_KINDS
from foldsim.workload.compression.text import CompressionTextError
from foldsim.workload.folding import FoldHeads, FoldScope
from foldsim.workload.kinds import kind_name
from foldsim.workload.spec import FoldingSpec
from foldsim.workload.workload import Workload, load_workload

BASELINE = "baseline"
OPTION = "attention."
KEYS = ("fold", "fold_layers", "fold_scope", "fold_heads", "attention", "compress")
EXAMPLES = "baseline, fold=2, fold=2,fold_scope=attention+feedforward, attention=favor, compress=joiner:int4-g32"
_ALLOWED: dict[str, Sequence[str]] = {
    "fold_scope": get_args(FoldScope),
    "fold_heads": get_args(FoldHeads),
    "attention": [str(kind_name(kind)) for kind in ATTENTION_KINDS],
}
_NUMBER = re.compile(r"[1-9]\d{0,5}")


class VariantError(UserError):
    """A variant that cannot be read or does not fit the workload; ``problems`` lists every reason."""

    def __init__(self, text: str, problems: Iterable[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(f"variant {text!r}: {problem}" for problem in self.problems))


@dataclass(frozen=True)
class Variant:
    """A parsed variant, not yet applied.

    Attributes
    ----------
    text : as given, without spaces.
    steps : keys and values in the order given; none for the baseline.
    """

    text: str
    steps: tuple[tuple[str, str], ...]

    def last(self, key: str) -> str | None:
        """The value of a key that can occur once."""
        return dict(self.steps).get(key)

    def all(self, key: str) -> list[str]:
        """All values of a key, in order."""
        return [value for name, value in self.steps if name == key]

    @property
    def attention_options(self) -> dict[str, Any]:
        """Options of the attention kind."""
        return {name.removeprefix(OPTION): _scalar(v) for name, v in self.steps if name.startswith(OPTION)}

    @property
    def compression(self) -> str:
        """All ``compress`` rules as one compact text; ``joiner:int4`` is the same as ``joiner=int4``."""
        return ",".join(v if "=" in v else v.replace(":", "=", 1) for v in self.all("compress"))

    def apply(self, workload: Workload) -> Workload:
        """The workload transformed: attention first, then compression, then folding, in any order of the text.

        Raises
        ------
        VariantError
            If the variant does not fit the workload; says what is allowed.
        """
        try:
            return self._applied(workload)
        except InputError as error:
            raise VariantError(self.text, map(_finding_text, error.findings)) from None
        except CompressionTextError as error:
            raise VariantError(self.text, error.problems) from None

    def _applied(self, workload: Workload) -> Workload:
        if not self.steps:
            return (workload.compress("none") if workload.spec.compression else workload).unfolded()
        kind = self.last("attention")
        if kind is not None:
            workload = workload.with_attention(kind, **self.attention_options)
        if rules := self.compression:
            workload = workload.compress(rules)
        if (factor := self.last("fold")) is None:
            return workload
        if int(factor) == 1:
            return workload.unfolded()
        if kind is not None and not workload.spec.foldable_layers():
            raise VariantError(self.text, [f"attention={kind} cannot be folded; leave out fold={factor}"])
        # Policies that the text does not specify are those of the workload's folding, as with --fold.
        own = workload.spec.folding or FoldingSpec(factor=1)
        return workload.fold(
            int(factor),
            self.last("fold_layers") or own.layers,
            cast(FoldScope, self.last("fold_scope") or own.scope),
            cast(FoldHeads, self.last("fold_heads") or own.heads),
        )


def parse_variant(text: str) -> Variant:
    """Read a variant: ``baseline`` (neither folded nor compressed), or comma-separated ``key=value`` with these keys.

    ``fold`` (N), ``fold_layers`` (may contain commas), ``fold_scope``, ``fold_heads``, ``attention`` (of all encoder
    layers) with options as ``attention.features=266``, and ``compress``, which may be repeated.

    Raises
    ------
    VariantError
        With every part that cannot be read, and what is allowed.

    >>> parse_variant("fold=2,fold_layers=1,4,7-9").steps
    (('fold', '2'), ('fold_layers', '1,4,7-9'))
    """
    plain = re.sub(r"\s+", "", text)
    if plain in ("", BASELINE):
        return Variant(BASELINE, ())
    steps: list[tuple[str, str]] = []
    problems: list[str] = []
    for part in plain.split(","):
        key, equals, value = part.partition("=")
        if equals:
            steps.append((key, value))
        elif steps and steps[-1][0] == "fold_layers" and re.fullmatch(r"[\d-]+", part):
            steps[-1] = ("fold_layers", f"{steps[-1][1]},{part}")
        elif part == BASELINE:
            problems.append("'baseline' cannot be combined: it is the workload neither folded nor compressed")
        else:
            problems.append(f"cannot read {part!r}; write key=value, such as {EXAMPLES}")
    problems += _problems(steps)
    if problems:
        raise VariantError(text, problems)
    return Variant(plain, tuple(steps))


def _problems(steps: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Problems of keys and values that do not depend on a workload."""
    names = [key for key, _ in steps]
    for key, value in steps:
        if key not in KEYS and not (key.startswith(OPTION) and len(key) > len(OPTION)):
            yield f"key {key!r} not found{_suggestion(key, KEYS)}; keys: {', '.join(KEYS)}, {OPTION}OPTION"
        elif not value:
            yield f"{key} has no value"
        elif key == "fold" and not _NUMBER.fullmatch(value):
            yield f"fold={value}: N is a whole number of at least 1, such as fold=2"
        elif value not in _ALLOWED.get(key, [value]):
            yield (
                f"{key}={value} does not exist{_suggestion(value, _ALLOWED[key])}; allowed: {', '.join(_ALLOWED[key])}"
            )
    for key in sorted({k for k in names if k != "compress" and names.count(k) > 1}):
        yield f"{key} is given twice"
    lone = [key for key in names if key.startswith("fold_") and key in KEYS]
    if lone and "fold" not in names:
        yield f"{lone[0]} needs fold=N, such as fold=2,{lone[0]}={dict(steps)[lone[0]]}"
    options = [key for key in names if key.startswith(OPTION)]
    if options and "attention" not in names:
        yield f"{options[0]} needs attention=KIND; kinds: {', '.join(_ALLOWED['attention'])}"


def _suggestion(name: str, names: Sequence[str]) -> str:
    near = nearest(name, names)
    return f"; did you mean {near!r}?" if near else ""


def _finding_text(finding: Finding) -> str:
    """A finding in one line, without its place in the file: the error is in the variant, not in the file."""
    return (
        finding.message
        + (f" (allowed: {finding.allowed})" if finding.allowed else "")
        + (f"; did you mean {finding.suggestion!r}?" if finding.suggestion else "")
    )


def _scalar(text: str) -> str | int | float | bool:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        if re.fullmatch(r"[+-]?\d+" if kind is int else r"[+-]?\d*\.?\d+([eE][+-]?\d+)?", text):
            return kind(text)
    return text


def apply_variant(workload: Workload, text: str) -> Workload:
    """The workload transformed by a variant; see :func:`parse_variant`.

    Raises
    ------
    VariantError
        If the text cannot be read or does not fit the workload.
    """
    return parse_variant(text).apply(workload)


def load_design(text: str, default: Workload | None = None) -> tuple[Workload, str]:
    """A workload from ``NAME``, ``FILE.yaml``, ``NAME,fold=2`` or, as a variant of ``default``, ``fold=2``.

    Returns
    -------
    the workload, and the text of its variant; empty for a name alone, the workload of the file.

    Raises
    ------
    VariantError, UnknownNameError, InputError
        If a part cannot be read.
    """
    name, _, rest = text.strip().partition(",")
    if Path(text.strip()).is_file():
        name, rest = text.strip(), ""
    if default is not None and (name == BASELINE or "=" in name):
        variant = parse_variant(text)
        return variant.apply(default), variant.text
    try:
        workload = load_workload(name)
    except UnknownNameError as error:
        if default is None:
            raise
        raise VariantError(text, [f"neither a variant (such as {EXAMPLES}) nor a workload: {error}"]) from None
    if not rest:
        return workload, ""
    variant = parse_variant(rest)
    return variant.apply(workload), variant.text
