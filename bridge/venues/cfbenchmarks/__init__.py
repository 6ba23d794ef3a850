"""CF Benchmarks: index values over one WebSocket; docs/venues/cfbenchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.core.model import Plan
from bridge.errors import ConfigError
from bridge.venues.base import Context, Credentials, Session, Source, Venue
from bridge.venues.cfbenchmarks import auth, plans
from bridge.venues.cfbenchmarks.session import CfBenchmarksSession

__all__ = ["VENUE", "CfBenchmarks"]


class CfBenchmarks:
    """The venue's folder as the rest of the program sees it."""

    name = plans.NAME
    streams = plans.STREAMS
    problems = staticmethod(plans.problems)
    as_of = staticmethod(plans.as_of)
    plans = staticmethod(plans.plans)

    def unusable(self, source: Source, credentials: Credentials) -> Sequence[str]:
        """List why the credentials cannot be sent with the chosen login."""
        return auth.problems(
            credentials, source.options.get("login", auth.DEFAULT_LOGIN)
        )

    def open(self, plan: Plan, context: Context) -> Session:
        """Make the session of one connection attempt.

        Raises:
            ConfigError: the credentials cannot be sent with the chosen login.
        """
        login = plan.options.get("login", auth.DEFAULT_LOGIN)
        wrong = auth.problems(context.credentials, login)
        if wrong:
            raise ConfigError([f"{plan.source}: {text}" for text in wrong])
        return CfBenchmarksSession(plan, context)


VENUE: Venue = CfBenchmarks()
