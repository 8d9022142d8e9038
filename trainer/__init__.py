"""Trains grids of real image classifiers and writes what they reach into a registry. Needs torch and timm."""
