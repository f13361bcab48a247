"""New workloads: every key explained, valid as they are, the same model as the preset."""

from __future__ import annotations

import re

import pytest

from foldsim.data import shipped
from foldsim.errors import UserError
from foldsim.schema import parse_yaml
from foldsim.schema.annotated import annotated_yaml
from foldsim.workload.layers import LAYER_KINDS
from foldsim.workload.skeleton import HINTS, new_workload
from foldsim.workload.spec import WorkloadSpec
from foldsim.workload.workload import from_document, load_workload


def words(value):
    """Plain values with the spaces of texts made single."""
    if isinstance(value, dict):
        return {key: words(v) for key, v in value.items()}
    if isinstance(value, list):
        return [words(v) for v in value]
    return " ".join(value.split()) if isinstance(value, str) else value


@pytest.mark.parametrize("name", sorted(shipped("workloads")))
def test_every_shipped_workload_survives_being_annotated(name):
    workload = load_workload(name)
    again = from_document(parse_yaml(annotated_yaml(WorkloadSpec, workload.document.data, HINTS), "again.yaml"))
    assert words(again.spec.model_dump()) == words(workload.spec.model_dump())


def test_new_workload_is_the_preset_under_another_name(emformer):
    found = from_document(parse_yaml(new_workload("mine-2.0", emformer), "mine.yaml"))
    assert found.name == "mine-2.0"
    assert found.spec.published_params_count is None
    assert found.params() == emformer.params()
    assert found.spec.components == emformer.spec.components


def test_keys_are_explained_once_with_what_is_allowed_and_where_to_find_them(emformer):
    text = new_workload("mine", emformer)
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  left_context_tokens:"))
    above = " ".join(line.strip(" #") for line in lines[at - 4 : at])
    assert "a whole number from 0 to 1000000 (tokens)" in above
    assert "left_context_length (torchaudio)" in above
    assert text.count("Rows per invocation") == 1
    assert max(map(len, (line for line in lines if line.lstrip().startswith("#")))) <= 108
    for key in ("published_params_count", "folding", "compression", "chunk_tokens_published", "repeat", "attention"):
        assert re.search(rf"^ *# {key}:", text, re.MULTILINE), key


def test_optional_keys_can_be_switched_on(emformer):
    text = new_workload("mine", emformer)
    on = text.replace("# chunk_tokens_published:", "chunk_tokens_published: [1, 4]").replace(
        "# folding:", "folding: {factor: 2}"
    )
    found = from_document(parse_yaml(on, "mine.yaml")).spec
    assert found.streaming.chunk_tokens_published == [1, 4]
    assert found.folding is not None
    assert found.folding.factor == 2


@pytest.mark.parametrize("name", ["My Encoder", "", "-x", "a/b"])
def test_names_that_are_none_are_refused(emformer, name):
    with pytest.raises(UserError, match="cannot name a workload"):
        new_workload(name, emformer)


def test_hints_are_about_keys_that_exist():
    classes = {base for kind in LAYER_KINDS for base in kind.__mro__ if hasattr(base, "model_fields")}
    classes |= {WorkloadSpec} | {
        inner
        for f in WorkloadSpec.model_fields.values()
        for inner in (f.annotation, *getattr(f.annotation, "__args__", ()))
    }
    known = {(c.__name__, key) for c in classes if hasattr(c, "model_fields") for key in c.model_fields}
    assert set(HINTS) <= known
    assert all(hint.endswith((".", "?")) for hint in HINTS.values())
