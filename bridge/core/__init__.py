"""Pure values and rules: no clock, no log, no await, no I/O."""
