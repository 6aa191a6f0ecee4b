"""A strict Fusion, with a Resolve around it: what the plugin sees of them through its proxies.

It behaves as reference manuals and those who measured say. Tables are dicts that count from 1 in floats; what fails
gives None or False and raises nothing; any name of a proxy is callable; a new tool wires itself to the active one; a
new Loader or Saver opens a window unless the comp is locked; a new Clip resets a Loader's trims; a value set under Lock
on what was built under Lock is stored and not rendered. Names that nobody knows are noted in `Session.unknown`, so a
test sees them. Savers and Loaders write and read real EXR.
"""

from fusion._session import Comp, Fusion, Session
from fusion._timeline import Resolve

__all__ = ["Comp", "Fusion", "Resolve", "Session"]
