"""What to train next, and at which learning rate."""
