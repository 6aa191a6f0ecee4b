"""One ahead: order, errors and ends are those of the iterator itself."""

import threading
from collections.abc import Iterator

import pytest

from void_server.engine.ahead import ahead


def test_the_next_is_made_while_one_is_used() -> None:
    used, made = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        assert used.wait(10)
        yield 2

    found = []
    for item in ahead(items()):
        assert made.wait(10)  # 2 is begun before 1 is given back
        used.set()
        found.append(item)
    assert found == [1, 2]


def test_none_is_an_item_and_an_empty_iterator_has_none() -> None:
    assert list(ahead(iter([None, 0, None]))) == [None, 0, None]
    assert list(ahead(iter([]))) == []


def test_an_error_comes_where_its_item_would() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("two")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(KeyError, match="two"):
        next(found)


def test_closing_closes_what_is_made_from() -> None:
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.append(threading.active_count())

    before = threading.active_count()
    found = ahead(items())
    assert next(found) == 0
    found.close()
    assert closed == [before]
