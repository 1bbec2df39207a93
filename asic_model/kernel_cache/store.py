"""The files of the kernel cache: one a version of a kernel, named by what it was compiled from.

A name holds a hash of all that the content depends on, so a file is never wrong: processes and checkouts side by side
share the folder without locks, and writing the same file twice is harmless. Files are written beside their name and
renamed. Every use renews a file's time at most once a day; `sweep` removes what was not used for long.
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numba

SUFFIX = ".kernel"
PART = ".kernel-part"
LOCK = ".kernel-lock"
WAIT_SECONDS = 0.02
DAY_SECONDS = 86_400
# Former versions of the text and forgotten checkouts go by age; the bound on bytes stops a quick series of edits.
KEEP_SECONDS = 30 * DAY_SECONDS
KEEP_BYTES = 1 << 30
# Never removed: somebody is about to load them.
FRESH_SECONDS = 3_600


def cache_dir() -> Path:
    """Folder that holds the compiled kernels."""
    if numba.config.CACHE_DIR:
        return Path(numba.config.CACHE_DIR)
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tasic" / "kernels"


def read(name: str) -> bytes | None:
    """Return the file called `name` of the cache, None when there is none that can be read."""
    path = cache_dir() / (name + SUFFIX)
    try:
        data = path.read_bytes()
        if time.time() - path.stat().st_mtime > DAY_SECONDS:
            os.utime(path)
    except OSError:
        return None
    return data


def write(name: str, data: bytes) -> bool:
    """Keep `data` under `name`; False when the folder does not take it (full, read-only), which only costs time."""
    folder = cache_dir()
    part = folder / f".{secrets.token_hex(8)}{PART}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(folder / (name + SUFFIX))
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        return False
    return True


def has(name: str) -> bool:
    """Whether the cache holds a file called `name`."""
    return (cache_dir() / (name + SUFFIX)).exists()


@contextlib.contextmanager
def claim(name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Let no other process make the file called `name` meanwhile; who comes second waits, then finds it there.

    Calls `waiting` now and then. Callers follow the call graph of the kernels from above, which has no circles, so
    they cannot wait for each other. The system drops the claims of a process that ends; a folder without locks only
    costs double work.
    """
    path = cache_dir() / f".{name}{LOCK}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        yield
        return
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                time.sleep(WAIT_SECONDS)
            except OSError:
                break
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def sweep(keep_seconds: float = KEEP_SECONDS, keep_bytes: int = KEEP_BYTES) -> int:
    """Remove files unused for `keep_seconds`, then the longest unused beyond `keep_bytes`; return the bytes removed.

    Files of the last hour stay. A process that meets a missing file compiles that kernel again.
    """
    now, files = time.time(), _files()
    held, removed = sum(size for _, size, _ in files), 0
    for used, size, path in sorted(files):
        age = now - used
        if age <= FRESH_SECONDS or (age <= keep_seconds and held <= keep_bytes):
            break
        with contextlib.suppress(OSError):
            os.unlink(path)
            held, removed = held - size, removed + size
    return removed


def clear() -> int:
    """Remove all files of the cache, and nothing else that may stand in its folder; return the bytes removed."""
    removed = 0
    for _, size, path in _files():
        with contextlib.suppress(OSError):
            os.unlink(path)
            removed += size
    return removed


def held_bytes() -> int:
    """Size of the cache."""
    return sum(size for _, size, _ in _files())


def _files() -> list[tuple[float, int, str]]:
    """(time of last use, bytes, path) of each file."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(cache_dir()):
            with contextlib.suppress(OSError):
                if entry.is_file() and entry.name.endswith((SUFFIX, PART, LOCK)):
                    found.append((entry.stat().st_mtime, entry.stat().st_size, entry.path))
    return found
