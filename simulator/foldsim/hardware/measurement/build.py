"""Writes a measurement as the text of a profile."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from foldsim import units as u
from foldsim.hardware.measurement.machine import FALLBACK_HZ
from foldsim.hardware.measurement.products import ProductRates
from foldsim.hardware.measurement.session import Measured
from foldsim.hardware.measurement.timing import Span

DIGITS = 4  # significant digits of a measured value

# Assumptions of a measured profile, each with its range; the profile marks them as such.
KERNEL_ROWS = Span(8, 4, 16)  # rows of results that a kernel keeps in registers
KERNEL_COLUMNS = 8  # columns side by side
USABLE = Span(0.9, 0.5, 1.0)  # of a private cache
USABLE_SHARED = Span(0.5, 0.1, 1.0)  # of a cache or memory shared with other cores
CORE_DYNAMIC_MW = Span(4000, 1000, 15000)  # a busy core of a laptop, desktop or server
CORE_STATIC_MW = Span(1000, 0, 5000)
REST_IDLE_MW = Span(500, 0, 5000)
REST_BUSY_MW = Span(1000, 0, 10000)
STALLED = Span(0.5, 0.3, 0.9)
DRAM_PJ_PER_BYTE = Span(100, 40, 170)  # LPDDR5X to LPDDR4 and DDR4 with controller
DRAM_ACTIVE_MW = Span(100, 20, 1000)
DRAM_IDLE_MW = Span(10, 1, 200)
DRAM_CHARGED = Span(0.5, 0.1, 1.0)
RUNTIME_BYTES = Span(1.0e8, 2.0e7, 5.0e8)
VOLTAGE_V = 1.0  # at the one operating point; it cancels out
FALLBACK_MEMORY_BYTES = 8.0e9

Lines = Iterator[str]


def default_name(measured: Measured) -> str:
    """Name of the profile if none is given."""
    return f"this-machine-{measured.runtime}"


def profile_text(measured: Measured, name: str) -> str:
    """The profile as commented YAML; the same measurement gives the same text."""
    return "\n".join(_profile(measured, name)) + "\n"


def _figure(value: float) -> str:
    """Shortest text of a number to DIGITS significant digits that YAML 1.1 reads as a number."""
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 10**15:
        return str(int(value))
    rounded = float(f"{value:.{DIGITS - 1}e}")
    text = repr(rounded) if 1.0e-4 <= abs(rounded) < 1.0e15 else f"{rounded:.{DIGITS - 1}e}"
    return text.removesuffix(".0")


def _number(span: Span, source: str, note: str = "") -> str:
    parts = [f"{key}: {_figure(getattr(span, key))}" for key in ("value", "low", "high")]
    parts.append(f"source: {source}")
    if note:
        parts.append(f'note: "{note}"')
    return "{" + ", ".join(parts) + "}"


def _exactly(value: float, source: str, note: str = "") -> str:
    return _number(Span(value, value, value), source, note)


def _words(text: str) -> str:
    return '"' + text.replace("\\", "/").replace('"', "'") + '"'


@dataclass(frozen=True)
class _Peak:
    """The rate of large products, and the array shape that it is written as."""

    macs_per_s: float
    shape: int  # MACs per cycle of the array


def _profile(m: Measured, name: str) -> Lines:
    clock = m.machine.clock_hz or FALLBACK_HZ
    threads = f"{m.threads} thread" + ("s" if m.threads > 1 else "")
    runtime = ", ".join(f"{key} {value}" for key, value in m.versions.items() if key not in ("foldsim", "Python"))
    options = f"--runtime {m.runtime} --threads {m.threads}" + (" --quick" if m.quick else "")
    yield f"# Measured by foldsim profile measure {options}"
    yield "# Rates and times are those of the runtime on this machine; power is assumed unless a meter could be read."
    yield f"name: {name}"
    yield f"title: {_words(f'{m.machine.model}, {threads} of {runtime}')}"
    yield "summary: >-"
    yield "  Measured with microbenchmarks of single kernels: products by rows with weights in a cache and from memory,"
    yield "  element-wise operators, read bandwidths, call overhead by kind of op. Value: fastest repeat, range up"
    yield "  to the median. Assumed: power and energies, unless a meter is named below, and the share of shared caches."
    yield "device_class: edge"
    yield f"grade: {'C' if m.power else 'D'}"
    yield ""
    yield from _sources(m, threads)
    yield ""
    yield "compute_units:"
    yield from _unit(m, clock)
    yield ""
    yield "memory_levels:"
    yield from _levels(m)
    yield ""
    yield from _system(m)
    yield ""
    yield "operating_points:"
    yield "  - name: measured"
    yield f"    frequency_hz: {_exactly(clock, _clock_source(m))}"
    yield f"    voltage_v: {_exactly(VOLTAGE_V, 'conventions', 'not known; cancels out with one operating point')}"
    yield "reference_operating_point: measured"
    yield "policy: race-to-idle"


def _clock_source(m: Measured) -> str:
    return "system" if m.machine.clock_hz else "conventions"


def _sources(m: Measured, threads: str) -> Lines:
    versions = ", ".join(f"{key} {value}" for key, value in m.versions.items())
    load = "" if m.load is None else f" Load average before the measurement: {m.load:.1f}."
    yield "sources:"
    yield "  microbenchmarks:"
    yield f"    title: {_words(f'foldsim profile measure, {m.date}, {threads}')}"
    yield "    kind: measured"
    yield "    url: docs/profile-measure.md"
    yield f"    note: {_words(f'{m.machine.model}; {versions}.{load}')}"
    yield "  system:"
    yield "    title: Processor, caches and memory as the operating system reports them"
    yield "    kind: measured"
    yield f"    note: {_words(m.machine.model + ', ' + m.date)}"
    yield "  conventions:"
    yield "    title: Conventions of foldsim profile measure"
    yield "    kind: assumption"
    yield "    note: Shape of the kernels, share of shared caches, voltage; none is measured."
    if m.power is None:
        yield "  power:"
        yield "    title: Power of a laptop, desktop or server core and of its memory"
        yield "    kind: assumption"
        yield "    note: No meter could be read on this machine (RAPL or a discharging battery). Energies are a guess."
    else:
        yield "  power:"
        yield f"    title: {_words(f'{m.power.meter} of this machine: {m.power.covers}')}"
        yield "    kind: measured"
        shown = f"{m.power.rest_w:.2f} W at rest, {m.power.work_w:.2f} W in fp32 products, {m.date}"
        yield f"    note: {_words(shown)}"
        yield "  power-split:"
        yield "    title: How metered power splits over core, memory and the rest"
        yield "    kind: assumption"


def _peak(rates: ProductRates, clock: float) -> _Peak:
    best = max(span.value for span in rates.macs_per_s.values())
    return _Peak(best, 1 << max(3, math.ceil(math.log2(best / clock))))


def _unit(m: Measured, clock: float) -> Lines:
    first = _peak(m.products["fp32"], clock)
    yield "  - name: core"
    yield "    runs: [all]"
    yield "    dataflow: output_stationary"
    yield f"    cores_count: {_exactly(1, 'conventions', 'all threads together')}"
    yield f"    clock_hz: {_exactly(clock, _clock_source(m), 'scales the per-cycle rates, and cancels out')}"
    yield "    # A shape for the fp32 peak; the rate reached is in efficiency_ratio and in the curves by rows."
    yield f"    unroll_m_count: {_exactly(1, 'conventions')}"
    yield f"    unroll_k_count: {_exactly(first.shape / KERNEL_COLUMNS, 'conventions')}"
    yield f"    unroll_n_count: {_exactly(KERNEL_COLUMNS, 'conventions')}"
    yield f"    register_rows_count: {_number(KERNEL_ROWS, 'conventions')}"
    ratio = first.macs_per_s / clock / first.shape
    yield f"    efficiency_ratio: {_exactly(ratio, 'microbenchmarks')}"
    yield "    precisions:"
    for precision, rates in m.products.items():
        own = _peak(rates, clock)
        yield f"      {precision}:"
        scaled = own.macs_per_s / clock / ratio
        yield f"        macs_per_cycle: {_exactly(scaled if precision != 'fp32' else first.shape, 'microbenchmarks')}"
        yield from _kernels(m, precision, rates, own)
    yield "    vector:"
    for kind, span in m.kinds.items():
        yield f"      {kind}_per_cycle: {_number(span.map(lambda rate: rate / clock), 'microbenchmarks')}"
    yield f"    static_mw: {_exactly(0, 'power' if m.power is None else 'power-split', 'in the power law')}"
    yield f"    idle_mw: {_exactly(0, 'power' if m.power is None else 'power-split', 'in the system')}"
    yield f"    dispatch_s: {_number(m.calls.vector_s, 'microbenchmarks')}"
    yield f"    overlap_ratio: {_number(Span(0, 0, 0.5), 'conventions', 'kernels run one after the other')}"
    yield from _law(m, clock)


def _kernels(m: Measured, precision: str, rates: ProductRates, peak: _Peak) -> Lines:
    yield "        kernels:"
    yield "          efficiency_by_rows:"
    for rows, span in rates.macs_per_s.items():
        share = span.map(lambda rate: min(1.0, rate / peak.macs_per_s))
        yield f"            - rows_count: {_exactly(rows, 'microbenchmarks')}"
        yield f"              efficiency_ratio: {_number(share, 'microbenchmarks')}"
    yield "          stream_by_rows:"
    whole = m.bandwidths[-1].value
    for rows, by_run in rates.stream_bytes_per_s.items():
        yield f"            - rows_count: {_exactly(rows, 'microbenchmarks')}"
        yield "              by_run:"
        for run, span in by_run.items():
            share = span.map(lambda rate: min(1.0, rate / whole))
            yield f"                - run_bytes: {_exactly(run, 'microbenchmarks')}"
            yield f"                  stream_ratio: {_number(share, 'microbenchmarks')}"
    overlap = _exactly(1, "conventions", "the rates are those of whole layers, including their compute")
    yield f"          stream_overlap_ratio: {overlap}"
    if precision != "fp32":
        yield "          attention_format: fp32"
    yield f"          linear_dispatch_s: {_number(m.calls.linear_s[precision], 'microbenchmarks')}"
    yield f"          attention_dispatch_s: {_number(m.calls.attention_s, 'microbenchmarks')}"
    yield f"          vector_dispatch_s: {_number(m.calls.vector_s, 'microbenchmarks')}"
    clock = m.machine.clock_hz or FALLBACK_HZ
    copies = m.copies.map(lambda rate: rate / clock)
    yield f"          copy_per_cycle: {_number(copies, 'microbenchmarks')}"
    yield f"          call_s: {_number(m.calls.call_s, 'microbenchmarks')}"


def _law(m: Measured, clock: float) -> Lines:
    """P = static + k f V^2 at V = VOLTAGE_V."""
    slope = u.UW_PER_MW / (clock / u.HZ_PER_MHZ) / VOLTAGE_V**2
    static, dynamic, source = CORE_STATIC_MW, CORE_DYNAMIC_MW, "power"
    split = "power" if m.power is None else "power-split"
    if m.power is not None:
        more = max(m.power.work_w - m.power.rest_w, 1.0e-3) * u.MW_PER_W
        static, dynamic = Span(0, 0, 0), Span(more, 0.8 * more, more)
    yield "    power_law:"
    yield f"      static_mw: {_number(static, split)}"
    yield f"      dynamic_uw_per_mhz_v2: {_number(dynamic.map(lambda mw: mw * slope), source)}"
    yield f"      activity_ratio: {_exactly(1, split)}"
    yield f"      stalled_ratio: {_number(STALLED, split)}"


def _levels(m: Measured) -> Lines:
    power = "power" if m.power is None else "power-split"
    for cache, span in zip(m.caches, m.bandwidths, strict=False):
        cache_source = "system" if m.caches_reported else "conventions"
        yield f"  - name: l{cache.level}"
        yield "    kind: cache"
        yield "    on_chip: true"
        yield "    keeps_data: true"
        yield "    clock: core"
        yield f"    capacity_bytes: {_exactly(cache.size_bytes, cache_source)}"
        yield f"    usable_ratio: {_number(USABLE_SHARED if cache.shared_count > m.threads else USABLE, 'conventions')}"
        yield from _bandwidth(span)
        for key in ("read_pj_per_byte", "write_pj_per_byte", "static_mw", "retention_mw"):
            yield f"    {key}: {_exactly(0, power, 'in the power of the core')}"
    yield "  - name: memory"
    yield "    kind: dram"
    yield "    on_chip: false"
    yield "    keeps_data: true"
    yield "    clock: own"
    size, source = (
        (m.machine.memory_bytes, "system") if m.machine.memory_bytes else (FALLBACK_MEMORY_BYTES, "conventions")
    )
    yield f"    capacity_bytes: {_exactly(size, source)}"
    yield f"    usable_ratio: {_number(USABLE_SHARED, 'conventions')}"
    yield from _bandwidth(m.bandwidths[-1])
    for key in ("read_pj_per_byte", "write_pj_per_byte"):
        yield f"    {key}: {_number(DRAM_PJ_PER_BYTE, power)}"
    for key in ("static_mw", "retention_mw"):
        yield f"    {key}: {_exactly(0, power, 'see background')}"
    yield "    background:"
    yield f"      active_standby_mw: {_number(DRAM_ACTIVE_MW, power)}"
    yield f"      power_down_mw: {_number(DRAM_IDLE_MW, power)}"
    yield f"      self_refresh_mw: {_number(DRAM_IDLE_MW, power)}"
    yield "      idle_state: power_down"
    yield f"      charged_ratio: {_number(DRAM_CHARGED, power)}"


def _bandwidth(span: Span) -> Lines:
    yield f"    bandwidth_gb_per_s: {_number(span.map(lambda rate: rate / u.BYTES_PER_GB), 'microbenchmarks')}"
    yield f"    bandwidth_efficiency_ratio: {_exactly(1, 'microbenchmarks', 'the bandwidth is what reading reaches')}"


def _system(m: Measured) -> Lines:
    split = "power" if m.power is None else "power-split"
    idle, busy, source = REST_IDLE_MW, REST_BUSY_MW, "power"
    if m.power is not None:
        rest = m.power.rest_w * u.MW_PER_W
        idle = busy = Span(rest, 0.0, rest)
    yield "system:"
    yield f"  idle_mw: {_number(idle, source)}"
    yield f"  busy_mw: {_number(busy, source)}"
    yield f"  wake_uj: {_number(Span(0, 0, 1000), split)}"
    yield f"  wake_ms: {_number(Span(0, 0, 1), 'conventions', 'the process is already running')}"
    yield f"  runtime_bytes: {_number(RUNTIME_BYTES, 'conventions')}"
