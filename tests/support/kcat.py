"""Reads topics back with kcat, a program that shares no code with this project."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

# Fields end in a byte count or a separator, so that any payload survives.
FORMAT = "%p %o %T %K %S\n%k%s"


@dataclass(frozen=True, slots=True)
class KcatRecord:
    """One record as kcat saw it; the timestamp is in milliseconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    payload: bytes | None


def kcat(
    client: Mapping[str, object], topic: str, seconds: float = 30.0
) -> list[KcatRecord]:
    """Read a topic from its start to its present end.

    Args:
        client: librdkafka properties, with `bootstrap.servers`.
        topic: the topic's name.
        seconds: the longest time this may take.
    """
    properties = [f"-X{name}={value}" for name, value in client.items()]
    command = ["kcat", "-C", "-q", "-e", "-t", topic, "-o", "beginning", *properties]
    done = subprocess.run(
        [*command, "-f", FORMAT], capture_output=True, check=False, timeout=seconds
    )
    if done.returncode:
        message = f"kcat ended with {done.returncode}: {done.stderr.decode()}"
        raise RuntimeError(message)
    return sorted(_records(done.stdout), key=lambda r: (r.partition, r.offset))


def _records(output: bytes) -> list[KcatRecord]:
    found: list[KcatRecord] = []
    at = 0
    while at < len(output):
        line_end = output.index(b"\n", at)
        partition, offset, timestamp, key_size, size = map(
            int, output[at:line_end].split()
        )
        key, at = _take(output, line_end + 1, key_size)
        payload, at = _take(output, at, size)
        found.append(KcatRecord(partition, offset, timestamp, key, payload))
    return found


def _take(output: bytes, at: int, size: int) -> tuple[bytes | None, int]:
    """Cut `size` bytes; kcat says -1 where there is none at all."""
    if size < 0:
        return None, at
    return output[at : at + size], at + size


@pytest.fixture(name="kcat")
def kcat_fixture() -> Callable[..., list[KcatRecord]]:
    """Hand out `kcat(client, topic)`."""
    return kcat
