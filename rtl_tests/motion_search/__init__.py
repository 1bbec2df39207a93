"""Bench of the motion search engine."""
