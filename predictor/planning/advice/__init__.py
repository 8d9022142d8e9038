"""What to collect, cut or add: numpy alone."""
