"""The savings of the folding-attention paper compared with foldsim's, under stated assumptions.

The paper (arXiv 2309.07988) does not publish widths, layer counts, N, chunk sizes or energy constants where they
could be read, so this is a check of consistency, not a reproduction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foldsim.hardware.profile import Profile
from foldsim.sweeps.engine import run
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.workload import Workload

# Model-size and power savings on LibriSpeech, summary of arXiv 2309.07988 (upper ends: its abstract).
PUBLISHED_SIZE_SAVING_RATIO = (0.12, 0.24)
PUBLISHED_POWER_SAVING_RATIO = (0.11, 0.23)
# Power saved over size saved, computed from the published pairs of ends.
PUBLISHED_POWER_TO_SIZE_RATIO = (0.91, 0.96)

FACTOR = 2  # our assumption; the paper's N was not read
SELECTIONS = ("half", "all")  # of the encoder layers; our assumption
CHUNK_MS = 160.0  # our assumption
DEFAULT_WORKLOAD = "emformer-rnnt-base"
DEFAULT_PROFILES = ("phone-npu", "pixel5-cpu", "watch-npu", "coral-edge-tpu", "gap9")  # one of each kind


@dataclass(frozen=True)
class Consistency:
    """One folded variant on one chip, compared with the published ranges."""

    profile: str
    fold_factor: int
    fold_layers: str
    chunk_ms: float
    size_saving_ratio: float
    power_saving_ratio: float
    power_saving_low_ratio: float
    power_saving_high_ratio: float

    @property
    def power_to_size_ratio(self) -> float:
        """Power saved over size saved."""
        return self.power_saving_ratio / self.size_saving_ratio


def inside(value: float, published: tuple[float, float]) -> bool:
    """Whether a value lies in a published range, at the range's two digits."""
    return published[0] <= round(value, 2) <= published[1]


def paper_consistency(workload: Workload, profiles: Sequence[Profile]) -> list[Consistency]:
    """Savings of folding half and all of the encoder layers by two, attention only, on every profile."""
    layers = len(workload.spec.foldable_layers())
    rows = []
    for selection in SELECTIONS:
        chosen = "all" if selection == "all" else f"1-{layers // 2}"
        space = DesignSpace([workload], profiles, [CHUNK_MS], [1, FACTOR], fold_layers=chosen, fold_scope="attention")
        columns = run(space)
        for i in range(0, len(columns["profile"]), 2):
            size = 1.0 - float(columns["weights_bytes"][i + 1] / columns["weights_bytes"][i])
            rows.append(
                Consistency(
                    str(columns["profile"][i]),
                    FACTOR,
                    selection,
                    CHUNK_MS,
                    size,
                    *(float(columns[f"power_saving{end}_ratio"][i + 1]) for end in ("", "_low", "_high")),
                )
            )
    return rows


def consistency_targets(row: Consistency) -> list[tuple[str, tuple[float, float], float, float, float]]:
    """What the paper publishes, its range, and the prediction with its own range, of one variant."""
    size, power = row.size_saving_ratio, row.power_saving_ratio
    ends = (row.power_saving_low_ratio, row.power_saving_high_ratio)
    return [
        ("size saving", PUBLISHED_SIZE_SAVING_RATIO, size, size, size),
        ("power saving", PUBLISHED_POWER_SAVING_RATIO, power, *ends),
        ("power saving / size saving", PUBLISHED_POWER_TO_SIZE_RATIO, power / size, ends[0] / size, ends[1] / size),
    ]


def consistency_rows(rows: Sequence[Consistency]) -> dict[str, np.ndarray]:
    """Published range and prediction with its range, one row per target, as result columns."""
    table: list[dict[str, Any]] = []
    for row in rows:
        for target, published, predicted, low, high in consistency_targets(row):
            table.append(
                {
                    "group": "folding paper",
                    "target": target,
                    "profile": row.profile,
                    "fold_factor": row.fold_factor,
                    "fold_layers": row.fold_layers,
                    "chunk_ms": row.chunk_ms,
                    "unit": "ratio",
                    "measured_low": published[0],
                    "measured_high": published[1],
                    "predicted": predicted,
                    "predicted_low": low,
                    "predicted_high": high,
                    "inside": inside(predicted, published),
                }
            )
    return {
        name: np.array([entry[name] for entry in table], dtype=object if isinstance(table[0][name], str) else None)
        for name in table[0]
    }
