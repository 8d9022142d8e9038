"""Files that list a data set -> LabelDistribution. DuckDB counts; no image is opened."""

from predictor.manifest.engine import one_engine
from predictor.manifest.read import Manifest, open_manifest, read_manifest
from predictor.manifest.targets import read_targets

__all__ = ["Manifest", "one_engine", "open_manifest", "read_manifest", "read_targets"]
