"""``python -m nuke -x ...``: the command line of hosts.md A1.8, for what renders in the background."""

import argparse
import sys
from pathlib import Path

import nuke
from nuke import _scripts, _session
from nuke._nodes import build, take


def main(arguments):
    parser = argparse.ArgumentParser(prog="Nuke")
    parser.add_argument("-x", action="store_true", required=True)
    parser.add_argument("-i", action="store_true")
    parser.add_argument("--indie", action="store_true")
    parser.add_argument("-V", type=int)
    full = parser.add_mutually_exclusive_group()
    full.add_argument("-f", action="store_true")
    full.add_argument("-p", action="store_true")
    parser.add_argument("-X", required=True)
    parser.add_argument("-F", required=True)
    parser.add_argument("-view")
    parser.add_argument("script", type=Path)
    given = parser.parse_args(arguments)
    gizmos = Path(__file__).parent.parent.parent.parent / "nuke_plugin" / "gizmos"
    session = _session.start(gui=False)
    session.plugin_path.append(str(gizmos))
    session.views = given.view.split(",") if given.view else session.views
    load(session, given.script.read_text(encoding="utf-8"))
    first, _, last = given.F.partition("-")
    for frame in range(int(first), int(last or first) + 1):
        for name in given.X.split(","):
            node = nuke.toNode(name)
            if node is None:
                print(f"{name}: no such node")
                return 1
            nuke.execute(node, frame, frame)
        print(f"Frame {frame}", flush=True)
    return 0


def load(session, text):
    """A script of nodes of the table and of gizmos on the plugin path."""
    gizmos = {file.stem: file for folder in session.plugin_path for file in Path(folder).glob("*.gizmo")}
    machine = _scripts.Machine(user_classes=tuple(gizmos))
    made = {}
    for record in machine.load(text):
        if record.cls in gizmos:
            node = nuke.createNode(record.cls, inpanel=False)
            for name, raw in record.knobs.items():
                take(node[name], raw, machine)
        else:
            node = build(record, machine, session.root)
            session.root._nodes.append(node)
        node._inputs = [made.get(source) for source in record.inputs]
        made[record] = node


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
