"""Which layers fold, by how much they may, and that every way of asking for it gives the same model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foldsim.api import sweep
from foldsim.designs.axes import DesignError
from foldsim.schema import InputError
from foldsim.workload.folding import describe_layers, layer_numbers
from foldsim.workload.workload import load_workload

SELECTIONS = [
    ("all", 5, [1, 2, 3, 4, 5]),
    ("1-3,7", 8, [1, 2, 3, 7]),
    ("7,1-3", 8, [1, 2, 3, 7]),
    (" 2 - 4 , 4 ", 8, [2, 3, 4]),
    ("every:3", 8, [1, 4, 7]),
    ("every:1", 3, [1, 2, 3]),
    ("every:99", 3, [1]),
    ("4", 4, [4]),
    ([3, 1, 3], 4, [1, 3]),
]
REFUSED = [
    ("0", "layer 0 not found"),
    ("9", "layer 9 not found"),
    ("1-9", "layer 9 not found"),
    ("1-99999", "layer 9 not found"),
    ("3-1", "descending"),
    ("", "cannot read"),
    ("1,,2", "cannot read"),
    ("first", "cannot read"),
    ("-3", "cannot read"),
    ("1.5", "cannot read"),
    ("every:0", "at least 1"),
    ("every:-2", "cannot read"),
    ([], "empty"),
    ([0], "layer 0 not found"),
]


@pytest.mark.parametrize(("selection", "count", "expected"), SELECTIONS)
def test_a_selection_picks_layers(selection, count, expected):
    assert layer_numbers(selection, count) == expected


@pytest.mark.parametrize(("selection", "message"), REFUSED)
def test_a_selection_that_makes_no_sense_is_refused(selection, message):
    with pytest.raises(ValueError, match=message):
        layer_numbers(selection, 8)


def test_a_selection_is_shown_as_given():
    assert describe_layers(" every:2 ") == "every:2"
    assert describe_layers([1, 4]) == "1,4"


def encoder_params(workload):
    return workload.params()["encoder"]


@pytest.mark.parametrize(
    ("layers", "folded"), [("all", 20), ("1-10", 10), ("every:2", 10), ("1,4,7", 3), ([20], 1), ("every:7", 3)]
)
def test_only_selected_layers_shrink(emformer, layers, folded):
    """A layer of attention 4 (512^2 + 512) = 1,050,624 becomes 4 (256^2 + 256) = 263,168: 787,456 less each."""
    assert encoder_params(emformer) - encoder_params(emformer.fold(2, layers)) == folded * 787_456


def test_the_feedforward_folds_only_when_asked(emformer):
    """2 x 512 x 2048 + 2048 + 512 = 2,099,712 becomes 2 x 256 x 1024 + 1024 + 256 = 525,568 in 20 layers."""
    attention = encoder_params(emformer.fold(2))
    both = encoder_params(emformer.fold(2, scope="attention+feedforward"))
    assert attention - both == 20 * (2_099_712 - 525_568)


def test_folding_by_one_is_the_baseline(emformer):
    one = emformer.fold(1)
    assert one.params() == emformer.params()
    assert one.macs_per_invocation(4) == emformer.macs_per_invocation(4)


def test_folding_can_be_undone(emformer):
    assert emformer.fold(4).unfolded().spec == emformer.spec


@pytest.mark.parametrize(
    ("factor", "heads", "scope", "able"),
    [
        # 8 heads of 64 in 512: N divides the heads.
        (3, "keep_head_dim", "attention", "1, 2, 4, 8"),
        (16, "keep_head_dim", "attention", "1, 2, 4, 8"),
        # Heads kept: 512 / N must still hold 8 heads.
        (128, "keep_heads", "attention", "1, 2, 4, 8, 16, 32, 64"),
        (5, "keep_heads", "attention+feedforward", "1, 2, 4, 8, 16, 32, 64"),
    ],
)
def test_a_factor_that_does_not_divide_lists_those_that_do(emformer, factor, heads, scope, able):
    with pytest.raises(InputError) as caught:
        emformer.fold(factor, heads=heads, scope=scope)
    assert caught.value.findings
    for finding in caught.value.findings:
        assert finding.severity == "error"
        assert "divide" in finding.message
        assert finding.allowed == f"N = {able}"


def test_a_feedforward_width_limits_the_factor_too(changed, emformer):
    """2052 = 4 x 513: 8 no longer divides it."""

    def edit(data):
        data["components"][1]["layers"][1]["feedforward"] = 2052

    odd = changed(emformer, edit)
    assert encoder_params(odd.fold(8)) < encoder_params(odd)  # attention alone folds by 8
    with pytest.raises(InputError) as caught:
        odd.fold(8, scope="attention+feedforward")
    assert caught.value.findings[0].allowed == "N = 1, 2, 4"


def test_a_selection_out_of_range_is_an_input_error(emformer):
    with pytest.raises(InputError, match="layer 21 not found"):
        emformer.fold(2, "1-21")


def test_a_workload_without_foldable_layers_says_so(changed, emformer):
    def edit(data):
        data["components"][1]["layers"] = [{"kind": "linear", "name": "only", "inputs": 8, "outputs": 8}]

    plain = changed(emformer, edit)
    with pytest.raises(InputError, match="no layer that can be folded"):
        plain.fold(2)
    with pytest.raises(DesignError, match="no layer that can be folded"):
        sweep(plain, "phone-npu", [160], [1, 2])


FOLDINGS: list[dict[str, Any]] = [
    {"factor": 2},
    {"factor": 4, "layers": "1-10"},
    {"factor": 2, "layers": "every:3", "scope": "attention+feedforward"},
    {"factor": 4, "heads": "keep_heads"},
    {"factor": 2, "layers": [2, 3, 5], "scope": "attention+feedforward", "heads": "keep_heads"},
]


@pytest.mark.parametrize("folding", FOLDINGS, ids=str)
@pytest.mark.parametrize("chip", ["phone-npu", "pixel5-cpu"])
def test_yaml_python_and_option_fold_alike(emformer, changed, folding, chip):
    """`folding:` in the file, `workload.fold(...)`, and `--fold` with its options give equal columns."""
    in_yaml = changed(emformer, lambda data: data.update(folding=folding))
    in_python = emformer.fold(**folding)
    layers = folding.get("layers", "all")
    shown = layers if isinstance(layers, str) else ",".join(map(str, layers))
    asked: dict[str, Any] = {"fold": [folding["factor"]], "fold_layers": shown}
    asked.update({f"fold_{key}": folding[key] for key in ("scope", "heads") if key in folding})
    chunks = [80.0, 320.0]
    tables = [
        sweep(in_yaml, chip, chunks, [folding["factor"]]),
        sweep(in_python, chip, chunks, [folding["factor"]]),
        sweep(emformer, chip, chunks, **asked),
    ]
    assert (tables[0]["fold_factor"] == folding["factor"]).all()
    assert (tables[0]["params"] < 76_738_049).all()
    for other in tables[1:]:
        assert list(other.columns) == list(tables[0].columns)
        for name in other.columns:
            assert other[name].tolist() == tables[0][name].tolist(), name


def test_a_folded_workload_sweeps_with_its_own_factor_and_baseline(emformer):
    """No `--fold`: the baseline and the factor of the file; the options of the command line win over the
    file's."""
    table = sweep(emformer.fold(4, "1-10"), "phone-npu", [160])
    assert table["fold_factor"].tolist() == [1, 4]
    assert table["fold_layers"].tolist() == ["none", "1-10"]
    other = sweep(emformer.fold(4, "1-10"), "phone-npu", [160], [2], fold_layers="1-5")
    assert other["params"].tolist() == [76_738_049 - 5 * 787_456]


