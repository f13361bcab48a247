"""The kinds of figure: the question each answers, how to read it, and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from foldsim.plotting.rows import Level
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The --set paths that a kind varies within a panel, and values for them.
LEFT_CONTEXT = "workload.streaming.left_context_tokens"
SET_LEFT_CONTEXT = f"{LEFT_CONTEXT}=0,32,64,128,256,512,1024"
POLICY = "profile.policy"
SET_POLICY = f"{POLICY}=race-to-idle,slowest-real-time"


@dataclass(frozen=True)
class PlotKind:
    """One kind of figure.

    Attributes
    ----------
    name : as ``foldsim plot -k`` takes it.
    title : of the figure.
    question : what a reader gets to know from it.
    reading : how to read it.
    needs : columns it needs.
    by : the ``--by`` level its rows must have (for component: at least); None: whole designs, or what adds up to them.
    folded : whether it needs folded designs.
    paired : whether it needs the unfolded design of each folded one too.
    many : whether it takes any number of ``--set`` combinations.
    over : columns that vary within a panel.
    varied : the column that must take several values, and the path=values to set.
    draw : makes the figure from checked rows.
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
        """What makes the rows it needs, in short: options of ``foldsim sweep``, or another command."""
        if self.by == "validation":
            return "foldsim validate -o"
        if self.by == "tipping":
            return "foldsim tipping-point -o"
        words = [f"--by {self.by}"] if self.by else []
        words += ["--fold 1,2"] if self.folded else []
        words += [f"--set {self.varied[1].split('=')[0]}=..."] if self.varied else []
        return " ".join(words)


def _drawn_by(module: str, function: str) -> Callable[[Results], Figure]:
    """The drawing function, imported when it is called: matplotlib loads only to draw."""

    def draw(results: Results) -> Figure:
        figure: Figure = getattr(import_module(f"foldsim.plotting.{module}"), function)(results)
        return figure

    return draw


