"""A Kafka cluster inside this process: librdkafka's mock cluster.

For `feedbridge demo` and for tests; it ships with confluent-kafka and needs nothing
else. Other processes may connect to its `bootstrap` address while it lives.

What it is not (librdkafka 2.16, rdkafka_mock.h, read and tried 2026-11-21): it keeps
only the newest 5 MB of each partition, in memory; topics appear when first asked for;
it has no CreateTopics, no offsets for times, no compaction, no authentication; and
transactions are accepted without doing anything.

The library is reached through ctypes, with a handle of its own; the calls release the
GIL and never call back into Python.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Mapping, Sequence
from importlib.metadata import files
from types import TracebackType
from typing import Any, Self

from bridge.errors import KafkaError

TYPE_PRODUCER = 0  # rd_kafka_type_t
ALL_BROKERS = -1
TEXT_BYTES = 512
DEFAULT_PARTITIONS = 4
"""How many partitions a topic gets that appears by itself."""

_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_SIZE, _SHORT = ctypes.c_size_t, ctypes.c_int16
# name: result, arguments; source: rdkafka.h and rdkafka_mock.h of librdkafka 2.16
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "conf_new": (_POINTER,),
    "conf_set": (_INT, _POINTER, _TEXT, _TEXT, _TEXT, _SIZE),
    "conf_destroy": (None, _POINTER),
    "new": (_POINTER, _INT, _POINTER, _TEXT, _SIZE),
    "destroy": (None, _POINTER),
    "err2str": (_TEXT, _INT),
    "mock_cluster_new": (_POINTER, _POINTER, _INT),
    "mock_cluster_destroy": (None, _POINTER),
    "mock_cluster_bootstraps": (_TEXT, _POINTER),
    "mock_group_initial_rebalance_delay_ms": (None, _POINTER, ctypes.c_int32),
    "mock_set_controller_id": (None, _POINTER, ctypes.c_int32),
    "mock_topic_create": (_INT, _POINTER, _TEXT, _INT, _INT),
    "mock_push_request_errors_array": (
        None,
        _POINTER,
        _SHORT,
        _SIZE,
        ctypes.POINTER(_INT),
    ),
    "mock_clear_request_errors": (None, _POINTER, _SHORT),
    "mock_broker_set_down": (_INT, _POINTER, ctypes.c_int32),
    "mock_broker_set_up": (_INT, _POINTER, ctypes.c_int32),
    "mock_broker_set_rtt": (_INT, _POINTER, ctypes.c_int32, _INT),
}


class EmbeddedKafka:
    """A mock cluster that lives from `start` to `stop`, or within a `with` block."""

    def __init__(
        self, brokers: int = 1, topics: Mapping[str, int] | None = None
    ) -> None:
        """Prepare; nothing listens before `start`.

        Args:
            brokers: how many, numbered from 1.
            topics: partitions of the topics that shall be there from the start.
        """
        self._brokers = brokers
        self._topics = dict(topics or {})
        self._handle: int | None = None
        self._cluster: int | None = None
        self._calls: dict[str, Any] = {}

    def start(self) -> None:
        """Start the brokers on free loopback ports; takes some milliseconds.

        Raises:
            KafkaError: the library has no mock cluster.
        """
        self._calls = _calls()
        self._handle = self._new_handle()
        self._cluster = self._calls["mock_cluster_new"](self._handle, self._brokers)
        # Else the first member of a group would wait three seconds for others.
        self._calls["mock_group_initial_rebalance_delay_ms"](self._cluster, 0)
        # Else admin requests would wait for a controller instead of being refused.
        self._calls["mock_set_controller_id"](self._cluster, 1)
        for name, partitions in self._topics.items():
            self.create_topic(name, partitions)

    def stop(self) -> None:
        """Close everything; a second call does nothing."""
        cluster, self._cluster = self._cluster, None
        handle, self._handle = self._handle, None
        if cluster is not None:
            self._calls["mock_cluster_destroy"](cluster)
        if handle is not None:
            self._calls["destroy"](handle)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """Return the brokers' addresses, for `bootstrap.servers`."""
        text = self._calls["mock_cluster_bootstraps"](self._running())
        return str(text.decode())

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic that is not there yet.

        Raises:
            KafkaError: the name is taken.
        """
        # One replica: the mock keeps one log, whatever the number.
        self._check("mock_topic_create", name.encode(), partitions, 1)

    # -- faults

    def fail_requests(self, api_key: int, errors: Sequence[int]) -> None:
        """Let the next requests of a kind fail, one with each Kafka error number.

        Api keys: 0 is Produce, 1 Fetch, 3 Metadata. librdkafka's own negative error
        number for a broken connection (-195) makes the broker hang up instead.
        Source: Kafka protocol guide, "The Messages"; rdkafka_mock.h; 2026-11-21.
        """
        array = (ctypes.c_int * len(errors))(*errors)
        push = self._calls["mock_push_request_errors_array"]
        push(self._running(), api_key, len(errors), array)

    def clear_errors(self, api_key: int) -> None:
        """Forget the failures that no request has met yet."""
        self._calls["mock_clear_request_errors"](self._running(), api_key)

    def broker_down(self, broker: int = ALL_BROKERS) -> None:
        """Hang up on all clients and refuse connections until `broker_up`."""
        self._check("mock_broker_set_down", broker)

    def broker_up(self, broker: int = ALL_BROKERS) -> None:
        """Accept connections again."""
        self._check("mock_broker_set_up", broker)

    def round_trip(self, milliseconds: int, broker: int = ALL_BROKERS) -> None:
        """Delay every answer; a huge number freezes the cluster."""
        self._check("mock_broker_set_rtt", broker, milliseconds)

    # -- inside

    def _running(self) -> int:
        if self._cluster is None:
            raise KafkaError("the embedded Kafka is not running: call start() first")
        return self._cluster

    def _check(self, name: str, *arguments: bytes | int) -> None:
        error = self._calls[name](self._running(), *arguments)
        if error:
            text = self._calls["err2str"](error).decode()
            message = f"embedded Kafka: {name}{arguments}: {text}"
            raise KafkaError(message)

    def _new_handle(self) -> int:
        """Make the client that the cluster's bookkeeping needs; it never connects."""
        text = ctypes.create_string_buffer(TEXT_BYTES)
        configuration = self._calls["conf_new"]()
        # Errors only: the client would complain that it has no brokers.
        self._calls["conf_set"](configuration, b"log_level", b"3", text, TEXT_BYTES)
        handle = self._calls["new"](TYPE_PRODUCER, configuration, text, TEXT_BYTES)
        if not handle:
            raise KafkaError(f"embedded Kafka: {text.value.decode()}")
        return int(handle)


def _calls() -> dict[str, Any]:
    """Return the library's functions with their types, by name without prefix."""
    library = ctypes.CDLL(_library_path())
    calls: dict[str, Any] = {}
    for name, (result, *arguments) in _SIGNATURES.items():
        try:
            call = getattr(library, f"rd_kafka_{name}")
        except AttributeError as error:
            message = f"this librdkafka has no mock cluster: rd_kafka_{name} is missing"
            raise KafkaError(message) from error
        call.restype, call.argtypes = result, arguments
        calls[name] = call
    return calls


def _library_path() -> str:
    """Return the library inside confluent-kafka's wheel, or else the system's."""
    for file in files("confluent-kafka") or []:
        if "librdkafka" in file.name and (".so" in file.name or ".dylib" in file.name):
            return str(file.locate())
    path = ctypes.util.find_library("rdkafka")
    if path is None:
        raise KafkaError("no librdkafka: confluent-kafka's wheel should bring it")
    return path
