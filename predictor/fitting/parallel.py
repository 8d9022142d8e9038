"""Independent pieces of a fit in several processes; each with one thread, so that the last digits are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from predictor.indicators.registry import registered
from predictor.models.base import families
from predictor.models.evaluate import EVALUATORS

Job = TypeVar("Job")
Made = TypeVar("Made")


def processes_for(wanted: int | None, n_jobs: int, *, enough: bool) -> int:
    """How many processes to use: `wanted`, else one a core where there is enough to do; 1 with parts of your own.

    An indicator, family or evaluator that was registered from outside is known in this process alone.
    """
    from joblib import cpu_count

    own = (item.fit for item in families().values() if item.fit is not None)
    parts = [*(item.function for item in registered()), *own, *(item.function for item in EVALUATORS.values())]
    if any(not part.__module__.startswith("predictor.") for part in parts):
        return 1
    return min((cpu_count() if enough else 1) if wanted is None else wanted, n_jobs)


def side_by_side(make: Callable[[Job], Made], jobs: Iterable[Job], processes: int) -> Iterator[Made]:
    """What `make` gives for every job, in the order in which they are done; several processes start at once."""
    if processes <= 1:
        return (_alone(make, job) for job in jobs)
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=processes, return_as="generator_unordered", pre_dispatch="all", batch_size=1)
    return pool(delayed(_alone)(make, job) for job in jobs)


def _alone(make: Callable[[Job], Any], job: Job) -> Any:
    with threadpool_limits(1):
        return make(job)
