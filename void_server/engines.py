"""Which engines there are, what each still lacks on this machine, and how the worker opens them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from void_wire.errors import EngineError, SettingsError
from void_wire.messages import JobSpec

VOID_PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "sentencepiece")


def missing_engine_parts(weights: Path) -> dict[str, str]:
    """Engine name -> "" when it can run here, else the sentence that says what is missing. Imports nothing big."""
    return {"draft": "", "void": _missing_for_void(weights)}


def refuse_unready(spec: JobSpec, weights: Path, raft_weights: str) -> None:
    """Raise EngineError or SettingsError when this machine cannot do what ``spec`` asks for."""
    missing = missing_engine_parts(weights)[spec.engine]
    if missing:
        raise EngineError(missing)
    if spec.void is not None and spec.void.flow == "raft":
        if not raft_weights:
            raise SettingsError(
                "The server has no RAFT weights: start it with --raft-weights and torchvision's raft_large as "
                "safetensors, or choose --flow dis."
            )
        if importlib.util.find_spec("torchvision") is None:
            raise SettingsError(
                "Flow raft needs torchvision on the server: pip install 'void-compositor[raft]' there, or choose "
                "--flow dis."
            )


def _missing_for_void(weights: Path) -> str:
    lacking = [name for name in VOID_PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        return (
            f"Engine void needs {', '.join(lacking)} on the server: pip install 'void-compositor[void]' there, or use "
            "--engine draft."
        )
    from void_server.engine.weights import missing_weights
    from void_server.weights_record import changed

    return missing_weights(weights) or changed(weights)
