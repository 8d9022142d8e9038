"""fit.json + label distributions -> predictions. Needs numpy alone, so that `predictor predict` starts at once.

>>> from predictor.inference import Case, evaluate, find_fit, load_fit, predict
"""

from predictor.inference.cases import CLASS_FEATURES, Case, check_features, level_key, recipe_name
from predictor.inference.evaluate import evaluate, evaluator, expit, logit
from predictor.inference.predict import predict
from predictor.inference.results import Comparison, OutcomePrediction, Prediction, Predictions
from predictor.inference.stored import Fit, find_fit, load_fit, shipped_fit

__all__ = [
    "CLASS_FEATURES",
    "Case",
    "Comparison",
    "Fit",
    "OutcomePrediction",
    "Prediction",
    "Predictions",
    "check_features",
    "evaluate",
    "evaluator",
    "expit",
    "find_fit",
    "level_key",
    "load_fit",
    "logit",
    "predict",
    "recipe_name",
    "shipped_fit",
]
