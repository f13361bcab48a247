"""One design: resolved once, complete, validated; lists of designs; the way back from results to designs."""

from __future__ import annotations

import itertools
import json
import pickle
from typing import Any

import numpy as np
import pytest

import foldsim
from foldsim.designs.axes import AXES, DESIGN_COLUMNS, DesignError
from foldsim.designs.changes import with_changes
from foldsim.designs.design import resolve
from foldsim.sweeps.columns import columns
from foldsim.sweeps.design_list import evaluate
from foldsim.sweeps.engine import run
from foldsim.sweeps.options import DesignFile
from foldsim.sweeps.provenance import ProvenanceError, designs_of, load_input, provenance
from foldsim.sweeps.results import Results, read_results, write_results
from foldsim.sweeps.space import DesignSpace

ENERGY = "profile.memory_levels.dram.read_pj_per_byte"
BITS = "workload.precision.weights"
ANY: Any = foldsim  # for arguments of wrong types


@pytest.fixture(scope="module")
def phone(load_profile):
    return load_profile("phone-npu")


# ---- resolving ----------------------------------------------------------------------------------------------


def test_nothing_is_left_to_a_default(emformer, phone):
    """The workload's own chunk of 4 tokens, no folding, the profile's policy."""
    design = resolve(emformer, phone)
    assert (design.chunk_ms, design.folding.factor, design.compression) == (160.0, 1, ())
    assert (design.policy, design.placement) == ("race-to-idle", "auto")
    assert design.named() == {
        "workload": "emformer-rnnt-base",
        "profile": "phone-npu",
        "policy": "race-to-idle",
        "placement": "auto",
        "fold_factor": 1,
        "fold_layers": "none",
        "fold_scope": "none",
        "fold_heads": "none",
        "compression": "none",
        "chunk_ms": 160.0,
        "chunk_tokens": 4,
        "left_context_tokens": 30,
        "right_context_tokens": 1,
    }


def test_the_workloads_own_folding_is_taken_and_may_be_changed(emformer, phone):
    folded = emformer.fold(4, layers="1-10", scope="attention+feedforward")
    own = resolve(folded, phone).folding
    assert (own.factor, own.layers, own.scope) == (4, "1-10", "attention+feedforward")
    other = resolve(folded, phone, fold=2, fold_layers="every:2").folding
    assert (other.factor, other.layers, other.scope) == (2, "every:2", "attention+feedforward")
    assert resolve(folded, phone, fold=1).is_baseline


def test_the_baseline_is_neither_folded_nor_compressed(emformer, phone):
    design = resolve(emformer, phone, 320, fold=2, compress="joiner=int4-g32", policy="low", changes={ENERGY: 60})
    assert not design.is_baseline
    baseline = design.baseline
    assert baseline.is_baseline
    assert {**baseline.named(), "fold_factor": 2} == {
        **design.named(),
        **dict.fromkeys(("fold_layers", "fold_scope", "fold_heads", "compression"), "none"),
    }
    assert baseline.profile is design.profile


def test_changes_are_applied_and_the_inputs_kept(emformer, phone):
    design = resolve(emformer, phone, changes={ENERGY: 60.0, BITS: "int4"})
    assert design.profile.spec.memory_levels[-1].read_pj_per_byte.value == 60.0
    assert design.workload.spec.precision.weights == "int4"
    assert design.inputs == (emformer, phone)
    assert design.changes == ((ENERGY, 60.0), (BITS, "int4"))


def test_equal_changes_share_their_inputs(emformer, phone):
    """So that designs with the same changes are evaluated together."""
    first, second, other = (with_changes(emformer, phone, {ENERGY: energy})[1] for energy in (60.0, 60.0, 61.0))
    assert first is second
    assert other is not first


def test_a_design_can_be_pickled(emformer, load_profile):
    for name in ("phone-npu", "pixel5-cpu", "stm32u575"):
        design = resolve(emformer, load_profile(name), 320, fold=2, compress="joiner=int4-g32")
        again = pickle.loads(pickle.dumps(design))
        assert again.named() == design.named()
        values = [evaluate([each])["power_mw"][0] for each in (design, again)]
        assert values[0] == values[1]


def test_every_problem_of_a_design_names_its_axis(emformer, load_profile):
    with pytest.raises(DesignError) as caught:
        resolve(
            emformer,
            load_profile("gap9"),
            50,
            fold=3,
            compress="decoder=int4",
            policy="fast",
            placement="pinned:decoder",
        )
    assert [problem.path[0] for problem in caught.value.problems] == [
        "chunk_ms",
        "compress",
        "fold",
        "policy",
        "placement",
    ]


