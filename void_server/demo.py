"""``void demo``: a small shot with known truth, sent through a real server, shown and measured."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from void_server import local_server
from void_server.contact_sheet import Picture, Shown, chosen, contact_sheet
from void_server.following import bars, console, follow
from void_server.frames.exr import read_plate, write_frame
from void_server.frames.matte import composite_matte
from void_server.frames.overlay import write_png
from void_server.frames.sequence import find_sequence, output_path
from void_server.quality import decibels, encode_srgb, inpaint_baseline, squared_error
from void_server.scene import Scene
from void_server.signs import worth_a_look
from void_server.submission import Submission, gather
from void_wire.client import Client
from void_wire.errors import SettingsError
from void_wire.messages import FrameRange, PictureSettings, Role, Signs, VoidSettings

FIRST_FRAME = 1001
PROMPT = "A ball lies on the wooden floor in front of a brick wall."


def run_demo(
    out: Path, *, camera: str, engine: str, weights: Path | None, frames: int, height_px: int, seed: int
) -> None:
    """Make the shot in ``out``, remove the cart through a server of its own, write result, sheet and report.

    Raises SettingsError for options that make no shot, and whatever the job is refused for.
    """
    if camera not in ("static", "pan"):
        raise SettingsError(f"--camera is {camera!r}; choose static or pan.")
    if not (2 <= frames <= 500 and 64 <= height_px <= 2160):
        raise SettingsError("The demo makes 2 to 500 frames of 64 to 2160 lines.")
    width_px = height_px * 16 // 9 // 2 * 2
    scene = Scene(height_px, width_px, frames, cast("Literal['static', 'pan']", camera), seed)
    frame_range = FrameRange(FIRST_FRAME, FIRST_FRAME + frames - 1)
    patterns = _write_scene(scene, frame_range, out)
    outputs = {Role.RESULT: str(out / "result.%04d.exr"), Role.OVERLAY: str(out / "quadmask.%04d.png")}
    submission = gather(
        patterns,
        frames=frame_range,
        engine=engine,
        prompt=PROMPT,
        picture=PictureSettings(colorspace="lin_rec709", overlay=True),
        void=VoidSettings() if engine == "void" else None,
        job=None,
        shot="demo",
        checked=lambda done, total: None,
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="void_demo_") as data_dir:
        signs = _through_a_server(submission, outputs, Path(data_dir), weights)
    report = {"engine": engine, "frames": frames, "camera": camera}
    report |= _measure(scene, frame_range, patterns, outputs[Role.RESULT], submission.spec.picture)
    report["seconds"] = round(time.monotonic() - began, 1)
    report["worth a look"] = worth_a_look(signs)
    write_png(out / "contact_sheet.png", _sheet(scene, frame_range, outputs[Role.RESULT], signs))
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    _tell(report, out)


def _write_scene(scene: Scene, frames: FrameRange, out: Path) -> dict[Role, str]:
    out.mkdir(parents=True, exist_ok=True)
    patterns = {
        role: str(out / f"{role.value}.%04d.exr") for role in (Role.PLATE, Role.REMOVE, Role.AFFECTED)
    }
    with bars() as display:
        for index, frame in display.track(list(enumerate(frames.numbers())), description="scene"):
            plate = scene.plate(index).astype(np.float16)
            write_frame(output_path(patterns[Role.PLATE], frame), frame, plate, "RGB")
            for role, matte in ((Role.REMOVE, scene.remove(index)), (Role.AFFECTED, scene.affected(index))):
                write_frame(
                    output_path(patterns[role], frame), frame, matte[..., None].astype(np.float16), "A"
                )
    return patterns


def _through_a_server(
    submission: Submission, outputs: dict[Role, str], data_dir: Path, weights: Path | None
) -> dict[int, Signs]:
    server = local_server.start("tcp://127.0.0.1:0", data_dir=data_dir, weights=weights, idle_exit_s=600)
    try:
        with Client(server.address) as client:
            client.submit(submission.spec)
            client.upload(submission.spec, submission.files)
            follow(client, submission.spec.job, outputs)
            return client.signs(submission.spec.job)
    finally:
        server.stop()


def _measure(
    scene: Scene, frames: FrameRange, patterns: dict[Role, str], result: str, picture: PictureSettings
) -> dict[str, Any]:
    """PSNR inside the remove matte over all frames, of the result and of per-frame inpainting; bits outside."""
    plates, results = find_sequence(patterns[Role.PLATE], frames), find_sequence(result, frames)
    ours, theirs, exact = np.zeros(2), np.zeros(2), True
    for index, frame in enumerate(frames.numbers()):
        plate, made = read_plate(plates[frame], frame), read_plate(results[frame], frame)
        truth, remove, affected = scene.truth(index), scene.remove(index), scene.affected(index)
        matte = composite_matte(remove, affected, picture.grow_px, picture.feather_px)
        ours += squared_error(made.rgb, truth, remove)
        theirs += squared_error(inpaint_baseline(plate.rgb, matte), truth, remove)
        outside = matte == 0
        exact &= bool(
            np.array_equal(plate.pixels[outside].view(np.uint16), made.pixels[outside].view(np.uint16))
        )
    return {
        "psnr_hole_db": round(decibels((ours[0], ours[1])), 2),
        "baseline_psnr_hole_db": round(decibels((theirs[0], theirs[1])), 2),
        "bit_exact_outside": exact,
    }


def _sheet(scene: Scene, frames: FrameRange, result: str, signs: dict[int, Signs]) -> Picture:
    shown = {}
    for frame in chosen(frames.numbers(), signs):
        index = frames.numbers().index(frame)
        shown[frame] = Shown(
            plate=encode_srgb(scene.plate(index)),
            result=encode_srgb(read_plate(output_path(result, frame), frame).rgb),
            remove=scene.remove(index),
            affected=scene.affected(index),
            truth=encode_srgb(scene.truth(index)),
        )
    return contact_sheet(shown, signs)


def _tell(report: dict[str, Any], out: Path) -> None:
    if report["engine"] == "draft":
        console.print(
            "Engine draft: real pixels of other frames, no model. It takes out what is marked; it undoes no "
            "interactions (the ball in the truth has fallen, the draft cannot know)."
        )
    console.print(
        f"Inside the remove matte: {report['psnr_hole_db']} dB against the truth (inpainting each frame alone: "
        f"{report['baseline_psnr_hole_db']} dB). Outside the matte: "
        + ("every bit is the plate's." if report["bit_exact_outside"] else "BITS DIFFER from the plate.")
    )
    console.print(f"{report['frames']} frames in {report['seconds']} s. Look at {out / 'contact_sheet.png'}")