@pytest.mark.parametrize("heads", ["keep_head_dim", "keep_heads"])
@pytest.mark.parametrize("scope", ["attention", "attention+feedforward"])
@pytest.mark.parametrize("precision", ["int4", "int8", "fp16"])
def test_folding_never_increases_weights_nor_changes_the_cache(emformer, changed, heads, scope, precision):
    """Weight bytes fall with every larger N; state bytes stay."""
    workload = changed(emformer, lambda data: data["precision"].update(weights=precision))
    table = sweep(workload, "phone-npu", [40, 160, 1280], [1, 2, 4, 8], fold_scope=scope, fold_heads=heads)
    for _, rows in table.groupby("chunk_ms"):
        assert (np.diff(rows["weights_bytes"]) < 0).all()
        assert (np.diff(rows["state_bytes"]) == 0).all()


def test_scores_grow_with_the_factor_where_heads_are_kept(emformer):
    """Score buffer of a layer: H q S elements, times N with heads divided, times N^2 with heads kept (q 33,
    S 63)."""
    live = {}
    for heads in ("keep_head_dim", "keep_heads"):
        for n in (1, 4):
            lowered = emformer.fold(n, heads=heads).lower(32)
            at = next(i for i, row in enumerate(lowered.rows) if row.op == "softmax" and row.component == "encoder")
            live[heads, n] = lowered.recogniser.ops.live_bytes[at, 0]
    held = live["keep_heads", 1] - 8 * 33 * 63
    assert live["keep_head_dim", 4] - held == 4 * 8 * 33 * 63
    assert live["keep_heads", 4] - held == 16 * 8 * 33 * 63


