"""Arrays -> numbers: rank correlation, resampling, permutation, noise. Definitions and sources beside each."""
