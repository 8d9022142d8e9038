"""`trainer ...` inside the test's own process: a fresh one takes seconds to import torch."""

from __future__ import annotations

import io
import os
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

from trainer.cli import main


def trainer_command(*arguments: object, cwd: Path | str = ".") -> CompletedProcess[str]:
    """Exit status and texts of the command, as a process would give them.

    cwd : for commands without workers, whose server stays where it began
    """
    line = ["trainer", *map(str, arguments)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    wide = patch.dict(os.environ, {"COLUMNS": "1000"})  # a sentence is a line, whatever it names
    with chdir(cwd), patch.object(sys, "argv", line), wide, redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return CompletedProcess(line, code, out.getvalue(), err.getvalue())
