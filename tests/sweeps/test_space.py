"""What to sweep: reading of lists, ranges and `--set`, and everything that is wrong said at once."""

from __future__ import annotations

import pytest

import foldsim
from foldsim.api import sweep
from foldsim.designs.axes import DesignError, parse_numbers
from foldsim.designs.changes import SetError, changed_document, parse_set, target_of
from foldsim.designs.checks import is_multiple
from foldsim.schema import InputError
from foldsim.sweeps.options import build_space, read_design
from foldsim.sweeps.space import DesignSpace


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("160", [160]),
        ("40,80,160", [40, 80, 160]),
        (" 40 , 80 ", [40, 80]),
        ("40:160:40", [40, 80, 120, 160]),
        ("40:170:40", [40, 80, 120, 160]),
        ("40:40:40", [40]),
        ("40:80:40,1280", [40, 80, 1280]),
        ("80,40,80", [80, 40]),
        ("0.1:0.5:0.1", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("12.5", [12.5]),
    ],
)
def test_lists_and_ranges_are_read(text, expected):
    """In the order given, each value once; a range includes its end where a step reaches it."""
    assert parse_numbers(text, "chunk_ms") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot read ''"),
        ("40,", "cannot read ''"),
        ("abc", "cannot read 'abc'"),
        ("40;80", "cannot read '40;80'"),
        ("-40", "cannot read '-40'"),
        ("1e3", "cannot read '1e3'"),
        ("nan", "cannot read 'nan'"),
        ("inf", "cannot read 'inf'"),
        ("0x28", "cannot read '0x28'"),
        ("40:80:40:20", "cannot read"),
        ("40::80", "cannot read"),
        ("1:3", "no step"),
        ("0", "above zero"),
        ("40,0", "above zero"),
        ("160:40:40", "is empty"),
        ("40:160:0", "step above zero"),
        ("1:999999999:0.001", "at most 1,000,000"),
    ],
)
def test_what_is_no_list_of_numbers_is_refused(text, said):
    with pytest.raises(DesignError, match=said) as caught:
        parse_numbers(text, "chunk_ms")
    assert str(caught.value).startswith("chunk_ms: ")
    assert caught.value.as_options() == ["--chunk-ms: " + str(caught.value).removeprefix("chunk_ms: ")]


def test_factors_are_whole():
    assert parse_numbers("1,2,4", "fold", whole=True) == [1, 2, 4]
    assert parse_numbers("1:3", "fold", whole=True) == [1, 2, 3]
    with pytest.raises(DesignError, match="whole numbers"):
        parse_numbers("1.5", "fold", whole=True)


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        ("profile.system.idle_mw=0.5,1", "profile.system.idle_mw", (0.5, 1)),
        ("profile.system.idle_mw = 3", "profile.system.idle_mw", (3,)),
        ("workload.precision.weights=int4,int8", "workload.precision.weights", ("int4", "int8")),
        ("workload.decoding.beam_batched=true,false", "workload.decoding.beam_batched", (True, False)),
        ("profile.a.b=1:3:1", "profile.a.b", (1, 2, 3)),
        ("profile.a.b=1:2:0.5", "profile.a.b", (1.0, 1.5, 2.0)),
        ("profile.a.b=1e-3,-2,+4,.5,5.", "profile.a.b", (0.001, -2, 4, 0.5, 5.0)),
        ("profile.a.b=7,7,8", "profile.a.b", (7, 8)),
        ("profile.a=nan", "profile.a", ("nan",)),
        ("workload.name=a=b", "workload.name", ("a=b",)),
    ],
)
def test_sets_are_read(text, path, values):
    found, chosen = parse_set(text)
    assert (found, chosen) == (path, values)
    assert [type(v) for v in chosen] == [type(v) for v in values]
    assert target_of(found) == path.split(".")[0]


def test_a_range_of_a_set_may_start_at_zero():
    """Zero is a number like any other there: `idle_mw` may be 0."""
    assert parse_set("profile.system.idle_mw=0:2:1")[1] == (0.0, 1.0, 2.0)


