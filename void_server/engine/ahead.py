"""Making the next thing while the one before is used: two devices, or two cores, are busy instead of one."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")
_END = object()


def ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """``items`` in order, each made in a thread while the one before is used; never more than one ahead.

    What making one raises comes out where it would have been given. Closing it waits for the one that is being made,
    and closes a generator.
    """
    try:
        with ThreadPoolExecutor(1, "ahead") as beside:
            coming = beside.submit(next, items, _END)
            while (item := coming.result()) is not _END:
                coming = beside.submit(next, items, _END)
                yield cast("Item", item)
    finally:
        del coming  # it holds an error, whose frames hold it and all that they used
        if isinstance(items, Generator):
            items.close()
