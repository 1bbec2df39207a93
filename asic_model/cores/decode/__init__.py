"""Decode core: H.264 pictures from slice data, in device memory."""
