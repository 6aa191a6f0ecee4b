"""The morning's page: every shot with its contact sheet, what stands out in it, and how it was made."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

from void_farm.plan import Plan
from void_server.farm.finishing import Finished, sheet_path
from void_server.farm.places import Places
from void_wire.errors import SettingsError
from void_wire.files import write_whole

NAME = "report.html"

_STYLE = """
body { background: #181818; color: #ddd; font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 1640px; }
h2 { margin: 2em 0 0; } img { max-width: 100%; } table { border-spacing: 1em 0; color: #aaa; }
td { vertical-align: top; } .look { color: #ff905a; } a { color: #8bf; }
"""


def write_report(plan: Plan, places: Places, finished: Mapping[str, Finished]) -> Path:
    """Write the page; one that says the same already stays untouched. Raises SettingsError when it cannot be."""
    path = places.bundle / NAME
    page = _page(plan, places, finished).encode()
    try:
        if not path.is_file() or path.read_bytes() != page:
            write_whole(path, page)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}): make room there.") from None
    return path


def _page(plan: Plan, places: Places, finished: Mapping[str, Finished]) -> str:
    title = f"{html.escape(plan.name)}: {len(plan.shots)} shots, {len(plan.tasks())} segments"
    shots = "\n".join(_shot(plan, places, name, one) for name, one in finished.items())
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>\n'
        f"<h1>{title}</h1>\n<p>Plan {plan.digest}</p>\n{shots}\n</html>\n"
    )


def _shot(plan: Plan, places: Places, name: str, one: Finished) -> str:
    shot = next(shot for shot in plan.shots if shot.spec.shot == name)
    look = one.record.get("worth a look", "")
    says = {
        "result": places.pattern(shot.output),
        "segments": ", ".join(str(segment.frames) for segment in shot.segments),
        "prompt": one.record.get("prompt", shot.spec.prompt),
        **{key: value for key, value in sorted(one.record.items()) if key not in ("worth a look", "prompt")},
    }
    rows = "".join(f"<tr><td>{html.escape(key)}<td>{html.escape(value)}" for key, value in says.items())
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in shot.notes)
    sheet = sheet_path(places.bundle, name).relative_to(places.bundle).as_posix()
    return (
        f"<h2>{html.escape(name)} {shot.spec.frames}</h2>\n<p class=look>Worth a look: {html.escape(look)}</p>\n"
        f"{notes}\n"
        f'<img src="{html.escape(sheet)}" alt="Contact sheet of {html.escape(name)}">\n<table>{rows}</table>'
    )
