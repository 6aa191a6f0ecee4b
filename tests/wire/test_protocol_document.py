"""PROTOCOL.md says what the code does: every table in it is compared with the code."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import zmq

from void_server.frames import layers
from void_server.transitions import TRANSITIONS
from void_wire import client, codec, errors, messages, sockets
from void_wire.messages import (
    FrameRange,
    JobSpec,
    OthersJob,
    PictureSettings,
    Role,
    Signs,
    Stage,
    VoidSettings,
    WindowSeed,
)

TEXT = (Path(__file__).parents[2] / "shared" / "PROTOCOL.md").read_text(encoding="utf-8")
KINDS = {**codec.REQUESTS, **codec.ANSWERS, **codec.DATA}
FORMS = {f"`{kind}`": cls for kind, cls in KINDS.items()} | {
    cls.__name__: cls
    for cls in (JobSpec, OthersJob, FrameRange, PictureSettings, VoidSettings, WindowSeed, Signs)
}


def table(title: str) -> list[list[str]]:
    """The rows of the first table under the heading ``title``, without the row of names."""
    match = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", TEXT, re.M | re.S)
    assert match, f"no section {title}"
    lines = [line for line in match[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def in_code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def as_written(field: "dataclasses.Field[Any]") -> str:
    """A field's default the way the document writes it."""
    if field.default_factory is not dataclasses.MISSING:
        return "[]" if field.default_factory is list else "{}"
    if field.default is dataclasses.MISSING:
        return ""
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    if value == ():
        return "[]"
    return "nil" if value is None else f'"{value}"' if isinstance(value, str) else str(value)


@pytest.mark.parametrize("title", FORMS)
def test_every_message_has_exactly_these_fields_and_defaults(title: str) -> None:
    written = {in_code(row[0])[0]: row[2] for row in table(title)}
    assert written == {field.name: as_written(field) for field in dataclasses.fields(FORMS[title])}


def test_no_message_is_described_that_is_none() -> None:
    assert set(re.findall(r"^#### `(\w+)`$", TEXT, re.M)) == set(KINDS)


def test_states_and_transitions() -> None:
    written = {in_code(row[0])[0]: set(in_code(row[1])) for row in table("States of a job")}
    assert written == {a.value: {b.value for b in after} for a, after in TRANSITIONS.items()}


def test_roles_and_stages() -> None:
    assert [in_code(row[0])[0] for row in table("Roles")] == [role.value for role in Role]
    stages = next(row[3] for row in table("`job_status`") if row[0] == "`stage`")
    assert in_code(stages) == [stage.value for stage in Stage]
    received = {role.value for roles in messages.SENT_ROLES for role in roles}
    assert {in_code(row[0])[0] for row in table("Roles") if row[1] == "client"} == received


def test_layers() -> None:
    written = {in_code(row[0])[0]: row[1].replace(", ", "") for row in table("Layers of a result")}
    assert written == layers.CHANNELS
    assert tuple(written) == messages.LAYERS


def test_errors() -> None:
    def tree(cls: type[errors.VoidError]) -> list[type[errors.VoidError]]:
        return [cls, *(found for sub in cls.__subclasses__() for found in tree(sub))]

    written = {in_code(row[0])[0]: (row[1], row[2]) for row in table("Errors")}
    assert written == {
        cls.code: (cls.__name__, "yes" if cls.retryable else "no") for cls in tree(errors.VoidError)
    }


def test_limits_and_version() -> None:
    constants = {in_code(row[2])[0]: row[1] for row in table("Limits") if not row[2].startswith("twice")}
    for name, limit in constants.items():
        value = getattr(messages, name, None) or getattr(codec, name)
        assert limit.split()[0] == str(value), name
    assert f"| text in a message | {2 * messages.MAX_TEXT} bytes |" in TEXT
    assert TEXT.startswith(f"# The VOID wire, protocol {messages.PROTOCOL_VERSION}\n")
    assert f"**{messages.PROTOCOL_VERSION}**" in TEXT
    assert f"at most {client.FETCH_CREDIT} `fetch_frame` unanswered" in TEXT


def test_choices_of_the_settings() -> None:
    for cls in (PictureSettings, VoidSettings):
        for row in table(cls.__name__):
            name, choices = in_code(row[0])[0], in_code(row[3])
            listed = getattr(cls(), name) == ()
            for choice in choices:
                value = (choice,) if listed else choice
                assert getattr(cls(**{name: value}), name) == value
            if choices:
                with pytest.raises(errors.SettingsError):
                    cls(**{name: "another"})


def test_socket_options() -> None:
    written = {row[0].split(" (")[0]: row[1:3] for row in table("Socket options and why")}
    with zmq.Context() as context:
        for column, prepare in enumerate((sockets.prepare, sockets.prepare_for_frames)):
            with context.socket(zmq.DEALER) as socket:
                prepare(socket, "tcp://127.0.0.1:1", 1)

                def option(name: str, socket: "zmq.Socket[bytes]" = socket) -> float:
                    return float(socket.getsockopt(getattr(zmq, name)))

                def seconds(*names: str, scale: float = 1000) -> str:
                    numbers = [f"{option(name) / scale:g}" for name in names]
                    return "off" if option(names[0]) <= 0 else ", ".join(numbers) + " s"

                assert written["SNDHWM, RCVHWM"][column] == f"{option('SNDHWM'):g}" == f"{option('RCVHWM'):g}"
                assert written["LINGER"][column] == f"{option('LINGER'):g}"
                assert written["HANDSHAKE_IVL"][column] == seconds("HANDSHAKE_IVL")
                assert written["TCP_MAXRT"][column] == seconds("TCP_MAXRT")
                reconnect = seconds("RECONNECT_IVL", "RECONNECT_IVL_MAX")
                assert written["RECONNECT_IVL, MAX"][column] == reconnect
                if column:
                    assert option("HEARTBEAT_IVL") == 0
                    alive = [f"{option('TCP_KEEPALIVE_' + name):g}" for name in ("IDLE", "INTVL", "CNT")]
                    said = written["TCP_KEEPALIVE idle, interval, count"][column]
                    assert said == "{} s, {} s, {}".format(*alive)
                else:  # libzmq keeps the TTL in tenths of a second and gives it back in milliseconds
                    beat = seconds("HEARTBEAT_IVL", "HEARTBEAT_TIMEOUT", "HEARTBEAT_TTL")
                    assert written["HEARTBEAT_IVL, TIMEOUT, TTL"][column] == beat
