"""What a record says of images that are there twice by their bytes."""

from __future__ import annotations

from predictor.records.schema import TRAINING, Counted, RunRecord

LEAKED = "test images are training images too, byte for byte: it measures memory; train and test on different images"
REPEATED = "images have the bytes of another one: the counts say more than there is; list each image once"


def repeat_faults(record: RunRecord) -> list[str]:
    """Counts that cannot be, and where at least half of a set is the same images again.

    A few such images are in many well-known data sets (ten of CIFAR-100's test images); the record names them.
    """
    report, faults = record.data_report, []
    sizes = {name: sum(outcome.tested) for name, outcome in record.outcomes.items() if outcome.tested}
    for name, n in [*report.n_leaked.items(), *report.n_repeated.items()]:
        if n > sizes.get(name, n):
            faults.append(f"data_report: {n} images of {name} are there twice; {sizes[name]} were tested")
    if isinstance(record.data, Counted):
        sizes[TRAINING] = max(sum(stage.counts) for stage in record.data.stages)
    for what, counts in ((LEAKED, report.n_leaked), (REPEATED, report.n_repeated)):
        known = [(name, n, sizes[name]) for name, n in counts.items() if name in sizes]
        faults += [f"{name}: {n} of {size} {what}" for name, n, size in known if 2 * n >= size]
    return faults
