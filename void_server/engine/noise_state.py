"""Noise that is carried along a flow and stays noise: one step of Go-with-the-Flow warping.

Every pixel of the noise moves with the flow. Where several land on one pixel they are merged, where none
lands the pixel is filled from where it came from, and noise that was spread over several pixels is made
independent again, so that each frame is unit normal noise for itself. The law is Burgert et al., 2025,
"Go-with-the-Flow" (arXiv 2501.08331); pixels that share a source are tracked by the index of that source
instead of being found by their equal values.

Pixels are rows: ``noise`` is (H*W, C) with a pixel's channels side by side, so that moving a pixel touches one
stretch of memory. All of it happens on the device of the draws' generator, and comes out the same there every time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class NoiseState:
    """Noise between two steps, pixels in rows (pixel ``y * W + x``).

    Attributes:
        rest: (2, H, W), [dx, dy] in pixels: how far the content of a pixel is from the pixel's centre.
        weight: (H*W,), how much area of the first frame a pixel stands for; mean 1.
        noise: (H*W, C), unit normal.
    """

    rest: Tensor
    weight: Tensor
    noise: Tensor

    @classmethod
    def first(cls, size: tuple[int, int], channels: int, generator: torch.Generator) -> NoiseState:
        """Fresh noise of ``size`` (height, width)."""
        pixels, device = size[0] * size[1], generator.device
        return cls(
            torch.zeros(2, *size, device=device),
            torch.ones(pixels, device=device),
            torch.randn(pixels, channels, generator=generator, device=device),
        )


@dataclass(frozen=True)
class Moves:
    """Where each pixel goes in one step, as pixel indices; ``Moves.of`` makes it from a flow.

    Attributes:
        target: (H*W,), the pixel each pixel lands on; one that would leave the frame stays.
        left: those that would leave: their noise is replaced by fresh noise.
        holes: pixels nobody lands on whose own content was inside the frame, and ``source``, where it was.
        bare: pixels nobody lands on whose content was outside: fresh noise.
        parents: sources of holes that also land somewhere themselves.
        group: of ``parents`` and then ``holes``, equal where the source is the same; ``counts`` members each.
        fresh: how many of the 2*H*W pixels of the two branches (landing, filling) have no source. Fresh
            pixels share weight 1 among all of these, as in the reference.
    """

    target: Tensor
    left: Tensor
    holes: Tensor
    source: Tensor
    bare: Tensor
    parents: Tensor
    group: Tensor
    counts: Tensor
    fresh: int

    @classmethod
    def of(cls, flow: Tensor) -> Moves:
        """The moves along a forward flow (2, H, W), [dx, dy] in pixels."""
        _, height, width = flow.shape
        pixels = height * width
        every = torch.arange(pixels, device=flow.device)
        y, x = every[::width, None] // width, every[None, :width]

        def index(to_y: Tensor, to_x: Tensor) -> tuple[Tensor, Tensor]:
            inside = (to_y >= 0) & (to_y < height) & (to_x >= 0) & (to_x < width)
            return inside.flatten(), (to_y * width + to_x).long().flatten()

        stays_inside, landing = index(y + flow[1].round(), x + flow[0].round())
        target = torch.where(stays_inside, landing, every)
        empty = torch.ones(pixels, dtype=torch.bool, device=flow.device)
        empty[target] = False

        gaps = torch.nonzero(empty).flatten()
        back = flow.flatten(1)[:, gaps]
        was_inside, origin = index((gaps // width - back[1]).round(), (gaps % width - back[0]).round())
        holes, source = gaps[was_inside], origin[was_inside]
        spread = torch.zeros_like(empty)
        spread[source] = True
        parents = torch.nonzero(spread & stays_inside).flatten()
        number = spread.long().cumsum(0) - 1
        group = number[torch.cat([parents, source])]
        left = torch.nonzero(~stays_inside).flatten()
        return cls(
            target=target,
            left=left,
            holes=holes,
            source=source,
            bare=gaps[~was_inside],
            parents=parents,
            group=group,
            counts=torch.bincount(group),
            fresh=len(left) + pixels - len(holes),
        )

    @property
    def drawn(self) -> Tensor:
        """The pixels a step needs a fresh draw for, in its order; those of the filling branch plus H*W."""
        pixels = len(self.target)
        return torch.cat([self.parents, self.holes + pixels, self.left, self.bare + pixels])


def regaussianize(noise: Tensor, group: Tensor, counts: Tensor, foreign: Tensor) -> Tensor:
    """Independent noise out of repeated noise, the sum over each group kept up to a factor.

    A group of n equal values v becomes v / sqrt(n) + z - mean(z): unit variance, no correlation, and the sum
    is sqrt(n) * v.

    Args:
        noise: (members, C), equal within a group.
        group: (members,), the group of each.
        counts: (groups,), members in each.
        foreign: (members, C), unit normal draw z.
    """
    mean = sums(group, foreign, len(counts))
    mean /= counts[:, None]
    return (noise / counts.sqrt()[group, None]).add_(foreign).sub_(mean[group])


def step(state: NoiseState, moves: Moves, foreign: Tensor, rest: Tensor | None = None) -> NoiseState:
    """The state after one step.

    Merged pixels: weight sum w, noise sum(w n) / sqrt(sum w^2). Every weight is then divided by the mean, plus
    1e-5, to the power 0.9999 (the reference's guard against weights that run away).

    Args:
        state: (H, W) noise before the step.
        moves: where its pixels go.
        foreign: (len(moves.drawn), C), unit normal draw.
        rest: (2, H, W), [dx, dy] of what rounding to whole pixels left of each pixel's way; None forgets it,
            as the reference does, which loses any motion under half a pixel a step.
    """
    spread, left = len(moves.parents) + len(moves.holes), len(moves.left)
    stretched, leaving, bare = torch.split(foreign, [spread, left, len(moves.bare)])
    members = torch.cat([moves.parents, moves.source])
    stretched = regaussianize(state.noise[members], moves.group, moves.counts, stretched)
    shares = state.weight[members] / moves.counts[moves.group]
    kept = len(moves.parents)

    # Landing: merge what meets.
    weight = state.weight.clone()
    weight[moves.parents] = shares[:kept]
    weight[moves.left] = 1 / moves.fresh
    total = _merge(moves.target, weight)
    scale = weight / _merge(moves.target, weight.square()).sqrt()[moves.target]
    landed = state.noise * scale[:, None]
    landed[moves.parents] = stretched[:kept] * scale[moves.parents, None]
    landed[moves.left] = leaving * scale[moves.left, None]
    noise = _merge(moves.target, landed)
    new_rest = torch.zeros_like(state.rest)
    if rest is not None:
        for axis in (0, 1):
            way = rest[axis].flatten() * weight
            way[moves.left] = 0
            new_rest[axis] = (_merge(moves.target, way) / total).nan_to_num_().view_as(new_rest[axis])

    # Filling: where nobody landed.
    noise[moves.holes] = stretched[kept:]
    noise[moves.bare] = bare
    total[moves.holes] = shares[kept:]
    total[moves.bare] = 1 / moves.fresh
    mean = total.mean(dtype=torch.float64).float()  # so that the number of threads does not show
    return NoiseState(new_rest, (total / mean + 1e-5) ** 0.9999, noise)


def sums(target: Tensor, rows: Tensor, count: int) -> Tensor:
    """``count`` rows, each the sum of those of ``rows`` whose ``target`` it is, added in the same order every time."""
    summed = rows.new_zeros(count, *rows.shape[1:])
    if rows.is_cuda:  # index_add_ adds there in the order that threads come by, index_put_ sorts first
        return summed.index_put_((target,), rows, accumulate=True)
    return summed.index_add_(0, target, rows)


def _merge(target: Tensor, rows: Tensor) -> Tensor:
    return sums(target, rows, len(rows))
