"""Writes docs/indicators.md of a checkout."""

from __future__ import annotations

from pathlib import Path

from predictor.files import replace_file
from predictor.indicators.page import documentation

if __name__ == "__main__":
    page = Path("docs") / "indicators.md"
    page.parent.mkdir(exist_ok=True)
    replace_file(page, documentation().encode())
    print(page)
