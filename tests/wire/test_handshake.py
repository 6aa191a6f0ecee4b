"""What a client can tell of a server before the two understand each other."""

import socket
import threading

import pytest
import zmq

from void_wire.handshake import mechanism


@pytest.mark.parametrize(("keys", "wanted"), [(False, "NULL"), (True, "CURVE")])
def test_the_greeting_tells_whether_a_key_is_asked_for(keys: bool, wanted: str) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as server:
        if keys:
            server.curve_publickey, server.curve_secretkey = zmq.curve_keypair()
            server.curve_server = True
        port = server.bind_to_random_port("tcp://127.0.0.1")
        assert mechanism(f"tcp://127.0.0.1:{port}") == wanted


@pytest.mark.parametrize(
    "says", [b"", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", b"\xff" + bytes(20)]
)
def test_another_program_has_no_such_greeting(says: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            with other.accept()[0] as peer:
                peer.sendall(says)

        thread = threading.Thread(target=answer)
        thread.start()
        assert mechanism(f"tcp://127.0.0.1:{other.getsockname()[1]}") is None
        thread.join()


def test_where_nobody_listens_or_no_port_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert mechanism(f"tcp://127.0.0.1:{port}") is None
    assert mechanism("ipc:///tmp/void.sock") is None
