"""Bench of the intra prediction engine."""
