"""Whether memory grows with the shot: a UHD job at several lengths, everything but the model."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from void_server.bench.disk_job import UHD, measure, render, there_and_back, travelling
from void_server.bench.row import Row
from void_wire.messages import PictureSettings

LENGTHS = (8, 40, 200)
ASKED = 1000
GOAL_GB, GOAL_S = 3.0, 2.5


def rows() -> list[Row]:
    """Peak memory at `ASKED` frames as `LENGTHS` foretell it, and seconds a frame; about ten minutes.

    The peaks differ by what happens to be in flight, so a line is laid through them (least squares).
    """
    with tempfile.TemporaryDirectory(prefix="void-long-") as folder:
        render(Path(folder), travelling(UHD))
        seen = [measure(Path(folder), there_and_back(frames), "void") for frames in LENGTHS]
    lengths, every_peak = [one.frames for one in seen], [one.peak_gb for one in seen]
    growth, none = np.polyfit(lengths, every_peak, 1)
    foretold = max(*every_peak, float(none + growth * ASKED))
    seconds = (seen[-1].seconds - seen[0].seconds) / (lengths[-1] - lengths[0])
    peaks = ", ".join(f"{one.peak_gb:.2f} GB at {one.frames} frames" for one in seen)
    return [
        Row(f"long, memory at UHD, {ASKED} frames", foretold, "GB", None, None, f"at most {GOAL_GB:.0f} GB",
            foretold <= GOAL_GB, f"from {peaks}; beside the model, files not counted"),
        Row("long, time at UHD", seconds, "s a frame", None, None, f"at most {GOAL_S} s", seconds <= GOAL_S,
            f"detail {PictureSettings().detail}, grain; no model; cores {os.cpu_count()}"),
    ]  # fmt: skip
