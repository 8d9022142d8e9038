"""Energy: counters as the system shows them, in files made here; what cannot be read has a reason."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from unittest import mock

import pytest
import torch  # noqa: F401 - before sys.modules is replaced: it cannot be imported twice

from trainer import energy
from trainer.energy import EnergyMeter


@pytest.fixture
def packages(tmp_path: Path) -> list[Path]:
    """Two processors; a part of the first, and a counter of another kind, count nothing."""
    for name, value in (("intel-rapl:0", 900), ("intel-rapl:1", 100), ("intel-rapl:0:0", 5), ("dtpm", 7)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(f"{value * 10**6}\n")
        (tmp_path / name / "max_energy_range_uj").write_text(f"{1000 * 10**6 - 1}\n")
    with mock.patch.object(energy, "RAPL", tmp_path):
        yield [tmp_path / "intel-rapl:0", tmp_path / "intel-rapl:1"]


def count(package: Path, joules: int) -> None:
    (package / "energy_uj").write_text(f"{joules * 10**6}\n")


def test_all_processors_count_and_may_wrap_around_once(packages) -> None:
    meter = EnergyMeter("cpu")
    count(packages[0], 20)  # 900 ... 999, 0 ... 20
    count(packages[1], 150)
    found = meter.read()
    assert found.joules == pytest.approx(120 + 50) and (found.shared_by, found.reason) == (1, None)


def test_looks_add_up_over_several_rounds_of_a_counter(packages) -> None:
    meter = EnergyMeter("cpu")
    for joules in (990, 500, 10, 600, 200):  # 90, 510, 510, 590, 600
        count(packages[0], joules)
        meter.look()
    assert meter.read().joules == pytest.approx(90 + 510 + 510 + 590 + 600)


def test_runs_side_by_side_share_what_the_device_used(packages) -> None:
    meters = [EnergyMeter("cpu", side_by_side=2) for _ in range(2)]
    count(packages[1], 150)
    found = [meter.read() for meter in meters]
    assert sum(energy.joules for energy in found) == pytest.approx(50)
    assert {energy.shared_by for energy in found} == {2}


def test_a_run_too_long_for_the_counter_says_so(packages) -> None:
    meter = EnergyMeter("cpu")
    meter._looked -= 3600
    assert meter.read().joules is None
    assert "the counter may have wrapped around more than once in 3600 s" in meter.read().reason


def test_a_counter_that_cannot_be_read_has_a_reason(tmp_path: Path) -> None:
    with mock.patch.object(energy, "RAPL", tmp_path):
        assert EnergyMeter("cpu").read().reason == f"RAPL: no counter in {tmp_path}"


def test_a_gpu_is_found_by_its_uuid() -> None:
    """NVML counts all GPUs of the machine, torch those that CUDA_VISIBLE_DEVICES names."""
    consumed, asked = iter([1_000, 4_500]), []
    nvml = types.SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: asked.append(uuid) or "handle",
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: next(consumed),
    )
    with (
        mock.patch.dict(sys.modules, {"pynvml": nvml}),
        mock.patch("torch.cuda.get_device_properties", lambda number: types.SimpleNamespace(uuid="1234-abcd")),
    ):
        found = EnergyMeter("cuda").read()
    assert (found.joules, asked) == (3.5, ["GPU-1234-abcd"])


def test_a_gpu_without_the_library_has_a_reason() -> None:
    with mock.patch.dict(sys.modules, {"pynvml": None}):
        assert EnergyMeter("cuda").read().reason.startswith("NVML: import of pynvml halted")
