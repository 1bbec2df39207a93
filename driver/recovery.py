"""Bringing a device back after a reset: queues, sessions, and the jobs that were in flight.

Device memory survives a reset, rings and firmware do not. So the queues are enabled again on the same memory, every
session of the firmware is opened again as it was last configured, and commands that had not completed are put on the
rings again in their order: their buffers are the device's until they complete, so they still hold what the jobs read.
What cannot go on fails by name, as `SessionReset`: sessions that were open while the host link was down; a decode
session with jobs in flight, whose surfaces are used again in the device's order, before the host knows of completions;
a command that was given to the device too often.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asic_model.descriptors import Command
from asic_model.registers import map as regs
from driver.errors import DeviceLost, SessionReset, TasicError
from driver.queue import Queue, Staged, failure

if TYPE_CHECKING:
    from driver.device import Device

RUNS_MOST = 3  # of one command, over all resets
LINK_WAIT_US = 200_000  # how long a reset waits for a link that is down
FUNCTION_WAIT_US = 200_000  # how long a client waits for the chip's owner to reset it
ALL_ONES = 0xFFFFFFFF


@dataclass(frozen=True)
class Reset:
    """What a reset did."""

    run_again: int  # commands
    failed: int
    sessions_failed: int


def reset(device: "Device", *, rerun: bool) -> Reset:
    """Reset the chip (a client: its own queue) and bring everything back; DeviceLost when that is not possible."""
    with device.lock:
        _wait_for_link(device)
        known, drops = device.link_drops()
        if known != drops:
            # What was uploaded meanwhile never arrived, so no job may run on it; and one may have run on a stale block
            # and written where it had no business, so what sessions keep on the device cannot be believed either.
            rerun = False
            for session in device.sessions:
                session.fail(SessionReset("the host link went down while this session was open"))
            device.accept_link(drops)  # a drop since then is the next one's to deal with
        if device.function == 0:
            device.backend.write32(regs.CONTROL, regs.CONTROL_RESET.put(1))
        else:
            _stop_own_queue(device)
        device.boot()
        return resume(device, rerun=rerun)


def resume(device: "Device", *, rerun: bool) -> Reset:
    """Build queues and sessions up again on a chip whose firmware runs and knows nothing of this host."""
    taken: dict[Queue, list[Staged]] = {}
    try:
        return _resume(device, taken, rerun)
    except TasicError:
        for queue, commands in taken.items():
            queue.abandon(commands)  # nobody waits for what will not come
        raise


def _resume(device: "Device", taken: "dict[Queue, list[Staged]]", rerun: bool) -> Reset:
    run_again = failed = 0
    give_back = device.firmware_sessions.forget_leftovers()
    for queue in device.queues.values():
        before = queue.outstanding
        taken[queue] = queue.take_back(
            lambda handle: rerun and device.firmware_sessions.may_run_again(handle), RUNS_MOST
        )
        run_again += len(taken[queue])
        failed += before - len(taken[queue])
    for call in give_back:
        call()
    for queue in device.queues.values():
        queue.enable()
    states = device.firmware_sessions.items()
    sessions_failed = 0
    for session in device.sessions:
        lost = rerun and not session.rerun_safe and session.in_flight
        if lost:
            session.fail(SessionReset("the device was reset while this session had jobs in flight"))
            sessions_failed += 1
    for handle, opened in states:
        fence = opened.queue.stage(Command.OPEN_SESSION, block=opened.block)
        opened.queue.ring()
        try:
            error = failure(fence.wait())
        except BaseException:
            device.give_up(opened.queue, fence, opened.block)  # the next reset opens it, and once is enough
            raise
        if error is not None:
            device.firmware_sessions.lost(handle, error)
            continue
        assert fence.completion is not None
        opened.number = fence.completion["session"]
    for queue in list(taken):
        queue.restage(taken.pop(queue))
    return Reset(run_again, failed, sessions_failed)


def _wait_for_link(device: "Device") -> None:
    waited_us = 0
    while device.backend.read32(regs.ID) == ALL_ONES:
        if waited_us >= LINK_WAIT_US:
            raise DeviceLost(f"{device.name}: the host link is down", waited_us=waited_us)
        device.backend.wait(1000)
        waited_us += 1000


def _stop_own_queue(device: "Device") -> None:
    """A client cannot reset the chip; what it can is to stop its queue. A chip that stands is its owner's to reset."""
    waited_us = 0
    beat = device.backend.read32(regs.FIRMWARE_HEARTBEAT)
    for queue in device.queues.values():
        device.backend.write32(queue.register(regs.QUEUES_CONTROL), 0)
        while queue.state() is not regs.QueueState.STOPPED:
            device.backend.write32(regs.EVENT_STATUS, 0xF)  # or no time passes
            device.backend.wait(1000)
            waited_us += 1000
            if waited_us >= FUNCTION_WAIT_US and device.backend.read32(regs.FIRMWARE_HEARTBEAT) == beat:
                raise DeviceLost(f"{device.name}: the chip's owner does not reset it", waited_us=waited_us)
            if waited_us >= 50 * FUNCTION_WAIT_US:
                raise DeviceLost(f"{device.name}: the queue does not stop", waited_us=waited_us)
