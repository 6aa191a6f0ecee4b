"""What a rerun changes of a job that the server has: the rest stays, and nothing is uploaded again."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional, Tuple

from void_wire.errors import SettingsError
from void_wire.messages import JobSpec, VoidSettings, WindowSeed


def changed(
    spec: JobSpec,
    job: str,
    *,
    final: bool = False,
    seed: Optional[int] = None,
    window: Optional[int] = None,
    prompt: Optional[str] = None,
) -> JobSpec:
    """The job ``job``: ``spec`` with what is given.

    Args:
        spec: of the job that is done again.
        job: id of the new one.
        final: in full, where ``spec`` is a preview.
        seed: of all draws, or of one window's.
        window: the temporal window, from 1, that alone is done anew, from ``seed``; others keep theirs.
        prompt: another one.

    Raises SettingsError when that makes no other job.
    """
    if spec.void is None:
        raise SettingsError(
            f"Job {spec.job} is of engine {spec.engine}, which has no previews, seeds, windows or prompts: send the "
            "shot again with void submit."
        )
    if not final and seed is None and window is None and prompt is None:
        raise SettingsError("What is to change? Give --final, --seed, --window with --seed, or --prompt.")
    if window is not None and seed is None:
        raise SettingsError(f"From which seed? Give --seed beside --window {window}.")
    if final and not spec.void.preview:
        raise SettingsError(
            f"Job {spec.job} is no preview, it ran in full: leave --final out, or name a preview's job."
        )
    void = replace(spec.void, preview=spec.void.preview and not final)
    if window is not None and seed is not None:
        void = replace(void, window_seeds=_with(void, WindowSeed(window, seed)))
    elif seed is not None:
        void = replace(void, seed=seed, window_seeds=())
    return replace(spec, job=job, void=void, prompt=spec.prompt if prompt is None else prompt)


def _with(void: VoidSettings, own: WindowSeed) -> Tuple[WindowSeed, ...]:
    """In the order of asking, since each is done over what stood before; nobody saw a last one that goes again."""
    before = void.window_seeds
    if before and before[-1].window == own.window:
        before = before[:-1]
    return (*before, own)
