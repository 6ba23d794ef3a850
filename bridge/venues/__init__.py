"""The venues that feedbridge speaks to: a folder each, a line each in `VENUES`."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.venues.base import Venue
from bridge.venues.cfbenchmarks import VENUE as CFBENCHMARKS
from bridge.venues.finery import VENUE as FINERY

VENUES: Mapping[str, Venue] = {venue.name: venue for venue in (FINERY, CFBENCHMARKS)}
