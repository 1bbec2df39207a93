"""Chip descriptions (`*.yaml`) and their reader."""
