"""Cheap runs of a target set of one's own: which to train, and what they tell."""
