"""Bench of the encode core: a picture in memory to its slice and its reconstruction in memory."""
