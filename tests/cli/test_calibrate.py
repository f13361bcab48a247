"""``foldsim profile calibrate`` and ``--sample`` as a user types them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

Foldsim = Callable[..., Result]
ROWS = """row,workload,chunk_ms,scope,busy_ms,energy_busy_uj,uncertainty_ratio
one,emformer-rnnt-base,160,board,3.9,9100,0.05
two,emformer-rnnt-base,640,chip,5.2,13000,0.05
"""


def test_calibrate_prints_writes_and_is_shown(foldsim: Foldsim) -> None:
    Path("board.csv").write_text(ROWS)
    result = foldsim("profile", "calibrate", "phone-npu", "board.csv", "--rows", "one", "-o", "mine.yaml")
    assert result.exit_code == 0, result.output
    for told in ("latency_efficiency", "energy_overhead", "fitted", "predicted", "median absolute error"):
        assert told in result.stdout
    assert foldsim("profile", "validate", "--strict", "mine.yaml").exit_code == 0
    shown = foldsim("profile", "show", "mine.yaml").stdout
    assert "calibrated: phone-npu fitted to board.csv" in shown
    again = foldsim("profile", "calibrate", "phone-npu", "board.csv")
    assert "energies of different scopes" in again.stderr
    assert "nothing written" in again.stderr


def test_calibrate_refuses_without_a_traceback(foldsim: Foldsim) -> None:
    Path("board.csv").write_text(ROWS)
    refused = foldsim("profile", "calibrate", "phone-npu", "board.csv", "--fit", "idle_power")
    assert refused.exit_code == 2
    assert "idle_power cannot be fitted" in refused.stderr
    assert foldsim("profile", "calibrate", "phone-npu", "none.csv").exit_code == 2
    Path("board.csv").write_text(ROWS.replace("5.2", "x"))
    located = foldsim("profile", "calibrate", "phone-npu", "board.csv", "-o", "mine.yaml")
    assert located.exit_code == 2
    assert "board.csv:3:33: error: busy_ms is 'x'" in located.stderr
    assert not Path("mine.yaml").exists()


def test_sampled_bands_are_printed(foldsim: Foldsim) -> None:
    table = foldsim("sweep", "-p", "phone-npu", "--chunk-ms", 160, "--sample", 64)
    assert "5 to 95 % of 64 joint samples" in table.stdout
    page = foldsim("simulate", "--sample", 64, "--fold", 2)
    assert "Joint samples of every range" in page.stdout
    assert max(map(len, page.stdout.splitlines())) <= 120
    assert foldsim("simulate", "--seed", 3).exit_code == 2


def test_a_chip_whose_levels_stream_at_their_peak_can_still_be_faster(foldsim: Foldsim) -> None:
    """SRAM of the STM32L4R5 has an efficiency of 1, its core one of 0.3: a faster row is reached all the same."""
    Path("fast.csv").write_text("row,workload,busy_ms\nkws,mlperf-tiny-kws,45\n")
    result = foldsim("profile", "calibrate", "stm32l4r5", "fast.csv", "-o", "fast.yaml")
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("kws "))
    assert "+0.0 %" in line
    assert foldsim("profile", "validate", "--strict", "fast.yaml").exit_code == 0


def test_a_row_in_another_unit_is_refused(foldsim: Foldsim) -> None:
    """Millijoules where microjoules belong: the fit ends at its bound and the row is still missed by far."""
    Path("mj.csv").write_text("row,workload,energy_busy_uj\nkws,mlperf-tiny-kws,0.45\n")
    result = foldsim("profile", "calibrate", "stm32l4r5", "mj.csv", "-o", "mj.yaml")
    assert result.exit_code == 2
    assert "energies in uJ" in result.stderr
    assert not Path("mj.yaml").exists()
