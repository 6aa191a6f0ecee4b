"""The model's thread: one job after the other, and none waits for it longer than it wants to."""

import threading
import weakref
from collections.abc import Generator, Iterator

import pytest

from void_server import model_thread
from void_server.model_thread import ModelThread
from void_server.progress import Cancelled, Halted, Progress, unwatched
from void_wire.messages import Stage


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits looks often."""
    monkeypatch.setattr(model_thread, "LOOK_S", 0.01)


@pytest.fixture
def errors() -> list[BaseException]:
    return []


@pytest.fixture
def thread(errors: list[BaseException]) -> ModelThread:
    return ModelThread(errors.append)


def numbers(told: Progress) -> Generator[int, None, None]:
    yield from range(3)


class Held:
    """Work that has begun, and is not done before it is let go; it reports all the while."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.ended_by: BaseException | None = None

    def __call__(self, told: Progress) -> Iterator[str]:
        self.begun.set()
        try:
            while not self.go.wait(0.01):
                told(Stage.PASS1, 1, 2)
            yield "made"
        except BaseException as error:
            self.ended_by = error
            raise


def beside(work: Iterator[object]) -> tuple[threading.Thread, list[object]]:
    """All of it, on another thread."""
    made: list[object] = []
    other = threading.Thread(target=lambda: made.extend(work))
    other.start()
    return other, made


def test_one_has_the_model_and_the_next_is_told_that_it_waits(thread: ModelThread) -> None:
    held, seen, waits = Held(), [], threading.Event()

    def progress(stage: Stage, step: int, steps: int) -> None:
        seen.append((stage, step, steps))
        waits.set()

    first, of_first = beside(thread.run(held, unwatched))
    assert held.begun.wait(60)
    second, of_second = beside(thread.run(numbers, progress))
    assert waits.wait(60)
    assert of_second == []
    held.go.set()
    first.join()
    second.join()
    assert (of_first, of_second) == (["made"], [0, 1, 2])
    assert set(seen) == {(Stage.LOAD, 0, 1)}
    seen.clear()
    assert list(thread.run(numbers, progress)) == [0, 1, 2]
    assert seen == []


def test_who_waits_can_be_stopped_and_the_others_do_not_notice(thread: ModelThread) -> None:
    held = Held()
    first, of_first = beside(thread.run(held, unwatched))
    assert held.begun.wait(60)

    def stop(*_: object) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        list(thread.run(numbers, stop))
    held.go.set()
    first.join()
    assert of_first == ["made"]
    assert list(thread.run(numbers, unwatched)) == [0, 1, 2]


def test_it_makes_what_nobody_has_taken_yet(thread: ModelThread) -> None:
    made = threading.Event()

    def work(told: Progress) -> Generator[int, None, None]:
        yield from range(100)
        made.set()

    items = thread.run(work, unwatched)
    assert next(items) == 0
    assert made.wait(60)
    assert list(items) == list(range(1, 100))


def test_work_that_nobody_wants_any_more_is_halted_at_its_next_report(
    thread: ModelThread, errors: list[BaseException]
) -> None:
    held = Held()

    def work(told: Progress) -> Generator[str, None, None]:
        yield "first"
        yield from held(told)

    items = thread.run(work, unwatched)
    assert next(items) == "first"
    assert held.begun.wait(60)
    items.close()
    assert isinstance(held.ended_by, Halted)  # and is over by now: what it has reached is kept
    assert list(thread.run(numbers, unwatched)) == [0, 1, 2]


def test_what_fails_is_told_before_the_next_has_its_turn_and_holds_nothing(
    thread: ModelThread, errors: list[BaseException]
) -> None:
    class Tensor:
        pass

    kept: list[weakref.ref[Tensor]] = []

    def work(told: Progress) -> Generator[int, None, None]:
        tensor = Tensor()
        kept.append(weakref.ref(tensor))
        yield 1
        raise ValueError("no")

    def next_work(told: Progress) -> Generator[tuple[int, bool], None, None]:
        yield len(errors), kept[0]() is None

    with pytest.raises(ValueError, match="no") as caught:
        list(thread.run(work, unwatched))
    assert list(thread.run(next_work, unwatched)) == [(1, True)]
    assert errors == [caught.value]
