"""Bench of the control path with the encode core behind it: jobs of the driver on RTL engines."""
