"""A fit + label distributions -> predictions. Needs numpy alone, so that `predictor predict` starts at once.

>>> from predictor.prediction import predict
"""

from predictor.prediction.predict import predict
from predictor.prediction.results import Comparison, OutcomePrediction, Prediction, Predictions

__all__ = ["Comparison", "OutcomePrediction", "Prediction", "Predictions", "predict"]
