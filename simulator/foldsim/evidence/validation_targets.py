"""The format of validation targets: what was measured, under which conditions, and how close a prediction must come.

A group is one file of `validation/`. Every number that somebody measured or published is a target with its source,
or stands under `omitted` with the reason why nothing is predicted for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from foldsim.data import resolve, shipped
from foldsim.errors import nearest
from foldsim.schema import Document, Problem, read_yaml, validate_document
from foldsim.schema.quantity import NonNegative, Record, Source

Scope = Literal["chip rail", "board wall", "rails", "engine", "core", "cycle model", "simulator", "paper claim"]
Software = Literal["tuned", "compiled", "framework", "application"]
SOFTWARE_HELP = (
    "What ran: tuned (kernels written or tuned for the chip, as in a vendor's submission), compiled (a network compiler"
    " at its defaults), framework (a general runtime such as PyTorch or ONNX Runtime) or application (a whole program"
    " around the model). The error of the model is reported by kind of software."
)
QuantityName = Literal[
    "latency_ms",
    "energy_uj",
    "power_mw",
    "throughput_per_s",
    "cycles_count",
    "read_bytes",
    "write_bytes",
    "offchip_bytes",
    "weights_bytes",
    "offchip_energy_ratio",
    "traffic_ratio",
]
Share = Annotated[float, Field(gt=0, lt=1)]
Factor = Annotated[float, Field(gt=1, le=100)]
Text = Annotated[str, Field(min_length=1)]

UNITS: dict[str, str] = {
    "latency_ms": "ms",
    "energy_uj": "uJ",
    "power_mw": "mW",
    "throughput_per_s": "1/s",
    "cycles_count": "cycles",
    "read_bytes": "bytes",
    "write_bytes": "bytes",
    "offchip_bytes": "bytes",
    "weights_bytes": "bytes",
    "offchip_energy_ratio": "ratio",
    "traffic_ratio": "ratio",
}


class Measurement(Record):
    """One measured or published number."""

    quantity: QuantityName = Field(
        description="What was measured. offchip_bytes: bytes that cross to off-chip levels. offchip_energy_ratio: share"
        " of the energy that is spent there. read_bytes, write_bytes: of the memory level given by `level`."
        " traffic_ratio: closed form over exhaustive search."
    )
    level: Text | None = Field(default=None, description="Memory level whose bytes were counted.")
    form: Literal["value", "ratio", "saving"] = Field(
        default="value",
        description="value: the number itself. ratio: over that of `against`. saving: 1 - ratio.",
    )
    value: float | None = Field(default=None, gt=0, description="The number; or give low and high.")
    low: float | None = Field(default=None, gt=0, description="Lower end of a published range.")
    high: float | None = Field(default=None, gt=0, description="Upper end of a published range.")
    tolerance_ratio: Share | None = Field(default=None, description="Allowed error, instead of the group's.")
    tolerance_factor: Factor | None = Field(
        default=None, description="Allowed factor either way, instead of the group's tolerance."
    )
    fitted: Text | None = Field(
        default=None,
        description="Constant of the profile that was fitted on this number, which is then no test of it.",
    )
    why: Text | None = Field(default=None, description="Where the prediction misses: the physics that may be missing.")

    @property
    def ends(self) -> tuple[float, float]:
        """Lower and upper end of what was measured."""
        if self.value is not None:
            return self.value, self.value
        return float(self.low or 0.0), float(self.high or 0.0)


class TargetDesign(Record):
    """What runs on what, and how; what is left out comes from the group's defaults."""

    workload: Text | None = Field(default=None, description="Shipped workload, or a file in the group's folder.")
    profile: Text | None = Field(default=None, description="Shipped profile, or a file in the group's folder.")
    operating_point: Text | None = Field(default=None, description="Its name; else the profile's own policy.")
    chunk_ms: float | None = Field(default=None, gt=0, description="Chunk, or window, or utterance.")
    fold_factor: int | None = Field(default=None, ge=1, description="Folding factor N.")
    fold_layers: Text | None = Field(default=None, description="Folded layers.")
    compress: Text | None = Field(default=None, description="Compression, as --compress takes it.")
    placement: Text | None = Field(default=None, description="auto, dram or pinned:COMPONENT,...")
    components: list[Text] | None = Field(
        default=None, min_length=1, description="Components whose work was measured; all if left out."
    )
    excludes: list[Text] | None = Field(
        default=None,
        min_length=1,
        description="Memory levels, or system, whose energy the meter does not see; idle: the meter's reading is less"
        " what the system draws without work.",
    )
    sets: list[Text] | None = Field(default=None, description="Changes as --set takes them, such as a precision.")
    mode: Literal["busy", "streaming"] | None = Field(
        default=None,
        description="busy: back-to-back runs, nothing but the work counts. streaming: one run per chunk of audio, sleep"
        " and waking count.",
    )
    per: Text | None = Field(
        default=None, description="chunk (of one stream), or a component: then numbers are per invocation of it."
    )

    def over(self, other: TargetDesign | None) -> TargetDesign:
        """This design, with what it leaves out taken from another; changes (sets) add up."""
        if other is None:
            return self
        given = {name: getattr(self, name) for name in TargetDesign.model_fields}
        merged = {name: getattr(other, name) if value is None else value for name, value in given.items()}
        merged["sets"] = [*(other.sets or []), *(self.sets or [])] or None
        return TargetDesign(**merged)


