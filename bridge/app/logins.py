"""The venue logins as they are now, and the connections that must take them up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from bridge.config import Settings
from bridge.edge.clock import Clock
from bridge.errors import BridgeError, ConfigError
from bridge.flow.feed import Feed
from bridge.venues import VENUES
from bridge.venues.base import Credentials, Source


class Logins:
    """Reads logins afresh; `hide` is told every secret before it is used."""

    def __init__(self, settings: Settings) -> None:
        """Read nothing yet."""
        self._settings = settings
        self.hide: Callable[[str], None] = _nobody
        self._good: dict[tuple[str, str], Credentials] = {}

    def read(self, source: Source) -> Credentials:
        """Return the login of `source` as it is now; safe in any thread.

        Raises:
            OSError, ValueError: a file cannot be read, or is no text.
            ConfigError: nothing is in it, or the venue's login cannot carry it.
        """
        login = self._settings.credentials(source)
        for text in filter(None, (login.key, login.secret)):
            self.hide(text)
        path = f"{source.venue}.{source.name}"
        if not (login.key and login.secret):
            raise ConfigError([f"{path}: the login is empty; write both of its files"])
        if wrong := VENUES[source.venue].unusable(source, login):
            raise ConfigError([f"{path}: {text}" for text in wrong])
        self._good[source.venue, source.name] = login
        return login

    def usable(self, source: Source) -> Credentials:
        """Return the login as it is now, or the last good one where it is broken."""
        try:
            return self.read(source)
        except (OSError, ValueError, BridgeError):
            if (source.venue, source.name) not in self._good:
                raise
            return self._good[source.venue, source.name]


def _nobody(_secret: str) -> None:
    """Be told of a secret where no log could show it."""


class AccountLogin:
    """One account's login under watch: a look at it, and its renewal everywhere."""

    def __init__(
        self,
        source: Source,
        logins: Logins,
        clock: Clock,
        feeds: Callable[[], Iterable[Feed]],
    ) -> None:
        """`feeds` returns those that use it, of any account."""
        self._source = source
        self._logins = logins
        self._clock = clock
        self._feeds = feeds
        self._digest = b""
        self._since_ns = 0

    def look(self) -> bytes:
        """Return a digest of the login, and note since when it is there."""
        login = self._logins.read(self._source)
        text = f"{len(login.key)}:{login.key}{login.secret}"
        digest = hashlib.sha256(text.encode()).digest()
        if digest != self._digest:
            self._digest, self._since_ns = digest, self._clock.now().mono_ns
        return digest

    async def renew(self) -> None:
        """Let every connection of the account take the login up, one by one.

        The first failure ends it: a login that does not work is not tried on each. What
        was renewed before is not renewed again.

        Raises:
            BridgeError: a connection could not be replaced, and goes on as it was.
        """
        name = self._source.name
        for feed in [feed for feed in self._feeds() if feed.plan.source == name]:
            await feed.renew(self._since_ns)