_ALL = (
    PlotKind(
        "power-vs-chunk",
        "Average power against chunk size",
        "What average power does each design draw at each chunk size, and how much does folding save?",
        "Lines are nominal power. A band runs from all energy and power coefficients of the profile at their "
        "low ends to all at their high ends. The numbers above are savings against the baseline. The scale is "
        "logarithmic, so equal ratios look equal. Hollow points are not in real time: no device runs at that "
        "power.",
        ("power_mw", "power_low_mw", "power_high_mw"),
        None,
        _drawn_by("lines", "power_vs_chunk"),
    ),
    PlotKind(
        "power-breakdown",
        "Average power by term",
        "Where does the power go: computing, moving bytes on the chip, moving bytes off the chip, or waiting?",
        "One bar per chunk size and folding factor N (small numbers), total above. Off-chip memory includes "
        "the background power of the DRAM; static and idle includes leakage, sleeping and waking.",
        ("power_compute_mw", "power_onchip_mw", "power_dram_mw", "power_static_mw"),
        None,
        _drawn_by("bars", "power_breakdown"),
    ),
    PlotKind(
        "power-by-component",
        "Average power by component",
        "Which component costs the power: front end, encoder, predictor, joiner, or the sleeping system?",
        "One bar per chunk size and folding factor N (small numbers), total above. What belongs to no "
        "component (idle time and waking) is the system's.",
        ("component", "power_mw"),
        "component",
        _drawn_by("bars", "power_by_component"),
    ),
    PlotKind(
        "saving-vs-chunk",
        "What folding saves against chunk size",
        "What share of power and of memory does folding save, and at which chunk sizes is it worth it?",
        "Solid lines with markers are power, dotted lines memory, both against the same design unfolded; below "
        "zero, folding costs. Bands hold every saving that the ranges of the profile allow, with each coefficient "
        "the same in both designs. All panels share one scale.",
        ("power_saving_ratio", "memory_saving_ratio"),
        None,
        _drawn_by("lines", "saving_vs_chunk"),
        folded=True,
    ),
    PlotKind(
        "memory-vs-chunk",
        "Memory",
        "How much memory does each design need, what fills it, and how much of it is on the chip?",
        "Left: weights, state and peak activations by chunk size and folding factor N (small numbers). "
        "Middle: the same without weights. Right: all memory, with the fixed part of the runtime, by place on "
        "every profile. Dashed lines are usable capacities on the chip: at right each on-chip level on top of those "
        "further in, and elsewhere, for one profile alone, each level that is in sight.",
        ("weights_bytes", "state_bytes", "activation_peak_bytes", "memory_bytes", "onchip_bytes"),
        None,
        _drawn_by("memory", "memory_vs_chunk"),
    ),
    PlotKind(
        "latency-vs-chunk",
        "Compute latency against chunk size",
        "How long does the work of a chunk take, and is it done before the next chunk is complete?",
        "Above the dashed line (shaded) the work of a chunk ends after the next chunk is complete. The strip below "
        "shows the real-time factor: busy time over chunk, without waking. Hollow points are not in real time.",
        ("latency_ms", "rtf"),
        None,
        _drawn_by("latency", "latency_vs_chunk"),
    ),
    PlotKind(
        "trade-off",
        "Average power against delay",
        "Which designs are worth choosing: how much power must be paid for how short a delay, and how much memory?",
        "One point per design, its area its memory, chunk sizes [ms] beside them. The stepped line joins the designs "
        "that are in real time, fit, and are beaten by no other in power and delay; what lies above it is worse. "
        "Rings mark those that none beats in power, delay and memory together.",
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
        "the time. Points on the slope wait for off-chip memory. Points far below both roofs lose time to "
        "small shapes, on-chip transfers or dispatch. Products without off-chip traffic stand right of the "
        "dotted line.",
        ("component", "layer", "op", "macs_per_chunk", "dram_bytes_per_chunk", "busy_ms_per_chunk"),
        "op",
        _drawn_by("roofline", "roofline"),
    ),
    PlotKind(
        "top-ops",
        "Power of the costliest operations",
        "Which operations cost the power, and which of them does folding shrink?",
        "The ten operations of the baseline that cost most at one chunk size, and the same operations folded. "
        "Operations of equal layers are added up.",
        ("component", "layer", "op", "power_mw"),
        "op",
        _drawn_by("ops", "top_ops"),
    ),
    PlotKind(
        "power-waterfall",
        "Power from baseline to folded",
        "Which energy terms make the saving, and which does folding make worse?",
        "From the baseline's power at the top, term by term, to the folded design's at the bottom, at one chunk size. "
        "The largest changes are shown alone, the rest together. Colours are the parts of the power breakdown.",
        ("term", "part", "power_mw"),
        "term",
        _drawn_by("terms", "power_waterfall"),
        folded=True,
        paired=True,
    ),
    PlotKind(
        "sensitivity",
        "Sensitivity to the profile's ranges",
        "Which uncertain coefficients decide the power, and which the saving?",
        "Each bar takes one coefficient from the low to the high end of its range with all others nominal, largest "
        "first: left in the power of the baseline, right in the saving. Terms that one cause makes uncertain move "
        "together: leakage awake and asleep, background power busy and idle.",
        ("term", "cause", "part", "power_mw", "power_low_mw", "power_high_mw"),
        "term",
        _drawn_by("sensitivity", "sensitivity"),
    ),
    PlotKind(
        "roofline-levels",
        "Hierarchical roofline",
        "Which memory level holds each matrix product back?",
        "Every matrix product stands once per memory level, at its work per byte of that level, at one height; filled "
        "for the baseline, area by share of the time. A product that touches the slope of its level waits for "
        "that level.",
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
        "What lives where",
        "Where do weights, tables and state live, and how full does that make each memory level?",
        "Rows are tensors with their size and reads per second, columns the memory levels from the inside out with the "
        "share of their usable capacity that is taken. A cell's shade is the share of the reads that the level serves; "
        "its number is what lives there.",
        ("tensors", "level", "stored_bytes", "served_ratio", "uses_per_s", "level_capacity_bytes"),
        "tensor",
        _drawn_by("residency", "residency"),
    ),
    PlotKind(
        "saving-map",
        "Power saving by chunk and left context",
        "How does the saving change with chunk size and left context, and where does it end?",
        "Cells hold the power saved against the same design unfolded; the colours turn at 0. The black line is the "
        "break-even, where there is one; hatched cells cost power.",
        ("power_saving_ratio", "left_context_tokens"),
        None,
        _drawn_by("maps", "saving_map"),
        folded=True,
        over=(LEFT_CONTEXT,),
        varied=("left_context_tokens", SET_LEFT_CONTEXT),
    ),
    PlotKind(
        "tipping-points",
        "Left context at which folding stops paying",
        "How long may the left context be before folding costs work, and before it costs power?",
        "Below a line folding saves, above it costs; found by interpolation between the swept left contexts. Arrows "
        "stand where it saves over the whole sweep (up) or nowhere in it (down).",
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
        "Keys at which a variant starts and stops paying",
        "Up to how many keys does a variant pay, in work, energy, latency and memory, at each chunk size?",
        "Below a solid line the variant pays, above a dashed one. Arrows stand where it pays (up) or costs (down) over "
        "the whole search. The band holds the first crossing of energy for all that the profile's ranges allow. Where "
        "the workload itself stands is dotted.",
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
        "Is it better to race to idle or to run slowly, and what does that do to latency?",
        "Power and, below, compute latency under every policy. Above the lines, for the first design: a row of "
        "operating points per policy, where they change, and the change of power against the first policy. Hollow "
        "points are not in real time.",
        ("policy", "operating_point", "power_mw", "latency_ms"),
        None,
        _drawn_by("policy", "policy_comparison"),
        over=("policy", POLICY),
        varied=("policy", SET_POLICY),
    ),
    PlotKind(
        "predicted-vs-measured",
        "Predictions beside published numbers",
        "Do predictions lie where others measured?",
        "Shaded: the published or measured range. Points: the nominal prediction, hollow where it lies outside; bars: "
        "what the profile's ranges allow.",
        ("target", "predicted", "measured_low", "measured_high"),
        "validation",
        _drawn_by("validation", "predicted_vs_measured"),
    ),
)
KINDS: dict[str, PlotKind] = {kind.name: kind for kind in _ALL}
