"""All that touches Fusion and Resolve. One thread at a time: the one that made the `application.Host`.

What is easily forgotten of them: every name of a proxy is callable, and a wrong one gives None; tables count from 1;
what fails gives None or False; a new tool wires itself to the active one; a new Loader or Saver asks for its file in a
window unless the comp is locked; a value set under Lock may be stored and not rendered; every Saver that is not passed
through renders; a new Clip takes a Loader's trims away.
"""
