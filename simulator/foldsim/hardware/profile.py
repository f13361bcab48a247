"""A validated hardware profile, and the model's hardware records at nominal values and at the ends of the ranges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from foldsim.data import resolve
from foldsim.hardware.checks import check_profile
from foldsim.hardware.coefficients import ENDS, SPEEDS, Coefficients, hardware_of
from foldsim.hardware.inheritance import profile_path, with_base
from foldsim.hardware.memory.dram import DramSpec, check_dram, dram_path, read_dram, source_key
from foldsim.hardware.memory.dram_levels import with_dram
from foldsim.hardware.numbers import UNUSED, numbers_by_name
from foldsim.hardware.plausibility import plausibility_problems
from foldsim.hardware.provenance import derivation_problems
from foldsim.hardware.spec import ProfileSpec
from foldsim.hardware.strictness import strict_problems
from foldsim.model.evaluate import Bands
from foldsim.model.records import Hardware, IntArray, Number
from foldsim.notebook import profile_html, profile_text
from foldsim.schema import Document, Finding, InputError, Problem, locate, read_yaml
from foldsim.schema.findings import position_order
from foldsim.schema.layering import LayeredDocument
from foldsim.schema.quantity import collect_sourced_findings, quantities


def precision_options(precision: str) -> str:
    """Command-line options that store and run a workload in one number format.

    >>> precision_options("fp32").split(" --set ")[-1]
    'workload.precision.state=fp32'
    """
    return " ".join(f"--set workload.precision.{key}={precision}" for key in ("activations", "weights", "state"))


@dataclass(frozen=True, repr=False)
class Profile:
    """A chip, validated.

    Attributes
    ----------
    spec : the validated description.
    document : the YAML it was read from, for located messages.
    """

    spec: ProfileSpec
    document: Document

    def __repr__(self) -> str:
        return profile_text(self)

    def _repr_html_(self) -> str:
        return profile_html(self)

    @property
    def name(self) -> str:
        """Short name."""
        return self.spec.name

    @property
    def sha256(self) -> str:
        """Hash of the YAML text; of the hashes of all texts if the profile uses more files than its own."""
        own, *others = (digest for _, digest in self.files())
        return hashlib.sha256("\n".join([own, *others]).encode()).hexdigest() if others else own

    def files(self) -> list[tuple[str, str]]:
        """Name and hash of every file that the values come from, the profile's own first."""
        return [(Path(part.file).name, hashlib.sha256(part.text.encode()).hexdigest()) for part in self.document.parts]

    def precision_problems(self, precision: str, components: Sequence[str]) -> Iterable[Problem]:
        """Units that run one of the components but do not compute in a number format, with the options to add."""
        for index in sorted(set(self.unit_of(components).tolist())):
            unit = self.spec.compute_units[index]
            if precision not in unit.precisions:
                yield Problem(
                    ("compute_units", index, "precisions"),
                    f"unit {unit.name!r} of {self.name} does not compute in {precision};"
                    f" to run in {next(iter(unit.precisions))} add {precision_options(next(iter(unit.precisions)))}",
                    allowed=", ".join(unit.precisions),
                )

    def unit_of(self, components: Sequence[str]) -> IntArray:
        """Index of the compute unit that runs each component: the first that names it, else the first with ``all``."""
        units = self.spec.compute_units
        default = next((i for i, unit in enumerate(units) if "all" in unit.runs), 0)
        return np.array(
            [next((i for i, unit in enumerate(units) if name in unit.runs), default) for name in components]
        )

    def kept_bytes(self) -> float:
        """Capacity for the workload of the levels that keep data between chunks [bytes]."""
        levels = [level for level in self.spec.memory_levels if level.keeps_data]
        return sum(level.capacity_bytes.value * level.usable_ratio.value for level in levels)

    def unassigned(self, components: Sequence[str]) -> list[str]:
        """Components that no compute unit runs."""
        runs = {name for unit in self.spec.compute_units for name in unit.runs}
        return [] if "all" in runs else [name for name in components if name not in runs]

    def bands(self, precision: str) -> Bands:
        """The model's hardware record, with energy and power coefficients at nominal, low and high values.

        Also at nominal values with assumed coefficients at zero, for the share of power that is assumed, and with the
        values that set speed at their fast and at their slow ends (:data:`SPEEDS`).

        Raises
        ------
        InputError
            If a unit does not compute in ``precision``; ask :meth:`precision_problems` first.
        """
        problems = list(self.precision_problems(precision, [n for unit in self.spec.compute_units for n in unit.runs]))
        if problems:
            raise InputError(tuple(locate(self.document, p) for p in problems))
        read = [Coefficients(end) for end in ENDS]
        read.append(Coefficients("value", self.spec.sources, self._dram_records()))
        read += [Coefficients("value", given=given) for given in self._speeds()]
        return Bands(*(hardware_of(self.spec, precision, coefficients) for coefficients in read))

    def hardware(self, precision: str, numbers: Mapping[str, Number]) -> Hardware:
        """The model's hardware record with some values changed, each a scalar or an array.

        Parameters
        ----------
        numbers : by name (:func:`foldsim.hardware.numbers.numbers_by_name`), in the unit of the name. All others are
            nominal.
        """
        by_name = numbers_by_name(self.spec)
        given = {id(by_name[name][1]): number for name, number in numbers.items()}
        return hardware_of(self.spec, precision, Coefficients("value", given=given))

    def _speeds(self) -> list[dict[int, Number]]:
        """Values that set speed, at their fast and at their slow ends, by the identity of their record."""
        ends: list[dict[int, Number]] = [{}, {}]
        for path, quantity in quantities(self.spec):
            sign = SPEEDS.get(str(path[-1]))
            if sign is not None and quantity.low < quantity.high:
                slow, fast = (quantity.low, quantity.high)[::sign]
                ends[0][id(quantity)], ends[1][id(quantity)] = fast, slow
        return ends

    def _dram_records(self) -> dict[str, DramSpec]:
        """Records that levels are filled from, by their source key."""
        records = {}
        for index, level in enumerate(self.spec.memory_levels):
            if level.dram is not None:
                home, _ = self.document.home(("memory_levels", index, "dram", "type"))
                file = dram_path(level.dram.type, Path(home.file).parent)
                record = read_dram(file)[0] if file is not None else None
                if record is not None:
                    records[source_key(record.name)] = record
        return records