@pytest.mark.parametrize(
    "text", ["", "profile.a", "=3", "profile.a=", "profile.a= ", "profile=3", "chip.a=3", "workload=1"]
)
def test_sets_that_cannot_be_read_say_how_to_write_them(text):
    with pytest.raises(DesignError) as caught:
        parse_set(text)
    assert caught.value.as_options()[0].startswith("--set: ")
    assert caught.value.problems[0].path == ("sets",)


@pytest.mark.parametrize(
    ("chunk", "whole"), [(40, True), (1280, True), (20, False), (50, False), (0, False), (-40, False)]
)
def test_chunks_hold_whole_tokens(chunk, whole):
    assert is_multiple(chunk, 40.0) is whole


def test_a_token_of_a_third_of_a_hundred_ms_is_no_obstacle():
    """0.1 + 0.2 is not 0.3 in binary."""
    assert is_multiple(0.1 + 0.2, 0.1)
    assert is_multiple(100.0, 100.0 / 3)


# ---- everything at once -------------------------------------------------------------------------------------


def test_every_problem_of_a_space_is_listed_at_once(emformer, load_profile, changed):
    fp32 = changed(emformer, lambda data: data["precision"].update(activations="fp32"))
    space = DesignSpace(
        [fp32], [load_profile("phone-npu")], (50.0, 160.0, 70.0), (1, 3), policy="turbo", placement="cloud", by="layer"
    )
    with pytest.raises(DesignError) as caught:
        space.check()
    problems = str(caught.value).splitlines()
    expected = [
        ("chunk of 50 ms", "40 ms or 80 ms"),
        ("chunk of 70 ms", "40 ms or 80 ms"),
        ("fold: 3", "N = 1, 2, 4, 8"),
        ("'turbo'", "race-to-idle, slowest-real-time, low, mid, nominal"),
        ("does not compute in fp32", "int4, int8, int16, fp16"),
        ("'cloud'", "auto, dram, pinned:COMPONENT"),
        ("'layer'", "total, component, op"),
    ]
    assert len(problems) == len(expected)
    for (what, allowed), problem in zip(
        expected, sorted(problems, key=order_of([e[0] for e in expected])), strict=True
    ):
        assert what in problem
        assert allowed in problem


def order_of(needles):
    return lambda problem: next(i for i, needle in enumerate(needles) if needle in problem)


def test_pinning_what_is_not_there_lists_what_is(emformer, load_profile):
    space = DesignSpace([emformer], [load_profile("phone-npu")], placement="pinned:joiner,decoder")
    with pytest.raises(DesignError, match=r"cannot pin 'decoder'.*front_end, encoder, predictor, joiner"):
        space.check()


def test_options_and_names_are_checked_together(tmp_path):
    """Unknown names, unreadable lists and sets, unknown policies of folding: one error with all of them."""
    options = {
        "workloads": ["emformer-rnt-base"],
        "profiles": ["fone-npu"],
        "chunk_ms": "fast",
        "fold": "half",
        "fold_scope": "everything",
        "sets": ["speed=3"],
    }
    with pytest.raises(DesignError) as caught:
        build_space(options, ["emformer-rnnt-base"], ["phone-npu"])
    said = str(caught.value).splitlines()
    for needle in ("'emformer-rnnt-base'", "phone-npu", "'fast'", "'half'", "'everything'", "speed=3"):
        assert sum(needle in problem for problem in said) >= 1, needle
    assert len(said) == 6


def test_defaults_of_a_space():
    """Six chunk sizes, baseline and N = 2."""
    space = build_space({}, ["emformer-rnnt-base"], ["phone-npu"])
    assert list(space.chunks(space.workloads[0].spec)) == [40, 80, 160, 320, 640, 1280]
    assert space.fold_factors(space.workloads[0].spec) == (1, 2)
    assert space.point_count() == 12


def test_a_set_given_twice_is_refused():
    options = {"sets": ["profile.system.idle_mw=1", "profile.system.idle_mw=2"]}
    with pytest.raises(DesignError, match="given twice"):
        build_space(options, ["emformer-rnnt-base"], ["phone-npu"])


