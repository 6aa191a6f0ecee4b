"""``void farm status`` as it is shown."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from void_farm import plan as plans
from void_server.farm.status import BundleStatus, How, ranges, status


def tell_status(bundle: Path) -> bool:
    """Print how a bundle stands; False where a segment failed. Raises SettingsError when it is no bundle."""
    plan = plans.read(bundle / plans.NAME)
    found = status(plan, bundle)
    console = Console()
    console.print(_table(found))
    counts = ", ".join(f"{len(found.of(how))} {how.value}" for how in How if found.of(how))
    print(
        f"{len(found.segments)} segments: {counts}. {len(found.finished)} of {len(plan.shots)} shots are finished."
    )
    for one in found.of(How.FAILED):
        print(one.why)
    left = [one.task.index for one in found.segments if one.how is not How.DONE]
    if left:
        print(f"Not done: --job-param Segments={ranges(left)}")
        print(_expected(found))
    return not found.of(How.FAILED)


def _expected(found: BundleStatus) -> str:
    pace, left_s = found.frames_a_second(), found.left_s()
    if pace is None or left_s is None:
        return "Nothing is done yet, so nobody knows when it ends."
    at = time.strftime("%a %H:%M", time.localtime(time.time() + left_s))
    return f"{found.frames_left} frames are left; at {pace:.2f} a second, as so far, {left_s / 60:.0f} minutes: {at}."


def _table(found: BundleStatus) -> Table:
    table = Table("segment", "shot", "frames", "", "", box=None)
    for one in found.segments:
        task = one.task
        shown = "nothing is marked" if task.segment.untouched else ""
        table.add_row(
            str(task.index), task.shot.spec.shot, str(task.segment.frames), one.how.value, one.says or shown
        )
    return table