def profile_findings(document: Document, strict: bool = False) -> tuple[ProfileSpec | None, list[Finding]]:
    """Validate a profile document, with what it extends; all findings, warnings too.

    In addition to the checks of loading, derived values are computed again from their rules, and physically unlikely
    values give warnings. ``strict`` refuses unused sources, sources without a reference and assumed energies.
    """
    whole, spec, findings = _validated(document)
    if spec is not None:
        problems = [*derivation_problems(spec, whole, _load_spec), *plausibility_problems(spec)]
        problems += strict_problems(spec) if strict else ()
        findings = [*findings, *(locate(whole, problem) for problem in problems)]
        if strict:
            findings = [replace(f, severity="error") if f.message.endswith(UNUSED) else f for f in findings]
        findings.sort(key=position_order)
        if any(finding.severity == "error" for finding in findings):
            spec = None
    return spec, findings


def dram_findings(document: Document) -> list[Finding]:
    """All findings of the record of a DRAM type."""
    record, findings = collect_sourced_findings(document, DramSpec, (check_dram,))
    problems = [] if record is None else derivation_problems(record, document, _load_spec)
    return sorted([*findings, *(locate(document, problem) for problem in problems)], key=position_order)


def _load_spec(name: str, folder: Path) -> ProfileSpec:
    """A profile that a value of another one refers to."""
    return load_profile(profile_path(name, folder)).spec


def from_document(document: Document) -> Profile:
    """Validate a document, with what it extends, and wrap it.

    Raises
    ------
    InputError
        If it is not a valid profile; has every finding, located in its file.
    """
    whole, spec, findings = _validated(document)
    if spec is None:
        raise InputError(tuple(findings))
    return Profile(spec, whole)


def _validated(document: Document) -> tuple[Document, ProfileSpec | None, list[Finding]]:
    """The document with its base and its DRAM levels, its spec if valid, and all findings."""
    try:
        document = with_dram(with_base(document))
    except InputError as error:
        return document, None, list(error.findings)
    spec, findings = collect_sourced_findings(document, ProfileSpec, (check_profile,))
    base_findings = document.findings if isinstance(document, LayeredDocument) else ()
    if any(finding.severity == "error" for finding in base_findings):
        spec = None
    return document, spec, sorted([*base_findings, *findings], key=position_order)


def load_profile(name_or_path: str | Path) -> Profile:
    """Load a shipped profile by name, or a profile YAML by path.

    Raises
    ------
    InputError
        If the file cannot be read or is not a valid profile; has every finding with line and column.
    UnknownNameError
        If no shipped profile has that name.
    """
    return from_document(read_yaml(resolve("hw_profiles", name_or_path)))
