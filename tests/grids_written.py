"""Grids as text, and how a test loads one."""

from __future__ import annotations

from pathlib import Path

from predictor.grids import Grid, load_grid

DIGEST = "sha256:" + "0" * 64
GRID = f"""
study: demo
protocol: 1
sources:
  s: {{file: s.parquet, digest: "{DIGEST}"}}
  o: {{file: o.parquet, digest: "{DIGEST}"}}
target_sets:
  t/a: {{domain: d, source: s, classes: ["NO", b, c, d], shifts: {{far: o}}}}
model: {{name: predictor_small, head: 64}}
recipe: {{learning_rate: 1e-1, image_steps: 3000}}
seeds: [0, 1, 2]
"""
BLOCK = """
grid:
  - target_set: t/a
    samples_per_class: [10, 20]
    profile: [balanced, {shape: step, ratio: 10, share: 0.5}]
    others: [none, {source: s, n_classes: 3, samples_per_class: 5}]
"""


def load(tmp_path: Path, text: str) -> Grid:
    path = tmp_path / "g.yaml"
    path.write_text(text)
    return load_grid(path)


RANDOM = """
random:
  - sample: {n}
    seed: 7
    target_set: [t/a]
    samples_per_class: {{log_uniform: [5, 200]}}
    profile:
      - balanced
      - {{shape: exponential, ratio: {{log_uniform: [2, 50]}}, edits: [{{truncate_head: {{integer: [60, 90]}}}}]}}
      - {{shape: step, ratio: [5, 20], share: {{uniform: [0.2, 0.8]}}}}
    others: [none, [{{source: s, n_classes: {{integer: [1, 9]}}, samples_per_class: 5}}]]
    learning_rate: {{log_uniform: [0.01, 0.1]}}
"""
PLANS = """
stage_plans:
  one: [{}]
  many-then-few: [{share: 0.5}, {share: 0.5, others: none}]
  others-then-few: [{share: 0.25, samples_per_class: 0}, {share: 0.75, others: none, learning_rate: 0.01}]
"""
