"""Engines: each one place for its kernels, its cycles and its configuration."""
