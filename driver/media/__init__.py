"""Media files in and out, through FFmpeg's libraries (PyAV): demultiplex and decode on the host, multiplex."""
