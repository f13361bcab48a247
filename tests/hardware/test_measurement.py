"""The measurement against a machine whose speeds are known: its clock advances by what the work would take."""

from __future__ import annotations

from textwrap import dedent

import pytest

import foldsim
from foldsim.hardware.measurement import session
from foldsim.hardware.measurement.build import profile_text
from foldsim.hardware.measurement.machine import Cache, Machine
from foldsim.hardware.measurement.products import BYTES, CACHED_LAYERS, cached_width
from foldsim.hardware.measurement.runtime import COPY, ELEMENTWISE, TINY, Between
from foldsim.hardware.measurement.timing import Span, difference, interleaved
from foldsim.hardware.profile import profile_findings
from foldsim.schema import read_yaml

READ_BANDWIDTHS = (200e9, 150e9, 100e9, 32e9)  # bytes/s of l1, l2, l3 and memory


class KnownMachine:
    """A runtime without kernels: work moves the clock.

    A layer takes ``call + max(compute, s stream) + (1 - s) stream``; compute is MACs over a rate that rises with rows
    up to 8, stream is bytes over a bandwidth that falls for short runs and few rows. Layers whose weights stay in a
    cache do not stream.
    """

    name = "torch"
    versions = {"Known": "1.0"}  # noqa: RUF012 - as the protocol has it
    precisions = ("fp32", "int8")
    overlap = 0.3
    call = {"fp32": 4e-6, "int8": 20e-6}  # noqa: RUF012
    vector_s, attention_s = 3e-6, 7e-6
    copy_s = 0.25e-9  # of one element
    seconds = {  # of one element, by the kinds of ELEMENTWISE  # noqa: RUF012
        "exp": 1e-9,
        "divide": 0.5e-9,
        "multiply_add": 0.1e-9,
        "compare": 0.2e-9,
    }

    def __init__(self):
        self.now = 0.0

    def clock(self):
        return self.now

    @staticmethod
    def macs_per_s(rows, precision):
        return min(rows, 8) / 8 * {"fp32": 40e9, "int8": 300e9}[precision]

    @staticmethod
    def bandwidth(run_bytes, rows):
        return READ_BANDWIDTHS[-1] * min(1.0, run_bytes / 4096) * (0.7 if rows < 4 else 1.0)

    def layer(self, rows, width, precision, cold):
        compute = rows * width**2 / self.macs_per_s(rows, precision) if width != TINY else 0.0
        stream = width**2 * BYTES[precision] / self.bandwidth(width * BYTES[precision], rows) if cold else 0.0
        return self.call[precision] + max(compute, self.overlap * stream) + (1 - self.overlap) * stream

    def _work(self, seconds):
        def work():
            self.now += seconds

        return work

    def products(self, weights, precision):
        width = weights[0].shape[0]
        cold = len({id(w) for w in weights}) > CACHED_LAYERS
        return lambda rows: self._work(len(weights) * self.layer(rows, width, precision, cold))

    def elementwise(self, operator, rows, width, count):
        if operator == COPY:
            return self._work(count * (self.vector_s + rows * width * self.copy_s))
        each = sum(n * s for n, s in zip(ELEMENTWISE[operator], self.seconds.values(), strict=True))
        return self._work(count * (self.vector_s + rows * width * each))

    def between(self, weights, rows, block, precision):
        layers = len(weights) * self.layer(rows, weights[0].shape[0], precision, cold=True)
        ops, calls, extra = {
            "none": (0, 0, 0.0),
            "vector": (4, 6, 4 * self.vector_s),
            "attention": (3, 44, 2 * self.attention_s + self.vector_s),
            "linear": (2, 4, 2 * self.call[precision]),
        }[block]
        return Between(self._work(layers + len(weights) * extra), ops, calls)


