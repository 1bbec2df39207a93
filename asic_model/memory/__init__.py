"""Device memory and what stands between it and the engines."""
