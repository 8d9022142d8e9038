"""`python -m predictor`, and what the command starts: Ctrl-C ends it quietly from the first import on."""

import os
import signal


def main() -> None:
    """Entry point of the command `predictor`."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # an import that is interrupted leaves nothing to mend
    from predictor.cli import main as command

    command()


if __name__ == "__main__":
    main()
