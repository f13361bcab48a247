"""Refused figures: the message names what is missing and the command that creates it."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.plotting import KINDS, PlotError, draw, plot_kinds_for
from foldsim.sweeps.results import Results

SWEEP = "foldsim sweep -w emformer-rnnt-base -p phone-npu -p gap9 --chunk-ms 40,160,640 --fold 1,2"


def refused(rows, kind):
    with pytest.raises(PlotError) as caught:
        draw(rows, kind)
    return str(caught.value)


def without(rows, *names):
    return Results({name: values for name, values in rows.columns.items() if name not in names}, rows.provenance)


def test_unknown_kind(totals):
    message = refused(totals, "rofline")
    assert message.startswith("unknown kind 'rofline'; allowed: power-vs-chunk, ")
    assert message.endswith("; did you mean 'roofline'?")


def test_rows_of_another_level(totals, by_component):
    assert refused(totals, "roofline") == (
        "roofline needs rows made with --by op; these rows are whole designs. "
        f"Make them with: {SWEEP} --by op -o results.csv"
    )
    assert "these rows are one component each" in refused(by_component, "top-ops")
    assert "--by component -o results.csv" in refused(totals, "power-by-component")


def test_missing_columns(totals):
    assert refused(without(totals, "power_low_mw", "power_high_mw"), "power-vs-chunk") == (
        "power-vs-chunk needs the columns power_low_mw, power_high_mw, which these rows lack. "
        f"Make them with: {SWEEP} -o results.csv"
    )
    assert "needs the column chunk_ms, which" in refused(without(totals, "chunk_ms"), "trade-off")


def test_command_from_names_if_no_space_is_recorded(totals):
    unknown = Results(totals.columns, {})
    assert refused(unknown, "roofline").endswith(
        "foldsim sweep -w emformer-rnnt-base -p phone-npu -p gap9 --by op -o results.csv"
    )


def test_command_keeps_other_axes(totals):
    provenance = {"profiles": ["my chip.yaml"], "by": "component", "chunk_ms": [40.0, 80.0]}
    rows = Results(totals.columns, {"space": provenance})
    assert refused(rows, "roofline").endswith("foldsim sweep -p 'my chip.yaml' --chunk-ms 40,80 --by op -o results.csv")


def test_only_unfolded_designs(totals):
    message = refused(totals.where(totals["fold_factor"] == 1), "saving-vs-chunk")
    assert message.startswith("saving-vs-chunk needs folded designs")
    assert "--fold 1,2" in message


def test_no_rows(totals):
    nothing = totals.where(np.zeros(len(totals), dtype=bool))
    assert refused(nothing, "power-vs-chunk") == "power-vs-chunk: there are no rows to draw"
    assert plot_kinds_for(nothing) == []
    assert plot_kinds_for(Results({})) == []


def test_too_many_panels(make_rows):
    path = "profile.memory_levels.dram.read_pj_per_byte"
    rows = make_rows(profiles=["phone-npu"], sets=[(path, tuple(float(v) for v in range(40, 70)))])
    assert refused(rows, "power-vs-chunk") == (
        f"power-vs-chunk: these rows contain 30 combinations of {path}, one panel each; at most 24 panels are "
        "drawn. Select fewer, or use the kind trade-off, which takes any number of --set values"
    )
    assert plot_kinds_for(rows) == ["trade-off"]


@pytest.mark.parametrize("chunk", [0.0, -40.0, np.nan])
def test_chunks_that_are_no_durations(totals, chunk):
    rows = Results({**totals.columns, "chunk_ms": np.full(len(totals), chunk)})
    assert refused(rows, "latency-vs-chunk") == "latency-vs-chunk: the column chunk_ms must contain numbers above 0"


def test_text_in_a_column_of_numbers(totals):
    rows = Results({**totals.columns, "latency_ms": np.array(["soon"] * len(totals), dtype=object)})
    assert refused(rows, "latency-vs-chunk").startswith("latency-vs-chunk: the column latency_ms must contain numbers")
    assert "latency-vs-chunk" not in plot_kinds_for(rows)


def test_kinds_for_each_level(totals, by_component, by_op):
    sums = {name for name, kind in KINDS.items() if kind.by in (None, "component", "op") and not kind.varied}
    assert plot_kinds_for(by_op) == [name for name in KINDS if name in sums]
    assert sums - set(plot_kinds_for(by_component)) == {"roofline", "top-ops"}
    assert sums - set(plot_kinds_for(totals)) == {"roofline", "top-ops", "power-by-component"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_drawn_or_says_how(kind, totals, rows_for):
    """From the rows of a plain sweep: drawn, or refused with a command that makes the rows."""
    assert kind in plot_kinds_for(rows_for(kind))
    if kind not in plot_kinds_for(totals):
        made = refused(totals, kind).split("Make them with: ")[1]
        values = f"--set {KINDS[kind].varied[1]}" if KINDS[kind].varied else f"--by {KINDS[kind].by}"
        expected = f"{SWEEP} {values} -o results.csv"
        others = {"validation": "foldsim validate", "tipping": "foldsim tipping-point"}
        assert made == (f"{others[KINDS[kind].by]} -o results.csv" if KINDS[kind].by in others else expected)


def test_parts_of_designs_are_no_designs(by_term, by_level, by_tensor, validation):
    for rows, shown in (
        (by_term, "one energy term each"),
        (by_level, "one op at one memory level each"),
        (by_tensor, "one group of tensors in one memory level each"),
        (validation, "predictions against published values"),
    ):
        assert f"needs rows of whole designs; these rows are {shown}" in refused(rows, "power-vs-chunk")
        assert f"these rows are {shown}" in refused(rows, "top-ops")


def test_what_compares_needs_something_to_compare(totals, by_left, by_term):
    assert refused(totals, "saving-map").startswith(
        "saving-map compares several values of left_context_tokens, but these rows have one. Make them with: "
    )
    folded = by_left.where(by_left["fold_factor"] > 1)
    message = refused(folded, "tipping-points")
    assert message.startswith("tipping-points needs the unfolded designs too, but these rows are all folded.")
    assert "--fold 1,2,4" in message
    assert "needs folded designs" in refused(by_term.where(by_term["fold_factor"] == 1), "power-waterfall")
    # A baseline at another chunk size does not help.
    other = by_term.where((by_term["fold_factor"] == 2) | (by_term["chunk_ms"] != 160))
    assert "power-waterfall: there is no baseline of emformer-rnnt-base on phone-npu at 160 ms" in refused(
        other, "power-waterfall"
    )


def test_command_replaces_the_option_that_it_sets(totals):
    sets = {"profile.policy": ["low"], "workload.a": [1]}
    provenance = {"space": {"fold": [2], "policy": "race-to-idle", "sets": sets}}
    rows = Results(totals.columns, provenance)
    assert refused(rows, "policy-comparison").endswith(
        "foldsim sweep --fold 2 --set workload.a=1 --set profile.policy=race-to-idle,slowest-real-time -o results.csv"
    )
    unfolded = Results(totals.columns, provenance).where(totals["fold_factor"] == 1)
    assert refused(unfolded, "saving-vs-chunk").count("--fold ") == 1


def test_doubled_rows_are_refused(by_term, by_tensor):
    for rows, kind in ((by_term, "power-waterfall"), (by_tensor, "residency")):
        twice = Results({name: np.concatenate([v, v]) for name, v in rows.columns.items()})
        assert "two rows describe one design" in refused(twice, kind)


def test_unknown_style(totals):
    with pytest.raises(PlotError, match=r"unknown style 'prnt'; allowed: light, print; did you mean 'print'\?"):
        draw(totals, "power-vs-chunk", "prnt")


def test_part_of_a_design_is_no_design(by_component):
    encoder = by_component.where(by_component["component"] == "encoder")
    assert "do not add up" in refused(encoder, "power-vs-chunk")
    assert plot_kinds_for(encoder) == ["power-by-component"]
