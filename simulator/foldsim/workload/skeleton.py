"""A new workload to fill in: a shipped one under a new name, every key explained."""

from __future__ import annotations

from typing import get_args

from foldsim.schema import parse_yaml
from foldsim.schema.skeleton import skeleton
from foldsim.workload.attention import ATTENTION_KINDS
from foldsim.workload.spec import WorkloadSpec
from foldsim.workload.workload import Workload, from_document

ATTENTIONS = [get_args(kind.model_fields["kind"].annotation)[0] for kind in ATTENTION_KINDS]

# Where a person finds a value: names of the same thing in code and configurations of real recognisers.
_WHERE: dict[tuple[str, str], str] = {
    ("WorkloadSpec", "sources"): "the paper, or repository@commit:path of the code, that each number comes from;"
    " kind assumption where it comes from nowhere else.",
    ("WorkloadSpec", "published_params_count"): "the paper, or sum(p.numel() for p in model.parameters()).",
    ("WorkloadSpec", "unused_params_count"): "heads that only training uses: the second CTC head, rescoring decoders.",
    ("PrecisionSpec", "weights"): "the format of the file that ships, not that of training.",
    ("AudioSpec", "frame_ms"): "the hop of the features: hop_length / sample_rate, frame_shift, window_stride.",
    ("AudioSpec", "subsampling_frames"): "the product of the front end's strides in time: subsampling_factor,"
    " time_reduction_stride.",
    ("StreamingSpec", "chunk_tokens"): "segment_length / stride (torchaudio), --chunk-size (icefall),"
    " decoding_chunk_size (WeNet), att_context_size (NeMo); in tokens, after subsampling.",
    ("StreamingSpec", "left_context_tokens"): "left_context_length (torchaudio), --left-context-frames (icefall),"
    " num_decoding_left_chunks x chunk (WeNet), att_context_size[0] (NeMo).",
    (
        "StreamingSpec",
        "right_context_tokens",
    ): "right_context_length / stride; 0 where nothing after the chunk is seen.",
    ("StreamingSpec", "memory_bank_tokens"): "max_memory_size (Emformer); 0 where there is no bank.",
    ("DecodingSpec", "symbols_per_s"): "pieces in your transcripts over seconds of audio.",
    ("DecodingSpec", "beam_count"): "beam_size, num_active_paths; 1 for greedy search.",
    ("Component", "name"): "yours to choose; parts that run at different rates are different components.",
    ("Component", "invoked_per"): "the decoding loop: what one call of this part waits for.",
    ("Component", "run_ratio"): "blank frames that the decoder skips, counted in your logs.",
    ("Layer", "repeat"): "num_layers, num_blocks.",
    ("Layer", "downsampling"): "the stack's downsampling factor (Zipformer); 1 elsewhere.",
    ("EncoderLayer", "width"): "d_model, encoder_dim, output_size, hidden_size.",
    ("EncoderLayer", "heads"): "nhead, num_attention_heads, attention_heads.",
    ("EncoderLayer", "feedforward"): "ffn_dim, dim_feedforward, linear_units, intermediate_size.",
    ("CachedAttentionLayer", "cache"): "the streaming forward: does it keep k and v, or what goes into their linears?",
    ("Linear", "rows"): "the shape that goes in, in one call.",
    ("Embedding", "entries"): "vocab_size, with blank.",
    ("LogMel", "bands"): "n_mels, num_mel_bins.",
}

HINTS = {
    **{key: f"Where: {words}" for key, words in _WHERE.items()},
    ("WorkloadSpec", "folding"): "Better left out, and swept: foldsim sweep --fold 1,2.",
    ("WorkloadSpec", "compression"): "Better left out, and swept: foldsim sweep --compress joiner=int4-g32.",
    ("EncoderLayer", "attention"): "Such as {kind: favor, features: 266}; kinds: " + ", ".join(ATTENTIONS) + ".",
}

_HEADER = """\
# A workload for foldsim, made by: foldsim workload new {name} --from {preset}
# Every value below is that of {preset} until you change it: what is here is not yet your model.
# A key is explained where it first stands; keys that may be left out stand there as comments.
# A number with a range is {{value: 4.0, low: 2.0, high: 6.0, source: KEY}}, KEY being one of `sources`.
# Check it as you write:  foldsim workload validate {name}.yaml
# See what it comes to:   foldsim workload show {name}.yaml
# Every layer kind:       docs/workload-reference.md, or foldsim workload schema
"""


def new_workload(name: str, preset: Workload) -> str:
    """YAML of a workload to fill in, with a comment at every key; it validates as it is.

    Parameters
    ----------
    name : of the new workload: small letters, digits, dots and hyphens.
    preset : where structure and values come from.

    Raises
    ------
    UserError
        If the name is none, with one that is.
    """
    data = {k: v for k, v in preset.document.data.items() if k not in ("published_params_count", "unused_params_count")}
    data["summary"] = f"Started from {preset.name}; say here where the model comes from and what is assumed."
    body = skeleton("workload", name, preset.name, data, WorkloadSpec, HINTS)
    text = _HEADER.format(name=name, preset=preset.name) + body
    from_document(parse_yaml(text, f"{name}.yaml"))
    return text
