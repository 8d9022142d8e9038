"""P1: weighing classes by the inverse of their size raises class-balanced accuracy where classes are uneven."""

from __future__ import annotations

from predictor.claims.base import RAISES, Part
from predictor.claims.practice.pairs import action_claim

CLAIM = action_claim(
    "P1", "Do class weights help?", Part("class weights against none", RAISES), class_weights="inverse"
)
