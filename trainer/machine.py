"""What this machine offers: its device, and how many processes with how many threads."""

from __future__ import annotations

import os

from predictor.errors import PredictorError


def choose_device(wanted: str) -> str:
    """'auto' takes CUDA where there is one; asking for CUDA without one is an error."""
    import torch

    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise PredictorError("no CUDA device on this machine", remedy="use --device cpu or auto")
    return "cuda" if wanted != "cpu" and available else "cpu"


def choose_workers(wanted: str, threads: int | None, device: str) -> tuple[int, int]:
    """(processes, threads of each). On a CPU one process a core is fastest: small steps do not parallelise."""
    cores = usable_cores()
    if wanted == "auto":
        workers = max(1, cores // (threads or 1)) if device == "cpu" else 1
    elif wanted.isdigit() and int(wanted) >= 1:
        workers = int(wanted)
    else:
        raise PredictorError(f"--workers is {wanted!r}", remedy="give a whole number >= 1, or 'auto'")
    return workers, threads or max(1, cores // workers)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
