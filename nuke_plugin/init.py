"""Nuke runs this first, with and without its GUI: the node is found, and the packages beside this file."""

import os
import sys
from pathlib import Path

import nuke

_HERE = Path(__file__).resolve().parent.as_posix()
nuke.pluginAddPath(_HERE + "/gizmos")
if _HERE not in sys.path:
    sys.path.append(_HERE)
try:
    from void_host import packages

    packages.add(_HERE)
except Exception as _error:  # nothing of ours may keep Nuke from starting
    print(f"VOID: the plugin is not loaded ({type(_error).__name__}: {_error}).", file=sys.stderr)
else:
    try:
        from void_host import log

        log.start(os.environ)
    except Exception as _error:  # it works without
        print(f"VOID: no log is written ({type(_error).__name__}: {_error}).", file=sys.stderr)
