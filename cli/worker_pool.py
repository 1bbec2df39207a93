"""Worker processes of a command: Ctrl-C is for the command alone, and when it leaves, they are gone."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_all_start_methods, get_context, resource_tracker

PARENT_LOOKED_AT_S = 0.5


def _begin(parent: int) -> None:
    """In a worker: SIGTERM ends it, and so does the end of its command, of which a SIGKILL tells nobody."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_LOOKED_AT_S)
    os._exit(1)


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """That many processes, all of them started. An exception, Ctrl-C and SIGTERM among them, kills them: what they were
    at is lost.

    They are forks where this process has one thread alone: a fork has already what is imported here.
    """
    start = "fork" if threading.active_count() == 1 and "fork" in get_all_start_methods() else "spawn"
    others = set(active_children())
    # A terminal sends Ctrl-C to every process: workers inherit it blocked. A task starts one of them, or all; the
    # resource tracker would begin with the first, and unblock the signal again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        executor = ProcessPoolExecutor(workers, get_context(start), initializer=_begin, initargs=(os.getpid(),))
        for _ in range(workers):
            executor.submit(int)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield executor
    except BaseException:
        started = [process.pid for process in active_children() if process not in others and process.pid]
        for pid in started:  # at once: one that sees another's end would speak of it
            os.kill(pid, signal.SIGKILL)
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
