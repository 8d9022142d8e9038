"""What every test run needs, of whichever files it is made.

A module that registers what it defines (an indicator, a family, a claim) is imported with its package: pytest, given
one of its files alone, would execute it a second time.
"""

import gc
import os
import signal

if "PYTEST_XDIST_WORKER" in os.environ:  # a core a process: more threads of one would wait for those of the other
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import pytest
from hypothesis import settings

import predictor.claims
import predictor.indicators
import predictor.models  # noqa: F401

if (
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):  # in the background of a shell; programs under test would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)

for size in ("COLUMNS", "LINES"):  # readline leaves those of pytest's own terminal here, where workers are started
    os.environ.pop(size, None)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # programs under test begin with compiled files, as installed ones do
os.environ["PREDICTOR_QUIET"] = "1"  # what a command says because this machine is slow is in nobody's expectation

settings.register_profile("default", deadline=None)  # a busy machine is no fault of the code
settings.register_profile("ci", deadline=None, derandomize=True)  # the same examples every time
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_collection_finish() -> None:
    """What was imported stays: the garbage collector need not look through all of it again and again."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes bear the name of their argument: packed ones hold the time, and both processes must find the same tests."""
    return argname if isinstance(val, bytes) else None
