"""Claims that people repeat about training data, each judged for each recipe family: one a file."""
