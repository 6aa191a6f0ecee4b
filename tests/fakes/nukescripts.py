"""The one name of Nuke's own scripts that the plugin uses: hosts.md A1.10."""

import nuke
from nuke import _session


def registerWidgetAsPanel(widget, name, id, create=False):
    """``widget`` is Python text, evaluated among the names of menu.py when the panel is opened, and then called."""
    session = _session.current()
    session.check("registerWidgetAsPanel")
    if not all(isinstance(word, str) and word for word in (widget, name, id)):
        raise TypeError("widget, name and id are text")
    if id in session.panels:
        raise ValueError(f"{id} is taken")

    def open_panel():
        return eval(widget, session.main)()

    session.panels[id] = open_panel
    nuke.menu("Pane").addCommand(name, open_panel)
    return open_panel() if create else None
