"""One job's frames as the server holds them, read one at a time: nothing keeps a whole plate in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from void_server.frames.composite import composite
from void_server.frames.decoded_files import DecodedFiles
from void_server.frames.exr import Layout, PlateFrame, read_header, write_result
from void_server.frames.geometry import Box, Floats, bounds, take
from void_server.frames.grain import NONE, Grain, regrain
from void_server.frames.layers import make_layers
from void_server.frames.matte import KEEP, Classes, composite_matte, within_box
from void_server.frames.matte_files import Mattes, read_mattes
from void_server.frames.overlay import write_png
from void_server.frames.thumbnail import thumbnail
from void_server.job_folder import JobFolder
from void_server.pixels import Pixels
from void_server.signs import Judged, SignMeter
from void_wire.messages import THUMBNAILS, JobSpec, Role

Fill = Callable[[Box], Floats]
"""What an engine made of a frame, where it is asked for: float32 (h, w, 3) of a box, in the plate's values."""

LAST_READ = 2
"""Frames whose files are not read anew: one after the other is looked at, by up to two threads, from several sides."""


def drawn_on(canvas: Floats, window: Box) -> Fill:
    """The fill that a canvas over ``window`` holds."""
    return lambda box: box.of(canvas, window)


class Shot:
    """Frames by index (position in the range); canvases are float32 (H, W[, 3]) of the display window.

    Args:
        spec: what was asked.
        folder: where the received frames lie.
        light: takes the plate's values to scene-linear light, for ``meter``: it judges each result that is written.
        seen: takes them to what a display shows, for thumbnails; None: none are made.
        decoded: reads its files; None: none is kept.
    """

    def __init__(
        self,
        spec: JobSpec,
        folder: JobFolder,
        light: Callable[[Floats], Floats] = lambda values: values,
        seen: Callable[[Floats], Floats] | None = None,
        decoded: DecodedFiles | None = None,
    ) -> None:
        self.spec = spec
        self.folder = folder
        self.frames = spec.frames.numbers()
        self.first: Layout = read_header(folder.frame(Role.PLATE, self.frames[0]), self.frames[0])
        self.display: Box = self.first.display
        self.pixel_aspect: float = self.first.pixel_aspect
        self.meter = SignMeter(self.display.height, light)
        self._plates = lru_cache(LAST_READ)(self._read_plate)
        self._mattes = lru_cache(LAST_READ)(self._read_mattes)
        self._seen_as = seen
        self._decoded = decoded or DecodedFiles(room_bytes=0)

    def range_text(self, first: int, stop: int) -> str:
        """The frames of indices ``first``..``stop`` (exclusive) in a sentence: ``1001-1046``."""
        return f"{self.frames[first]}-{self.frames[stop - 1]}"

    def plate(self, index: int) -> PlateFrame:
        """The plate with every channel's bits, only to be read. Raises UnsupportedImage."""
        return self._plates(index)

    @property
    def at_hand(self) -> bool:
        """Whether no frame has to be decoded to be read again."""
        return self._decoded.whole

    def _read_plate(self, index: int) -> PlateFrame:
        return self._decoded.read(self.folder.frame(Role.PLATE, self.frames[index]), self.frames[index])

    def canvas(self, index: int, box: Box | None = None) -> Floats:
        """The plate's picture over ``box``, or over the display window, in its own colour space."""
        return self.plate(index).over(box or self.display)

    def mattes(self, index: int) -> Mattes:
        """What to remove and what it affects, only to be read. Raises StrayMatteValues, BadPixels."""
        return self._mattes(index)

    def _read_mattes(self, index: int) -> Mattes:
        frame = self.frames[index]
        files = {role: self.folder.frame(role, frame) for role in self.spec.roles}
        return read_mattes(files, frame, self.display, self._decoded.read)

    def matte(self, index: int) -> Floats:
        """The composite matte: exactly 0 where the result must be the plate."""
        return self._composite_matte(self.mattes(index))

    def _composite_matte(self, mattes: Mattes) -> Floats:
        picture = self.spec.picture
        return composite_matte(mattes.remove, mattes.affected, picture.grow_px, picture.feather_px)

    def write(
        self,
        role: Role,
        index: int,
        fill: Fill,
        box: Box,
        metadata: dict[str, str],
        grain: Grain = NONE,
        seed: int = 0,
        generated: Floats | None = None,
        quadmask: Classes | None = None,
        enlarged: bool = False,
    ) -> None:
        """Write the plate with ``fill`` inside the composite matte, and its thumbnail.

        Args:
            role: RESULT or PASS1.
            index: position in the range.
            fill: asked for boxes in ``box`` alone; where the matte is 0 it may be anything.
            box: in the display window's coordinates; outside it the plate stays.
            metadata: attributes to add.
            grain: what the fill lacks of the plate's; it is put over the fill as far as the matte merges it.
            seed: of the job, for the grain.
            generated: (h, w) over ``box``, 0..1: the share of each pixel that has no grain; None: all of it.
            quadmask: (h, w) over ``box``, what the engine saw; needed where a layer shows it.
            enlarged: what was generated was made smaller than it is shown.

        Raises SettingsError, ServerBusy.
        """
        plate, frame, mattes = self.plate(index), self.frames[index], self.mattes(index)
        data = plate.layout.data
        matte = within_box(self._composite_matte(mattes), box, self.display, self.spec.picture.feather_px)
        rgb = np.zeros((data.height, data.width, 3), np.float32)
        changed = np.zeros((data.height, data.width), bool)
        merged = bounds(matte > 0, self.display)
        near = merged and merged.within(data)
        if near is not None:  # of a 4K plate mostly a small part
            share = take(matte, near, self.display)
            merged_rgb, near.of(changed, data)[:] = composite(plate.over(near), fill(near), share)
            grainless = share if generated is None else share * take(generated, near, box)
            near.of(rgb, data)[:] = regrain(merged_rgb, grainless, grain, seed, frame)
            if role is Role.RESULT:
                part = self.meter.around(near, self.display).within(data) or near
                around = plate.over(part)
                judged = Judged(
                    part,
                    plate=around,
                    result=np.where(part.of(changed, data)[..., None], part.of(rgb, data), around),
                    remove=part.of(mattes.remove, self.display),
                    matte=part.of(matte, self.display),
                    generated=None if generated is None else take(generated, part, box),
                    enlarged=enlarged,
                )
                self.meter.see(index, judged)
        channels: dict[str, Floats] = {}
        if names := self.spec.picture.layers:
            over = take(matte, data, self.display, outside=0)
            whole: Floats | None = None
            if "fill" in names:
                whole = np.zeros_like(rgb)
                if (there := box.within(data)) is not None:
                    lost = np.ones((box.height, box.width), np.float32) if generated is None else generated
                    grainy = regrain(fill(there), there.of(lost, box), grain, seed, frame)
                    there.of(whole, data)[:] = np.nan_to_num(grainy)
                whole[over == 1] = rgb[over == 1]  # the very grain that was merged
            channels = make_layers(
                names, plate, rgb, changed, fill=whole, matte=over, quadmask=self._seen(quadmask, box, data)
            )
        write_result(
            self.folder.frame(role, frame),
            plate,
            rgb,
            changed,
            compression=self.spec.picture.compression,
            extra_metadata=metadata,
            extra_channels=channels,
        )
        if self._seen_as is not None:
            write_png(
                self.folder.frame(THUMBNAILS[role], frame), thumbnail(plate, rgb, changed, self._seen_as)
            )

    def _seen(self, quadmask: Classes | None, box: Box, data: Box) -> Classes:
        """The quadmask over the data window; what lies outside the box is kept."""
        seen = np.full((data.height, data.width), KEEP, np.uint8)
        there = box.within(data)
        if quadmask is not None and there is not None:
            there.of(seen, data)[:] = there.of(quadmask, box)
        return seen


class TakeSource:
    """Frames ``first``..``stop`` (exclusive) of a shot, by position, as engines at plate resolution read them."""

    def __init__(self, shot: Shot, first: int, stop: int) -> None:
        self._shot, self._first = shot, first
        self.count = stop - first
        self.height_px, self.width_px = shot.display.height, shot.display.width

    @property
    def at_hand(self) -> bool:
        """Whether a plate is read at no cost."""
        return self._shot.at_hand

    def plate(self, position: int) -> Pixels:
        """(H, W, 3), the plate's own values in the file's own type, only to be read."""
        return self._shot.plate(self._first + position).stored(self._shot.display)

    def hole(self, position: int) -> Floats:
        """float32 (H, W): the composite matte."""
        return self._shot.matte(self._first + position)
