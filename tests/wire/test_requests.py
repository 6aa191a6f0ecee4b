"""What a server answers to requests: refusals as their errors, another version, engines that lack something."""

import pytest
from strict_server import CREDIT, JOB, SIGNS, SPEC, StrictServer

from void_wire import messages
from void_wire.client import Client
from void_wire.errors import (
    EngineError,
    IllegalTransition,
    NotAuthorised,
    ProtocolError,
    ServerBusy,
    SettingsError,
    TransportError,
    UnknownJob,
    VoidError,
)
from void_wire.messages import Inventory, Refused, Welcome

pytestmark = pytest.mark.timeout(60)  # whoever waits for ever fails


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("job.illegal_transition", IllegalTransition),
        ("job.unknown", UnknownJob),
        ("server_busy", ServerBusy),
        ("settings", SettingsError),
        ("transport.not_authorised", NotAuthorised),
        ("engine", EngineError),
        ("a.code.of.tomorrow", VoidError),
    ],
)
def test_refusals_become_their_classes(
    server: StrictServer, client: Client, code: str, kind: type[VoidError]
) -> None:
    server.refuse["submit"] = Refused(code, "No, because.")
    with pytest.raises(VoidError, match=r"No, because\.") as caught:
        client.submit(SPEC)
    assert type(caught.value) is kind


def test_another_version_is_said_by_either_side(server: StrictServer, client: Client) -> None:
    server.welcome = Welcome(messages.PROTOCOL_VERSION + 1, "9", CREDIT, 1000, {})
    with pytest.raises(ProtocolError, match="speaks protocol 3, this program 2: update the older"):
        client.connect()
    server.refuse["hello"] = Refused(ProtocolError.code, "This server speaks protocol 3.")
    with pytest.raises(ProtocolError, match="This server speaks"):
        client.connect()


def test_an_engine_that_is_not_ready_is_said_before_the_job_is_made(
    server: StrictServer, client: Client
) -> None:
    server.welcome = Welcome(messages.PROTOCOL_VERSION, "0", CREDIT, 1000, {"draft": "Get weights."})
    server.refuse["submit"] = Refused("error", "should not have come this far")
    with pytest.raises(EngineError, match="Get weights"):
        client.submit(SPEC)


def test_an_answer_of_another_kind_is_an_error(server: StrictServer, client: Client) -> None:
    client.connect()
    server.refuse["watch"] = Inventory(JOB, {})  # type: ignore[assignment]
    with pytest.raises(TransportError, match="answered inventory to watch"):
        client.watch(JOB)


def test_signs_come_by_frame(client: Client) -> None:
    assert client.signs(JOB) == SIGNS
