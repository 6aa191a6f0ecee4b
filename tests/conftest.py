"""What all tests and the processes that they start have in common."""

import gc
import os

pytest_plugins = ["standing_servers"]

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ.setdefault(name, "1")  # two cores are shared by several processes: a thread each is fastest
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would each compile what they import


def pytest_collection_finish() -> None:
    """What was imported stays to the end: every collection, and the engines ask for some, would look through it."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()
