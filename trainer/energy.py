"""Energy of a run where the machine tells it: NVML for GPUs, RAPL for Intel and AMD processors."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from predictor.records.schema import Energy

RAPL = Path("/sys/class/powercap")
PACKAGES = "intel-rapl:[0-9]*"  # one counter a processor; those with a second colon are parts of it
MOST_WATTS = 1_000.0  # of one processor: below that its counter cannot have wrapped around twice unseen


class EnergyMeter:
    """Reads the counters of a device when made and the difference at `read`.

    side_by_side : runs that are trained on the device at once; each is given an equal share
    """

    def __init__(self, device: str, *, side_by_side: int = 1):
        self.side_by_side = side_by_side
        self._begun = time.monotonic()
        self._joules: Callable[[float], float] | None = None
        self._reason: str | None = None
        try:
            self._joules = _gpu() if device == "cuda" else _processors(RAPL)
        except Exception as error:  # no library, no driver, no permission: the reason goes into the record
            self._reason = f"{'NVML' if device == 'cuda' else 'RAPL'}: {getattr(error, 'strerror', None) or error}"

    def read(self) -> Energy:
        """The run's share of the joules since the meter was made, or why there is none."""
        if self._joules is None:
            return Energy(reason=self._reason)
        try:
            joules = self._joules(time.monotonic() - self._begun)
        except Exception as error:
            return Energy(reason=str(error))
        return Energy(joules=joules / self.side_by_side, shared_by=self.side_by_side)


def _gpu() -> Callable[[float], float]:
    """Joules of the GPU that torch uses, found by its UUID: NVML does not heed CUDA_VISIBLE_DEVICES."""
    import pynvml
    import torch

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(0).uuid}")
    counter = partial(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)  # millijoules
    before = counter()
    return lambda seconds: (counter() - before) / 1e3


def _processors(folder: Path) -> Callable[[float], float]:
    """Joules of all processors together, whose counters may wrap around once."""
    packages = [package for package in sorted(folder.glob(PACKAGES)) if package.name.count(":") == 1]
    if not packages:
        raise OSError(f"no counter in {folder}")
    before = [_number(package / "energy_uj") for package in packages]
    ranges = [_number(package / "max_energy_range_uj") for package in packages]

    def joules(seconds: float) -> float:
        if seconds * MOST_WATTS * 1e6 > min(ranges):
            raise ValueError(f"RAPL: the counter may have wrapped around more than once in {seconds:.0f} s")
        after = [_number(package / "energy_uj") for package in packages]
        return sum((b - a) % (r + 1) for a, b, r in zip(before, after, ranges, strict=True)) / 1e6

    return joules


def _number(path: Path) -> int:
    return int(path.read_text())
