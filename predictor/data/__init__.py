"""Data that ships with the package: fit.json, the default fit."""
