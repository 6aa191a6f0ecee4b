"""Messages to bytes and back.

A message is one or two ZeroMQ frames: a MessagePack map ``{"kind", "id", field..., "sum"}``, and for FrameHeader the
file's bytes, raw. Decoding is strict: an unknown kind or field, a missing field, a value of another type (a
bool is no int), anything over the size limits is a ProtocolError; what a message's own check finds wrong is
the sentence of that check. ``sum`` comes last and is the CRC-32 of every byte before its own four: TCP's checksum lets
some damage through, and a number that is off by one bit is as good a number as another.
"""

from __future__ import annotations

import dataclasses
import math
import typing
import zlib
from enum import Enum
from functools import lru_cache
from typing import Any, Dict, Mapping, Sequence, Tuple, Type, TypeVar, Union

import msgpack
import xxhash

from void_wire import messages
from void_wire.errors import DamagedMessage, ProtocolError, SettingsError

MAX_REQUEST_BYTES = 64 * 1024
"""A client's control message is smaller than this; the server's sockets drop a peer that sends more."""

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""An answer is smaller than this (an inventory of 20,000 frames takes about 3 MB)."""

_BEFORE_SUM = b"\xa3sum\xce"  # as MessagePack has the name and a whole number of four bytes
_SUM_BYTES = 4

M = TypeVar("M")
Kinds = Dict[str, Type[Any]]

REQUESTS: Kinds = {
    cls.kind: cls
    for cls in (
        messages.Hello,
        messages.Submit,
        messages.AskSpec,
        messages.Rerun,
        messages.AskInventory,
        messages.AskSigns,
        messages.Watch,
        messages.Cancel,
        messages.Purge,
        messages.ListJobs,
    )
}
ANSWERS: Kinds = {
    cls.kind: cls
    for cls in (
        messages.Welcome,
        messages.JobStatus,
        messages.JobList,
        messages.Spec,
        messages.Inventory,
        messages.SignTable,
        messages.Purged,
        messages.Refused,
    )
}
DATA: Kinds = {
    cls.kind: cls
    for cls in (messages.FrameHeader, messages.FrameAck, messages.FrameRefused, messages.FetchFrame)
}


def digest(payload: Union[bytes, memoryview]) -> str:
    """XXH3-128 of a file's bytes, 32 hex digits: EXR itself notices almost no flipped bit.

    Faster than memory, so that no line waits for it; it tells files apart, and is no proof against who makes two alike
    on purpose. The film industry's manifests have it as ``xxh128`` (ASC MHL 2.0).
    """
    return xxhash.xxh3_128(payload).hexdigest()


def encode(message: Any, number: int = 0) -> bytes:
    """``message`` as a MessagePack map; ``number`` ties an answer to its request."""
    body = {"kind": message.kind, "id": number}
    body.update(_plain(message))
    return seal(body)


def seal(body: Mapping[str, Any]) -> bytes:
    """A message's map as bytes, with its ``sum``."""
    data: bytes = msgpack.packb({**body, "sum": 2**32 - 1})[:-_SUM_BYTES]
    return data + checksum(data)


def checksum(data: Union[bytes, memoryview]) -> bytes:
    """What a message ends with, of all before it."""
    return zlib.crc32(data).to_bytes(_SUM_BYTES, "big")


def decode(data: Union[bytes, memoryview], kinds: Kinds) -> Tuple[Any, int]:
    """The message of one of ``kinds`` in ``data``, and its number.

    Raises ProtocolError for bytes that are none, DamagedMessage for one whose sum is wrong (one without is taken),
    SettingsError for a message whose own check fails.
    """
    end = bytes(data[-len(_BEFORE_SUM) - _SUM_BYTES :])
    summed = end.startswith(_BEFORE_SUM)
    damaged = DamagedMessage("A message was damaged on the way: send it again.")
    if summed and not end.endswith(checksum(data[:-_SUM_BYTES])):
        raise damaged
    body = _unpack(data)
    if not isinstance(body, dict):
        raise ProtocolError("A message is not a map: the peer is no VOID program of this version.")
    if "sum" in body and not summed:
        raise damaged
    body.pop("sum", None)
    kind, number = body.pop("kind", None), body.pop("id", None)
    cls = kinds.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ProtocolError(
            f"Message kind {str(kind)[:40]!r} is not known: update the older of the two sides."
        )
    if type(number) is not int:
        raise ProtocolError(f"A {kind} message has no number.")
    return _build(body, cls, str(kind)), number


