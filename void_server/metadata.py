"""What each frame that leaves says of its making, as EXR attributes."""

from __future__ import annotations

from collections.abc import Mapping

from void_wire.messages import JobSpec, Role


def metadata(spec: JobSpec, role: Role, record: Mapping[str, str]) -> dict[str, str]:
    """The attributes ``void/*`` of a frame of ``role``, RESULT or PASS1, made as ``record`` says."""
    settings = (
        {} if spec.void is None else {"void/seed": str(spec.void.seed), "void/passes": str(spec.void.passes)}
    )
    made_by = {f"void/{name.replace(' ', '_')}": value for name, value in record.items()}
    return {
        "void/job": spec.job,
        "void/prompt": spec.prompt,
        "void/sequence": role.value,
        **settings,
        **made_by,
    }
