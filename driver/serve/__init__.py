"""`tasic serve`: one process runs devices, others use them through a Unix socket.

protocol  what goes over the socket, and the memory that both sides share
daemon    the serving side: a function of the chip for each client, scrubbed when the client goes
monitor   what `tasic top` and `tasic mon` ask a daemon
The using side is the backend `remote` (driver/backends/remote.py): the driver above it is the same as ever.
"""
