"""Images as they lie on disk, and what a probe of them says before anything is trained. Pillow decodes; no torch."""