def test_folded_and_unfolded_layers_share_their_home(emformer):
    """Half folded: one group of encoder weights, 10 x 3,153,408 + 10 x 2,365,952 and 537,600 besides, all
    int8."""
    recogniser = emformer.fold(2, "1-10").lower(4).recogniser
    group = recogniser.group_names.index("encoder weights")
    assert recogniser.group_bytes[group, 0] == 55_731_200


def test_layer_numbers_run_through_all_groups_of_layers(emformer, changed):
    """Two layers of one group and three of another; 2 to 4 are the second of the first and two of the other."""

    def edit(data):
        layer = data["components"][1]["layers"][1]
        data["components"][1]["layers"][1:2] = [
            {**layer, "name": "a", "repeat": 2},
            {**layer, "name": "b", "repeat": 3},
        ]

    lowered = changed(emformer, edit).fold(2, "2-4").lower(4)
    repeats = {
        row.layer: float(np.ravel(lowered.recogniser.ops.repeat[i])[0])
        for i, row in enumerate(lowered.rows)
        if row.op == "scores"
    }
    assert repeats == {"a": 1, "a (not folded)": 1, "b": 2, "b (not folded)": 1}


def test_variants_of_a_folded_workload_stay_folded(emformer):
    """Scope and heads set in Python hold when a --set axis makes variants from the data behind the workload."""
    folded = emformer.fold(2, scope="attention+feedforward", heads="keep_heads")
    rows = sweep(folded, "phone-npu", 160, sets={"workload.streaming.left_context_tokens": [30]}, fold=2)
    assert rows["params"].tolist() == [sum(folded.params().values())]
    assert rows["fold_heads"].tolist() == ["keep_heads"]
    assert sum(folded.unfolded().params().values()) == 76_738_049


@pytest.mark.parametrize("factor", [2, 4])
def test_shipped_folded_versions_are_the_base_folded(emformer, factor):
    shipped = load_workload(f"emformer-rnnt-base-fold{factor}")
    own = {"name", "title", "summary", "sources", "published_params_count", "folding"}
    assert {k: v for k, v in shipped.document.data.items() if k not in own} == {
        k: v for k, v in emformer.document.data.items() if k not in own
    }
    assert shipped.spec.folding == emformer.fold(factor).spec.folding
    # Encoder parameters of the reference module inside the real Emformer (facts; tests/data/emformer_counts.json).
    assert shipped.params()["encoder"] == {2: 47_856_640, 4: 43_914_240}[factor]
