"""What cannot be drawn is refused with what is missing and the command that makes it."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.explore.results import Results
from foldsim.plotting import KINDS, PlotError, draw, plot_kinds_for


def refused(rows, kind):
    with pytest.raises(PlotError) as caught:
        draw(rows, kind)
    return str(caught.value)


def without(rows, *names):
    return Results({name: values for name, values in rows.columns.items() if name not in names}, rows.provenance)


def test_unknown_kind(totals):
    assert refused(totals, "rofline").startswith(
        "no kind of figure called 'rofline'; did you mean 'roofline'? (kinds: power-vs-chunk, "
    )


def test_rows_of_another_level(totals, by_component):
    assert refused(totals, "roofline") == (
        "roofline needs rows made with --by op; these rows are whole designs. "
        "Make them with: foldsim sweep -w emformer-rnnt-base --by op -o results.csv"
    )
    assert "these rows are one component each" in refused(by_component, "top-ops")
    assert "--by component -o results.csv" in refused(totals, "power-by-component")


def test_missing_columns(totals):
    assert refused(without(totals, "power_low_mw", "power_high_mw"), "power-vs-chunk") == (
        "power-vs-chunk needs the columns power_low_mw, power_high_mw, which these rows lack. "
        "Make them with: foldsim sweep -w emformer-rnnt-base -o results.csv"
    )
    assert "needs the column chunk_ms, which" in refused(without(totals, "chunk_ms"), "trade-off")


def test_command_from_names_when_no_arguments_are_known(totals):
    unknown = Results(totals.columns, {})
    assert refused(unknown, "roofline").endswith(
        "foldsim sweep -w emformer-rnnt-base -p phone-npu -p gap9 --by op -o results.csv"
    )


def test_command_keeps_other_arguments(totals):
    known = ["sweep", "-p", "my chip.yaml", "--by=component", "--output", "x.csv", "--chunk-ms", "40,80"]
    rows = Results(totals.columns, {"arguments": known})
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
        f"power-vs-chunk: these rows hold 30 combinations of {path}, one panel each; at most 24 can be read. "
        "Draw fewer of them, or the kind trade-off, which takes any number of --set values"
    )
    assert plot_kinds_for(rows) == ["trade-off"]


@pytest.mark.parametrize("chunk", [0.0, -40.0, np.nan])
def test_chunks_that_are_no_durations(totals, chunk):
    rows = Results({**totals.columns, "chunk_ms": np.full(len(totals), chunk)})
    assert refused(rows, "latency-vs-chunk") == "latency-vs-chunk: the column chunk_ms must hold numbers above 0"


def test_text_in_a_column_of_numbers(totals):
    rows = Results({**totals.columns, "latency_ms": np.array(["soon"] * len(totals), dtype=object)})
    assert refused(rows, "latency-vs-chunk").startswith("latency-vs-chunk: the column latency_ms must hold numbers")
    assert "latency-vs-chunk" not in plot_kinds_for(rows)


def test_kinds_for_each_level(totals, by_component, by_op):
    assert plot_kinds_for(by_op) == list(KINDS)
    assert set(KINDS) - set(plot_kinds_for(by_component)) == {"roofline", "top-ops"}
    assert set(KINDS) - set(plot_kinds_for(totals)) == {"roofline", "top-ops", "power-by-component"}


def test_part_of_a_design_is_no_design(by_component):
    encoder = by_component.where(by_component["component"] == "encoder")
    assert "do not add up" in refused(encoder, "power-vs-chunk")
    assert plot_kinds_for(encoder) == ["power-by-component"]
