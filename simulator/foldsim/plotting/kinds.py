"""The kinds of figure: the question each answers, how to read it, and the rows it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from foldsim.plotting.rows import Level
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# --set paths that vary within a panel, with example values.
LEFT_CONTEXT = "workload.streaming.left_context_tokens"
SET_LEFT_CONTEXT = f"{LEFT_CONTEXT}=0,32,64,128,256,512,1024"
POLICY = "profile.policy"
SET_POLICY = f"{POLICY}=race-to-idle,slowest-real-time"


@dataclass(frozen=True)
class PlotKind:
    """One kind of figure.

    Attributes
    ----------
    name : argument of ``foldsim plot -k``.
    title : of the figure.
    question : the question it answers.
    reading : how to read it.
    needs : required columns.
    by : required ``--by`` level of its rows (for component: or finer); None: whole designs, or rows that sum to them.
    folded : whether it needs folded designs.
    paired : whether it also needs the unfolded design of each folded one.
    many : whether it accepts any number of ``--set`` combinations.
    over : columns that vary within a panel.
    varied : the column that must have several values, and the ``--set`` option that varies it.
    draw : creates the figure from checked rows.
    """

    name: str
    title: str
    question: str
    reading: str
    needs: tuple[str, ...]
    by: Level | None
    draw: Callable[[Results], Figure]
    folded: bool = False
    paired: bool = False
    many: bool = False
    over: tuple[str, ...] = ()
    varied: tuple[str, str] | None = None

    @property
    def options(self) -> str:
        """Options of ``foldsim sweep``, or the other command, that create its rows."""
        if self.by == "validation":
            return "foldsim validate -o"
        if self.by == "tipping":
            return "foldsim tipping-point -o"
        words = [f"--by {self.by}"] if self.by else []
        words += ["--fold 1,2"] if self.folded else []
        words += [f"--set {self.varied[1].split('=')[0]}=..."] if self.varied else []
        return " ".join(words)


def _drawn_by(module: str, function: str) -> Callable[[Results], Figure]:
    """The drawing function, imported when it is called, so that matplotlib is loaded only to draw."""

    def draw(results: Results) -> Figure:
        figure: Figure = getattr(import_module(f"foldsim.plotting.{module}"), function)(results)
        return figure

    return draw


_ALL = (
    PlotKind(
        "power-vs-chunk",
        "Average power against chunk size",
        "What average power does each design draw at each chunk size, and how much does folding save?",
        "Lines are nominal power. The band extends from all energy and power coefficients of the profile at their "
        "low ends to all at their high ends. The numbers above are savings against the baseline. The scale is "
        "logarithmic, so equal ratios have equal distances. Hollow points are not in real time: their power is the "
        "energy per second of audio.",
        ("power_mw", "power_low_mw", "power_high_mw"),
        None,
        _drawn_by("lines", "power_vs_chunk"),
    ),
    PlotKind(
        "power-breakdown",
        "Average power by term",
        "What consumes the power: computing, on-chip transfers, off-chip transfers, or waiting?",
        "One bar per chunk size and folding factor N (small numbers), total above. Off-chip memory includes "
        "the background power of the DRAM; static and idle includes leakage, sleep and wake-up.",
        ("power_compute_mw", "power_onchip_mw", "power_dram_mw", "power_static_mw"),
        None,
        _drawn_by("bars", "power_breakdown"),
    ),
    PlotKind(
        "power-by-component",
        "Average power by component",
        "Which component consumes the power: front end, encoder, predictor, joiner, or the idle system?",
        "One bar per chunk size and folding factor N (small numbers), total above. The system is idle time and "
        "wake-up, which belong to no component.",
        ("component", "power_mw"),
        "component",
        _drawn_by("bars", "power_by_component"),
    ),
    PlotKind(
        "saving-vs-chunk",
        "Saving from folding against chunk size",
        "What share of power and of memory does folding save at each chunk size?",
        "Solid lines with markers are power, dotted lines memory, both against the same design unfolded; negative "
        "values are increases. Bands are the savings over the ranges of the profile's coefficients, with each "
        "coefficient equal in both designs. All panels share one scale.",
        ("power_saving_ratio", "memory_saving_ratio"),
        None,
        _drawn_by("lines", "saving_vs_chunk"),
        folded=True,
    ),
    PlotKind(
        "memory-vs-chunk",
        "Memory",
        "How much memory does each design need, what does it contain, and how much of it is on the chip?",
        "Left: weights, state and peak activations by chunk size and folding factor N (small numbers). "
        "Middle: the same without weights. Right: all memory, with the fixed part of the runtime, by location for "
        "every profile. Dashed lines are usable on-chip capacities: at right cumulative from the innermost level "
        "outwards; left and middle, shown for a single profile only, per level.",
        ("weights_bytes", "state_bytes", "activation_peak_bytes", "memory_bytes", "onchip_bytes"),
        None,
        _drawn_by("memory", "memory_vs_chunk"),
    ),
    PlotKind(
        "latency-vs-chunk",
        "Compute latency against chunk size",
        "How long does the work of a chunk take, and does it end before the next chunk is complete?",
        "Above the dashed line (shaded) the work of a chunk ends after the next chunk is complete. The strip below "
        "shows the real-time factor: busy time over chunk, without wake-up. Hollow points are not in real time.",
        ("latency_ms", "rtf"),
        None,
        _drawn_by("latency", "latency_vs_chunk"),
    ),
    PlotKind(
        "trade-off",
        "Average power against delay",
        "Which designs offer the best trade-off between power, delay and memory?",
        "One point per design, larger for more memory, with chunk sizes [ms] next to some. The stepped line is "
        "the Pareto front in power and delay among designs that are in real time and fit. Rings mark designs that are "
        "Pareto-optimal in power, delay and memory.",
        ("user_perceived_latency_ms", "power_mw", "memory_bytes"),
        None,
        _drawn_by("tradeoff", "trade_off"),
        many=True,
    ),
    PlotKind(
        "roofline",
        "Roofline of every matrix product",
        "What limits each matrix product: the MAC array's rate, the off-chip bandwidth, or neither?",
        "One point per matrix product at one chunk size, filled for the baseline; its area is its share of "
        "the time. Points on the slope are limited by off-chip memory. Points far below both roofs are limited by "
        "small shapes, on-chip transfers or dispatch. Products without off-chip traffic are to the right of the "
        "dotted line.",
        ("component", "layer", "op", "macs_per_chunk", "dram_bytes_per_chunk", "busy_ms_per_chunk"),
        "op",
        _drawn_by("roofline", "roofline"),
    ),
    PlotKind(
        "top-ops",
        "Power of the costliest operations",
        "Which operations consume the most power, and which of them does folding reduce?",
        "The ten operations of the baseline with the highest power at one chunk size, and the same operations folded. "
        "Operations of identical layers are summed.",
        ("component", "layer", "op", "power_mw"),
        "op",
        _drawn_by("ops", "top_ops"),
    ),
    PlotKind(
        "power-waterfall",
        "Power from baseline to folded",
        "Which energy terms does folding reduce, and which does it increase?",
        "From the baseline's power at the top, term by term, to the folded design's at the bottom, at one chunk size. "
        "The largest changes are shown individually, the rest as a sum. Colours are the parts of the power breakdown.",
        ("term", "part", "power_mw"),
        "term",
        _drawn_by("terms", "power_waterfall"),
        folded=True,
        paired=True,
    ),
    PlotKind(
        "sensitivity",
        "Sensitivity to the profile's ranges",
        "Which uncertain coefficients affect the power most, and which the saving?",
        "Each bar varies one coefficient from the low to the high end of its range with all others nominal, largest "
        "first: left the power of the baseline, right the saving. Terms with the same cause vary together: leakage "
        "awake and asleep, background power busy and idle.",
        ("term", "cause", "part", "power_mw", "power_low_mw", "power_high_mw"),
        "term",
        _drawn_by("sensitivity", "sensitivity"),
    ),
    PlotKind(
        "roofline-levels",
        "Hierarchical roofline",
        "Which memory level limits each matrix product?",
        "Every matrix product has one point per memory level, all at its achieved rate, each at its work per byte of "
        "that level; filled for the baseline, area by share of the time. A product on the slope of a level is limited "
        "by that level.",
        (
            "component",
            "layer",
            "op",
            "level",
            "macs_per_chunk",
            "busy_ms_per_chunk",
            "level_bytes_per_chunk",
            "level_ms_per_chunk",
        ),
        "level",
        _drawn_by("levels", "roofline_levels"),
    ),
    PlotKind(
        "residency",
        "Placement of tensors in memory levels",
        "In which memory levels are weights, tables and state stored, and how full is each level?",
        "Rows are tensors with their size and reads per second, columns the memory levels from the innermost outwards "
        "with the share of their usable capacity in use. The shade of a cell is the share of the reads that the level "
        "serves; its number is the size stored there.",
        ("tensors", "level", "stored_bytes", "served_ratio", "uses_per_s", "level_capacity_bytes"),
        "tensor",
        _drawn_by("residency", "residency"),
    ),
    PlotKind(
        "saving-map",
        "Power saving by chunk and left context",
        "How does the saving change with chunk size and left context, and where is the break-even?",
        "Cells show the power saved against the same design unfolded; the colour scale is centred on 0. The black line "
        "is the break-even, if there is one; in hatched cells folding increases the power.",
        ("power_saving_ratio", "left_context_tokens"),
        None,
        _drawn_by("maps", "saving_map"),
        folded=True,
        over=(LEFT_CONTEXT,),
        varied=("left_context_tokens", SET_LEFT_CONTEXT),
    ),
    PlotKind(
        "tipping-points",
        "Left context up to which folding saves",
        "Up to which left context does folding reduce the work, and up to which the power?",
        "Below a line folding saves, above it does not; interpolated between the swept left contexts. Arrows mark "
        "chunk sizes at which it saves in the whole sweep (up) or nowhere in it (down).",
        ("left_context_tokens", "macs_per_chunk", "power_mw"),
        None,
        _drawn_by("maps", "tipping_points"),
        folded=True,
        paired=True,
        over=(LEFT_CONTEXT,),
        varied=("left_context_tokens", SET_LEFT_CONTEXT),
    ),
    PlotKind(
        "break-even",
        "Tipping points of a variant",
        "Up to how many keys does a variant save work, energy, latency and memory, at each chunk size?",
        "The variant saves below a solid line and above a dashed one. Arrows mark chunk sizes at which it always (up) "
        "or never (down) saves in the searched range. The band is the first crossing of energy over the ranges of the "
        "profile's coefficients. The dotted line is the number of keys of the workload.",
        (
            "workload",
            "variant",
            "against",
            "profile",
            "policy",
            "placement",
            "metric",
            "over",
            "chunk_ms",
            "verdict",
            "keys_tokens",
            "keys_low_tokens",
            "keys_high_tokens",
            "keys_limit_tokens",
            "own_keys_tokens",
        ),
        "tipping",
        _drawn_by("tipping", "break_even"),
    ),
    PlotKind(
        "policy-comparison",
        "Operating-point policies",
        "Is it better to race to idle or to run slowly, and how does that change latency?",
        "Power and, below, compute latency under every policy. Above the lines, for the first design: a row of "
        "operating points per policy, at chunk sizes where they change, and the change of power against the first "
        "policy. Hollow points are not in real time.",
        ("policy", "operating_point", "power_mw", "latency_ms"),
        None,
        _drawn_by("policy", "policy_comparison"),
        over=("policy", POLICY),
        varied=("policy", SET_POLICY),
    ),
    PlotKind(
        "predicted-vs-measured",
        "Predictions against published values",
        "Do predictions agree with published and measured values?",
        "Shaded: the published or measured range. Points: the nominal prediction, hollow if outside that range; bars: "
        "the prediction over the ranges of the profile's coefficients.",
        ("target", "predicted", "measured_low", "measured_high"),
        "validation",
        _drawn_by("validation", "predicted_vs_measured"),
    ),
)
KINDS: dict[str, PlotKind] = {kind.name: kind for kind in _ALL}
