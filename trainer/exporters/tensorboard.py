"""TensorBoard: a folder a run with its numbers and hparams. A folder that is there already stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from predictor.records.schema import RunRecord
from trainer.exporters.flat import lacking, measured, settings, whole


def export(records: Iterable[RunRecord], output: str) -> int:
    """Write OUTPUT/STUDY/RUN_ID/events.*; how many runs were not there yet."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise lacking("tensorboard") from None
    added = 0
    for record in records:
        folder = Path(output, record.study, record.run_id)
        if folder.exists():
            continue
        steps = settings(record).get("image_steps", 0)
        with whole(folder) as temporary, SummaryWriter(str(temporary)) as writer:
            writer.add_hparams(settings(record), measured(record), run_name=".",
                               global_step=steps if isinstance(steps, int) else 0)  # fmt: skip
        added += 1
    return added
