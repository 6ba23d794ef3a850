"""Who runs what at this moment, by the topic that tells everybody."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection

import confluent_kafka as ck

from tests.chaos.feeds_log import STATES, Claim, assign_all, claim_of
from tests.chaos.log import Reader


class Board:
    """Follows the feed states from the first one on."""

    def __init__(self, bootstrap: str) -> None:
        """Begin to listen; the topic must be there."""
        options = {"group.id": "none", "enable.auto.commit": False, "log_level": 0}
        self._consumer = ck.Consumer({"bootstrap.servers": bootstrap, **options})
        self._newest: dict[str, Claim] = {}
        self._owners: dict[str, str] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="board", daemon=True)
        assign_all(self._consumer, [STATES])
        self._thread.start()

    @property
    def owners(self) -> dict[str, str]:
        """Return the worker of each connection that there ever was."""
        with self._lock:
            return dict(self._owners)

    def states(self) -> dict[str, Claim]:
        """Return the newest state of each subscription's newest connection."""
        with self._lock:
            return dict(self._newest)

    def missing(self, keys: Collection[str]) -> list[str]:
        """Return which of these are not LIVE."""
        states = self.states()
        return [k for k in keys if k not in states or states[k].state != "LIVE"]

    def shares(self, keys: Collection[str]) -> Counter[str]:
        """Return how many of these each worker runs."""
        states = self.states()
        return Counter(states[key].worker for key in keys if key in states)

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join(10)

    def _listen(self) -> None:
        reader = Reader()
        while not self._stop.is_set():
            message = self._consumer.poll(0.2)
            if message is not None and message.error() is None and message.value():
                self._learn(claim_of(reader.read(message.value() or b"")))
        self._consumer.close()

    def _learn(self, claim: Claim) -> None:
        with self._lock:
            self._owners[claim.connection] = claim.worker
            known = self._newest.get(claim.key)
            if known is None or claim.connection >= known.connection:
                self._newest[claim.key] = claim
