"""Which code made a run: the commit of this checkout, or the version of the installed package."""

from __future__ import annotations

import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@lru_cache(maxsize=1)
def code_commit() -> str:
    """Commit of the checkout the package runs from, '+changed' behind it where files differ from it.

    Outside a checkout (an installed wheel) it is 'predictor <version>'.
    """
    package = Path(__file__).resolve().parent
    commit = _git(package, "rev-parse", "HEAD")
    if commit is None or _git(package, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return f"predictor {version('predictor')}"
    changed = _git(package.parent, "status", "--porcelain", "--untracked-files=no", "--", "trainer", "predictor")
    return commit + ("+changed" if changed else "")


def versions() -> dict[str, str]:
    """Versions of what decides the numbers, and which vector instructions do: processors of one name may differ."""
    import torch

    found = {"python": platform.python_version(), "vectors": torch.backends.cpu.get_cpu_capability()}
    for name in ("torch", "timm", "numpy", "pillow", "predictor"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
