"""The benchmark behind `feedbridge bench`: ratios from one interleaved run.

`designs` are ways from a WebSocket to Kafka, each run in a process of its own on one
core (`worker`); `generator` and `broker` are processes on the other. `runner` starts
them in turn, `report` makes medians and ratios of what they measured.
"""
