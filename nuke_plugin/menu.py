"""Nuke runs this with its GUI: the node's menu entry and the panel's, or ones that say why there is none."""

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
else:
    try:
        import void_nuke.panel  # noqa: F401  Nuke evaluates this name here when the panel is opened

        host.add_panel("void_nuke.panel.NukePanel", "VOID", "void.panel")
    except Exception as _error:  # Qt that does not load, say: the node works without the panel
        _said = (
            f"The VOID panel is not loaded: {type(_error).__name__}: {_error}. Use void panel in a terminal."
        )
        nuke.menu("Pane").addCommand("VOID is not loaded", f"nuke.message({_said!r})")
