"""Bench of the transform engine for 8x8 blocks."""
