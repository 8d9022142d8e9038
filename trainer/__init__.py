"""Trains grids of real image classifiers and writes what they reach into a registry. Needs torch and timm."""

PROTOCOL = 2  # of the numbers that runs give: raised when a change to the trainer changes them
