"""A user's own indicators: they register themselves when their file or package is imported."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

from predictor.errors import PredictorError


def load(name: str) -> None:
    """Import a Python file ('mine.py') or a module of an installed package ('mypackage.indicators').

    What it registers then stands in every table, for stored runs too: a registry keeps class counts. A file or
    module that is loaded already is not run again.
    Raises PredictorError where there is none, or where it fails.
    """
    path = Path(name)
    is_file = path.suffix == ".py" or path.exists()
    if is_file and not path.is_file():
        raise PredictorError(
            "no such file", where=name, remedy="name a Python file or module that registers indicators"
        )
    try:
        _run(path.resolve()) if is_file else importlib.import_module(name)
    except PredictorError as error:
        raise PredictorError(error.problem, where=error.where or name, remedy=error.remedy) from None
    except Exception as error:
        raise PredictorError(
            f"cannot be loaded: {type(error).__name__}: {error}",
            where=name,
            remedy="name a Python file or module that registers indicators",
        ) from error


def _run(path: Path) -> None:
    name = f"predictor.own:{path}"
    if name in sys.modules:
        return
    loader = SourceFileLoader(name, str(path))
    spec = spec_from_loader(name, loader)
    assert spec is not None
    sys.modules[name] = module = module_from_spec(spec)  # a dataclass looks its module up there
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
