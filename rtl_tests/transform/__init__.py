"""Bench of the transform engine."""
