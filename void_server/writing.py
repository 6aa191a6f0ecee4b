"""Frames on their way to disk, beside the work on the next ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from void_wire.messages import Role

Written = tuple[Role, int]
"""A frame that is whole on disk: which sequence it belongs to, and its index."""

AHEAD = 2
"""Frames that may wait to be written: more would only take memory."""


class Writing:
    """Writes one frame after the other on a thread of its own: ``with Writing() as writing``.

    Leaving it waits for the frame that is being written and forgets those after it.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "writing")
        self._pending: deque[tuple[Written, Future[None]]] = deque()

    def __enter__(self) -> Writing:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def put(self, frame: Written, write: Callable[[], None]) -> Iterator[Written]:
        """Have ``write`` write ``frame``; gives the frames that are whole by now, in order.

        Raises what writing one of them raised.
        """
        self._pending.append((frame, self._pool.submit(write)))
        while self._pending and (len(self._pending) > AHEAD or self._pending[0][1].done()):
            yield self._first()

    def rest(self) -> Iterator[Written]:
        """Wait for all of them."""
        while self._pending:
            yield self._first()

    def _first(self) -> Written:
        frame, future = self._pending.popleft()
        future.result()
        return frame
