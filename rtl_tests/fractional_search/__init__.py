"""Bench of the fractional search engine."""
