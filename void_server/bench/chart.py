"""Pictures of benchmarks' rows: ratios, memory, and how time grows with the shot."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.bench.row import Row

Picture = NDArray[np.uint8]

WIDTH_PX, LINE_PX, HEAD_PX, EDGE_PX = 1400, 34, 62, 24
NAMES_PX, FIGURES_PX = 430, 270  # left and right of the bars
GRAPH_PX = 460
_PAPER, _INK, _FAINT = (250, 250, 248), (32, 32, 32), (206, 206, 202)
_HELD, _MISSED, _OPEN = (46, 125, 90), (190, 70, 50), (110, 125, 150)
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.55
_MEMORY_UNITS = {"MB": 1e-3, "GB": 1.0, "GiB": 2**30 / 1e9}
_LENGTH = re.compile(r"frames_(\d+)_over_(\d+)$")
_LIMIT = re.compile(r"([0-9.]+)(?:/([0-9.]+))?")


def chart(rows: Sequence[Row]) -> Picture:
    """All that can be drawn of ``rows``: uint8 (H, WIDTH_PX, 3), sRGB."""
    panels = [
        _bars("ratio to what you would otherwise use, same run (line: goal)", _ratios(rows), log=True),
        _bars("memory, GB (line: goal)", _memory(rows), log=False),
        _growth(rows),
    ]
    drawn = [panel for panel in panels if panel is not None]
    if not drawn:
        drawn = [_panel(HEAD_PX, "nothing was measured here that can be drawn")]
    return np.concatenate(drawn)


Bar = tuple[str, float, float | None, str, bool | None]
"""Name, value, goal, the figure in words, and whether the goal holds."""


def _ratios(rows: Sequence[Row]) -> list[Bar]:
    return [
        (row.name, row.ratio, _limit(row, "ratio"), f"{row.ratio:.3g}  ({_figure(row)})", row.holds)
        for row in rows
        if row.ratio is not None and row.ratio > 0
    ]


def _memory(rows: Sequence[Row]) -> list[Bar]:
    found: list[Bar] = []
    for row in rows:
        if row.value is not None and row.unit in _MEMORY_UNITS:
            scale, goal = _MEMORY_UNITS[row.unit], _limit(row, "value")
            found.append(
                (row.name, row.value * scale, None if goal is None else goal * scale, _figure(row), row.holds)
            )
    return found


def _limit(row: Row, what: str) -> float | None:
    """The number in a goal of `what`, such as "ratio <= 1/15" or "<= 80 MB"; None where it is of something else."""
    if ("ratio" in row.goal) != (what == "ratio") or not (found := _LIMIT.search(row.goal)):
        return None
    above, below = found.groups()
    return float(above) / float(below or 1)


def _figure(row: Row) -> str:
    return f"{row.value:.4g} {row.unit}".strip()


def _bars(title: str, bars: Sequence[Bar], *, log: bool) -> Picture | None:
    """A bar a row; on a logarithmic scale they begin at 1, to the left what is less."""
    if not bars:
        return None
    picture = _panel(HEAD_PX + LINE_PX * len(bars) + EDGE_PX, title)
    ends = [number for bar in bars for number in (bar[1], bar[2]) if number is not None and number > 0]
    low, high = (min([0.8, *ends]), max([1.25, *ends])) if log else (0.0, max([*ends, 1e-9]) * 1.05)
    left, width = EDGE_PX + NAMES_PX, WIDTH_PX - NAMES_PX - FIGURES_PX - 2 * EDGE_PX

    def across(number: float) -> int:
        share = math.log(max(number, low) / low) / math.log(high / low) if log else number / high
        return left + round(width * min(max(share, 0.0), 1.0))

    foot = HEAD_PX + LINE_PX * len(bars)
    start = across(1.0 if log else 0.0)
    cv2.line(picture, (start, HEAD_PX - 6), (start, foot), _FAINT, 2, cv2.LINE_AA)
    for place, (name, value, goal, figure, holds) in enumerate(bars):
        top = HEAD_PX + LINE_PX * place
        color = _OPEN if holds is None else _HELD if holds else _MISSED
        one, other = sorted((start, across(value)))
        cv2.rectangle(picture, (one, top + 7), (max(other, one + 2), top + LINE_PX - 8), color, -1)
        if goal is not None:
            at = across(goal)
            cv2.line(picture, (at, top + 2), (at, top + LINE_PX - 3), _INK, 2)
        _write(picture, _short(name), (EDGE_PX, top + 23))
        _write(picture, figure, (WIDTH_PX - FIGURES_PX, top + 23))
    return picture


def _growth(rows: Sequence[Row]) -> Picture | None:
    """Seconds over frames, beside a line that grows as the frames do."""
    points: dict[int, float] = {}
    for row in rows:
        if (found := _LENGTH.search(row.name)) and row.value is not None and row.baseline is not None:
            points |= {int(found[1]): row.value, int(found[2]): row.baseline}
    if len(points) < 2:
        return None
    picture = _panel(GRAPH_PX, "seconds of both passes over frames of the shot (faint: in proportion)")
    frames, seconds = sorted(points), [points[count] for count in sorted(points)]
    plain = seconds[0] / frames[0]
    high = 1.1 * max(*seconds, plain * frames[-1])
    left, right, foot = EDGE_PX + 90, WIDTH_PX - FIGURES_PX, GRAPH_PX - 60

    def place(count: float, second: float) -> tuple[int, int]:
        return (
            left + round((right - left) * count / frames[-1]),
            foot - round((foot - HEAD_PX) * second / high),
        )

    cv2.line(picture, place(0, 0), place(frames[-1], 0), _INK, 1)
    cv2.line(picture, place(0, 0), place(0, high), _INK, 1)
    cv2.line(picture, place(0, 0), place(frames[-1], plain * frames[-1]), _FAINT, 2, cv2.LINE_AA)
    marks = [place(count, second) for count, second in zip(frames, seconds, strict=True)]
    cv2.polylines(picture, [np.array(marks, np.int32)], False, _OPEN, 3, cv2.LINE_AA)
    for count, second, mark in zip(frames, seconds, marks, strict=True):
        cv2.circle(picture, mark, 6, _OPEN, -1, cv2.LINE_AA)
        _write(picture, f"{second:.4g} s", (mark[0] - 90, mark[1] - 14))
        _write(picture, f"{count}", (mark[0] - 14, foot + 28))
    return picture


def _panel(height: int, title: str) -> Picture:
    picture = np.full((height, WIDTH_PX, 3), _PAPER, np.uint8)
    cv2.putText(picture, title, (EDGE_PX, 36), _FONT, 0.7, _INK, 1, cv2.LINE_AA)
    return picture


def _write(picture: Picture, words: str, at: tuple[int, int]) -> None:
    cv2.putText(picture, words, at, _FONT, _SIZE, _INK, 1, cv2.LINE_AA)


def _short(name: str) -> str:
    """What fits beside the bars."""
    while cv2.getTextSize(name, _FONT, _SIZE, 1)[0][0] > NAMES_PX - 12:
        name = name.removesuffix("...")[:-1] + "..."
    return name
