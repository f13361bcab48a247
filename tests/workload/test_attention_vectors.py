"""Every vector of tests/data/attention_vectors.json, exactly.

The vectors were obtained by running the modules in PyTorch (the record says which code, and which are reference modules
written from the definition). Each test builds the layer that the module is, and compares every recorded quantity.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from foldsim.workload.attention import (
    ChannelMixingAttention,
    FavorAttention,
    FocusedLinearAttention,
    LocalAttention,
    SerializedAttention,
    SoftmaxAttention,
    SpatialReductionAttention,
)
from foldsim.workload.layers.attention_pooling import AttentionPooling
from foldsim.workload.layers.conformer import ConformerLayer
from foldsim.workload.layers.emformer import EmformerLayer
from foldsim.workload.layers.encoder import ALL_BIASES
from foldsim.workload.layers.transformer import TransformerLayer
from foldsim.workload.ops import Context

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "attention_vectors.json").read_text())["vectors"]
ATTENTION_OPS = {
    "query", "key_value", "scores", "softmax", "context", "out", "pool", "key_value_sum", "normaliser", "depthwise",
    "focusing", "features_query", "features_key", "global_projections", "mix_channels", "position_key",
    "position_scores", "gather",
}  # fmt: skip


def vector(name: str) -> tuple[dict, dict]:
    """Hyperparameters and recorded quantities of a vector by its name."""
    (found,) = (v for v in VECTORS if v["name"] == name)
    return found["hyper"], {check["quantity"]: check["value"] for check in found["checks"]}


def context(chunk, left=0, right=0, memory=0, **more) -> Context:
    return Context(float(chunk), float(left), float(right), float(memory), 4.0, **more)


def total(ops, what, only=None):
    """Sum of a property over ops (those named in ``only``)."""
    return sum(float(np.asarray(getattr(op, what))) for op in ops if only is None or op.name in only)


def layer(d, h, f=None, **more) -> TransformerLayer:
    return TransformerLayer(
        kind="transformer", name="a", width=d, heads=h, feedforward=f or 4 * d, activation="gelu", **more
    )


FEEDFORWARD_OPS = {"feedforward_1", "activation", "feedforward_2"}


@pytest.mark.parametrize("name", [v["name"] for v in VECTORS if v["name"].startswith("folded_mha")])
def test_folded_attention_and_feedforward(name):
    hyper, want = vector(name)
    x = context(
        hyper["T"],
        hyper["L"],
        fold_factor=float(hyper["N"]),
        fold_feedforward=True,
        fold_keeps_head_dim=hyper["heads"] == "fixed_head_dim",
    )
    ops = list(layer(hyper["D"], hyper["H"], hyper["F"]).lower(x))
    assert {
        "attn_params": total(ops, "params", ATTENTION_OPS),
        "attn_macs": total(ops, "macs", ATTENTION_OPS),
        "softmax_exp": total(ops, "exp", {"softmax"}),
        "kv_cache_elems": total(ops, "state"),
        "ffn_params": total(ops, "params", FEEDFORWARD_OPS),
        "ffn_macs": total(ops, "macs", FEEDFORWARD_OPS),
        "ffn_hidden_elems": total(ops, "exp", {"activation"}),
    } == want


def test_plain_attention_with_cached_keys():
    hyper, want = vector("streaming MHA with cached left K/V")
    ops = list(layer(hyper["D"], hyper["H"]).lower(context(hyper["T"], hyper["L"])))
    assert {
        "params": total(ops, "params", ATTENTION_OPS),
        "macs": total(ops, "macs", ATTENTION_OPS),
        "exp": total(ops, "exp", {"softmax"}),
        "kv_cache_elems": total(ops, "state"),
    } == want


def test_folding_breaks_even_at_2d_over_n_keys():
    hyper, want = vector("break-even keys S*: baseline MACs == folded MACs")
    left = hyper["S_star"] - hyper["T"]
    macs = [
        total(layer(hyper["D"], hyper["H"]).lower(context(hyper["T"], left, fold_factor=n)), "macs", ATTENTION_OPS)
        for n in (1.0, float(hyper["N"]))
    ]
    assert macs == [want["macs_equal"]] * 2


def test_focused_linear_attention_as_published():
    hyper, want = vector("FocusedLinearAttention (official, 2-D window)")
    n, d = hyper["n"], hyper["D"]
    variant = FocusedLinearAttention(
        kind="focused_linear", kernel=hyper["k"], dimensions=2, position_table_tokens=n, focusing_factor=hyper["p"]
    )
    ops = list(layer(d, hyper["H"], attention=variant).lower(context(n)))
    (focusing,) = (op for op in ops if op.name == "focusing")
    softmax = list(layer(d, hyper["H"]).lower(context(n)))
    assert {
        "params": total(ops, "params", ATTENTION_OPS),
        "macs": total(ops, "macs", ATTENTION_OPS),
        "exp": total(ops, "exp", ATTENTION_OPS),
        "relu_elems": focusing.compare,
        "pow_elems": focusing.inputs,
        "softmax_attention_macs_same_window": total(softmax, "macs", ATTENTION_OPS),
    } == want


def test_focused_linear_attention_over_time():
    hyper, want = vector("FocusedLinear1D streaming adaptation (ours)")
    variant = FocusedLinearAttention(kind="focused_linear", kernel=hyper["k"])
    ops = list(layer(hyper["D"], hyper["H"], attention=variant).lower(context(hyper["T"], 30)))
    assert {
        "params": total(ops, "params", ATTENTION_OPS),
        "macs": total(ops, "macs", ATTENTION_OPS),
        "state_elems": total(ops, "state", {"key_value_sum"}),
        "conv_state_elems": total(ops, "state", {"depthwise"}),
    } == want


def test_spatial_reduction():
    hyper, want = vector("PVT spatial-reduction attention (building block)")
    variant = SpatialReductionAttention(kind="spatial_reduction", reduction=hyper["r"], dimensions=2)
    ops = list(layer(hyper["D"], hyper["H"], attention=variant).lower(context(hyper["n"])))
    assert {
        "params": total(ops, "params", ATTENTION_OPS),
        "macs": total(ops, "macs", ATTENTION_OPS),
        "exp": total(ops, "exp", {"softmax"}),
    } == want


def test_favor_over_a_whole_window():
    hyper, want = vector("FAVOR+ self-attention (non-causal)")
    variant = FavorAttention(kind="favor", features=hyper["m"])
    ops = list(layer(hyper["D"], hyper["H"], attention=variant, biases=["output"]).lower(context(hyper["T"])))
    head = hyper["D"] // hyper["H"]
    assert {
        "params": total(ops, "params", ATTENTION_OPS),
        "macs": total(ops, "macs", ATTENTION_OPS),
        "exp": total(ops, "exp", ATTENTION_OPS),
        "projection_buffer": total(ops, "constant_bytes") / 4,  # fp32
    } == want
    assert total(ops, "state") == 0
    assert want["projection_buffer"] == hyper["m"] * head


def test_favor_streamed():
    hyper, want = vector("streaming FAVOR+ with running key maximum (ours)")
    variant = FavorAttention(kind="favor", features=hyper["m"])
    ops = list(layer(hyper["D"], hyper["H"], attention=variant, biases=["output"]).lower(context(hyper["T"], 30)))
    assert {
        "params": total(ops, "params", ATTENTION_OPS),
        "macs": total(ops, "macs", ATTENTION_OPS),
        "exp (+H for the rescale factor)": total(ops, "exp", ATTENTION_OPS),
        "state_elems": total(ops, "state", {"key_value_sum"}),
    } == want
    # The recorded state is that of the sums; the running maximum of the keys is one number per head more.
    assert total(ops, "state") == want["state_elems"] + hyper["H"]


def test_local_attention():
    hyper, want = vector("HF LongformerSelfAttention sliding chunks")
    (found,) = (v for v in VECTORS if v["name"] == "HF LongformerSelfAttention sliding chunks")
    build = {
        kernel: LocalAttention(
            kind="local", window_tokens=hyper["w"], kernel=kernel, global_projections=kernel == "chunked"
        )
        for kernel in ("ideal", "chunked")
    }
    made = {
        kernel: list(
            layer(hyper["D"], hyper["H"], attention=v, biases=["query", "key", "value"]).lower(context(hyper["n"]))
        )
        for kernel, v in build.items()
    }
    # The module is the self-attention without its output projection.
    without = ATTENTION_OPS - {"out"}
    assert {
        "params (local+global projections)": total(made["chunked"], "params", without),
        "macs": total(made["chunked"], "macs", without),
        "softmax elems": total(made["chunked"], "exp", {"softmax"}),
    } == want
    bands = {"scores", "context"}
    assert total(made["chunked"], "macs", bands) == found["implemented_attention_macs"]
    assert total(made["ideal"], "macs", bands) == found["ideal_band_attention_macs"]


@pytest.mark.parametrize(("window", "pays_from"), [(50, 140), (128, 356), (256, 712)])
def test_the_chunked_kernel_pays_from_2_78_windows(window, pays_from):
    """4 w D (n - w) + 3 n w D = 2 n^2 D at n = w (7 + sqrt 17) / 4: 139.04, 355.95 and 711.9 tokens."""
    variant = LocalAttention(kind="local", window_tokens=window, kernel="chunked", padded=False)
    attends = {"scores", "context"}

    def saved(tokens):
        plain, local = layer(512, 8), layer(512, 8, attention=variant)
        return total(plain.lower(context(tokens)), "macs", attends) - total(
            local.lower(context(tokens)), "macs", attends
        )

    exact = window * (7 + 17**0.5) / 4
    assert int(exact) + 1 == pays_from
    assert saved(pays_from) > 0 > saved(pays_from - 1)


def test_augmented_memory_layer():
    hyper, want = vector("AugmentedMemoryTransformerEncoderLayer")
    made = EmformerLayer(
        kind="emformer", name="a", width=hyper["D"], heads=hyper["H"], feedforward=hyper["F"],
        attention=SoftmaxAttention(kind="softmax", suppression=True), left_context="recomputed", norm_out=False,
    )  # fmt: skip
    ops = list(made.lower(context(hyper["center"], hyper["left"], hyper["right"], hyper["M"])))
    assert {
        "params": total(ops, "params"),
        "macs": total(ops, "macs"),
        "softmax exp (2x: attention suppression)": total(ops, "exp", {"softmax"}),
    } == want
    # Nothing but the memory bank survives: M vectors of D.
    assert total(ops, "state") == hyper["M"] * hyper["D"]


def test_emformer_layer():
    hyper, want = vector("Emformer layer infer() (steady state)")
    made = EmformerLayer(kind="emformer", name="a", width=hyper["D"], heads=hyper["H"], feedforward=hyper["F"])
    ops = list(made.lower(context(hyper["C"], hyper["L"], hyper["R"], hyper["M"])))
    assert {
        "params": total(ops, "params"),
        "macs": total(ops, "macs"),
        "softmax exp": total(ops, "exp", {"softmax"}),
        "state_elems": total(ops, "state"),
    } == want


def test_channel_mixing():
    hyper, want = vector("Block + TemporalShift on K and V (official)")
    variant = ChannelMixingAttention(kind="channel_mixing", divisions=hyper["n_div"])
    ops = list(layer(hyper["D"], hyper["H"], attention=variant).lower(context(hyper["S"])))
    plain = list(layer(hyper["D"], hyper["H"]).lower(context(hyper["S"])))
    frames = hyper["frames"]
    assert {
        "params": total(ops, "params"),
        "macs": frames * total(ops, "macs"),
        "macs equal to spatial-only block": frames * total(plain, "macs"),
        "softmax exp": frames * total(ops, "exp", {"softmax"}),
    } == want


def test_serialized_attention():
    hyper, want = vector("SerializedAttention (official, no flash)")
    variant = SerializedAttention(kind="serialized", patch_tokens=hyper["K"])
    ops = list(layer(hyper["C"], hyper["H"], attention=variant).lower(context(hyper["N"])))
    (softmax,) = (op for op in ops if op.name == "softmax")
    assert {
        "attn_params": total(ops, "params", ATTENTION_OPS),
        "attn_macs": total(ops, "macs", ATTENTION_OPS),
        "softmax exp": softmax.exp,
        "padded points": softmax.exp / hyper["H"] / hyper["K"],
    } == want


def test_serialized_block():
    hyper, want = vector("Block params")
    variant = SerializedAttention(kind="serialized", neighbour_taps=27)
    ops = layer(hyper["C"], hyper["H"], attention=variant).lower(context(2048))
    assert total(ops, "params") == want["params"]


def test_conformer_convolution_module():
    hyper, want = vector("conformer convolution module, causal streaming")
    made = ConformerLayer(
        kind="conformer", name="a", width=hyper["D"], heads=8, feedforward=2048, kernel_tokens=hyper["k"], bias=False,
        convolution_norm="layer",
    )  # fmt: skip
    ops = list(made.lower(context(hyper["T"], 30)))
    names = {"norm_convolution", "convolution_in", "gate", "depthwise", "convolution_norm", "convolution_out"}
    assert {
        "params": total(ops, "params", names),
        "macs": total(ops, "macs", names),
        "state_elems": total(ops, "state", names),
    } == want


def test_single_head_block_of_another_width():
    hyper, want = vector("single-head block")
    made = TransformerLayer(
        kind="transformer", name="a", width=hyper["d_m"], heads=1, head_width=hyper["d_k"], feedforward=hyper["d_ff"],
        biases=list(ALL_BIASES),
    )  # fmt: skip
    ops = list(made.lower(context(hyper["T"])))
    assert {
        "params": total(ops, "params"),
        "macs": total(ops, "macs"),
        "exp": total(ops, "exp", {"softmax"}),
    } == want


def test_attention_pooling():
    hyper, want = vector("self-attention pooling")
    ops = list(AttentionPooling(kind="attention_pooling", name="a", width=hyper["d_m"]).lower(context(hyper["T"])))
    assert {"params": total(ops, "params"), "macs": total(ops, "macs"), "exp": total(ops, "exp")} == want
    assert total(ops, "state") == hyper["d_m"] + 2


def test_every_vector_has_a_test():
    """No vector of the record is left out: each stands in this file.

    Codebooks: tests/workload/test_compression_bytes.py holds "codebook-compressed weight matrix bytes" to its 67,584.
    """
    text = Path(__file__).read_text()
    for v in VECTORS:
        assert v["name"] in text or v["name"].startswith("folded_mha"), v["name"]