# ---- wording ------------------------------------------------------------------------------------------------


def test_python_complains_about_arguments_and_the_command_line_about_options(emformer):
    with pytest.raises(DesignError) as caught:
        foldsim.sweep(emformer, "phone-npu", 160, fold=0)
    assert str(caught.value).startswith("fold: 0: N is at least 1")
    assert caught.value.as_options()[0].startswith("--fold: 0: N is at least 1")


@pytest.mark.parametrize("name", [name for name in AXES if name != "workloads"])
def test_every_axis_is_an_option_with_its_words(foldsim_help, name):
    """One table feeds help texts, design files and Python."""
    axis = AXES[name]
    assert axis.option in foldsim_help
    assert axis.name in DesignFile.model_fields


@pytest.fixture(scope="module")
def foldsim_help():
    from typer.testing import CliRunner

    from foldsim.cli.app import app

    return CliRunner().invoke(app, ["sweep", "--help"], env={"COLUMNS": "100"}).stdout


def test_columns_of_axes_are_in_the_dictionary():
    assert set(DESIGN_COLUMNS) <= set(columns())


# ---- lists of designs -----------------------------------------------------------------------------------------


def test_a_list_of_designs_equals_the_sweep_of_each(emformer, load_profile):
    """Unlike designs in a mixed order: every axis varies, the structure of the chip too."""
    axes = (
        ("phone-npu", "pixel5-cpu"),
        (160.0, 320.0),
        (1, 2, 4),
        ("none", "joiner=int4-g32"),
        ("race-to-idle", "slowest-real-time"),
        ("auto", "dram", "pinned:joiner"),
        (None, 60.0),
    )
    every = list(itertools.product(*axes))
    chosen = np.random.default_rng(5).choice(len(every), 24, replace=False).tolist()
    designs, expected = [], []
    for number in chosen:
        name, chunk, fold, rules, policy, placement, energy = every[number]
        changes = {} if energy is None else {ENERGY: energy}
        options = {"policy": policy, "placement": placement}
        designs.append(
            resolve(emformer, load_profile(name), chunk, fold=fold, compress=rules, changes=changes, **options)
        )
        sets = {path: [value] for path, value in changes.items()}
        frame = foldsim.sweep(emformer, name, chunk, fold, compress=[rules], sets=sets, **options)
        expected.append(frame.iloc[0])
    found = evaluate(designs)
    for name in columns():
        if name not in found:
            continue
        values = [row[name] for row in expected]
        if isinstance(values[0], (str, bool, np.bool_)):
            assert found[name].tolist() == values, name
        else:
            np.testing.assert_allclose(
                found[name].astype(float), np.array(values, dtype=float), rtol=1e-12, err_msg=name
            )
    energies = [dict(design.changes).get(ENERGY, np.nan) for design in designs]
    np.testing.assert_array_equal(found[ENERGY], energies)


def test_any_iterable_of_designs_is_evaluated(emformer):
    designs = [foldsim.design(emformer, "gap9", 160), foldsim.design(emformer, "gap9", 320)]
    expected = foldsim.evaluate(designs)["power_mw"].tolist()
    assert foldsim.evaluate(design for design in designs)["power_mw"].tolist() == expected
    assert foldsim.evaluate([designs[0]])["power_mw"].tolist() == pytest.approx(expected[:1], rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ANY.evaluate(["emformer-rnnt-base"]), "designs: item 0 is a str; make designs with"),
        (lambda: ANY.design("emformer-rnnt-base", "gap9", [160, 320]), "chunk_ms: a design takes one value"),
        (lambda: ANY.design("emformer-rnnt-base", "gap9", 160, fold=[2, 4]), "fold: a design takes one value"),
        (lambda: ANY.design("emformer-rnnt-base", "gap9", 160, fold=[]), "fold: a design takes one value"),
        (lambda: ANY.design(None, "gap9", 160), "workloads: None is neither a name"),
        (lambda: ANY.design("emformer-rnnt-base", ["gap9"], 160), "profiles: .* is neither a name"),
        (lambda: ANY.design("emformer-rnnt-base", "gap9", compress=["joiner=int4"]), "compress: give one text"),
        (lambda: ANY.design("emformer-rnnt-base", "gap9", fold_layers="1-99"), "fold_layers: 1-99 on emformer"),
        (lambda: ANY.sweep("emformer-rnnt-base", "gap9", 160, 1, fold_layers="1-99"), "fold_layers: 1-99 on"),
    ],
)
def test_wrong_arguments_of_python_are_design_errors(call, message):
    with pytest.raises(DesignError, match=message):
        call()


