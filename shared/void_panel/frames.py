"""The thread that brings frames: for a look, or home. It has a Client of its own, so that no cancel waits for one."""

from __future__ import annotations

import queue
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Deque, Optional

from void_panel.client_thread import ClientThread, Post
from void_panel.events import Pictured, Said
from void_panel.pictures import Look, Picture
from void_panel.requests import Bring, FrameRequest, See
from void_wire.client import FETCH_CREDIT, Client
from void_wire.errors import TransportError, VoidError
from void_wire.messages import THUMBNAILS, Role

PATIENCE_S = 15.0
"""A single frame may take ten times as long over a slow line."""

PICTURE_S = 1.0
"""Between two pictures at least; they take up half of the time at most."""


class FrameThread(ClientThread[FrameRequest]):
    """Brings pictures of frames that are asked for, and results home, a few frames at a time."""

    def __init__(self, address: str, post: Post) -> None:
        super().__init__(address, post, "void panel frames", PATIENCE_S)
        self._look: Optional[Look] = None
        self._homeward: Deque[Bring] = deque()
        self._brought = 0  # frames of the first of them
        self._next_look_s = 0.0  # monotonic

    def serve(self, client: Client) -> None:
        """Wait for something to do, and do it."""
        while not self._stopping.is_set():
            self._listen()
            if self._look is not None and time.monotonic() >= self._next_look_s:
                look, self._look = self._look, None
                began = time.monotonic()
                self._tell(self._picture(client, look))
                now = time.monotonic()
                self._next_look_s = now + max(PICTURE_S, now - began)
            if self._homeward and not self._stopping.is_set():
                self._bring(client, self._homeward[0])

    def failed(self, error: VoidError) -> None:
        """What was to come home does not: say how much of it is there."""
        while self._homeward:
            self._stopped(error)

    def _listen(self) -> None:
        """Take what was asked; wait when there is nothing else to do."""
        wait_s: Optional[float] = None
        if self._homeward:
            wait_s = 0.0
        elif self._look is not None:
            wait_s = max(0.0, self._next_look_s - time.monotonic())
        try:
            request = self._asked.get(timeout=wait_s) if wait_s != 0.0 else self._asked.get_nowait()
            while request is not None:
                if isinstance(request, See):
                    self._look = request.look
                else:
                    self._homeward.append(request)
                request = self._asked.get_nowait()
        except queue.Empty:
            pass

    def _picture(self, client: Client, look: Look) -> Pictured:
        """The frame beside its plate. Whatever prevents it is said in its place."""
        try:
            with tempfile.TemporaryDirectory(prefix="void_panel_") as folder:
                path = Path(folder) / "thumbnail.png"
                for _ in client.fetch(look.job, THUMBNAILS[look.role], [look.frame], lambda frame: path):
                    pass
                return Pictured(look, Picture(path.read_bytes()))
        except VoidError as error:
            return Pictured(look, None, str(error))
        except OSError as error:
            return Pictured(look, None, f"No room for a frame to look at ({error.strerror}).")

    def _bring(self, client: Client, order: Bring) -> None:
        """The next few of its frames; the rest when it is its turn again."""
        some = order.frames[self._brought : self._brought + FETCH_CREDIT]
        try:
            for _ in client.fetch(order.job, Role.RESULT, some, order.target):
                self._brought += 1
        except VoidError as error:
            if isinstance(error, TransportError):
                raise
            self._stopped(error)
            return
        if self._brought == len(order.frames):
            folder = order.target(order.frames[0]).parent
            self._end(Said(f"{order.shot}: {self._brought} frame{'s' * (self._brought != 1)} in {folder}."))

    def _stopped(self, error: VoidError) -> None:
        order = self._homeward[0]
        self._end(
            Said(f"{order.shot}: {self._brought} of {len(order.frames)} frames are here. {error}", bad=True)
        )

    def _end(self, said: Said) -> None:
        self._tell(said)
        self._homeward.popleft()
        self._brought = 0
