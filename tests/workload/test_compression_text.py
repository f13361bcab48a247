"""The compact form, its refusals, and located errors of the YAML form."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from foldsim.api import simulate, sweep
from foldsim.cli.app import app
from foldsim.designs.axes import DesignError
from foldsim.schema import InputError, parse_yaml
from foldsim.workload.compression.records import (
    CodebookCodes,
    IntegerCodes,
    LayerDropping,
    LowRank,
    Pruning,
    QsqCodes,
    StructuredPruning,
    WeightClass,
)
from foldsim.workload.compression.text import (
    CompressionTextError,
    describe_compression,
    describe_method,
    parse_compression,
)
from foldsim.workload.workload import from_document

# ---- reading --------------------------------------------------------------------------------------------------------

READ = {
    "joiner=int4": IntegerCodes(method="integer", component="joiner", bits=4),
    "joiner=int4-g32-s8-z4": IntegerCodes(
        method="integer", component="joiner", bits=4, group_size=32, scale_bits=8, zero_bits=4
    ),
    "encoder.feedforward=2:4": StructuredPruning(method="n_of_m", component="encoder", tensors=["feedforward"]),
    "encoder.attention+linear=1:8-skips-gated": StructuredPruning(
        method="n_of_m", component="encoder", tensors=["attention", "linear"], n=1, m=8, skips=True, zero_gating=True
    ),
    "all=qsq": QsqCodes(method="qsq", component="all"),
    "all=qsq-f0.9103-z0.06-e0.5-g16-s8-ungated": QsqCodes(
        method="qsq", component="all", coded_ratio=0.9103, zero_ratio=0.06, mac_energy_ratio=0.5, group_size=16,
        scale_bits=8, zero_gating=False,
    ),
    "joiner=codebook": CodebookCodes(method="codebook", component="joiner"),
    "joiner=codebook-g5-b4-c32": CodebookCodes(
        method="codebook", component="joiner", group_size=5, index_bits=4, entry_bits=32
    ),
    "joiner=prune-0.5": Pruning(method="prune", component="joiner", zero_ratio=0.5),
    "joiner=prune-0.9-run5-gated-free": Pruning(
        method="prune", component="joiner", zero_ratio=0.9, index="run_length", run_bits=5, zero_gating=True,
        decoder="free",
    ),
    "joiner=prune-0.9-csr": Pruning(method="prune", component="joiner", zero_ratio=0.9, index="csr"),
    "encoder/a+b.linear=lowrank-64": LowRank(
        method="low_rank", component="encoder", layers=["a", "b"], tensors=["linear"], rank=64
    ),
    "encoder=drop-every4": LayerDropping(method="drop_layers", component="encoder", every=4),
    "encoder=drop-1-3": LayerDropping(method="drop_layers", component="encoder", numbers="1-3"),
    "encoder=drop-2.5.7-9": LayerDropping(method="drop_layers", component="encoder", numbers="2,5,7-9"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "record"), READ.items(), ids=list(READ))
def test_rules_are_read(text, record):
    assert parse_compression(text) == (record,)


def test_rules_are_joined_by_commas_and_methods_by_plus():
    entries = parse_compression(" encoder.feedforward = 2:4 + int4-g32 , joiner=qsq ")
    assert [(e.component, e.method) for e in entries] == [
        ("encoder", "n_of_m"),
        ("encoder", "integer"),
        ("joiner", "qsq"),
    ]
    assert describe_compression(entries) == "encoder.feedforward=2:4+int4-g32,joiner=qsq"


def test_none_is_none():
    assert parse_compression("none") == parse_compression(" none ") == ()
    assert describe_compression(()) == "none"


REFUSED = [
    ("", "cannot read ''"),
    ("joiner", "cannot read 'joiner'"),
    ("joiner=", "COMPONENT"),
    ("=int4", "COMPONENT"),
    ("joiner=int4,,encoder=int4", "cannot read ''"),
    ("joiner=int9", "bits must be at most 8, not 9"),
    ("joiner=int1", "bits must be at least 2, not 1"),
    ("joiner=int4-g0", "group_size must be at least 1"),
    ("joiner=int4-q3", "cannot read -q3; allowed: -gNUMBER"),
    ("joiner=int4-g32-g16", "group_size is given twice"),
    ("joiner=fp4", "cannot read the method 'fp4'; allowed: int2..int8"),
    ("joiner=prune", "cannot read the method"),
    ("joiner=prune-1", "zero_ratio must be below 1"),
    ("joiner=prune-0.5-csr-bitmap", "index is given twice"),
    ("joiner=lowrank", "cannot read the method"),
    ("joiner=drop-", "cannot read the method"),
    ("joiner=drop-every1", "every must be at least 2"),
    ("joiner.matrix=int4", "class of weights 'matrix' not found; allowed: attention"),
    ("joiner.norm=int4", "class of weights 'norm' not found"),
    ("joiner=codebook-b40", "index_bits must be at most 16"),
    ("joiner=qsq-f0", "coded_ratio must be above 0"),
    ("joiner=0:4", "n must be at least 1"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_cannot_be_read_is_told(text, message):
    with pytest.raises(CompressionTextError) as error:
        parse_compression(text)
    assert message in str(error.value)


def test_every_problem_is_told_at_once():
    with pytest.raises(CompressionTextError) as error:
        parse_compression("joiner=int9,encoder=foo,x")
    assert len(error.value.problems) == 3


# ---- there and back -------------------------------------------------------------------------------------------------

shares = st.integers(1, 10_000).map(lambda n: n / 10_001)
free = st.sampled_from(["vector_unit", "free"])
bits = st.integers(0, 32)
group = st.one_of(st.none(), st.integers(1, 1000))
selection: Any = st.fixed_dictionaries(
    {"component": st.sampled_from(["all", "encoder", "joiner_2"])},
    optional={
        "layers": st.lists(st.sampled_from(["input_linear", "layers", "stack 1"]), min_size=1, unique=True),
        "tensors": st.lists(st.sampled_from(get_args(WeightClass)), min_size=1, unique=True),
    },
)
methods = st.one_of(
    st.fixed_dictionaries(
        {"method": st.just("integer"), "bits": st.integers(2, 8)},
        optional={"group_size": group, "scale_bits": bits, "zero_bits": bits, "decoder": free},
    ),
    st.fixed_dictionaries(
        {"method": st.just("qsq")},
        optional={
            "coded_ratio": shares, "zero_ratio": shares, "mac_energy_ratio": shares, "group_size": group,
            "zero_gating": st.booleans(), "decoder": free,
        },
    ),
    st.fixed_dictionaries(
        {"method": st.just("codebook")},
        optional={"group_size": st.integers(1, 64), "index_bits": st.integers(1, 16), "entry_bits": st.integers(1, 32)},
    ),
    st.fixed_dictionaries(
        {"method": st.just("prune"), "zero_ratio": shares},
        optional={"index": st.sampled_from(["bitmap", "csr"]), "zero_gating": st.booleans(), "decoder": free},
    ),
    st.fixed_dictionaries(
        {
            "method": st.just("prune"), "zero_ratio": shares, "index": st.just("run_length"),
            "run_bits": st.integers(1, 16),
        },
    ),
    st.fixed_dictionaries(
        {"method": st.just("n_of_m"), "n": st.integers(1, 8), "m": st.integers(9, 64)},
        optional={"skips": st.booleans(), "zero_gating": st.booleans(), "decoder": free},
    ),
    st.fixed_dictionaries({"method": st.just("low_rank"), "rank": st.integers(1, 999)}),
    st.fixed_dictionaries({"method": st.just("drop_layers"), "every": st.integers(2, 99)}),
    st.fixed_dictionaries({"method": st.just("drop_layers"), "numbers": st.sampled_from(["1", "1-3", "2,5,7-9"])}),
)  # fmt: skip
KINDS: Any = {get_args(kind.model_fields["method"].annotation)[0]: kind for kind in {type(r) for r in READ.values()}}


@given(st.lists(st.builds(lambda a, b: {**a, **b}, selection, methods), max_size=4))
def test_text_says_everything_that_records_say(documents):
    entries = tuple(KINDS[d["method"]](**d) for d in documents)
    text = describe_compression(entries)
    assert parse_compression(text) == entries
    assert describe_compression(parse_compression(text)) == text


def test_a_run_length_without_bits_is_shown_with_the_default():
    entry = Pruning(method="prune", component="joiner", zero_ratio=0.5, index="run_length")
    assert describe_method(entry) == "prune-0.5-run4"


# ---- what a workload cannot do --------------------------------------------------------------------------------------

IMPOSSIBLE = [
    ("joner=int4", "component 'joner' not found", "front_end, encoder, predictor, joiner, all"),
    ("encoder/lstm=int4", "layer 'lstm' not found", "input_linear"),
    ("joiner.attention=int4", "no weights of class attention", "linear"),
    ("front_end=int4", "no weight matrices", None),
    ("joiner=int4+qsq", "qsq and integer (entry 1) both apply to joiner", "narrower"),
    ("encoder=2:4+prune-0.5", "both apply to encoder", "narrower"),
    ("joiner=2:4+codebook", "codebook vectors cannot be pruned", "integer or qsq codes"),
    ("joiner=prune-0.5+codebook", "codebook vectors cannot be pruned", "the codebook alone"),
    ("joiner=2:4+int4-g6", "groups of 6 weights split the patterns of 2:4", "multiples of 4"),
    ("all=int4-g6,joiner=2:4", "groups of 6 weights split the patterns", "multiples of 4"),
    ("joiner=4:4", "4:4 prunes nothing", "n of 1 to 3 with m: 4"),
    ("joiner=lowrank-820", "no smaller than any matrix of joiner", "1 to 819"),
    ("predictor.embedding=lowrank-4", "low_rank factors matrices only", "recurrent, linear"),
    ("joiner=drop-every2", "no repeated layers to drop", "encoder, predictor"),
    ("encoder=drop-1-21", "layer 21 not found: encoder has layers 1 to 20", "numbers and ranges of 1 to 20"),
    ("encoder=drop-every21", "encoder has 20 layers; none would be dropped", "at most 20"),
    ("encoder.attention=drop-2", "drops whole layers", "leave it out"),
    ("encoder=drop-2+drop-every4", "both apply to encoder", "one of them"),
]


@pytest.mark.parametrize(("text", "message", "allowed"), IMPOSSIBLE)
def test_what_cannot_be_done_says_what_can(emformer, text, message, allowed):
    with pytest.raises(InputError) as error:
        emformer.compress(text)
    (finding,) = error.value.findings
    assert message in finding.message
    assert allowed is None or allowed in str(finding.allowed)
    with pytest.raises(DesignError) as same:
        sweep(emformer, "phone-npu", 160, 1, compress=text)
    assert message in str(same.value)


def test_a_whole_component_cannot_be_dropped(workload_from, data_dir):
    text = (data_dir / "matched_job_workload.yaml").read_text(encoding="utf-8")
    layers = from_document(parse_yaml(text, "w.yaml")).spec.components[0]
    every = "+".join(layer.name for layer in layers.layers)
    with pytest.raises(InputError, match=f"all layers of {layers.name} would be dropped"):
        workload_from(text).compress(f"{layers.name}/{every}=drop-1-{len(layers.layers)}")


def located(emformer, block):
    """Findings of the shipped workload with a compression block at its end."""
    text = emformer.document.text.rstrip("\n") + "\n" + block
    with pytest.raises(InputError) as error:
        from_document(parse_yaml(text, "w.yaml"))
    lines = text.splitlines()
    return [(f.message, lines[f.line - 1].strip(), f.allowed) for f in error.value.findings]


def test_errors_in_yaml_are_located(emformer):
    block = """compression:
  - {component: joiner, method: integer, bits: 4, group_size: 6}
  - component: joiner
    method: n_of_m
  - {component: encoder, method: integer, bits: 4}
