"""Local servers that behave like the venues, faults included."""
