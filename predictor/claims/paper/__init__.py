"""The paper's claims, one a file. Source: Feuer & Hegde, Exploring Dataset-Scale Indicators of Data Quality."""
