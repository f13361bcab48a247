"""``foldsim validate``: predictions beside published claims."""

from __future__ import annotations

from pathlib import Path

from foldsim.cli.guard import say
from foldsim.cli.sweep import DEFAULT_WORKLOAD, profiles_in_order
from foldsim.cli.tables import table
from foldsim.explore.consistency import (
    PUBLISHED_POWER_SAVING_RATIO,
    PUBLISHED_POWER_TO_SIZE_RATIO,
    PUBLISHED_SIZE_SAVING_RATIO,
    consistency_rows,
    inside,
    paper_consistency,
)
from foldsim.explore.results import Results, check_suffix, provenance, write_results
from foldsim.explore.space import DesignSpace
from foldsim.hardware.profile import load_profile
from foldsim.workload.workload import load_workload


def run_validate(output: Path | None) -> None:
    """Print the consistency table with its assumptions; write it where asked."""
    if output is not None:
        check_suffix(output)
    workload = load_workload(DEFAULT_WORKLOAD)
    profiles = [load_profile(name) for name in profiles_in_order()]
    rows = paper_consistency(workload, profiles)
    if output is not None:
        table_of = consistency_rows(rows)
        space = DesignSpace([workload], profiles)
        write_results(Results(table_of, provenance(space, ["validate"])), output)
        say(f"{len(table_of['target'])} rows in {output}")
    print("Consistency with the folding-attention paper (arXiv 2309.07988), not a reproduction: the paper's widths, N,")
    print("layers, chunk sizes and energies were not published where they could be read.\n")

    def range_of(published: tuple[float, float], scale: float = 100.0, unit: str = " %") -> str:
        return f"{published[0] * scale:g}-{published[1] * scale:g}{unit}"

    size, power, ratio = PUBLISHED_SIZE_SAVING_RATIO, PUBLISHED_POWER_SAVING_RATIO, PUBLISHED_POWER_TO_SIZE_RATIO
    lines = [
        ["published", "not read", "not read", "not read", range_of(size), range_of(power), range_of(ratio, 1.0, ""), ""]
    ]
    for row in rows:
        verdict = [
            name
            for name, value, published in (
                ("size", row.size_saving_ratio, size),
                ("power", row.power_saving_ratio, power),
                ("ratio", row.power_to_size_ratio, ratio),
            )
            if not inside(value, published)
        ]
        lines.append(
            [
                row.profile,
                str(row.fold_factor),
                row.fold_layers,
                f"{row.chunk_ms:g} ms",
                f"{100 * row.size_saving_ratio:.1f} %",
                f"{100 * row.power_saving_ratio:.1f} %",
                f"{row.power_to_size_ratio:.2f}",
                "outside: " + ", ".join(verdict) if verdict else "inside",
            ]
        )
    print(
        table(
            ["on", "N", "layers", "chunk", "weights saved", "power saved", "power/weights", "against published"],
            lines,
            left=(0, 2, 7),
        )
    )
    p = workload.spec.precision
    print("\nhalf: the first half of the encoder layers is folded; all: every one.")
    print(
        f"Assumptions: {workload.name}, attention only, head dimension kept, {p.weights} weights, "
        f"{workload.spec.decoding.symbols_per_s.value:g} symbols/s,\nbeam {workload.spec.decoding.beam_count}, "
        "each profile's default policy, placement auto; power of the whole recogniser, front end to joiner."
    )
