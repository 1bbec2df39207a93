"""Rings: every command completes once and in its session's order, whatever the bursts; wrong rings and indices stop."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model import descriptors
from asic_model.descriptors import Command, Kind, Status
from asic_model.registers import map as regs
from tests.control.harness import AREA, Encoder, Host, HostQueue, fake_chip, small_config

QUEUE_EVENT = regs.EVENT_STATUS_QUEUE.mask


@pytest.fixture
def host():
    return Host(fake_chip(host_threads=1))


@settings(max_examples=12, deadline=None)
@given(
    size_log2=st.integers(1, 4),
    bursts=st.lists(st.tuples(st.integers(1, 16), st.booleans()), min_size=1, max_size=12),
)
def test_bursts_of_any_length_wrap_and_complete_in_order(size_log2, bursts):
    """NOPs in bursts up to a full ring, completions taken at once or late: none lost, none twice, slots reused."""
    host = Host(fake_chip(host_threads=1))
    queue = host.queue(0, size_log2)
    sent, seen = [], []
    for length, collect in bursts:
        length = min(length, queue.size - (len(sent) - len(seen)))
        for _ in range(length):
            sent.append(queue.submit(Command.NOP, ring=False, user_data=len(sent) * 3))
        queue.ring()
        if collect or len(sent) - len(seen) == queue.size:
            seen += queue.finish(len(sent) - len(seen))
    seen += queue.finish(len(sent) - len(seen)) if len(sent) > len(seen) else []
    assert [done["sequence"] for done in seen] == sent
    assert [done["user_data"] for done in seen] == [3 * n for n in range(len(sent))]
    assert {done["status"] for done in seen} == {Status.OK}
    assert queue.read(regs.QUEUES_HEAD) == queue.read(regs.QUEUES_COMPLETION_TAIL) == len(sent)


def test_full_completion_ring_holds_commands_back(host):
    """With nothing collected the firmware takes exactly one ring of commands, and goes on when there is room."""
    queue = host.queue(0, 2)
    for _ in range(4):
        queue.submit(Command.NOP)
    host.until(lambda: queue.read(regs.QUEUES_COMPLETION_TAIL) == 4)
    for _ in range(4):
        queue.submit(Command.NOP)
    for _ in range(50):
        host.chip.wait(100)
    assert queue.read(regs.QUEUES_HEAD) == 4
    assert queue.read(regs.QUEUES_STATUS) == regs.QueueState.RUNNING
    assert [done["sequence"] for done in queue.finish(8)] == list(range(1, 9))


def test_tail_beyond_the_ring_stops_the_queue(host):
    queue = host.queue(0, 2)
    queue.write(regs.QUEUES_TAIL, 5)
    host.until(lambda: queue.read(regs.QUEUES_STATUS) == regs.QueueState.BAD_INDEX)
    host.until(lambda: host.chip.read32(regs.EVENT_STATUS) & QUEUE_EVENT)
    assert queue.read(regs.QUEUES_HEAD) == 0
    # Off and on again: a clean start.
    queue.write(regs.QUEUES_TAIL, 0)
    queue.write(regs.QUEUES_CONTROL, 0)
    host.until(lambda: queue.read(regs.QUEUES_STATUS) == regs.QueueState.STOPPED)
    again = host.queue(0, 3)
    assert again.read(regs.QUEUES_STATUS) == regs.QueueState.RUNNING
    assert again.call(Command.NOP)["status"] == Status.OK


def test_completion_head_beyond_the_tail_stops_the_queue(host):
    queue = host.queue(0, 2)
    queue.write(regs.QUEUES_COMPLETION_HEAD, 1)
    queue.submit(Command.NOP)
    host.until(lambda: queue.read(regs.QUEUES_STATUS) == regs.QueueState.BAD_INDEX)


@pytest.mark.parametrize(
    ("base", "completion_base", "size_log2"),
    [
        (AREA + 32, AREA + 4096, 4),  # misaligned
        (AREA, AREA + 4096 + 8, 4),
        (0, AREA, 4),  # in the firmware's area
        (AREA, AREA - 64, 4),
        (AREA, AREA + 512, 4),  # overlap
        (AREA, AREA, 4),
        (64 << 20, AREA, 4),  # beyond the memory
        ((64 << 20) - 512, AREA, 4),  # its end beyond
        (AREA, 1 << 40, 4),
        (0xFFFF_FFFF_FFFF_FFC0, AREA, 4),  # address arithmetic must not wrap
        (AREA, 0xFFFF_FFFF_FFFF_FC00, 4),
        (AREA, AREA + 4096, 0),  # sizes
        (AREA, AREA + (1 << 20), 13),
        (AREA, AREA + (2 << 20), 15),
    ],
)
def test_bad_rings_are_refused(host, base, completion_base, size_log2):
    chip = host.chip
    chip.write32(regs.QUEUES_BASE_LOW, base & 0xFFFFFFFF)
    chip.write32(regs.QUEUES_BASE_HIGH, base >> 32)
    chip.write32(regs.QUEUES_COMPLETION_BASE_LOW, completion_base & 0xFFFFFFFF)
    chip.write32(regs.QUEUES_COMPLETION_BASE_HIGH, completion_base >> 32)
    chip.write32(regs.QUEUES_CONTROL, size_log2 << 1 | 1)
    host.until(lambda: chip.read32(regs.QUEUES_STATUS) != regs.QueueState.STOPPED)
    assert chip.read32(regs.QUEUES_STATUS) == regs.QueueState.BAD_RING
    chip.write32(regs.QUEUES_CONTROL, 0)
    host.until(lambda: chip.read32(regs.QUEUES_STATUS) == regs.QueueState.STOPPED)
    chip.write32(regs.QUEUES_BASE_HIGH, 0)
    chip.write32(regs.QUEUES_COMPLETION_BASE_HIGH, 0)
    assert host.queue(0).call(Command.NOP)["status"] == Status.OK


def test_queue_before_negotiation_is_refused():
    host = Host(fake_chip(host_threads=1), negotiate=False)
    queue = host.queue(0)
    assert queue.read(regs.QUEUES_STATUS) == regs.QueueState.BAD_VERSION


@pytest.mark.parametrize("version", [2, 0xFFFF])
def test_other_versions_are_refused_and_named(version):
    host = Host(fake_chip(host_threads=1), negotiate=False)
    chip = host.chip
    chip.write32(regs.HOST_VERSION, version)
    host.until(lambda: chip.read32(regs.NEGOTIATION) != 0)
    answer = chip.read32(regs.NEGOTIATION)
    assert regs.NEGOTIATION_ANSWER.get(answer) == regs.Negotiation.REFUSED
    assert regs.NEGOTIATION_VERSION.get(answer) == version
    assert regs.DESCRIPTOR_VERSIONS_NEWEST.get(chip.read32(regs.DESCRIPTOR_VERSIONS)) == descriptors.VERSION
    assert host.queue(0).read(regs.QUEUES_STATUS) == regs.QueueState.BAD_VERSION


def test_disabling_aborts_what_waits_and_closes_sessions():
    """A job on a core ends with its own status, those behind it as ABORTED; the queue starts clean again."""
    host = Host(fake_chip(host_threads=1, cycles=lambda job: 20_000))
    queue = host.queue(1, 4)
    encoder = Encoder(queue)
    sequences = [encoder.submit(ring=False) for _ in range(4)]
    queue.ring()
    host.until(lambda: queue.read(regs.QUEUES_HEAD) == 5)
    assert host.chip.read32(regs.CORES_STATUS) & 1
    queue.write(regs.QUEUES_CONTROL, 0)
    host.until(lambda: queue.read(regs.QUEUES_STATUS) == regs.QueueState.DRAINING)
    host.until(lambda: queue.read(regs.QUEUES_STATUS) == regs.QueueState.STOPPED)
    found = {done["sequence"]: done["status"] for done in queue.collect()}
    assert found == {sequences[0]: Status.OK, **dict.fromkeys(sequences[1:], Status.ABORTED)}
    assert regs.SESSIONS_OPEN.get(host.chip.read32(regs.SESSIONS)) == 0
    for address in (regs.QUEUES_TAIL, regs.QUEUES_COMPLETION_HEAD):
        queue.write(address, 0)
    again = Encoder(host.queue(1, 4))
    again.submit()
    assert again.queue.finish(1)[0]["status"] == Status.OK


def test_quiet_commands_raise_no_event(host):
    queue = host.queue(0)
    host.chip.write32(regs.EVENT_STATUS, 0xF)
    queue.submit(Command.NOP, flags=1)
    host.until(lambda: queue.read(regs.QUEUES_COMPLETION_TAIL) == 1)
    assert not host.chip.wait(10)
    queue.submit(Command.NOP)
    assert host.chip.wait(1000)
    assert len(queue.collect()) == 2


def test_four_queues_keep_their_sessions_apart(host):
    """A session of one queue is unknown on the others, and so is a fence on it."""
    queues = [HostQueue(host, n, 3) for n in range(4)]
    session = queues[0].open(Kind.SCALE)
    assert queues[0].call(Command.NOP, session=session)["status"] == Status.OK
    for queue in queues[1:]:
        assert queue.call(Command.NOP, session=session)["status"] == Status.BAD_SESSION
        own = queue.open(Kind.SCALE)
        refused = queue.call(Command.NOP, session=own, wait_session=session, wait_sequence=1)
        assert refused["status"] == Status.BAD_FENCE
    assert small_config().limits.sessions >= 4
