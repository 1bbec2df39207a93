"""The executor's threads: nobody waits for ever for a job that no thread will compute."""

import threading

import numpy as np

from asic_model.cores.result import STATUS_OK
from asic_model.descriptors import Kind
from asic_model.executor import Executor
from asic_model.ticket import Ticket, failed_result
from driver.device import Device
from tests.driver.test_serve import coded


def ticket(compute) -> Ticket:
    return Ticket(Kind.ENCODE, {}, [], compute)


def test_who_waits_for_a_job_that_is_dropped_computes_it():
    """Two threads hold two jobs; a third waits in the pool, a fourth waits for the third; somebody waits for both, and
    the chip ends."""
    executor = Executor(np.zeros(4096, np.uint8), {}, 2)
    begun, go_on = threading.Semaphore(0), threading.Event()
    order: list[str] = []

    def hold():
        begun.release()
        assert go_on.wait(20)
        return failed_result(STATUS_OK, 0)

    def note(name: str, detail: int):
        order.append(name)
        return failed_result(STATUS_OK, detail)

    held = [ticket(hold), ticket(hold)]
    third = ticket(lambda: note("third", 3))
    fourth = ticket(lambda: note("fourth", 4))
    fourth.waits_for = [third]
    for one in held:
        executor._queue(one)
    for _ in held:
        assert begun.acquire(timeout=20)
    for one in (third, fourth):
        executor._queue(one)
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(fourth.result().detail), daemon=True)
    waiting.start()
    closing = threading.Thread(target=executor.close, daemon=True)
    closing.start()
    waiting.join(20)
    assert found == [4]
    assert order == ["third", "fourth"]
    assert closing.is_alive()  # what has begun is waited for
    go_on.set()
    closing.join(20)
    assert not closing.is_alive()
    assert all(one.done for one in held)


def test_a_chip_without_threads_computes_by_itself():
    """Its threads have ended; jobs that come now are computed by who asks for their outcome."""
    with Device.open("model:tiny", host_threads=2) as device:
        wanted = coded(device)
        device.backend.chip.close()
        assert coded(device) == wanted
