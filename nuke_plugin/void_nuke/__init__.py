"""The Nuke node: knobs, snapshot, export, results. Python 3.9 syntax; only `host` touches Nuke."""
