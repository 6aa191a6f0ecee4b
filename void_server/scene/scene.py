"""A small procedural shot whose answer is known: a toy cart rolls past a wall and carries a ball.

The cart is what a user would remove. With it goes its shadow and its reflection; the ball it carried has nothing
to hang on any more, falls where the shot begins and stays on the floor. So every frame exists twice, with the
cart (``plate``) and without it (``truth``), and the mattes are exact. Everything is rendered on demand and
depends on nothing but the fields of ``Scene``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from void_server.scene.camera import (
    CART_M,
    FPS,
    Pixels,
    View,
    ease,
    focal_length_px,
    handheld,
    panning,
    still,
)
from void_server.scene.film import grain
from void_server.scene.props import (
    BALL_RADIUS_M,
    CART_REACH_M,
    Cutout,
    ball,
    ball_distance,
    cart,
    cart_distance,
    mirrored,
    shadow,
)
from void_server.scene.room import Background, room

SHADOW_DEPTH = 0.62  # share of the light that a full shadow takes
BALL_X_M, BALL_Y_M = -0.43, 0.86  # where the ball hangs, from the cart's place on the floor
GRAVITY = 9.81
SHUTTER_STEP_PX, SHUTTER_SAMPLES = (
    2.0,
    16,
)  # moments an exposure is made of: as far apart as this, at most so many

Camera = Literal["static", "pan", "handheld"]


@dataclass(frozen=True)
class Scene:
    """One shot at 24 fps. All pictures are float32; colour is scene-linear Rec.709 with highlights above 1."""

    height_px: int = 540
    width_px: int = 960
    frames: int = 24
    camera: Camera = "static"
    seed: int = 0
    travel: float = 0.6  # path of the cart in picture widths; below its own width (0.2) much is never seen
    background: Background = "textured"
    exposure_stops: float = 0.0  # how many stops brighter the last frame is exposed than the first
    bulbs: float = 0.0  # above 0: a string of bulbs this bright hangs behind the cart's way
    reflection: float = 0.0  # share of the light that the floor mirrors of cart and ball
    shutter: float = 0.0  # share of a frame's time that is exposed: 0.5 is a shutter of 180 degrees
    grain: float = 0.0  # deviation of green at 18 % grey
    grain_radius_px: float = 0.7  # of the Gaussian that the grain was blurred with

    def plate(self, index: int) -> Pixels:
        """Frame ``index`` (0-based) as shot: (H, W, 3). With grain a dark pixel may be below 0."""
        return self._filmed(self._rendered(self._with_cart, index), index)

    def truth(self, index: int) -> Pixels:
        """The same frame had the cart never been there: (H, W, 3). The ball falls and stays on the floor.

        Where nothing else differs, its grain is the plate's.
        """
        return self._filmed(self.clean_truth(index), index)

    def clean_truth(self, index: int) -> Pixels:
        """`truth` as it would be without grain."""
        return self._rendered(self._without_cart, index)

    def remove(self, index: int) -> Pixels:
        """Coverage of the cart, without the ball in front of it: (H, W), 0..1, antialiased."""
        return self._exposed(self._cart_coverage, index)

    def affected(self, index: int) -> Pixels:
        """Where plate and truth differ beside the cart itself, shadows, reflections and balls: (H, W), 0..1."""
        return self._exposed(self._touched, index)

    # --- one exposure ------------------------------------------------------------------------------------

    def _exposed(self, render: Callable[[float], Pixels], index: int) -> Pixels:
        """The mean over the time that the shutter is open, centred on the frame's own time."""
        if not 0 <= index < self.frames:
            raise IndexError(f"index {index} of a scene of {self.frames} frames")
        moved_px = self.shutter * self.travel * self.width_px / max(self.frames - 1, 1)
        count = min(max(math.ceil(moved_px / SHUTTER_STEP_PX), 4), SHUTTER_SAMPLES) if self.shutter else 1
        total = render(index + self.shutter * (0.5 / count - 0.5))
        for sample in range(1, count):
            total += render(index + self.shutter * ((sample + 0.5) / count - 0.5))
        return total if count == 1 else np.asarray(total / np.float32(count), dtype=np.float32)

    def _rendered(self, render: Callable[[float], Pixels], index: int) -> Pixels:
        gain = np.float32(2.0 ** (self.exposure_stops * ease(self._moment(index))))
        return self._exposed(render, index) * gain

    def _filmed(self, picture: Pixels, index: int) -> Pixels:
        if not self.grain:
            return picture
        return grain(picture, self.grain, self.grain_radius_px, self.seed, index)

    # --- one moment; ``time`` is an index and may lie between two -------------------------------------------

    def _with_cart(self, time: float) -> Pixels:
        view = self._view(time)
        picture = room(view, self.seed, self.background, self.bulbs)
        picture *= 1.0 - SHADOW_DEPTH * self._shadow(view, time)[..., None]
        self._draw(
            picture, view, lambda plane: [self._cart(view, plane, time), self._held(view, plane, time)]
        )
        return picture

    def _without_cart(self, time: float) -> Pixels:
        view = self._view(time)
        picture = room(view, self.seed, self.background, self.bulbs)
        picture *= 1.0 - SHADOW_DEPTH * self._shadow_of_fallen(view, time)[..., None]
        self._draw(picture, view, lambda plane: [self._fallen(view, plane, time)])
        return picture

    def _draw(
        self, picture: Pixels, view: View, props: Callable[[tuple[Pixels, Pixels]], list[Cutout]]
    ) -> None:
        plane = view.cart_plane()
        if self.reflection:
            for prop in props(mirrored(plane)):
                prop.over(picture, self.reflection)
        for prop in props(plane):
            prop.over(picture)

    def _cart_coverage(self, time: float) -> Pixels:
        view = self._view(time)
        plane = view.cart_plane()
        return self._cart(view, plane, time).matte(plane) * (1.0 - self._held(view, plane, time).matte(plane))

    def _touched(self, time: float) -> Pixels:
        view = self._view(time)
        plane = view.cart_plane()
        dark = np.maximum(self._shadow(view, time), self._shadow_of_fallen(view, time))
        parts = [np.minimum(dark / 0.02, 1.0)]
        parts += [prop(view, plane, time).matte(plane) for prop in (self._held, self._fallen)]
        if self.reflection:
            below = mirrored(plane)
            parts += [prop(view, below, time).matte(below) for prop in (self._cart, self._held, self._fallen)]
        return np.asarray(np.max(parts, axis=0), dtype=np.float32)

    def _cart(self, view: View, plane: tuple[Pixels, Pixels], time: float) -> Cutout:
        return cart(plane, view.pixel_m, self._cart_x_m(time))

    def _held(self, view: View, plane: tuple[Pixels, Pixels], time: float) -> Cutout:
        return ball(plane, view.pixel_m, *self._held_m(time))

    def _fallen(self, view: View, plane: tuple[Pixels, Pixels], time: float) -> Cutout:
        return ball(plane, view.pixel_m, *self._fallen_m(time))

    def _shadow(self, view: View, time: float) -> Pixels:
        cart_x_m = self._cart_x_m(time)
        ball_x_m, ball_y_m = self._held_m(time)
        return shadow(
            view,
            lambda x, y: np.minimum(
                cart_distance(x - cart_x_m, y), ball_distance(x - ball_x_m, y - ball_y_m)
            ),
            (ball_x_m - BALL_RADIUS_M, cart_x_m + CART_REACH_M[0]),
            (0.0, CART_REACH_M[1]),
        )

    def _shadow_of_fallen(self, view: View, time: float) -> Pixels:
        x_m, y_m = self._fallen_m(time)
        return shadow(
            view,
            lambda x, y: ball_distance(x - x_m, y - y_m),
            (x_m - BALL_RADIUS_M, x_m + BALL_RADIUS_M),
            (y_m - BALL_RADIUS_M, y_m + BALL_RADIUS_M),
        )

    def _view(self, time: float) -> View:
        if self.camera == "pan":
            return panning(self.height_px, self.width_px, self._moment(time))
        if self.camera == "handheld":
            return handheld(self.height_px, self.width_px, time, self.seed)
        return still(self.height_px, self.width_px)

    def _moment(self, time: float) -> float:
        return time / max(self.frames - 1, 1)

    def _cart_x_m(self, time: float) -> float:
        visible_m = self.width_px / focal_length_px(self.height_px, self.width_px) * CART_M
        return (self._moment(time) - 0.45) * self.travel * visible_m

    def _held_m(self, time: float) -> tuple[float, float]:
        return self._cart_x_m(time) + BALL_X_M, BALL_Y_M

    def _fallen_m(self, time: float) -> tuple[float, float]:
        x_m, y_m = self._held_m(0)
        return x_m, max(y_m - 0.5 * GRAVITY * (max(time, 0.0) / FPS) ** 2, BALL_RADIUS_M)
