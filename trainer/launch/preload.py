"""What the server that workers are forked from imports once, so that a new worker is there in milliseconds."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads would not survive the fork; no run needs them

import timm  # noqa: F401

import trainer.run  # noqa: F401