@pytest.fixture
def known(monkeypatch):
    """A known machine of three caches, and a function that measures it."""
    machine = Machine("Known Core", 2.0e9, (Cache(1, 32768, 1), Cache(2, 1 << 20, 1), Cache(3, 1 << 22, 4)), 8.0e9, 4)
    monkeypatch.setattr(session.machine, "describe", lambda: machine)
    monkeypatch.setattr(session.machine, "find_meter", lambda: None)
    monkeypatch.setattr(session, "read_bandwidths", lambda *_: [Span(rate, rate, rate) for rate in READ_BANDWIDTHS])
    monkeypatch.setattr(session.os, "getloadavg", lambda: (0.5, 0.5, 0.5), raising=False)
    monkeypatch.setattr(session, "_flusher", lambda _: lambda: None)
    monkeypatch.setattr(session.products, "STREAM_WIDTHS", (256, 512, 1024))
    monkeypatch.setattr(session.products, "STREAM_LAYERS", (3, 3))
    return KnownMachine()


def measured_text(known):
    """The profile of the known machine."""
    steps = []
    measured = session.measure(known, 1, True, steps.append, known.clock)
    assert len(steps) == 1 + 2 * len(known.precisions) + 2
    return profile_text(measured, "known")


WORKLOAD = """
    name: one-product
    title: One product with weights
    summary: For the test.
    sources: {none: {title: none, kind: assumption}}
    precision: {weights: PRECISION, activations: PRECISION, state: fp32}
    audio: {frame_ms: 10.0, subsampling_frames: 4}
    streaming: {chunk_tokens: 1, left_context_tokens: 0, right_context_tokens: 0}
    decoding:
      symbols_per_s: {value: 0.0, low: 0.0, high: 0.0, source: none}
    components:
      - name: layer
        invoked_per: [chunk]
        layers:
          # Twice the last cache in all, so that the weights cannot stay.
          - {kind: matrix_product, name: product, repeat: REPEAT, m: ROWS, k: 512, n: 512}
"""


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("rows", [1, 4, 16])
def test_the_profile_gives_the_machine_s_times(known, tmp_path, precision, rows):
    """One layer of 512 x 512 with cold weights: the model with the measured profile against the machine's own rule."""
    (tmp_path / "known.yaml").write_text(measured_text(known), encoding="utf-8")
    repeat = {"fp32": 16, "int8": 64}[precision]
    text = WORKLOAD.replace("PRECISION", precision).replace("ROWS", str(rows)).replace("REPEAT", str(repeat))
    (tmp_path / "one.yaml").write_text(dedent(text), encoding="utf-8")
    took = foldsim.simulate(tmp_path / "one.yaml", tmp_path / "known.yaml", chunk_ms=40.0).totals["latency_ms"]
    expected = repeat * known.layer(rows, 512, precision, cold=True) * 1e3
    assert took == pytest.approx(expected, rel=0.03)


def test_attention_runs_in_its_own_format(known, tmp_path):
    """Quantised weights leave products of activations in fp32: at its rate, with the overhead of attention."""
    (tmp_path / "known.yaml").write_text(measured_text(known), encoding="utf-8")
    text = WORKLOAD.replace("PRECISION", "int8").replace("ROWS", "4").replace("REPEAT", "1")
    text = text.replace("n: 512}", "n: 512, second: activations}")
    text += "          - {kind: matrix_product, name: small, m: 1, k: 16, n: 16}\n"
    (tmp_path / "one.yaml").write_text(dedent(text), encoding="utf-8")
    took = foldsim.simulate(tmp_path / "one.yaml", tmp_path / "known.yaml", chunk_ms=40.0).totals["latency_ms"]
    expected = known.attention_s + 4 * 512**2 / known.macs_per_s(4, "fp32") + known.call["int8"]
    assert took == pytest.approx(expected * 1e3, rel=0.01)


def test_the_profile_is_valid_and_the_same_each_time(known, tmp_path):
    text = measured_text(known)
    (tmp_path / "known.yaml").write_text(text, encoding="utf-8")
    spec, findings = profile_findings(read_yaml(tmp_path / "known.yaml"))
    assert findings == []
    assert spec is not None
    assert measured_text(KnownMachine()) == text


