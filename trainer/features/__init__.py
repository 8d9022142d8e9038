"""Frozen networks: features of images, computed once and kept, and heads that are solved for on them."""
