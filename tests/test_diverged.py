"""A network that is not finite is never scored, whenever it became so."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor.spec import RunSpec
from trainer.data.readers.builtin import BUILTIN
from trainer.run import run_spec


@pytest.mark.parametrize("steps", [1, 2, 40])
def test_a_network_that_diverges_at_any_step_has_no_outcomes(steps) -> None:
    """At the last step the loss is still finite: only what comes out of the network afterwards is not."""
    spec = RunSpec.model_validate(
        {
            "protocol": 2,
            "sources": {"digits": BUILTIN},
            "target": {"name": "t", "classes": ["0", "1", "2"], "test": {"source": "digits"}},
            "stages": [{"data": {"source": "digits", "samples_per_class": 20}, "image_steps": 16 * steps}],
            "model": {"name": "predictor_small", "image_size": 8, "head": 4},
            "recipe": {"batch_size": 16, "learning_rate": 1e38, "augmentation": "none"},
            "seeds": {"data": 0, "training": 0},
        }
    )
    record = run_spec(
        spec, study="t", axes={}, domain="d", held_out=False, data_dir=Path(), files={"digits": None}, precision="fp32"
    )
    assert record.status == "diverged" and record.outcomes == {} and record.images_per_second is None
