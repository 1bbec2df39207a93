"""Bench of the entropy engine."""
