"""The roofline: every matrix product against the peak rates and bandwidths of the profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import Entry, grid, halo, heading, legend, level_axis, note, set_panel_title, text_entry
from foldsim.plotting.roofs import MACS_PER_GMAC, Roofs, roofs_of
from foldsim.plotting.rows import FloatArray, Panel, Series, all_series, numbers, reference_panels, texts
from foldsim.sweeps.results import Results
from foldsim.units import MS_PER_S

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALONG_SLOPE: dict[str, Any] = {"rotation": 45, "rotation_mode": "anchor", "transform_rotates_text": True}
MAX_NAMES = 3  # ops named per panel


@dataclass(frozen=True)
class OpPoints:
    """The ops of a design that multiply, one array element each."""

    component: list[str]
    op: list[str]  # the layer's name if several layers have an op of that name
    intensity: FloatArray  # MAC per off-chip byte; inf without traffic
    gmacs_per_s: FloatArray
    busy_share: FloatArray  # of the design's busy time

    def of(self, component: str) -> np.ndarray:
        """Mask of the ops of a component."""
        return np.array([name == component for name in self.component], dtype=np.bool_)


@dataclass(frozen=True)
class Frame:
    """Horizontal extent of a panel; a strip at the right shows ops without off-chip traffic."""

    low: float
    high: float
    has_strip: bool
    has_intensity: bool

    @property
    def strip(self) -> float:
        """Position of ops without off-chip traffic."""
        return self.high * (self.high / self.low) ** 0.14 if self.has_intensity else (self.low * self.high) ** 0.5

    @property
    def end(self) -> float:
        """Right end of the panel."""
        separate = self.has_strip and self.has_intensity
        return self.high * (self.high / self.low) ** 0.28 if separate else self.high


def op_points(rows: Results) -> OpPoints:
    """Arithmetic intensity and achieved rate of the op rows of one design."""
    macs, busy = numbers(rows, "macs_per_chunk"), numbers(rows, "busy_ms_per_chunk")
    kept = np.flatnonzero((macs > 0) & (busy > 0))
    components, layers, ops = (texts(rows, name) for name in ("component", "layer", "op"))
    homes = {op: {layers[i] for i in kept if ops[i] == op} for op in ops}
    names = [ops[i] if len(homes[ops[i]]) == 1 else layers[i] for i in kept]
    with np.errstate(divide="ignore"):
        intensity = macs[kept] / numbers(rows, "dram_bytes_per_chunk")[kept]
    rate = macs[kept] / (busy[kept] / MS_PER_S) / MACS_PER_GMAC
    share = busy[kept] / float(np.nansum(busy))
    return OpPoints([components[i] for i in kept], names, intensity, rate, share)


def roofline(results: Results) -> Figure:
    """The figure ``roofline``: a point per op at one chunk size, its area the share of busy time."""
    chunk, found = reference_panels(results, "op")
    worked = numbers(results, "macs_per_chunk") > 0
    components = list(dict.fromkeys(texts(results.where(worked), "component")))
    figure, every = grid(len(found), heading(f"Roofline of every matrix product, chunk {chunk:g} ms", found), 2.9)
    missing = []
    for axes, panel in zip(every, found, strict=True):
        roofs = roofs_of(results, panel)
        missing += [roofs.missing] if roofs.missing else []
        _draw_panel(axes, panel, roofs, components)
        set_panel_title(axes, panel, found)
    legend(figure, _entries(found, components, missing))
    return figure


def _entries(found: Sequence[Panel], components: Sequence[str], missing: Sequence[str]) -> list[Entry]:
    from matplotlib.lines import Line2D

    def point(marker: str, colour: str, face: str) -> Line2D:
        return Line2D([], [], linestyle="none", marker=marker, color=colour, markerfacecolor=face)

    entries: list[Entry] = []
    for series in all_series(found):
        colour = style.series_colour(series.index)
        face = colour if series.is_baseline else "none"
        entries.append((point("o", colour, face), style.wrapped(series.label, 40)))
    for index, name in enumerate(components):
        entries.append((point(style.series_marker(index), style.GREY, style.GREY), style.wrapped(name, 30)))
    if len(missing) < len(found):
        entries.append((Line2D([], [], color=style.GREY, linewidth=1.2), "roofs of the profile"))
    texts_below = ["area: share of time", *(style.wrapped(text, 60) for text in dict.fromkeys(missing))]
    return [*entries, *map(text_entry, texts_below)]


def _draw_panel(axes: Axes, panel: Panel, roofs: Roofs, components: Sequence[str]) -> None:
    drawn = [(series, op_points(series.rows)) for series in panel.series]
    frame = _frame([ops for _, ops in drawn], roofs)
    for series, ops in drawn:
        _scatter(axes, series, ops, frame, components)
    rates = [*(ops.gmacs_per_s for _, ops in drawn), np.array(list(roofs.peaks.values()))]
    level_axis(axes.yaxis, rates)
    top = max((float(values.max()) for values in rates if len(values)), default=1.0)
    if axes.get_yscale() == "log":
        axes.set_ylim(min(float(values.min()) for values in rates if len(values)) / 1.8, 2.0 * top)
    else:
        axes.set_ylim(0, 1.2 * top)
    level_axis(axes.xaxis, [np.array([frame.low, frame.high])])
    axes.set_xlim(frame.low, frame.end)
    _draw_roofs(axes, roofs, frame)
    _draw_strip(axes, frame)
    if drawn:
        _name_largest(axes, drawn[0][1], frame)
    axes.set_ylabel("Achieved rate [GMAC/s]")


def _frame(drawn: Sequence[OpPoints], roofs: Roofs) -> Frame:
    every = np.concatenate([ops.intensity for ops in drawn]) if drawn else np.array([])
    finite = every[np.isfinite(every)]
    ridges = [peak / slope for peak in roofs.peaks.values() for slope in roofs.slopes.values() if slope > 0]
    bounds = [*finite.tolist(), *ridges] or [1.0]
    return Frame(min(bounds) / 2.5, max(bounds) * 3, bool(np.isinf(every).any()), bool(len(finite)))


def _scatter(axes: Axes, series: Series, ops: OpPoints, frame: Frame, components: Sequence[str]) -> None:
    x = np.where(np.isfinite(ops.intensity), ops.intensity, frame.strip)
    colour = style.series_colour(series.index)
    for index, name in enumerate(components):
        own = ops.of(name)
        if own.any():
            axes.scatter(
                x[own],
                ops.gmacs_per_s[own],
                s=9 + 130 * ops.busy_share[own],
                marker=style.series_marker(index),
                edgecolors=colour,
                facecolors=colour if series.is_baseline else "none",
                linewidths=1.0,
                zorder=3 + series.index,
                label=style.safe(f"{name}, {series.label}"),
            )


def _draw_strip(axes: Axes, frame: Frame) -> None:
    """Horizontal label and the boundary of the strip, if there are ops on both sides."""
    from matplotlib.ticker import NullLocator

    if not frame.has_intensity:
        axes.xaxis.set_major_locator(NullLocator())
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("No off-chip traffic")
        return
    axes.set_xlabel("Work per off-chip byte [MAC/byte]")
    if frame.has_strip:
        axes.axvline(frame.high, color=style.GREY, linewidth=0.8, linestyle=":")
        look: dict[str, Any] = {"fontsize": 6.5, "color": style.GREY, "ha": "left", "va": "center", "rotation": 90}
        note(axes, "no off-chip traffic", (frame.high, 0.5), (2, 0), xycoords=("data", "axes fraction"), **look)


def _draw_roofs(axes: Axes, roofs: Roofs, frame: Frame) -> None:
    look: dict[str, Any] = {"fontsize": 6.5, "color": style.GREY, "ha": "right", "va": "bottom"}
    top = max(roofs.peaks.values(), default=0.0)
    for name, peak in roofs.peaks.items():
        start = min((peak / slope for slope in roofs.slopes.values() if slope > 0), default=frame.low)
        ends = [max(start, frame.low), frame.end]
        axes.plot(ends, [peak, peak], color=style.GREY, linewidth=1.2, zorder=2, label=style.safe(name))
        text = f"{style.wrapped(name, 24, 1)}: {style.short_number(peak)} GMAC/s"
        note(axes, text, (frame.high, peak), (-2, 2), **look)
    for name, slope in roofs.slopes.items():
        x = np.array([frame.low, min(top / slope if top and slope else frame.high, frame.high)])
        axes.plot(x, slope * x, color=style.GREY, linewidth=1.2, zorder=2, label=style.safe(name))
        text = f"{style.wrapped(name, 20, 1)}: {style.short_number(slope)} GB/s"
        at = float(x[0] ** 0.04 * x[1] ** 0.96)
        note(axes, text, (at, slope * at), (-3, 1), **ALONG_SLOPE, **look)


def _name_largest(axes: Axes, ops: OpPoints, frame: Frame) -> None:
    """Name the ops with the largest busy time, except next to other names."""
    taken: list[tuple[float, float]] = []
    x = np.where(np.isfinite(ops.intensity), ops.intensity, frame.strip)
    for i in np.argsort(-ops.busy_share, kind="stable").tolist():
        across, up = axes.transAxes.inverted().transform(axes.transData.transform((x[i], ops.gmacs_per_s[i])))
        if len(taken) == MAX_NAMES or ops.busy_share[i] < 0.03:
            return
        if any(abs(up - v) < 0.09 and abs(across - u) < 0.4 for u, v in taken):
            continue
        taken.append((float(across), float(up)))
        name = style.wrapped(ops.op[i], 22, 1)
        left = across > 0.06 + 0.019 * len(name)  # enough space at the left, above the roof
        offset, side = ((-7, 2), "right") if left else ((6, -8), "left")
        note(axes, name, (x[i], ops.gmacs_per_s[i]), offset, va="center", ha=side, zorder=8, path_effects=halo())
