"""HTML and one-line texts of workloads, profiles and simulations."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import foldsim
from foldsim.data import shipped


def cells(page: str) -> list[str]:
    return re.findall(r"<td[^>]*>(.*?)</td>", page)


def test_a_workload_shows_its_counts(emformer):
    page = emformer._repr_html_()
    assert "76,738,049" in cells(page)
    assert "token 40 ms; chunk 160 ms; left context 30, right context 1 tokens" in page
    assert "folded by 4 (attention, keep_head_dim)" in emformer.fold(4)._repr_html_()
    assert repr(emformer) == "<Workload emformer-rnnt-base: 76,738,049 parameters>"


def test_a_profile_shows_its_numbers_with_ranges(load_profile):
    page = load_profile("phone-npu")._repr_html_()
    level = next(lv for lv in load_profile("phone-npu").spec.memory_levels if lv.name == "dram")
    energy = level.read_pj_per_byte
    assert f"{energy.value:g} ({energy.low:g} to {energy.high:g})" in cells(page)
    assert any("int8 13,107," in cell for cell in cells(page))  # 4 arrays x 4096 int8 MAC/cycle x 0.8 GHz
    assert "dram (lpddr5x)" in cells(load_profile("dimensity-9300-npu")._repr_html_())
    assert repr(load_profile("phone-npu")) == "<Profile phone-npu: phone, grade C>"


def test_a_simulation_shows_power_terms_and_ops(emformer):
    result = foldsim.simulate(emformer.fold(2), "phone-npu", 160)
    page = result._repr_html_()
    assert "40.6 mW (21 to 135); 3.38 ms per chunk" in page  # as in the table of the README
    shown = [float(cell) for cell in cells(page)[1 : 4 * len(result.power_terms) : 4]]
    assert sum(shown) == pytest.approx(result.totals["power_mw"], rel=0.01)
    assert repr(result) == "<Simulation emformer-rnnt-base on phone-npu, 160 ms, N = 2: 40.6 mW, 3.38 ms>"


@pytest.mark.parametrize("name", shipped("hw_profiles"))
def test_every_shipped_profile_can_be_shown(name, load_profile):
    assert load_profile(name).spec.memory_levels[-1].name in load_profile(name)._repr_html_()


def test_hostile_text_is_escaped(emformer):
    title = "<script>alert(1)</script> & more"
    hostile = replace(emformer, spec=emformer.spec.model_copy(update={"title": title}))
    page = hostile._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
