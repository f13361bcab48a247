"""Variants: the text does what the methods do, and what cannot be read or does not fit is told."""

from __future__ import annotations

import contextlib
import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldsim.workload import variant as module
from foldsim.workload.variant import VariantError, apply_variant, load_design, parse_variant


def same(a, b):
    return a.spec == b.spec


def test_baseline_is_neither_folded_nor_compressed(emformer):
    changed = emformer.compress("joiner=int4").fold(2)
    assert same(apply_variant(changed, "baseline"), emformer)
    assert same(apply_variant(emformer, "baseline"), emformer)
    assert apply_variant(emformer, "baseline") is not emformer.fold(2)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("fold=2", {"factor": 2}),
        ("fold=4,fold_layers=1-10", {"factor": 4, "layers": "1-10"}),
        ("fold=2,fold_layers=1,4,7-9,fold_heads=keep_heads", {"factor": 2, "layers": "1,4,7-9", "heads": "keep_heads"}),
        (" fold = 2, fold_scope = attention+feedforward ", {"factor": 2, "scope": "attention+feedforward"}),
        ("fold_layers=every:2,fold=2", {"factor": 2, "layers": "every:2"}),
    ],
)
def test_folding_is_that_of_the_workload(emformer, text, arguments):
    assert same(apply_variant(emformer, text), emformer.fold(**arguments))


def test_what_is_left_open_follows_the_own_folding(emformer):
    own = emformer.fold(2, layers="1-5", heads="keep_heads")
    assert same(apply_variant(own, "fold=4"), emformer.fold(4, layers="1-5", heads="keep_heads"))
    assert same(apply_variant(own, "fold=4,fold_layers=all"), emformer.fold(4, heads="keep_heads"))
    assert same(apply_variant(own, "fold=1"), emformer)
    assert same(
        apply_variant(own, "compress=joiner:int4"), emformer.compress("joiner=int4").fold(2, "1-5", heads="keep_heads")
    )


def test_attention_takes_its_options(emformer):
    found = apply_variant(emformer, "attention=favor,attention.features=128,attention.causal_in_chunk=true")
    assert same(found, emformer.with_attention("favor", features=128, causal_in_chunk=True))


def test_compression_may_be_repeated(emformer):
    wanted = emformer.compress("joiner=int4-g32,encoder.feedforward=2:4+int8")
    assert same(apply_variant(emformer, "compress=joiner:int4-g32,compress=encoder.feedforward:2:4+int8"), wanted)
    assert same(apply_variant(emformer, "compress=joiner=int4-g32,compress=encoder.feedforward=2:4+int8"), wanted)


def test_layers_are_dropped_before_those_left_are_folded(emformer):
    for text in (
        "fold=2,fold_layers=1-10,compress=encoder:drop-every2",
        "compress=encoder:drop-every2,fold=2,fold_layers=1-10",
    ):
        assert same(apply_variant(emformer, text), emformer.compress("encoder=drop-every2").fold(2, "1-10"))
    with pytest.raises(VariantError, match="foldable layers 1 to 10"):
        apply_variant(emformer, "fold=2,fold_layers=1-11,compress=encoder:drop-every2")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fodl=2", "did you mean 'fold'"),
        ("fold", "write key=value"),
        ("fold=2,baseline", "'baseline' cannot be combined"),
        ("fold=two", "whole number of at least 1"),
        ("fold=0", "whole number of at least 1"),
        ("fold=", "fold has no value"),
        ("fold=2,fold=4", "fold is given twice"),
        ("fold=3", "does not divide"),
        ("fold=2,fold_layers=1-99", "layer 21 not found"),
        ("fold=2,fold_scope=attention+ffn", "allowed: attention, attention+feedforward"),
        ("fold=2,fold_heads=keep_head_dims", "did you mean 'keep_head_dim'"),
        ("fold_layers=1-3", "fold_layers needs fold=N, such as fold=2,fold_layers=1-3"),
        ("attention=favr", "did you mean 'favor'"),
        ("attention.features=3", "needs attention=KIND"),
        ("attention=favor,attention.feature=3", "did you mean 'features'"),
        ("attention=favor,attention.features=none", "features"),
        ("attention=favor,fold=2", "attention=favor cannot be folded"),
        ("compress=joinr:int4", "did you mean 'joiner'"),
        ("compress=joiner:int44", "at most 8"),
    ],
)
def test_refusals(emformer, text, told):
    with pytest.raises(VariantError) as error:
        apply_variant(emformer, text)
    assert told in str(error.value)
    assert str(error.value).startswith(f"variant {text!r}: ")


def test_every_problem_is_told(emformer):
    with pytest.raises(VariantError) as error:
        parse_variant("fodl=2,fold_scope=all,attention=favr")
    assert len(error.value.problems) == 4
    assert all(line.startswith("variant ") for line in str(error.value).splitlines())


@given(st.text(alphabet="fold=2,_layersattention.1-: ", max_size=40))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(VariantError):
        parse_variant(text)


def test_designs_are_names_files_and_variants(emformer, tmp_path):
    workload, text = load_design("emformer-rnnt-base")
    assert text == ""
    assert same(workload, emformer)
    workload, text = load_design("emformer-rnnt-base,fold=2,fold_layers=1,2")
    assert text == "fold=2,fold_layers=1,2"
    assert same(workload, emformer.fold(2, "1,2"))
    workload, text = load_design("fold=2", emformer)
    assert text == "fold=2"
    assert same(workload, emformer.fold(2))
    file = tmp_path / "a, b.yaml"
    file.write_text(emformer.document.text)
    assert same(load_design(str(file))[0], emformer)
    with pytest.raises(VariantError, match="neither a variant"):
        load_design("fold2", emformer)
    with pytest.raises(LookupError, match="emformer-rnnt-base"):
        load_design("emformer-rnt-base")


def test_examples_hold():
    assert doctest.testmod(module).failed == 0
