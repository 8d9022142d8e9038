"""What one reader by itself says of a path, and what the command says; the options that a message names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

from click.testing import CliRunner

from predictor.cli.indicators_command import command
from predictor.errors import ManifestError
from predictor.manifest.counted import CountedLabels, ManifestRequest
from predictor.manifest.counting import count_labels


def reading(reader: ModuleType) -> Callable[[Path, ManifestRequest], CountedLabels]:
    """The function that counts with this reader."""
    return partial(count_labels, reader)


def options(text: str) -> list[str]:
    """The options that a message names, as one would type them."""
    found = re.findall(r"--(?:count|several-separator|label|sheet|where) (?:\"[^\"]*\"|'[^']*'|[\w=]+)|--[a-z-]+", text)
    return [word for each in found for word in shlex.split(each)]


def run(path: Path, *words: str) -> tuple[int, str]:
    """(exit code, what was said) of the command with these options."""
    result = CliRunner().invoke(command, [str(path), "--name", "n_samples", "--format", "csv", *words])
    error = f"{result.exception}" if isinstance(result.exception, ManifestError) else ""
    return result.exit_code, result.output + error
