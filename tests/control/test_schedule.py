"""Scheduling: order within a session, round robin between queues and sessions, no core idle while a job could run."""

from itertools import pairwise

import pytest

from asic_model import descriptors
from asic_model.descriptors import Command, Kind, Status
from asic_model.registers import map as regs
from tests.control.harness import Encoder, Host, fake_chip, small_config

PS = 10_000  # a tick of the tiny chip's control clock


def test_jobs_of_a_session_run_one_at_a_time_in_order():
    host = Host(fake_chip(host_threads=1))
    queue = host.queue()
    encoder = Encoder(queue)
    sequences = [encoder.submit(ring=False) for _ in range(8)]
    queue.ring()
    done = queue.finish(8)
    assert [d["sequence"] for d in done] == sequences
    assert all(d["status"] == Status.OK for d in done)
    for before, after in pairwise(done):
        assert before["finished"] <= after["started"]
    for d in done:
        assert d["submitted"] <= d["started"] < d["finished"]


def test_sessions_share_both_cores_and_none_idles():
    """Four sessions, two cores: from the first start to the last end both cores are busy but for firmware turns."""
    host = Host(fake_chip(host_threads=1, cycles=lambda job: 40_000))
    queue = host.queue(0, 6)
    encoders = [Encoder(queue) for _ in range(4)]
    for _ in range(3):
        for encoder in encoders:
            encoder.submit(ring=False)
    queue.ring()
    done = queue.finish(12)
    assert {d["core"] for d in done} == {0, 1}
    by_core = {core: sorted((d["started"], d["finished"]) for d in done if d["core"] == core) for core in (0, 1)}
    length = max(finish - start for spans in by_core.values() for start, finish in spans)
    for spans in by_core.values():
        assert len(spans) == 6
        for (_, finished), (started, _) in pairwise(spans):
            assert finished <= started < finished + length // 50
    rounds = [d["session"] for d in sorted(done, key=lambda d: d["started"])]
    for n in range(0, 12, 4):
        assert len(set(rounds[n : n + 4])) == 4, rounds


def test_queues_take_turns():
    """One queue with three busy sessions and one with a single session: the latter is served every other time."""
    config = small_config(**{"encode.cores": 1})
    host = Host(fake_chip(config, host_threads=1, cycles=lambda job: 40_000))
    greedy, modest = host.queue(0, 5), host.queue(2, 5)
    crowd = [Encoder(greedy) for _ in range(3)]
    single = Encoder(modest)
    for _ in range(4):
        for encoder in crowd:
            encoder.submit(ring=False)
        single.submit(ring=False)
    greedy.ring()
    modest.ring()
    done = greedy.finish(12) + modest.finish(4)
    order = [d["session"] for d in sorted(done, key=lambda d: d["started"])]
    places = [n for n, session in enumerate(order) if session == single.session]
    assert all(later - former == 2 for former, later in pairwise(places)), order


def test_fence_holds_a_job_until_the_other_session_is_there():
    """Scale waits for encode of another session, encode of a third for the scale: starts after those ends."""
    host = Host(fake_chip(host_threads=1, cycles=lambda job: 5000))
    queue = host.queue(0, 5)
    first, last = Encoder(queue), Encoder(queue)
    scaler = queue.open(Kind.SCALE)
    out = host.allocate(1 << 16)
    block = descriptors.pack_job(
        Kind.SCALE,
        {"width": 64, "height": 64, "src_address": first.source, "output_count": 1, "out0_width": 32,
         "out0_height": 32, "out0_address": out},
    )  # fmt: skip
    encoded = first.submit(ring=False)
    scaled = queue.submit(
        Command.SCALE, block, ring=False, session=scaler, wait_session=first.session, wait_sequence=encoded
    )
    last.submit(ring=False, wait_session=scaler, wait_sequence=scaled)
    marker = queue.submit(Command.NOP, ring=False, session=last.session, wait_session=scaler, wait_sequence=scaled)
    queue.ring()
    done = queue.finish(4)
    assert [d["status"] for d in done] == [0, 0, 0, 0]
    assert done[0]["finished"] <= done[1]["started"]
    assert done[1]["finished"] <= done[2]["started"]
    assert done[3]["sequence"] == marker


