"""Ways to spread the runs of a grid over processes."""
