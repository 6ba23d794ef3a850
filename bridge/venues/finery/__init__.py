"""Finery Markets: books, orders, positions, limits and settlements."""

from bridge.venues.finery.plans import VENUE

__all__ = ["VENUE"]