def test_chain_of_fences_over_many_sessions():
    """Each of 14 sessions waits for the one before; submitted in one burst, they complete in the chain's order."""
    host = Host(fake_chip(host_threads=1))
    queue = host.queue(0, 6)
    encoders = [Encoder(queue, 16, 16) for _ in range(14)]
    waited: dict[str, int] = {}
    sessions = []
    for encoder in encoders:
        sequence = encoder.submit(ring=False, **waited)
        waited = {"wait_session": encoder.session, "wait_sequence": sequence}
        sessions.append(encoder.session)
    queue.ring()
    assert [d["session"] for d in queue.finish(14)] == sessions


def test_reconfigure_and_close_take_their_place():
    host = Host(fake_chip(host_threads=1))
    queue = host.queue()
    encoder = Encoder(queue)
    block = descriptors.pack_session(Kind.ENCODE, width=64, height=64)
    order = [
        encoder.submit(ring=False),
        queue.submit(Command.RECONFIGURE, block, ring=False, session=encoder.session),
        encoder.submit(ring=False),
        queue.submit(Command.CLOSE_SESSION, ring=False, session=encoder.session),
    ]
    late = encoder.submit(ring=False)
    queue.ring()
    done = queue.finish(5)
    assert [d["sequence"] for d in done if d["sequence"] != late] == order
    assert {d["sequence"]: d["status"] for d in done} == {**dict.fromkeys(order, Status.OK), late: Status.BAD_SESSION}
    reused = queue.open(Kind.ENCODE)
    assert reused != encoder.session
    assert reused & 0xFFFF == encoder.session & 0xFFFF


def test_session_limit_and_reserved_rate():
    config = small_config(**{"limits.sessions": 3, "limits.encode_mpix_s": 10.0})
    host = Host(fake_chip(config, host_threads=1))
    queue = host.queue()

    def opened(**fields: int) -> dict[str, int]:
        block = descriptors.pack_session(Kind.ENCODE, width=64, height=64, **fields)
        return queue.call(Command.OPEN_SESSION, block)

    first = opened(reserve_kilosamples=6000)
    refused = opened(reserve_kilosamples=4001)
    assert (refused["status"], refused["detail"]) == (Status.NO_CAPACITY, 1)
    assert opened(reserve_kilosamples=4000)["status"] == opened()["status"] == Status.OK
    refused = opened()
    assert (refused["status"], refused["detail"]) == (Status.NO_CAPACITY, 0)
    assert host.chip.read32(regs.SESSIONS) == 3 << 16 | 3
    assert queue.call(Command.CLOSE_SESSION, session=first["session"])["status"] == Status.OK
    assert opened(reserve_kilosamples=6000)["status"] == Status.OK


@pytest.mark.parametrize("sessions", [16])
def test_many_sessions_at_once(sessions):
    """All sessions of the chip over four queues: every job completes, in order, on the right core."""
    host = Host(fake_chip(host_threads=2))
    queues = [host.queue(n, 5) for n in range(4)]
    encoders = [Encoder(queues[n % 4], 32, 32) for n in range(sessions)]
    for _ in range(5):
        for encoder in encoders:
            encoder.submit(ring=False)
    for queue in queues:
        queue.ring()
    for queue in queues:
        done = queue.finish(5 * sessions // 4)
        assert {d["status"] for d in done} == {Status.OK}
        for session in {d["session"] for d in done}:
            mine = [d["sequence"] for d in done if d["session"] == session]
            assert mine == sorted(mine)
            assert len(mine) == 5
    assert host.chip.read32(regs.JOBS_FINISHED) == 5 * sessions
    host.chip.stats()
