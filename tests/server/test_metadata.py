"""Every result frame says what made it."""

from __future__ import annotations

import dataclasses

import pytest

from void_server.metadata import LEFT_OUT, metadata
from void_wire.messages import (
    DRAFT_HAS_NO,
    PROTOCOL_VERSION,
    FrameRange,
    JobSpec,
    PictureSettings,
    Role,
    VoidSettings,
    WindowSeed,
)


def spec(void: VoidSettings | None = None, **picture: object) -> JobSpec:
    return JobSpec(
        job="lime-0001",
        shot="lime",
        engine="draft" if void is None else "void",
        frames=FrameRange(1001, 1009),
        roles=(Role.PLATE, Role.REMOVE),
        prompt="a table",
        picture=PictureSettings(**picture),  # type: ignore[arg-type]
        void=void,
    )


def names(settings: type[PictureSettings | VoidSettings]) -> set[str]:
    return {field.name for field in dataclasses.fields(settings)}


def test_every_setting_is_there_or_left_out_for_a_reason() -> None:
    settings = names(PictureSettings) | names(VoidSettings)
    assert set(LEFT_OUT) <= settings
    found = metadata(spec(VoidSettings()), Role.RESULT, {})
    assert {name.removeprefix("void/") for name in found} == settings - set(LEFT_OUT) | {
        "job", "shot", "prompt", "protocol", "sequence",
    }  # fmt: skip
    assert found["void/protocol"] == str(PROTOCOL_VERSION)
    assert (found["void/seed"], found["void/pass2_guidance"], found["void/regrain"]) == ("42", "6.0", "yes")
    assert all(isinstance(value, str) and value for value in found.values())


def test_a_draft_says_nothing_of_what_it_has_not() -> None:
    found = metadata(spec(), Role.RESULT, {"engine": "draft"})
    assert not {f"void/{name}" for name in (*DRAFT_HAS_NO, *names(VoidSettings))} & set(found)
    assert found["void/engine"] == "draft"


def test_what_was_found_out_takes_the_place_of_what_was_asked() -> None:
    record = {
        "crop": "10,20,320,192",
        "exposure": "+1 stops",
        "memory_mode": "resident",
        "time base": "every frame",
    }
    found = metadata(spec(VoidSettings()), Role.RESULT, record)
    assert {name: found[f"void/{name.replace(' ', '_')}"] for name in record} == record


@pytest.mark.parametrize(
    ("void", "passes"),
    [(VoidSettings(), "2"), (VoidSettings(passes=1), "1"), (VoidSettings(preview=True), "1")],
)
def test_a_frame_says_which_pass_made_it(void: VoidSettings, passes: str) -> None:
    for role in (Role.PASS1, Role.RESULT):
        found = metadata(spec(void), role, {})
        assert (found["void/sequence"], found["void/passes"]) == (role.value, passes)
        assert ("void/pass2_steps" in found) is (passes == "2")


def test_a_preview_and_windows_of_their_own_seed() -> None:
    void = VoidSettings(preview=True, window_seeds=(WindowSeed(2, 77), WindowSeed(4, 9)))
    found = metadata(spec(void), Role.RESULT, {})
    assert (found["void/preview"], found["void/pass1_steps"]) == ("yes", "10")
    assert found["void/window_seeds"] == "2: 77, 4: 9"
