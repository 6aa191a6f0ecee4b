"""Bounds that hold for every job and message, and the version they belong to."""

from __future__ import annotations

PROTOCOL_VERSION = 2
MAX_FRAMES = 20_000
MAX_NUMBER = 10**9  # of a frame
MAX_TEXT = 4_000
MAX_SEED = 2**63 - 1
MAX_FRAME_BYTES = 1024 * 1024 * 1024
