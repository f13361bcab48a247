"""Peak rates, off-chip bandwidths and on-chip capacities of the profile that the rows were computed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foldsim.errors import UserError
from foldsim.plotting.rows import Panel, set_paths, texts
from foldsim.schema.findings import InputError
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from foldsim.hardware.profile import Profile
    from foldsim.workload.workload import Workload

MACS_PER_GMAC = 1.0e9
DEFAULT_PRECISION = "int8"
_FAILURES = (InputError, OSError, ValueError, LookupError)


@dataclass(frozen=True)
class Roofs:
    """Upper limits of a profile at one operating point.

    Attributes
    ----------
    peaks : compute unit and number format -> peak [GMAC/s].
    slopes : off-chip level -> bandwidth of streaming [GB/s].
    missing : why there are no roofs; empty if there are.
    """

    peaks: dict[str, float]
    slopes: dict[str, float]
    missing: str = ""


def roofs_of(results: Results, panel: Panel) -> Roofs:
    """Roofs of the panel's profile, if the version that the rows were computed with can be loaded."""
    try:
        profile: Profile = _load(results, panel, "profile", panel.profile)
    except _FAILURES as error:
        reason = str(error) if isinstance(error, UserError) else "its profile cannot be loaded"
        return Roofs({}, {}, f"{panel.profile} without roofs: {reason}")
    spec = profile.spec
    points = {point.name: point.frequency_hz.value for point in spec.operating_points}
    reference = points[spec.reference_operating_point]
    ratio = points.get(_first(panel, "operating_point"), reference) / reference
    precision = _precision(results, panel)
    peaks: dict[str, float] = {}
    for index in sorted(set(profile.unit_of(texts(panel.rows, "component")).tolist())):
        unit = spec.compute_units[index]
        formats: dict[str, Any] = {str(name): rate for name, rate in unit.precisions.items()}
        chosen = precision if precision in formats else next(iter(formats))
        rate = formats[chosen].macs_per_cycle.value * unit.cores_count.value * unit.clock_hz.value * ratio
        peaks[f"{unit.name}, {chosen}"] = rate / MACS_PER_GMAC
    slopes = {
        level.name: level.bandwidth_gb_per_s.value
        * level.bandwidth_efficiency_ratio.value
        * (ratio if level.clock == "core" else 1.0)
        for level in spec.memory_levels
        if not level.on_chip
    }
    return Roofs(peaks, slopes)


def capacities_of(results: Results, panel: Panel) -> dict[str, float]:
    """Usable capacity of every on-chip level of the panel's profile [bytes]; empty if it cannot be loaded."""
    try:
        profile: Profile = _load(results, panel, "profile", panel.profile)
    except _FAILURES:
        return {}
    return {
        level.name: level.capacity_bytes.value * level.usable_ratio.value
        for level in profile.spec.memory_levels
        if level.on_chip
    }


def _first(panel: Panel, name: str) -> str:
    return texts(panel.rows, name)[0] if name in panel.rows.columns else ""


def _precision(results: Results, panel: Panel) -> str:
    """Number format of the workload's activations; int8 if it cannot be loaded."""
    try:
        workload: Workload = _load(results, panel, "workload", panel.workload)
    except _FAILURES:
        return DEFAULT_PRECISION
    return str(workload.spec.precision.activations)


def _load(results: Results, panel: Panel, kind: str, name: str) -> Any:
    """A profile or workload as the rows were computed with, including the ``--set`` values of the panel's first row."""
    from foldsim.designs.changes import change
    from foldsim.sweeps.provenance import load_input

    loaded: Any = load_input(results, kind, name)
    for path in set_paths(results):
        if path.startswith(f"{kind}."):
            value = panel.rows[path][0]
            loaded = change(loaded, path, getattr(value, "item", lambda v=value: v)())
    return loaded
