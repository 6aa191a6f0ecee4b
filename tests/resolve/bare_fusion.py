"""A Fusion whose Python has the installed folder and nothing else: ``python -I -S bare_fusion.py WHAT...``.

Run by test_installed. Starts VOID.py as a button of the macro does; what is said is told line by line as JSON, with
what the Loader shows. The project is the macro's data and controls; it is saved with every line, as Resolve does.
"""

import json
import re
import runpy
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

SIZE = (96, 64)
FIRST, LAST = 0, 5
NUMBERED_FROM = 1001
SMALL = {
    "pass1_steps": 4, "pass2_steps": 100, "raster_height_px": 64, "raster_width_px": 96, "window_frames": 21,
    "warped_noise": "corrected",
}  # fmt: skip
"""The model's recipe, which the macro has no controls for, so small that a test can wait for it."""
VALUES = {"prompt": "an empty room", "colorspace": "lin_rec709", "detail": 2, "first": FIRST, "last": LAST}
KEPT = ("status", "use_result", "result_first", "result_last", *VALUES)


class RenderError(RuntimeError):
    pass


def sequence(path):
    """As the fake's: the files that a Loader finds."""
    path = Path(path)
    found = re.fullmatch(r"(.*?)(\d+)", path.stem)
    if not path.is_file() or not found:
        return [path] * path.is_file()
    return sorted(path.parent.glob(f"{found[1]}*.exr"))


def main(installed, fakes, lua, frames, project, server, press):
    def save(tool, frame):
        """Every picture lies on disk already."""
        clip = Path(tool.rendered("Clip"))
        role = "plate" if "plate" in clip.name else "mattes"
        shutil.copyfile(
            f"{frames}/{role}.{NUMBERED_FROM + frame}.exr", clip.with_name(f"{role}_{frame:04d}.exr")
        )

    sys.path += [fakes, lua]
    sys.modules["fusion._render"] = SimpleNamespace(save=save, sequence=sequence, RenderError=RenderError)
    sys.modules["fusion._formulas"] = SimpleNamespace(evaluate=None)  # no expression is asked for its value
    import fusion

    session = fusion.Session()
    comp = session.comp = fusion.Comp(session, SIZE, FIRST, LAST, project)
    shot, mask = comp.add("MediaIn", "MediaIn1"), comp.add("PolylineMask", "Polygon1")
    comp.paste((Path(installed) / "VOID" / "VOID.setting").read_text(encoding="utf-8"))
    macro = comp.FindTool("VOID")
    for at, tool in enumerate((shot, mask), 1):
        macro.FindMainInput(at).ConnectTo(tool.FindMainOutput(1))
    saved = Path(project).with_suffix(".json")
    if saved.is_file():
        kept = json.loads(saved.read_text())
        macro._tool.data.update(kept["data"])
    values = kept["values"] if saved.is_file() else {**VALUES, "server": server}
    for name, value in values.items():
        macro.SetInput(name, value)
    macro.SetData("void.press", f"{press}@{int(time.time())}")

    def told(*words):
        values = {name: macro.GetInput(name) for name in (*KEPT, "server")}
        part = saved.with_suffix(".part")
        part.write_text(json.dumps({"data": macro._tool.data, "values": values}))
        part.replace(saved)
        loader = comp.FindTool("VOID_result")
        clip = loader.GetInput("Clip") if loader is not None else ""
        print(json.dumps({"said": " ".join(words), "clip": clip, **macro._tool.data}), flush=True)

    sys.path.insert(0, f"{installed}/VOID")
    from void_host import packages

    packages.add(f"{installed}/VOID")
    from void_host import job
    from void_resolve import script

    job.VoidSettings = partial(job.VoidSettings, **SMALL)
    script.main.__defaults__ = (told, script.main.__defaults__[1])
    runpy.run_path(f"{installed}/Scripts/Comp/VOID.py", {"fusion": fusion.Fusion(session)}, "__main__")
    assert not session.unknown, session.unknown
    assert not session.windows, session.windows


if __name__ == "__main__":
    main(*sys.argv[1:])
