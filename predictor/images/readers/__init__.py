"""Readers: what lies on disk -> Images, one kind a file. None of them decodes an image."""
