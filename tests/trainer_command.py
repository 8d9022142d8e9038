"""`trainer ...` inside the test's own process: a fresh one takes seconds to import torch."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from unittest.mock import patch

from trainer.cli import main


def trainer_command(*arguments: object) -> CompletedProcess[str]:
    """Exit status and texts of the command, as a process would give them."""
    line = ["trainer", *map(str, arguments)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with patch.object(sys, "argv", line), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return CompletedProcess(line, code, out.getvalue(), err.getvalue())
