"""Energy of a run where the machine tells it: NVML for GPUs, RAPL for Intel and AMD processors."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from predictor.records.schema import Energy

RAPL = Path("/sys/class/powercap")
PACKAGES = "intel-rapl:[0-9]*"  # one counter a processor; those with a second colon are parts of it
MOST_WATTS = 1_000.0  # of one processor: below that its counter cannot wrap around twice unseen between two looks


class EnergyMeter:
    """Reads the counters of a device when made, at each `look` and at `read`.

    side_by_side : runs that are trained on the device at once; each is given an equal share
    """

    def __init__(self, device: str, *, side_by_side: int = 1):
        self.side_by_side = side_by_side
        self._looked, self._joules = time.monotonic(), 0.0
        self._since: Callable[[float], float] | None = None
        self._reason: str | None = None
        try:
            self._since = _gpu() if device == "cuda" else _processors(RAPL)
        except Exception as error:  # no library, no driver, no permission: the reason goes into the record
            self._reason = f"{'NVML' if device == 'cuda' else 'RAPL'}: {getattr(error, 'strerror', None) or error}"

    def look(self) -> None:
        """Add up what was used since the last look: counters wrap around within minutes or hours."""
        if self._since is None:
            return
        now = time.monotonic()
        try:
            self._joules += self._since(now - self._looked)
        except Exception as error:
            self._since, self._reason = None, str(error)
        self._looked = now

    def read(self) -> Energy:
        """The run's share of the joules since the meter was made, or why there is none."""
        self.look()
        if self._reason is not None:
            return Energy(reason=self._reason)
        return Energy(joules=self._joules / self.side_by_side, shared_by=self.side_by_side)


def _gpu() -> Callable[[float], float]:
    """Joules since the last call of the GPU that torch uses, by its UUID: NVML does not heed CUDA_VISIBLE_DEVICES."""
    import pynvml
    import torch

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(0).uuid}")
    counter = partial(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)  # millijoules
    last = counter()

    def joules(seconds: float) -> float:
        nonlocal last
        before, last = last, counter()
        return (last - before) / 1e3

    return joules


def _processors(folder: Path) -> Callable[[float], float]:
    """Joules since the last call of all processors together, whose counters may have wrapped around once since."""
    packages = [package for package in sorted(folder.glob(PACKAGES)) if package.name.count(":") == 1]
    if not packages:
        raise OSError(f"no counter in {folder}")
    last = [_number(package / "energy_uj") for package in packages]
    ranges = [_number(package / "max_energy_range_uj") for package in packages]

    def joules(seconds: float) -> float:
        if seconds * MOST_WATTS * 1e6 > min(ranges):
            raise ValueError(f"RAPL: the counter may have wrapped around more than once in {seconds:.0f} s")
        nonlocal last
        before, last = last, [_number(package / "energy_uj") for package in packages]
        return sum((b - a) % (r + 1) for a, b, r in zip(before, last, ranges, strict=True)) / 1e6

    return joules


def _number(path: Path) -> int:
    return int(path.read_text())
