"""Names for connections: UUIDv7, ordered by time; time and chance are passed in."""

from __future__ import annotations

from uuid import UUID


def uuid7(unix_ms: int, chance_bits: int) -> str:
    """Return a UUIDv7 text for a Unix time in ms and at least 74 random bits.

    Later milliseconds sort after earlier ones, as text too. Source: RFC 9562, 5.7.
    """
    high = (unix_ms & (1 << 48) - 1) << 16 | 0x7000 | chance_bits >> 62 & 0xFFF
    low = 0b10 << 62 | chance_bits & (1 << 62) - 1
    return str(UUID(int=high << 64 | low))
