"""Device memory: channels, banks, rows, queues, refresh.

`controller` is burst-accurate and is validated against published simulators; `fast` is what a running chip uses.
Both take the timing tables of `memory.timings` and the mapping of `mapping.py`.
"""
