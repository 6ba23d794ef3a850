"""Writes runs of numbers as zigzag varints, the way Avro wants them.

An Avro run of int, long, enum, boolean (true as -1), array count, union branch and
null is, byte for byte, the content of a protobuf packed `repeated sint64`. So
protobuf's C core (upb) writes a whole run in one call; where it is missing, Python
does. ADR 0004 has the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import api_implementation

from bridge.core.avro_schema import Loose

Pack = Callable[[Iterable[int]], bytes]

_FIELD = descriptor_pb2.FieldDescriptorProto
# The tag is one byte; the length behind it has n bytes below 2 ** (7 * n).
_TWO = 2 + (1 << 7)
_THREE = 3 + (1 << 14)
_LOW, _HIGH = -(1 << 63), (1 << 63) - 1


def packer() -> Pack:
    """Return the fastest writer of runs; it reuses one buffer, so it has one thread."""
    return upb_packer() if api_implementation.Type() == "upb" else python_pack


def upb_packer() -> Pack:
    """Return a writer that hands each run to protobuf in one call."""
    message = _run_class()()
    run = message.numbers
    extend, serialize = run.extend, message.SerializeToString

    def pack(values: Iterable[int]) -> bytes:
        del run[:]
        extend(values)
        data: bytes = serialize()
        size = len(data)
        if size < _TWO:
            return data[2:]
        if size < _THREE:
            return data[3:]
        return data[_long_start(data) :]

    return pack


def _run_class() -> Loose:
    file = descriptor_pb2.FileDescriptorProto(
        name="feedbridge/run.proto", package="feedbridge", syntax="proto3"
    )
    file.message_type.add(name="Run").field.add(
        name="numbers",
        number=1,
        type=_FIELD.TYPE_SINT64,
        label=_FIELD.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("feedbridge.Run"))


def _long_start(data: bytes) -> int:
    start = 1
    while data[start] & 0x80:
        start += 1
    return start + 1


def python_pack(values: Iterable[int]) -> bytes:
    """Write a run in plain Python; the same bytes and refusals as protobuf's."""
    out = bytearray()
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"a number is needed, not {type(value).__name__}")
        if not _LOW <= value <= _HIGH:
            raise ValueError(f"Value out of range: {value}")
        rest = value << 1 ^ value >> 63
        while rest > 0x7F:  # noqa: PLR2004 # seven bits a byte
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def read_long(data: bytes, start: int) -> tuple[int, int]:
    """Return the number at `start` and where the next value begins."""
    value = shift = 0
    while True:
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 # the eighth bit says that more follow
            return value >> 1 ^ -(value & 1), start
        shift += 7