"""
    ((message, line, allowed),) = located(emformer, block)
    assert "split the patterns of 2:4" in message
    assert line.startswith("- {component: joiner, method: integer")
    assert allowed == "multiples of 4"


def test_every_error_in_yaml_is_told_at_once(emformer):
    block = """compression:
  - component: jointer
    method: qsq
  - component: encoder
    method: drop_layers
    tensors: [attention]
  - component: encoder
    method: prune
    zero_ratio: 0.5
    run_bits: 3
"""
    found = located(emformer, block)
    assert [line for _, line, _ in found] == [
        "- component: jointer", "method: drop_layers", "tensors: [attention]", "run_bits: 3",
    ]  # fmt: skip
    assert "needs either every or numbers" in found[1][0]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{component: joiner, method: int4}", "method"),
        ("{component: joiner, method: integer, bits: 9}", "bits"),
        ("{component: joiner, method: integer}", "bits"),
        ("{component: joiner, method: integer, bits: 4, group: 32}", "group"),
        ("{component: joiner, method: prune, zero_ratio: 1.0}", "zero_ratio"),
        ("{component: joiner, method: qsq, tensors: [norm]}", "norm"),
        ("{method: qsq}", "component"),
    ],
)
def test_wrong_records_are_refused(emformer, entry, message):
    (found,) = located(emformer, f"compression:\n  - {entry}\n")
    assert message in found[0] or message in str(found[2])


def test_the_yaml_form_is_the_compact_form(emformer):
    text = emformer.document.text.rstrip("\n") + (
        "\ncompression:\n"
        "  - {component: encoder, tensors: [feedforward], method: n_of_m}\n"
        "  - {component: encoder, tensors: [feedforward], method: integer, bits: 4, group_size: 32}\n"
        "  - {component: joiner, method: qsq}\n"
    )
    workload = from_document(parse_yaml(text, "w.yaml"))
    assert describe_compression(workload.spec.compression) == "encoder.feedforward=2:4+int4-g32,joiner=qsq"
    assert workload.spec == emformer.compress("encoder.feedforward=2:4+int4-g32,joiner=qsq").spec


# ---- command line ---------------------------------------------------------------------------------------------------


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert "Traceback" not in result.output
    return result


def test_every_occurrence_is_a_design():
    done = run(
        "sweep", "-p", "phone-npu", "--chunk-ms", "160", "--compress", "none", "--compress", "joiner=int4-g32",
        "--compress", "encoder.feedforward=2:4,joiner=qsq", "--format", "csv",
    )  # fmt: skip
    assert done.exit_code == 0
    assert len(done.output.splitlines()) == 1 + 1 + 3 * 2


def test_the_table_shows_each_compression():
    done = run("sweep", "-p", "phone-npu", "--chunk-ms", "160", "--compress", "none", "--compress", "joiner=qsq")
    assert "compression joiner=qsq" in " ".join(done.output.split())
    assert "neither folded nor compressed" in done.output
    assert done.output.count("baseline") == 1  # the plain block's heading; compressed rows all have a saving
    assert max(map(len, done.output.splitlines())) <= 100


def test_bad_compressions_are_told_together():
    done = run("sweep", "-p", "phone-npu", "--compress", "joiner=int9", "--compress", "foo")
    assert done.exit_code == 2
    assert "bits must be at most 8" in done.output
    assert "cannot read 'foo'" in done.output
    done = run("simulate", "--compress", "joner=int4")
    assert done.exit_code == 2
    assert "did you mean 'joiner'?" in done.output


def test_simulate_says_what_compression_did(emformer):
    """The joiner's matrix: 4,195,328 bytes to 18 per 32, of which 2 are scale; 4.50 bits."""
    text = "joiner=int4-g32"
    done = run("simulate", "emformer-rnnt-base", "phone-npu", "--chunk-ms", "160", "--compress", text)
    line = next(x for x in done.output.splitlines() if x.startswith("joiner linear"))
    assert line.split()[:11] == ["joiner", "linear", "int4-g32", "4.20", "MB", "2.36", "MB", "56.2", "%", "262", "kB"]
    assert line.split()[11] == "4.50"
    (row,) = simulate(emformer.compress(text), "phone-npu", 160).compression
    assert (row.before_bytes, row.after_bytes, row.overhead_bytes) == (4_195_328, 2_359_872, 262_208)
    assert row.decode_per_chunk_uj > 0
    assert "saving" in done.output
    assert '"compression": "joiner=int4-g32"' in run("simulate", "--compress", text, "--json").output


def test_a_design_file_may_hold_compressions(tmp_path):
    design = tmp_path / "d.yaml"
    design.write_text(
        "profiles: [phone-npu]\nchunk_ms: [160]\nfold: [1]\ncompress: [none, joiner=qsq]\n", encoding="utf-8"
    )
    done = run("sweep", design, "--format", "csv")
    assert done.exit_code == 0
    assert [row.split(",")[9] for row in done.output.splitlines()[2:]] == ["none", "joiner=qsq"]
