"""Runs of numbers are written alike by protobuf's core and by plain Python."""

from __future__ import annotations

import resource

import pytest
from google.protobuf.internal import api_implementation

from bridge.core import avro_varint

LONG_MAX, LONG_MIN = (1 << 63) - 1, -(1 << 63)


@pytest.mark.parametrize("edge", [0, 128, 16_384, 2_097_152])
def test_protobufs_own_length_is_cut_off_exactly(edge: int) -> None:
    """Around each size where protobuf's length grows by a byte, the run is whole."""
    pack = avro_varint.upb_packer()
    for size in range(max(0, edge - 3), edge + 4):
        assert pack([1] * size) == b"\x02" * size


def test_without_the_c_core_python_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain writer takes over where protobuf has no upb."""
    assert avro_varint.packer() is not avro_varint.python_pack
    monkeypatch.setattr(api_implementation, "Type", lambda: "python")
    assert avro_varint.packer() is avro_varint.python_pack


def test_both_writers_refuse_alike() -> None:
    """What protobuf refuses, the plain writer refuses, with the same type of error."""
    upb = avro_varint.upb_packer()
    for value in (LONG_MAX + 1, LONG_MIN - 1, 1.5, "1", None, True):
        refusals = []
        for pack in (upb, avro_varint.python_pack):
            with pytest.raises((ValueError, TypeError)) as refused:
                pack([1, value])  # type: ignore[list-item] # the point of the test
            refusals.append(refused.type)
        assert refusals[0] is refusals[1]


def test_the_buffer_does_not_grow() -> None:
    """Twenty thousand long runs through one buffer cost no memory beyond the first."""
    pack = avro_varint.upb_packer()
    run = list(range(600))
    pack(run)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(20_000):
        pack(run)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    # Kept runs would take 4.8 kB each, 96 MB together.
    assert grown_kb < 20_000
