"""Other people's results -> run records."""
