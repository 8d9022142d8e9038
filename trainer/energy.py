"""Energy of a run where the machine tells it: NVML for GPUs, RAPL for Intel and AMD processors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

RAPL = Path("/sys/class/powercap/intel-rapl:0")


class EnergyMeter:
    """Reads the counter when made and the difference at `read`."""

    def __init__(self, device: str):
        self.device = device
        self.start, self.reason = self._counter()

    def read(self) -> dict[str, Any]:
        """{'joules': ..., 'reason': ...}: one of them is None."""
        if self.start is None:
            return {"joules": None, "reason": self.reason}
        now, reason = self._counter()
        if now is None or now < self.start:
            return {"joules": None, "reason": reason or "the counter wrapped around"}
        return {"joules": now - self.start, "reason": None}

    def _counter(self) -> tuple[float | None, str | None]:
        if self.device == "cuda":
            try:
                import pynvml

                pynvml.nvmlInit()
                handle = pynvml.nvmlDeviceGetHandleByIndex(0)
                return pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3, None
            except Exception as error:  # missing library or driver: the reason goes into the record
                return None, f"NVML: {error}"
        try:
            return int((RAPL / "energy_uj").read_text()) / 1e6, None
        except OSError as error:
            return None, f"RAPL: {error.strerror}"
