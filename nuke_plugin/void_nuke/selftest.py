"""For someone with a licence: what this Nuke says to the plugin's questions, and a small removal, as a report.

In the Script Editor, in a new script::

    from void_nuke import selftest
    selftest.run("/tmp")                    # or run("/tmp", "gpu-box:7801")

In a terminal: ``nuke -t PLUGIN/void_nuke/selftest.py FOLDER [server=HOST:PORT]``; exit code 1 where anything was
contradicted. Read the report before you send it: Nuke's own messages in it may hold paths of yours.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from void_host.address import server_address
from void_host.findings import NAME, Answer, Finding, Report
from void_host.output import frame_path
from void_host.shot import Shot
from void_nuke import controller, host
from void_nuke.probes import PROBES, Bench, ask, sample
from void_nuke.snapshot import take
from void_wire.client import Client
from void_wire.errors import VoidError

TITLE = "VOID in Nuke: self-test"
REMOVAL = "a removal from the button to the frames"

_SIZE = (160, 96)
_FRAMES = 3
_OUTSIDE, _INSIDE = (5, 5), (44, 40)
"""A pixel the box never touches, and one it covers on the first frame alone."""
_BRIGHT = 2.0
"""The box, over a ramp below 1."""

_ASK_PATIENCE_S = 2.0


def run(folder: str, server: str = "") -> Optional[Report]:
    """Ask everything and write the report into ``folder``. Call it on the main thread, in a script nobody needs.

    In a terminal the report comes back. With the GUI the removal goes on by itself, so that Nuke does not freeze; a
    window says where the report lies.

    Args:
        folder: for the report and the small removal's frames.
        server: its address; empty: VOID_SERVER, else the default one.

    Raises OSError where nothing can be written into ``folder``.
    """
    home, about = Path(folder).absolute(), about_this_nuke()
    findings = [ask(probe) for probe in PROBES]
    pending = Finding(REMOVAL, Answer.NOT_TRIED, "Nuke ended before it was done")
    Report(TITLE, about, (*findings, pending)).write(home)
    trial = _prepared(home, server)

    def finish() -> Report:
        report = Report(TITLE, about, (*findings, trial()))
        host.announce(
            f"The VOID self-test is done. Please send back {report.write(home)} and the .json beside it."
        )
        return report

    if not host.in_gui():
        return finish()
    threading.Thread(target=finish, name=NAME, daemon=True).start()
    return None


def about_this_nuke() -> Dict[str, str]:
    """Versions that findings depend on."""
    import msgpack
    import xxhash
    import zmq

    return {
        "nuke": host.version(),
        "gui": str(host.in_gui()),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "pyzmq": str(zmq.__version__),
        "msgpack": ".".join(str(part) for part in msgpack.version),
        "xxhash": xxhash.VERSION,
    }


def _prepared(home: Path, server: str) -> Callable[[], Finding]:
    """A comp for the removal; what comes back makes it on any thread, takes the comp away and says how it went."""
    bench = None
    try:
        address = server_address(server, os.environ)
        with Client(address, patience_s=_ASK_PATIENCE_S, name=NAME) as client:
            client.connect()
        bench = Bench()
        node = _comp(bench, address)
        state = replace(host.read(node), script=f"{home.as_posix()}/{NAME}.nk")
        shot = take(state, {"VOID_OUTPUT": home.as_posix()})
        _, run = controller.prepared(shot)
    except Exception as error:  # a result, like any other
        if bench is not None:
            bench.clear()
        said = str(error) if isinstance(error, VoidError) else f"{type(error).__name__}: {error}"
        return lambda: Finding(REMOVAL, Answer.NOT_TRIED, said)
    there = bench

    def removal() -> Finding:
        try:
            try:
                wrong = run()
                answer, saw = (
                    (Answer.CONTRADICTED, str(wrong)) if wrong else host.on_main(_judged, node, shot)
                )
            finally:
                host.on_main(there.clear)
        except Exception as error:  # the bug is what the report is for
            answer, saw = Answer.CONTRADICTED, f"it failed ({type(error).__name__}: {error})"
        return Finding(REMOVAL, answer, saw)

    return removal


def _comp(bench: Bench, address: str) -> Any:
    """A ramp that is seen whole in three frames, and a bright box that moves over it."""
    width, height = _SIZE
    canvas = bench.canvas(width, height)
    first = canvas.firstFrame()
    left = f"40 + 8 * (frame - {first})"
    box = f"(x >= {left} && x < 20 + {left} && y >= 30 && y < 50)"
    matte = bench.make("Expression", {"expr3": box}, [canvas])
    ramp = {"expr0": f"x / {width}", "expr1": f"y / {height}", "expr2": "0.25", "expr3": "1"}
    shown = {name: f"{box} ? {_BRIGHT} : {value}" for name, value in ramp.items() if name != "expr3"}
    plate = bench.make("Expression", {**ramp, **shown}, [canvas])
    values = {
        "server": address,
        "engine": "draft",
        "colorspace": "lin_rec709",
        "first": first,
        "last": first + _FRAMES - 1,
    }
    return bench.make("VOID", values, [plate, matte])


def _judged(node: Any, shot: Shot) -> Tuple[Answer, str]:
    """Whether the frames are there and the node shows them: outside the matte the plate, inside the box gone."""
    numbers = shot.spec.frames.numbers()
    missing = [number for number in numbers if not frame_path(shot.output, number).is_file()]
    status = str(node["status"].value())
    if missing:
        return Answer.CONTRADICTED, f"frames {missing} did not come; {status}"
    host.go_to(numbers[0])
    outside = [sample(one, "rgba.red", *_OUTSIDE) for one in (node.input(0), node)]
    inside = [sample(one, "rgba.red", *_INSIDE) for one in (node.input(0), node)]
    saw = f"{status}; plate and node outside the matte {outside}, inside {inside}"
    good = outside[0] == outside[1] and inside[0] == _BRIGHT and inside[1] < 1.0
    return (Answer.CONFIRMED if good else Answer.CONTRADICTED), saw


def main(arguments: List[str]) -> int:
    """In a terminal; returns the exit code."""
    folders = [word for word in arguments if "=" not in word]
    given = dict(word.split("=", 1) for word in arguments if "=" in word)
    if len(folders) != 1 or set(given) - {"server"}:
        print("usage: nuke -t selftest.py FOLDER [server=HOST:PORT]", file=sys.stderr)
        return 2
    report = run(folders[0], given.get("server", ""))
    if report is None:  # a GUI: its window says the rest
        return 0
    print(report.text())
    return int(not report.good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
