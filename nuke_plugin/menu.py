"""Nuke runs this with its GUI: the node's menu entry, or one that says why there is none."""

import nuke

try:
    from void_nuke import controller, host

    host.add_menu("nuke.createNode('VOID')")
    host.when_script_loads(controller.attach_all)
except Exception as _error:  # nothing of ours may keep Nuke from starting
    _said = (
        f"VOID is not loaded: {type(_error).__name__}: {_error}. Build its folder anew with install/nuke.py."
    )
    nuke.menu("Nodes").addMenu("VOID").addCommand("VOID is not loaded", f"nuke.message({_said!r})")
