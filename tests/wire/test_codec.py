"""Messages survive their bytes; whatever is no message is refused with one of two errors."""

import contextlib
import dataclasses
import typing

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_wire import codec, messages
from void_wire.errors import DamagedMessage, ProtocolError, SettingsError
from void_wire.messages import (
    FrameHeader,
    FrameRange,
    Inventory,
    JobSpec,
    JobStatus,
    PictureSettings,
    Rerun,
    Role,
    Signs,
    SignTable,
    Spec,
    Stage,
    State,
    Submit,
    VoidSettings,
    Watch,
    WindowSeed,
)

SPEC = JobSpec(
    job="lime-0001",
    shot="lime",
    engine="void",
    frames=FrameRange(1001, 1046),
    roles=(Role.PLATE, Role.REMOVE, Role.AFFECTED),
    prompt="A lime falls on the table.",
    picture=PictureSettings(colorspace="ACEScg", compression="zips"),
    void=VoidSettings(passes=1, seed=7),
)
REDONE = dataclasses.replace(
    SPEC,
    picture=PictureSettings(layers=("matte", "fill")),
    void=VoidSettings(preview=True, window_seeds=(WindowSeed(2, 77), WindowSeed(1, 2**63 - 1))),
)
STATUS = JobStatus(
    job="lime-0001",
    shot="lime",
    engine="void",
    revision=9,
    state=State.RUNNING,
    frames=FrameRange(-3, 10, 2),
    received=3,
    expected=6,
    stage=Stage.PASS2,
    step=3,
    steps=50,
    ready={Role.PASS1: [-3, -1, 1]},
    record={"engine": "void"},
)


@pytest.mark.parametrize(
    ("message", "kinds"),
    [
        (Submit(SPEC), codec.REQUESTS),
        (Rerun("lime-0001", REDONE), codec.REQUESTS),
        (Spec(REDONE), codec.ANSWERS),
        (Watch("lime-0001", 5, 2.5), codec.REQUESTS),
        (STATUS, codec.ANSWERS),
        (Inventory("lime-0001", {Role.PLATE: {-5: "0" * 32, 1001: "f" * 32}}), codec.ANSWERS),
        (SignTable("lime-0001", {-3: Signs(residual=0.2, seam=0.0), 1001: Signs()}), codec.ANSWERS),
        (FrameHeader("lime-0001", Role.PLATE, -7, 12, "a" * 32), codec.DATA),
    ],
)
def test_a_message_comes_back_as_it_was(message: typing.Any, kinds: codec.Kinds) -> None:
    assert codec.decode(codec.encode(message, 12), kinds) == (message, 12)


def test_every_kind_is_in_exactly_one_table() -> None:
    tables = [codec.REQUESTS, codec.ANSWERS, codec.DATA]
    kinds = [kind for table in tables for kind in table]
    assert len(kinds) == len(set(kinds))
    defined = {
        cls.kind for cls in vars(messages).values() if dataclasses.is_dataclass(cls) and hasattr(cls, "kind")
    }
    assert set(kinds) == defined


def test_a_spec_survives_a_job_file() -> None:
    assert codec.from_map(codec.to_map(SPEC), JobSpec) == SPEC


def mutated(path: str, value: object) -> bytes:
    """The bytes of Submit(SPEC) with one field replaced."""
    body = {"kind": "submit", "id": 1, "spec": codec.to_map(SPEC)}
    place: typing.Any = body
    *parents, last = path.split(".")
    for name in parents:
        place = place[name]
    place[last] = value
    return msgpack.packb(body)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.frames.first", True),
        ("spec.frames.first", 1.0),
        ("spec.frames.first", 2**70 % 2**63 + 0.5),
        ("spec.frames.last", 10**9),
        ("spec.frames.step", 0),
        ("spec.job", "../../etc"),
        ("spec.job", "abcdefgh\n"),
        ("spec.job", ""),
        ("spec.shot", "a/b"),
        ("spec.engine", "shell"),
        ("spec.roles", ["plate"]),
        ("spec.roles", ["plate", "result"]),
        ("spec.roles", "plate"),
        ("spec.prompt", "  "),
        ("spec.prompt", "x" * 5000),
        ("spec.prompt", "a\0b"),
        ("spec.void", None),
        ("spec.void.passes", 3),
        ("spec.void.seed", -1),
        ("spec.void.pass1_guidance", float("nan")),
        ("spec.void.raster_height_px", 385),
        ("spec.void.unheard_of", 1),
        ("spec.picture.grow_px", -1),
        ("spec.picture.overlay", 1),
        ("spec.extra", 1),
        ("kind", "launch"),
        ("id", "1"),
        ("id", True),
    ],
)
def test_a_spec_with_one_wrong_value_is_refused(path: str, value: object) -> None:
    with pytest.raises((ProtocolError, SettingsError)) as caught:
        codec.decode(mutated(path, value), codec.REQUESTS)
    assert str(caught.value)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ProtocolError, match="watch: lacks job"):
        codec.decode(msgpack.packb({"kind": "watch", "id": 1}), codec.REQUESTS)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    with pytest.raises((ProtocolError, SettingsError)):
        codec.decode(data, codec.REQUESTS)
    assert isinstance(codec.number_of(data), int)


wild = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from([*codec.REQUESTS, *codec.DATA]), st.dictionaries(st.text(max_size=8), wild, max_size=5)
)
def test_wild_fields_build_a_valid_message_or_are_refused(kind: str, fields: dict[str, object]) -> None:
    data = msgpack.packb({**fields, "kind": kind, "id": 3})
    try:
        message, _ = codec.decode(data, {**codec.REQUESTS, **codec.DATA})
    except (ProtocolError, SettingsError):
        return
    assert codec.decode(codec.encode(message, 3), {**codec.REQUESTS, **codec.DATA}) == (message, 3)


@given(st.data())
def test_a_flipped_bit_never_escapes_as_another_exception(data: st.DataObject) -> None:
    good = bytearray(codec.encode(Submit(SPEC), 5))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(ProtocolError, SettingsError):
        codec.decode(bytes(good), codec.REQUESTS)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ProtocolError):
        codec.decode(b"\x91" * 60_000 + b"\xc0", codec.REQUESTS)


HEADER = FrameHeader("lime-0001", Role.PLATE, 1001, 9, "0" * 32)


@given(st.sampled_from([Submit(SPEC), HEADER]), st.data())
def test_a_flipped_bit_is_never_another_message(message: Submit | FrameHeader, data: st.DataObject) -> None:
    sent = bytearray(codec.encode(message, 5))
    bit = data.draw(st.integers(0, 8 * len(sent) - 1))
    sent[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtocolError) as caught:
        codec.decode(sent, {**codec.REQUESTS, **codec.DATA})
    at_the_sum = bit // 8 >= len(sent) - 9  # where its name becomes that of a field there is not
    assert at_the_sum or isinstance(caught.value, DamagedMessage)


def test_a_message_without_a_sum_is_taken() -> None:
    body = {"kind": "watch", "id": 5, "job": "job-00001"}
    assert codec.decode(msgpack.packb(body), codec.REQUESTS) == codec.decode(codec.seal(body), codec.REQUESTS)


@pytest.mark.parametrize(
    ("payload", "digest"),
    [(b"", "99aa06d3014798d86001c324468d497f"), (b"a", "a96faf705af16834e6c632b61e964e1f")],
)
def test_the_digest_is_xxh128_as_manifests_have_it(payload, digest):
    """The values are those that xxhsum -H2 prints."""
    assert codec.digest(payload) == codec.digest(memoryview(payload)) == digest
