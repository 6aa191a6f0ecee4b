"""Two cores are shared by several processes here: a thread each is fastest, for them and their children."""

import gc
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ.setdefault(name, "1")


def pytest_collection_finish() -> None:
    """What was imported stays to the end: every collection, and the engines ask for some, would look through it."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()
