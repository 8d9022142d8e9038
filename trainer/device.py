"""What a device wants: precision, memory order, exactness, and how it names itself."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

Precision = Literal["bf16", "fp32"]
RECOMPILE_LIMIT = 64  # shapes and settings of one compiled function in a process


def choose_precision(device: str) -> Precision:
    """bf16 autocast where the hardware multiplies it: on CUDA, and on CPUs with AMX or AVX-512 BF16; else fp32."""
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    units = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return "bf16" if any(getattr(torch.cpu, unit, lambda: False)() for unit in units) else "fp32"


def autocast(device: str, precision: Precision) -> torch.autocast:
    """Autocast to bf16, or nothing. Its weight cache is off: weights change at every step."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16", cache_enabled=False)


def memory_format(model: nn.Module) -> torch.memory_format:
    """channels_last for networks of convolutions; a patch embedding or group norm gains nothing or loses by it."""
    kernels = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.stride != m.kernel_size]
    grouped = any(isinstance(m, nn.GroupNorm) for m in model.modules())
    return torch.channels_last if kernels and not grouped else torch.contiguous_format


@cache
def prepare(device: str) -> None:
    """Once per process: exact kernels on CUDA; on a CPU keep freed memory, since every step asks for it again.

    glibc returns large blocks to the system at once; faulting them in again took half of an augmentation's time.
    """
    if device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before the first product
        torch.use_deterministic_algorithms(True, warn_only=True)  # a network without such code trains all the same
        torch.utils.deterministic.fill_uninitialized_memory = False
        torch.backends.cudnn.benchmark = False
        return
    try:
        libc = ctypes.CDLL(None)
        mmap_threshold, trim_threshold = -3, -1  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD of mallopt(3)
        libc.mallopt(mmap_threshold, 1 << 25)  # the largest that glibc takes
        libc.mallopt(trim_threshold, (1 << 31) - 1)
    except (OSError, AttributeError):
        pass  # another C library: only slower


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is short. torch has a class for that on CUDA, on a CPU only a text."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def compiled(work: Any) -> Any:
    """A network or a function compiled for the one shape of what it is called with."""
    import torch._inductor.config  # takes a second

    if hasattr(torch._inductor.config, "deterministic"):  # else timings choose between orders of a sum
        torch._inductor.config.deterministic = True
    # one function serves every preset or network of a grid; beyond torch's limit of 8 it would run uncompiled
    torch._dynamo.config.recompile_limit = max(RECOMPILE_LIMIT, torch._dynamo.config.recompile_limit)
    torch._inductor.config.compile_threads = torch.get_num_threads()  # many processes compile side by side
    return torch.compile(work, dynamic=False, fullgraph=not isinstance(work, nn.Module))


def generator_of(device: str) -> torch.Generator:
    """Where a network's own random numbers come from. Seeding it alone takes a microsecond, torch.manual_seed 100."""
    return torch.cuda.default_generators[torch.cuda.current_device()] if device == "cuda" else torch.default_generator


def waited(device: str) -> None:
    """Until the device has done what it was told to."""
    if device == "cuda":
        torch.cuda.synchronize()


def device_name(device: str) -> str:
    """The name the hardware gives itself."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def reset_peak_memory(device: str) -> None:
    """What earlier runs of this process held does not count for the next one, where the system lets one say so."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak resident set is the present one


def peak_memory(device: str) -> int:
    """Bytes since `reset_peak_memory`: resident in this process on a CPU, of its tensors on CUDA."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit  # of the whole process so far
