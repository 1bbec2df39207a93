"""Measurements, each a command: `python -m benchmarks.NAME --help`. docs/benchmarks.md says what each one answers."""
