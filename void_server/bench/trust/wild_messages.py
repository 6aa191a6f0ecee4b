"""Messages as hypothesis makes them up: of the right kinds, with fields right, wrong, lacking and too many."""

from __future__ import annotations

import dataclasses
import typing
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from void_wire import codec

_text = st.text(max_size=20) | st.sampled_from(["", "recorded-1", "../../etc/passwd", "x" * 4001, "a\0b"])
_number = st.integers(-(2**63), 2**64 - 1) | st.sampled_from([0, 1, 1001, 20_000, 2**31])
_anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | _number | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text | _number, inner, max_size=4),
    max_leaves=12,
)


def bodies(kinds: codec.Kinds) -> st.SearchStrategy[dict[str, Any]]:
    """Maps of messages of ``kinds``: each field of its type or anything else, sometimes lacking, sometimes one more."""
    return st.sampled_from(sorted(kinds)).flatmap(lambda kind: _body(kind, kinds[kind]))


def _body(kind: str, cls: type[Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = _of(cls)
    more = st.dictionaries(st.text(max_size=8), _anything, max_size=1)
    given = st.tuples(fields, more).map(lambda pair: {**pair[1], **pair[0]})
    return given.map(lambda body: {**body, "kind": kind, "id": 1})


def _of(kind: Any) -> st.SearchStrategy[Any]:
    """Mostly what is valid of a type, as plain maps, lists, texts and numbers."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union:
        return st.none() | _of(inner[0])
    if origin in (list, tuple):
        return st.lists(_of(inner[0]), max_size=4)
    if origin is dict:
        return st.dictionaries(_of(inner[0]), _of(inner[1]), max_size=4)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = {field.name: _mostly(_of(hints[field.name])) for field in dataclasses.fields(kind)}
        return st.fixed_dictionaries({}, optional=fields) | st.fixed_dictionaries(fields)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from([member.value for member in kind])
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: _text,
        int: _number,
        float: st.floats(),
        bool: st.booleans(),
    }
    return plain[kind]


def _mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda chance: right if chance else _anything)