def test_numbers_of_the_profile(known, tmp_path):
    (tmp_path / "known.yaml").write_text(measured_text(known), encoding="utf-8")
    unit = foldsim.load_profile(tmp_path / "known.yaml").spec.compute_units[0]
    for kind, seconds in known.seconds.items():
        assert getattr(unit.vector, f"{kind}_per_cycle").value == pytest.approx(1 / seconds / 2.0e9, rel=1e-3)
    fp32, int8 = unit.precisions["fp32"], unit.precisions["int8"]
    peak = fp32.macs_per_cycle.value * unit.efficiency_ratio.value * unit.clock_hz.value
    assert peak == pytest.approx(40e9, rel=1e-3)
    ratio = int8.macs_per_cycle.value / fp32.macs_per_cycle.value
    assert ratio == pytest.approx(300 / 40, rel=1e-3)
    kernels = int8.kernels
    assert kernels.attention_format == "fp32"
    assert kernels.linear_dispatch_s.value == pytest.approx(20e-6, rel=1e-3)
    assert kernels.attention_dispatch_s.value == pytest.approx(7e-6, rel=1e-3)
    assert kernels.vector_dispatch_s.value == pytest.approx(3e-6, rel=1e-3)
    assert kernels.stream_overlap_ratio.value == 1
    assert [p.efficiency_ratio.value for p in fp32.kernels.efficiency_by_rows][:2] == pytest.approx([1 / 8, 2 / 8])
    # Six calls of element-wise ops and 44 around attention take 4 x 3 + 2 x 7 + 3 us.
    assert kernels.call_s.value == pytest.approx(29e-6 / 50, rel=1e-3)
    assert kernels.copy_per_cycle.value == pytest.approx(1 / 0.25e-9 / 2.0e9, rel=1e-3)
    assert [curve.rows_count.value for curve in fp32.kernels.stream_by_rows] == [1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33]
    for curve in fp32.kernels.stream_by_rows:
        for point in curve.by_run:
            width = int(point.run_bytes.value) // 4
            whole = known.layer(curve.rows_count.value, width, "fp32", cold=True) - known.call["fp32"]
            share = min(1.0, width**2 * 4 / whole / READ_BANDWIDTHS[-1])
            assert point.stream_ratio.value == pytest.approx(share, rel=1e-3)


def test_difference_is_between_the_fastest_and_not_negative():
    assert difference([5.0, 4.0, 9.0], [1.0, 2.0, 1.5]).value == 3.0
    assert difference([1.0, 1.0], [2.0, 2.0]) == Span(0.0, 0.0, 0.0)


def test_cases_take_turns_after_one_round_to_warm_up():
    seen = []
    ticks = iter(range(100))
    cases = {"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}
    found = interleaved(cases, 2, lambda: float(next(ticks)), before=lambda: seen.append("-"))
    assert "".join(seen) == "-a-b" * 3
    assert found == {"a": [1.0, 1.0], "b": [1.0, 1.0]}


@pytest.mark.parametrize(("cache", "size", "width"), [(1 << 20, 4, 256), (1 << 20, 1, 512), (1 << 19, 4, 128)])
def test_cached_layers_fill_half_the_cache_at_most(cache, size, width):
    assert cached_width(cache, size) == width
    assert CACHED_LAYERS * width**2 * size <= cache / 2


def test_streaming_is_given_on_a_grid(known, tmp_path):
    """The second curve loses a point; the third stands twice."""
    lines = measured_text(known).splitlines()
    starts = [i for i, line in enumerate(lines) if "- rows_count" in line and "by_run" in lines[i + 1]]
    second, third = starts[1], lines[starts[2] : starts[3]]
    wrong = [*lines[: second + 2], *lines[second + 4 : starts[3]], *third, *lines[starts[3] :]]
    (tmp_path / "wrong.yaml").write_text("\n".join(wrong) + "\n", encoding="utf-8")
    spec, findings = profile_findings(read_yaml(tmp_path / "wrong.yaml"))
    assert spec is None
    told = [(f.line, f.message) for f in findings if f.severity == "error"]
    assert [message for _, message in told] == [
        "rows_count must rise from one to the next",
        "run_bytes differ from those at the first rows_count",
    ]
    assert told[1][0] == second + 3
