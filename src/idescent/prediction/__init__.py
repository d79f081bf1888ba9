"""Predictions: a training run at less cost than the run, from any state, with an error estimate."""

from idescent.prediction.predict import Predicted, predict

__all__ = ["Predicted", "predict"]
