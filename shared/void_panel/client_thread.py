"""A thread that owns a Client, and finds the server again whenever it is lost."""

from __future__ import annotations

import logging
import queue
import threading
from abc import ABC, abstractmethod
from typing import Callable, Generic, Optional, TypeVar

from void_panel.events import Event
from void_wire.client import Client
from void_wire.errors import SettingsError, VoidError

log = logging.getLogger(__name__)

PAUSE_S = 0.5
"""Between being lost and looking again."""

Post = Callable[[Event], None]
Request = TypeVar("Request")


class ClientThread(threading.Thread, ABC, Generic[Request]):
    """Asks of the panel go in with `ask`, events come out through ``post``, which must return at once.

    Nobody waits for this thread: `stop` only says so, and it leaves when its Client lets it. Jobs go on.

    Args:
        address: of the server.
        post: called on this thread.
        name: what the server's log calls it.
        patience_s: how long a silent server is waited for.
    """

    def __init__(self, address: str, post: Post, name: str, patience_s: float) -> None:
        super().__init__(name=name, daemon=True)
        self._address = address
        self._post = post
        self._patience_s = patience_s
        self._asked: "queue.SimpleQueue[Optional[Request]]" = queue.SimpleQueue()
        self._stopping = threading.Event()

    def ask(self, request: Request) -> None:
        """Have something done. Any thread; returns at once."""
        self._asked.put(request)

    def stop(self) -> None:
        """End soon. Any thread; returns at once."""
        self._stopping.set()
        self._asked.put(None)

    def run(self) -> None:
        """The thread: serve, and begin anew after whatever goes wrong."""
        while not self._stopping.is_set():
            try:
                with Client(self._address, patience_s=self._patience_s, name=self.name) as client:
                    self.serve(client)
            except SettingsError as error:  # the address is none, and stays so
                self.failed(error)
                return
            except VoidError as error:
                self.failed(error)
            except Exception as error:  # a bug: the panel stays, and says so
                log.exception("%s", self.name)
                self.failed(VoidError(f"The panel stumbled ({error!r}); its log has more."))
            self._stopping.wait(PAUSE_S)

    @abstractmethod
    def serve(self, client: Client) -> None:
        """Do what is asked until `stop`. What it raises ends the client, and a new one is made."""

    @abstractmethod
    def failed(self, error: VoidError) -> None:
        """The client ended with ``error``."""

    def _tell(self, event: Event) -> None:
        if not self._stopping.is_set():
            self._post(event)
