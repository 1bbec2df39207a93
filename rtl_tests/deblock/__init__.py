"""Bench of the deblocking engine."""
