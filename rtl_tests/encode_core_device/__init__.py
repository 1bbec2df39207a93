"""Bench of the encode core behind its job blocks."""
