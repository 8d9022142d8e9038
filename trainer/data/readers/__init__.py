"""Readers: what lies on disk -> Source, one kind a file. None of them decodes an image."""
