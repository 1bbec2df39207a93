"""What is computed ahead of simulated time changes nothing but the host's time."""

import threading
from itertools import pairwise

import pytest

from asic_model.descriptors import Command, Kind, Status
from tests.control.harness import AREA, Encoder, Host, fake_chip


def test_pictures_of_two_sessions_meet_although_the_link_is_slow():
    """Uploads take longer than coding, so never two cores are busy in simulated time; yet each picture waits, on its
    host thread, for the other session's: without looking ahead neither could go on."""
    meeting = threading.Barrier(2, timeout=20)
    host = Host(fake_chip(host_threads=2, before=lambda job: meeting.wait()))
    queue = host.queue(0, 5)
    encoders = [Encoder(queue, 32, 32), Encoder(queue, 48, 32)]
    upload = host.allocate(1 << 20)
    for _ in range(4):
        for encoder in encoders:
            host.chip.memory_write(upload, bytes(1 << 20))
            encoder.submit()
    done = queue.finish(8)
    assert {d["status"] for d in done} == {Status.OK}
    spans = sorted((d["started"], d["finished"]) for d in done)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@pytest.mark.parametrize("threads", [1, 3])
def test_refused_job_is_not_taken_for_its_repetition(threads):
    """Refused for its sequence number; then the source changes and the very same block is submitted again."""
    host = Host(fake_chip(host_threads=threads))
    chip, queue = host.chip, host.queue()
    encoder = Encoder(queue)
    block = encoder.block(qp=0)
    queue.call(Command.NOP, session=encoder.session)
    chip.memory_write(encoder.source, bytes([1]) * 100)
    queue.sequence -= 1
    refused = queue.call(Command.ENCODE, block, session=encoder.session)
    assert refused["status"] == Status.BAD_SEQUENCE
    chip.memory_write(encoder.source, bytes([2]) * 100)
    assert queue.call(Command.ENCODE, block, session=encoder.session)["status"] == Status.OK
    assert chip.memory_read(encoder.out, 1)[0] == 200


@pytest.mark.parametrize("threads", [1, 3])
def test_same_block_twice_in_flight(threads):
    host = Host(fake_chip(host_threads=threads))
    queue = host.queue()
    encoder = Encoder(queue)
    block = encoder.block()
    for _ in range(2):
        queue.submit(Command.ENCODE, block, ring=False, session=encoder.session)
    queue.ring()
    assert [d["status"] for d in queue.finish(2)] == [Status.OK, Status.OK]
    assert host.chip.stats()["jobs"]["encode"]["jobs"] == 2


def test_rate_controlled_pictures_are_computed_once():
    """Their QP is the firmware's: nothing is foreseen, no picture runs twice; nor after RECONFIGURE to constant QP."""
    qps = []
    host = Host(fake_chip(host_threads=2, before=lambda job: qps.append(job.qp)))
    queue = host.queue(0, 5)
    encoder = Encoder(queue, bit_rate=100_000, rate_numerator=30, qp_min=30)
    for _ in range(6):
        encoder.submit(qp=11)
    done = queue.finish(6)
    assert qps == [d["qp"] for d in done]
    assert min(qps) >= 30


@pytest.mark.parametrize(
    "changes",
    [
        {"out_address": 0},
        {"out_address": AREA - 64},  # the firmware's area
        {"recon_address": 63 << 20},  # beyond the end
        {"qp_map_address": 64 << 20},
        {"out_address": "ring"},
        {"recon_address": "completions"},
        {"recon_address": "source"},
    ],
)
def test_jobs_that_must_not_run_do_not_run_ahead(changes):
    """Blocks whose outputs hit what is not theirs: refused, and no core function saw them."""
    seen = []
    host = Host(fake_chip(host_threads=2, before=seen.append))
    queue = host.queue()
    encoder = Encoder(queue, 1024, 1024)
    places = {"ring": queue.base, "completions": queue.completion_base & ~4095, "source": encoder.source + 4096}
    values = {name: places.get(value, value) for name, value in changes.items()}
    encoder.submit(**values)
    assert queue.finish(1)[0]["status"] in (Status.BAD_FIELD, Status.ACCESS_VIOLATION)
    assert not seen


def test_sessions_of_other_kinds_are_not_foreseen():
    seen = []
    host = Host(fake_chip(host_threads=2, before=seen.append))
    queue = host.queue()
    encoder = Encoder(queue)
    scaler = queue.open(Kind.SCALE)
    queue.submit(Command.ENCODE, encoder.block(), session=scaler)
    queue.submit(Command.ENCODE, encoder.block(), session=12345)
    assert [d["status"] for d in queue.finish(2)] == [Status.BAD_SESSION] * 2
    assert not seen