def test_an_empty_list_has_no_rows():
    assert evaluate([]) == {}


def test_python_evaluates_lists(emformer):
    frame = foldsim.evaluate([foldsim.design(emformer, "gap9", 160, fold=n, sets={BITS: "int4"}) for n in (2, 1)])
    assert frame["fold_factor"].tolist() == [2, 1]
    assert frame[BITS].tolist() == ["int4", "int4"]
    assert [entry["name"] for entry in frame.attrs["foldsim"]["inputs"]] == ["emformer-rnnt-base", "gap9"]


# ---- from results back to designs -------------------------------------------------------------------------------


@pytest.fixture
def custom(tmp_path, load_profile):
    """A profile of a user's own, based on a shipped one and with a DRAM type, in a folder that disappears."""
    path = tmp_path / "sub" / "mychip.yaml"
    path.parent.mkdir()
    path.write_text("extends: phone-npu\nname: mychip\ntitle: My chip\nsummary: Mine.\nsystem: {idle_mw: null}\n")
    text = path.read_text().replace("system: {idle_mw: null}\n", "policy: slowest-real-time\n")
    path.write_text(text)
    return path


def test_results_carry_inputs_that_are_not_shipped(emformer, custom, tmp_path):
    chip = foldsim.load_profile(custom)
    space = DesignSpace([emformer], [chip], (160.0, 320.0), (1, 2), fold_layers="1-10", sets={ENERGY: (60.0, 80.0)})
    results = Results(run(space), provenance(space, ["sweep"]))
    write_results(results, tmp_path / "r.csv")
    custom.unlink()
    again = read_results(tmp_path / "r.csv")
    entries = {entry["name"]: entry for entry in again.provenance["inputs"]}
    assert "data" in entries["mychip"]
    assert "data" not in entries["emformer-rnnt-base"]
    found = evaluate(designs_of(again))
    for name in ("power_mw", "latency_ms", "power_saving_ratio", "fold_layers", "policy", ENERGY):
        if again[name].dtype == object:
            assert found[name].tolist() == again[name].tolist()
        else:
            np.testing.assert_allclose(found[name], again[name], rtol=1e-12)


def test_a_workload_with_another_attention_is_not_the_shipped_one(emformer, phone):
    """It has the shipped file's text and hash; only its content tells."""
    space = DesignSpace([emformer.with_attention("favor")], [phone], (160.0,), (1,))
    results = Results(run(space), provenance(space, []))
    (design,) = designs_of(results)
    layers = design.workload.document.data["components"][1]["layers"]
    assert {layer["attention"]["kind"] for layer in layers if "attention" in layer} == {"favor"}
    assert evaluate([design])["power_mw"][0] == results["power_mw"][0]


@pytest.mark.parametrize("kind", ["workload", "profile"])
def test_every_shipped_input_survives_its_record(kind):
    """What a result would carry of it, if it were not shipped, gives the same numbers."""
    from foldsim.data import shipped
    from foldsim.sweeps import provenance as module

    names = shipped("workloads" if kind == "workload" else "hw_profiles")
    for name in names:
        item = foldsim.load_workload(name) if kind == "workload" else foldsim.load_profile(name)
        entry = {"kind": kind, "name": name, "data": json.loads(module._content(item))}
        again = load_input(Results({}, {"inputs": [entry]}), kind, name)
        if kind == "workload":
            assert again.params() == item.unfolded().params() if not item.spec.compression else True
        else:
            assert repr(again.bands(_format(item)).nominal) == repr(item.bands(_format(item)).nominal), name


def _format(profile):
    return next(iter(profile.spec.compute_units[0].precisions))


def test_inputs_that_are_missing_or_changed_are_refused(emformer, phone):
    results = Results({}, provenance(DesignSpace([emformer], [phone], (160.0,)), []))
    with pytest.raises(ProvenanceError, match="does not say which profile gap9 is"):
        load_input(results, "profile", "gap9")
    results.provenance["inputs"][1]["sha256"] = "0" * 64
    with pytest.raises(ProvenanceError, match="sha256 000000000000"):
        load_input(results, "profile", "phone-npu")
