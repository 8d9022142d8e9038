"""Files that list a data set -> LabelDistribution, or the images behind it. DuckDB counts; no image is opened."""

from predictor.manifest.counted import ManifestSample
from predictor.manifest.engine import one_engine
from predictor.manifest.read import Listing, Manifest, list_samples, open_manifest, read_manifest
from predictor.manifest.splits import NoSplitsError
from predictor.manifest.targets import read_targets

__all__ = [
    "Listing",
    "Manifest",
    "ManifestSample",
    "NoSplitsError",
    "list_samples",
    "one_engine",
    "open_manifest",
    "read_manifest",
    "read_targets",
]
