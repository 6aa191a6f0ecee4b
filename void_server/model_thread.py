"""The thread that the model works on, for one job after the other, while the jobs do what needs no model."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from queue import SimpleQueue
from typing import TypeVar, cast

from void_server.progress import Halted, Progress
from void_wire.messages import Stage

Item = TypeVar("Item")

LOOK_S = 0.5
"""Between reports of a job that waits for the model: so long a cancel may go unheeded."""

_END = object()


class ModelThread:
    """Does what jobs ask of the model, in the order in which they ask. For any thread.

    It is one thread for all of it: what torch compiles and records for a GPU belongs to the thread that did so.

    Args:
        failed: called there with what ends the work for one job, before the next has its turn.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._pool = ThreadPoolExecutor(1, "model")

    def run(
        self, work: Callable[[Progress], Generator[Item, None, None]], progress: Progress
    ) -> Generator[Item, None, None]:
        """What ``work`` makes, each item as soon as it is there.

        The model does not wait for an item to be used, so items should lie in files. As long as the model is another
        job's, ``progress`` is told Stage.LOAD, step 0 of 1; ``work`` is given a Progress to report to from then on.
        Closing the generator has the work stop at its next item or report, and waits for that.

        Raises what ``work`` and ``progress`` raise.
        """
        made: SimpleQueue[object] = SimpleQueue()
        begun, left = threading.Event(), threading.Event()

        def told(stage: Stage, step: int, steps: int) -> None:
            if left.is_set():
                raise Halted
            progress(stage, step, steps)

        def do() -> None:
            begun.set()
            try:
                with closing(work(told)) as items:
                    for item in items:
                        made.put(item)
                        if left.is_set():
                            return
            except BaseException as error:
                self._failed(error)
                traceback.clear_frames(
                    error.__traceback__
                )  # they hold what the next job needs the memory for
                raise

        asked: Future[None] = self._pool.submit(do)
        asked.add_done_callback(lambda _: made.put(_END))
        try:
            while not begun.wait(LOOK_S):
                progress(Stage.LOAD, 0, 1)
            while (item := made.get()) is not _END:
                yield cast("Item", item)
            asked.result()
        finally:
            left.set()
            if not asked.cancel():  # one that has not begun is none of the thread's any more
                wait([asked])
            del asked  # it holds an error, whose frames hold it and all that they used
