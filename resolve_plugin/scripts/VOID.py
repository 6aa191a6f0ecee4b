"""VOID in DaVinci Resolve and Fusion: Workspace > Scripts > Comp > VOID, and the buttons of the macro VOID.

install/resolve.py fills in where the rest of it is. From a terminal: python3 VOID.py remove, follow, cancel, farm,
place.
"""

import os
import sys
from pathlib import Path

INSTALLED = ""


def start() -> int:
    """Find the rest and run it; what does not load is said in a sentence."""
    home = Path(INSTALLED or os.environ.get("VOID_RESOLVE", "missing"))
    if not home.is_dir():
        print(f"VOID: its folder {home} is not there, so nothing can be done: run install/resolve.py again.")
        return 1
    if sys.version_info < (3, 10):
        print(
            f"VOID needs Python 3.10 or newer, and this is {sys.version.split()[0]}: Resolve 21.1 brings its own."
        )
        return 1
    sys.path.insert(0, str(home))
    try:
        from void_host import packages

        packages.add(str(home))
        from void_resolve import script
    except ImportError as error:
        print(
            f"VOID does not load in this Python {sys.version.split()[0]}: {error}. Run install/resolve.py again."
        )
        return 1
    return script.main(globals(), sys.argv[1:], home / "VOID.setting")


if __name__ == "__main__":
    code = start()
    if "fusion" not in globals():  # from a terminal; in a menu nobody looks at it
        sys.exit(code)
