"""A Nuke that has the built folder and nothing else: ``python -I -S bare_nuke.py WHAT...``, run by test_built_folder.

Starts as Nuke does (init.py, menu.py), then makes a node and presses Remove, or opens a script again. What the node
shows is told line by line as JSON; a line on stdin presses Cancel.
"""

import json
import operator
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

SIZE = (96, 64)
SMALL = {
    "pass1_steps": 4, "pass2_steps": 300, "raster_height_px": 64, "raster_width_px": 96, "window_frames": 21,
    "warped_noise": "corrected",
}  # fmt: skip
"""The model's recipe, which the node has no knobs for, so small that a test can wait for it."""
VALUES = {"prompt": "an empty room", "colorspace": "lin_rec709", "detail": "raw", "first": 1001, "last": 1006}


NUMBERS = SimpleNamespace(
    not_equal=operator.ne, equal=operator.eq, less=operator.lt, greater=operator.gt, less_equal=operator.le,
    greater_equal=operator.ge, multiply=operator.mul, divide=operator.truediv, mod=operator.mod,
    where=lambda condition, yes, no: yes if condition else no, logical_not=lambda a: not a,
    logical_or=lambda a, b: a or b, logical_and=lambda a, b: a and b,
)  # fmt: skip
"""What the fake's expressions take of numpy, which is not here, for knobs: plain numbers."""


def main(folder, fakes, frames, script, server, action):
    sys.path.insert(0, fakes)
    sys.modules["numpy"] = NUMBERS
    import prepared_render

    sys.modules["nuke._render"] = prepared_render
    import nuke

    del sys.modules["numpy"]  # the plugin shall not find it
    from nuke import __main__ as program
    from nuke import _session

    prepared_render.FOLDER, prepared_render.SIZE = Path(frames), SIZE
    session = _session.start(gui=True)
    for name in ("init.py", "menu.py"):
        file = f"{folder}/{name}"
        exec(compile(Path(file).read_text(), file, "exec"), {"__file__": file})
    assert "Nodes/VOID/VOID" in session.commands, session.commands
    from void_host import job

    job.VoidSettings = partial(job.VoidSettings, **SMALL)
    nuke.root()["name"].setValue(script)
    if action == "open":
        program.load(session, Path(script).read_text())
        for call, *_ in session.callbacks["onScriptLoad"]:
            call()
        node = nuke.toNode("VOID1")
    else:
        reads = [nuke.createNode("Read") for _ in range(2)]
        for read in reads:
            read["first"].setValue(1001)
            read["last"].setValue(1006)
        node = nuke.createNode("VOID")
        for number, read in enumerate(reads):
            node.setInput(number, read)
        for name, value in {**VALUES, "server": server}.items():
            node[name].setValue(value)
        node["remove"].execute()
    follow(nuke, session, node, script)


def follow(nuke, session, node, script):
    """Nuke's event loop, until the job's thread is gone."""
    from void_nuke import controller

    pressed, told, saved = threading.Event(), None, ""
    threading.Thread(target=lambda: sys.stdin.readline() and pressed.set(), daemon=True).start()
    ended = False
    while not ended:
        ended = not controller._running and told is not None
        session.pump(0.02)
        if pressed.is_set():
            pressed.clear()
            node["cancel"].execute()
        now = {name: node[name].value() for name in ("status", "result", "use_result", "job", "job_output")}
        if now != told:
            told = now
            print(json.dumps({**now, "at": time.monotonic(), "windows": session.messages}), flush=True)
        if now["job"] != saved:  # the artist saves now and then
            saved = now["job"]
            nuke.scriptSaveToTemp(script)
    assert not session.printed, session.printed


if __name__ == "__main__":
    main(*sys.argv[1:])
