"""What all tests and the processes that they start have in common."""

import os

pytest_plugins = ["standing_servers"]

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # two cores are shared by several processes: a thread each is fastest
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would each compile what they import
