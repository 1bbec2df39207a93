"""Throughput without pixels: recorded work, workloads, and what a chip, a host or a fleet makes of them.

work_trace  what jobs did, in a file
recorder    takes it from a running chip
playback    the same host calls and the same work on the same chip: equal to the picosecond
"""