class Tiling(Record):
    """Random matrix products on which the closed form of traffic is compared with an exhaustive search."""

    products_count: Annotated[int, Field(ge=1, le=10_000)] = Field(description="How many.")
    largest_count: Annotated[int, Field(ge=2, le=2_000)] = Field(description="Largest extent of a dimension.")
    seed: Annotated[int, Field(ge=0)] = Field(description="Of the random numbers.")


class Target(TargetDesign):
    """One measured run of one model on one device, or one published claim."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Name used in tables.")
    row: Text | None = Field(default=None, description="Row of the collection of measurements that it comes from.")
    device: Text = Field(description="Device in words.")
    scope: Scope | None = Field(default=None, description="What the number covers; the group's if left out.")
    software: Software | None = Field(default=None, description="What ran; the group's if left out.")
    conditions: Text = Field(description="Clock, voltage, software, batch: what else sets the number.")
    source: Text = Field(description="Key into the file's sources.")
    against: TargetDesign | None = Field(
        default=None, description="What ratios and savings are over; what it leaves out is as in the target."
    )
    tiling: Tiling | None = Field(default=None, description="Compare tilings instead of running a workload.")
    measured: list[Measurement] = Field(min_length=1, description="Measured or published numbers.")
    outside_ms: NonNegative | None = Field(
        default=None,
        description="Time of the measured program that is not work of the model, such as its start: added to the"
        " latency, and to nothing else. Its source is one of the group's.",
    )
    note: Text | None = Field(default=None, description="What a reader should know.")


class Omitted(Record):
    """A measurement for which nothing is predicted."""

    row: Text = Field(description="Row of the collection of measurements.")
    device: Text = Field(description="Device and model in words.")
    reason: Text = Field(description="Why not.")


class Group(Record):
    """Targets that have something in common."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Short name, the same as the file's.")
    title: Text = Field(description="What it is, in a line.")
    summary: Text = Field(description="What was measured, by whom; what the prediction includes.")
    scope: Scope | None = Field(default=None, description="What the numbers cover.")
    software: Software | None = Field(default=None, description=SOFTWARE_HELP)
    chip: Text | None = Field(
        default=None, description="The hardware, where several profiles describe one; the profile's name if left out."
    )
    sources: dict[str, Source] = Field(min_length=1, description="Where the numbers come from, by key.")
    tolerance_ratio: dict[QuantityName, Share] = Field(
        default_factory=dict,
        description="Largest error of a number that nothing was fitted on, by quantity; checked by --strict.",
    )
    tolerance_factor: dict[QuantityName, Factor] = Field(
        default_factory=dict, description="The same as a factor either way; 2 allows half to twice what was measured."
    )
    defaults: TargetDesign = Field(default_factory=TargetDesign, description="What all targets have in common.")
    targets: list[Target] = Field(default_factory=list, description="Measurements with a prediction.")
    omitted: list[Omitted] = Field(default_factory=list, description="Measurements without one, and why.")
    misses: Text | None = Field(default=None, description="Where the group is wrong, and why, as far as we know.")

    def tolerance_of(self, m: Measurement) -> tuple[float, float] | None:
        """Least and greatest predicted / measured that is allowed; None where nothing is promised."""
        error, factor = m.tolerance_ratio, m.tolerance_factor
        if error is None and factor is None:
            error, factor = self.tolerance_ratio.get(m.quantity), self.tolerance_factor.get(m.quantity)
        if factor is not None:
            return 1.0 / factor, factor
        return None if error is None else (1.0 - error, 1.0 + error)


