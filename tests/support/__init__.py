"""Parts the tests share: tiers, real servers, and small tools."""