def test_a_design_that_is_too_large_is_refused(emformer, load_profile):
    axes = {f"profile.system.{name}": tuple(range(1, 10_001)) for name in ("idle_mw", "busy_mw")}
    with pytest.raises(DesignError, match="at most 50,000,000"):
        DesignSpace([emformer], [load_profile("phone-npu")], (160.0,), (1,), sets=axes).check()


@pytest.mark.parametrize("factor", [0, -2])
def test_factors_below_one_are_refused(emformer, factor):
    with pytest.raises((DesignError, InputError), match=r"fold|factor"):
        sweep(emformer, "phone-npu", [160], [factor])


@pytest.mark.parametrize("chunks", [[float("nan")], [float("inf")], [0.0], [-160.0], []])
def test_chunks_that_are_no_durations_are_refused(emformer, chunks):
    with pytest.raises(DesignError, match="chunk"):
        sweep(emformer, "phone-npu", chunks, [1])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fold_scope": "feedforward"}, "scope"),
        ({"fold_heads": "drop"}, "heads"),
        ({"fold_layers": "1-99"}, "layer"),
        ({"policy": "turbo"}, "turbo"),
        ({"placement": "pinned:nobody"}, "nobody"),
        ({"by": "layer"}, "layer"),
        ({"sets": {"chip.x": [1]}}, "sets chip.x"),
    ],
)
def test_wrong_arguments_in_python_are_space_errors(emformer, options, said):
    with pytest.raises(DesignError, match=said):
        sweep(emformer, "phone-npu", [160], [1, 2], **options)


def test_a_space_without_workloads_or_profiles_is_refused(emformer):
    with pytest.raises(DesignError):
        sweep([], "phone-npu", [160], [1])
    with pytest.raises(DesignError):
        sweep(emformer, [], [160], [1])


# ---- --set --------------------------------------------------------------------------------------------------


def test_a_set_replaces_value_range_and_source(load_profile):
    document = load_profile("phone-npu").document
    changed = changed_document(document, ["memory_levels", "dram", "read_pj_per_byte"], 60)
    quantity = changed.data["memory_levels"][2]["read_pj_per_byte"]
    assert (quantity["value"], quantity["low"], quantity["high"]) == (60, 60, 60)
    assert quantity["source"] in changed.data["sources"]
    assert document.data["memory_levels"][2]["read_pj_per_byte"]["value"] == 80  # the original is untouched
    assert "set-option" not in document.data["sources"]


def test_list_items_are_found_by_name_or_index(load_profile):
    document = load_profile("phone-npu").document
    by_name = changed_document(document, ["memory_levels", "slc", "capacity_bytes"], 1)
    by_index = changed_document(document, ["memory_levels", "1", "capacity_bytes"], 1)
    assert by_name.data == by_index.data != document.data


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("profile.memory_levels.drm.read_pj_per_byte", 60, "did you mean 'dram'"),
        ("profile.memory_levels.dram.read_pj", 60, "read_pj"),
        ("profile.memory_levels.7.read_pj_per_byte", 60, "'7' not found"),
        ("profile.memory_levels.dram", 60, "whole section"),
        ("profile.name.first", 1, "plain value"),
        ("profile.memory_levels.dram.read_pj_per_byte", "cheap", "cheap"),
        ("profile.memory_levels.dram.read_pj_per_byte", -5, "at least 0"),
        ("profile.compute_units.npu.cores_count", 2.5, "whole number"),
        ("profile.memory_levels.vtcm.usable_ratio", 1.5, "at most 1"),
        ("profile.operating_points.low.frequency_hz", 0, "more than 0"),
        ("profile.reference_operating_point", "low", "runs at 4e\\+08 Hz"),
        ("workload.precision.weights", "int5", "int5"),
        ("workload.streaming.left_context_tokens", -1, "left_context_tokens"),
        ("workload.components.encoder.layers.emformer.heads", 7, "divide"),
    ],
)
def test_a_set_that_cannot_be_says_why(emformer, path, value, said):
    with pytest.raises(SetError, match=said) as caught:
        sweep(emformer, "phone-npu", [160], [1], sets={path: [value]})
    assert path in str(caught.value)