def check_group(group: Group) -> Iterable[Problem]:
    """What one record cannot see: repeated names, sources that do not exist, numbers without a range."""
    seen: set[str] = set()
    for quantity in group.tolerance_factor:
        if quantity in group.tolerance_ratio:
            where_twice = ("tolerance_factor", quantity)
            yield Problem(where_twice, f"{quantity} has a tolerance_ratio already", at_key=True)
    for i, target in enumerate(group.targets):
        where = ("targets", i)
        if target.id in seen:
            yield Problem((*where, "id"), f"the id {target.id!r} is used twice")
        seen.add(target.id)
        if target.source not in group.sources:
            yield Problem(
                (*where, "source"),
                f"no source called {target.source!r}",
                ", ".join(group.sources),
                nearest(target.source, group.sources),
            )
        if target.outside_ms is not None and target.outside_ms.source not in group.sources:
            yield Problem(
                (*where, "outside_ms", "source"),
                f"no source called {target.outside_ms.source!r}",
                ", ".join(group.sources),
            )
        if target.scope is None and group.scope is None:
            yield Problem(where, "say the scope of the target, or of the whole group", at_key=True)
        yield from _design_problems(target, group, where)
        for j, measurement in enumerate(target.measured):
            yield from _measurement_problems(target, measurement, (*where, "measured", j))


def _design_problems(target: Target, group: Group, where: tuple[str | int, ...]) -> Iterable[Problem]:
    if target.tiling is not None:
        return
    design = target.over(group.defaults)
    for key in ("workload", "profile"):
        if getattr(design, key) is None:
            yield Problem(where, f"say the {key} of the target, or of the defaults", at_key=True)


def _measurement_problems(target: Target, m: Measurement, where: tuple[str | int, ...]) -> Iterable[Problem]:
    ranged = m.low is not None and m.high is not None
    if (m.value is None) != ranged or (m.low is None) != (m.high is None):
        yield Problem(where, "give value, or low and high", allowed="value: 1.5, or low: 1 and high: 2")
    elif ranged and m.ends[0] > m.ends[1]:
        yield Problem((*where, "low"), f"low {m.low:g} is above high {m.high:g}")
    if (m.form != "value") != (target.against is not None):
        message = "does not apply to a value" if m.form == "value" else f"a {m.form} needs `against`: the other design"
        yield Problem((*where, "form"), f"`against` {message}" if m.form == "value" else message)
    if m.tolerance_ratio is not None and m.tolerance_factor is not None:
        yield Problem((*where, "tolerance_factor"), "give a tolerance as an error or as a factor, not both")
    if (m.level is not None) != (m.quantity in ("read_bytes", "write_bytes")):
        yield Problem((*where, "level"), "read_bytes and write_bytes need the level they count at; nothing else does")
    if (m.quantity == "traffic_ratio") != (target.tiling is not None):
        yield Problem((*where, "quantity"), "traffic_ratio belongs to targets with `tiling`, and only to them")


def group_from(document: Document) -> Group:
    """Validate a document.

    Raises
    ------
    InputError
        If it is not a valid group; with every finding, its line and column.
    """
    return validate_document(document, Group, (check_group,))


def load_group(name: str) -> Group:
    """A shipped group by name, or a file by path.

    Raises
    ------
    InputError
        If the file cannot be read or is no valid group.
    UnknownNameError
        If no group of that name is shipped.
    """
    return group_from(read_yaml(resolve("validation", name)))


def folder_of(name: str) -> Path:
    """Folder of a group's file, which also contains its own workloads and profiles."""
    return Path(resolve("validation", name)).resolve().parent


def group_names() -> list[str]:
    """Names of the shipped groups."""
    return list(shipped("validation"))


def beside(folder: Path, name: str | None) -> str | Path:
    """A workload or profile of a target: a file in the group's folder, or a shipped name."""
    text = str(name)
    path = folder / text
    return path if text.endswith((".yaml", ".yml")) and path.is_file() else text
