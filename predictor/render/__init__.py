"""Results -> terminal, Markdown, CSV, JSON, figures, HTML."""