def test_a_set_may_change_the_kind_of_a_level_or_a_flag(emformer):
    """What it changes is the structure of the model's record, not a number in it."""
    kinds = sweep(emformer, "phone-npu", [160], [1], sets={"profile.memory_levels.slc.kind": ["cache", "scratchpad"]})
    assert len(kinds) == 2
    path = "profile.memory_levels.vtcm.keeps_data"
    t = sweep(emformer, "phone-npu", [160], [1], sets={path: [True, False]})
    assert t[path].tolist() == [True, False]
    assert t["power_mw"][0] == sweep(emformer, "phone-npu", [160], [1])["power_mw"][0]
    assert t["dram_bytes_per_chunk"][1] > t["dram_bytes_per_chunk"][0]  # nothing can live there any more


def test_a_set_cannot_part_the_clock_from_its_reference_point(emformer):
    """Energies and the clock hold at the reference point; moving the point alone would make every other point wrong."""
    path = "profile.reference_operating_point"
    with pytest.raises(SetError, match="clock"):
        sweep(emformer, "phone-npu", [160], [1], sets={path: ["nominal", "low"]})


def test_a_set_may_change_the_policy(emformer):
    """The profile's own policy is one of its values, and sweeps as such."""
    t = sweep(emformer, "phone-npu", [1280], [1], sets={"profile.policy": ["race-to-idle", "low"]})
    assert t["operating_point"].tolist() == ["nominal", "low"]
    assert t["policy"].tolist() == ["race-to-idle", "low"]


def test_the_policy_of_the_sweep_wins_over_the_profile(emformer):
    t = sweep(emformer, "phone-npu", [1280], [1], policy="mid")
    assert t["operating_point"].tolist() == ["mid"]


# ---- design files -------------------------------------------------------------------------------------------


def test_a_design_file_says_the_same_as_options(tmp_path):
    path = tmp_path / "design.yaml"
    path.write_text(
        """
workloads: [emformer-rnnt-base]
profiles: [phone-npu]
chunk_ms: "40:160:40"
fold: [1, 4]
fold_layers: 1-10
sets: {profile.system.idle_mw: [0, 3]}
by: component
""",
        encoding="utf-8",
    )
    space = build_space(read_design(path), [], [])
    assert list(space.chunks(space.workloads[0].spec)) == [40, 80, 120, 160]
    assert space.fold == [1, 4]
    assert space.folding(space.workloads[0].spec, 4).layers == "1-10"
    assert space.sets == {"profile.system.idle_mw": (0, 3)}
    assert space.by == "component"
    assert space.point_count() == 16


def test_a_design_file_finds_files_beside_it(tmp_path, load_profile):
    (tmp_path / "chip.yaml").write_text(
        load_profile("phone-npu").document.text.replace("name: phone-npu", "name: chip", 1)
    )
    (tmp_path / "design.yaml").write_text("profiles: [chip.yaml]\n")
    space = build_space(read_design(tmp_path / "design.yaml"), ["emformer-rnnt-base"], [])
    assert [p.name for p in space.profiles] == ["chip"]


def test_a_design_file_with_an_unknown_key_is_refused(tmp_path):
    (tmp_path / "design.yaml").write_text("chunks_ms: [40]\n")
    with pytest.raises(InputError, match="chunk_ms"):
        read_design(tmp_path / "design.yaml")


# ---- the package's own name ---------------------------------------------------------------------------------


def test_foldsim_sweep_is_a_function_however_often_it_is_called(emformer):
    """No module of the package takes its place once that is imported."""
    for _ in range(2):
        assert len(foldsim.sweep(emformer, "phone-npu", [160], [1])) == 1
    for name in ("load_profile", "load_workload", "simulate", "sweep"):
        assert callable(getattr(foldsim, name))