def number_of(data: Union[bytes, memoryview]) -> int:
    """The number of a message that could not be decoded, to refuse it by; 0 when it has none."""
    try:
        body = _unpack(data)
    except ProtocolError:
        return 0
    number = body.get("id") if isinstance(body, dict) else None
    return number if type(number) is int else 0


def to_map(value: Any) -> Dict[str, Any]:
    """A dataclass as plain maps, lists, strings and numbers (what a job file or a database row holds)."""
    return typing.cast(Dict[str, Any], _plain(value))


def from_map(raw: Any, cls: Type[M]) -> M:
    """The inverse of to_map, as strict as decode."""
    return typing.cast(M, _build(raw, cls, cls.__name__))


def _unpack(data: Union[bytes, memoryview]) -> Any:
    if len(data) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"A message of {len(data)} bytes is over the limit of {MAX_MESSAGE_BYTES}.")
    try:
        return msgpack.unpackb(
            data,
            strict_map_key=False,
            max_str_len=2 * messages.MAX_TEXT,
            max_bin_len=0,
            max_array_len=messages.MAX_FRAMES,
            max_map_len=messages.MAX_FRAMES,
            max_ext_len=0,
        )
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise ProtocolError(f"A message is not readable ({type(error).__name__}).") from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@lru_cache(maxsize=None)
def _fields(cls: Any) -> Dict[str, Tuple[Any, bool]]:
    """Field name -> (its type, whether it must be given)."""
    hints = typing.get_type_hints(cls)
    missing = dataclasses.MISSING
    return {
        f.name: (hints[f.name], f.default is missing and f.default_factory is missing)
        for f in dataclasses.fields(cls)
    }


def _build(raw: Any, kind: Any, where: str) -> Any:
    """``raw`` as the type ``kind``, without any coercion but int to float and str to Enum."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Union:  # only Optional is used
        return None if raw is None else _build(raw, inner[0], where)
    if origin in (list, tuple):
        if not isinstance(raw, list):
            raise _wrong(where, "a list", raw)
        built = [_build(item, inner[0], where) for item in raw]
        return built if origin is list else tuple(built)
    if origin is dict:
        if not isinstance(raw, dict):
            raise _wrong(where, "a map", raw)
        return {_build(k, inner[0], where): _build(v, inner[1], where) for k, v in raw.items()}
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(raw, typing.cast(Type[Any], kind), where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(raw)
        except (ValueError, TypeError):
            raise _wrong(where, " or ".join(repr(member.value) for member in kind), raw) from None
    if kind is float and type(raw) is int:
        return float(raw)
    if type(raw) is not kind or (kind is float and not math.isfinite(raw)):
        raise _wrong(where, f"of type {kind.__name__}", raw)
    return raw


def _build_dataclass(raw: Any, cls: Type[Any], where: str) -> Any:
    if not isinstance(raw, dict):
        raise _wrong(where, "a map", raw)
    fields = _fields(typing.cast(typing.Hashable, cls))
    unknown = [name for name in raw if name not in fields]
    lacking = [name for name, (_, needed) in fields.items() if needed and name not in raw]
    if unknown or lacking:
        raise ProtocolError(
            f"{where}: "
            + "; ".join(
                ([f"unknown {_names(unknown)}"] if unknown else [])
                + ([f"lacks {_names(lacking)}"] if lacking else [])
            )
            + ". Update the older of the two sides."
        )
    values = {name: _build(value, fields[name][0], f"{where}.{name}") for name, value in raw.items()}
    try:
        return cls(**values)
    except (SettingsError, ProtocolError):
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise ProtocolError(f"{where}: {error}") from None


def _names(names: Sequence[Any]) -> str:
    return ", ".join(str(name)[:40] for name in names[:5])


def _wrong(where: str, expected: str, raw: Any) -> ProtocolError:
    return ProtocolError(f"{where} is {str(raw)[:60]!r}; it must be {expected}.")
