"""The chip: time, determinism, protection, traps, reset, and real parallelism on host threads."""

import hashlib
import os
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from asic_model import descriptors
from asic_model.chip import Chip
from asic_model.config import load_chip
from asic_model.descriptors import Command, Kind, LogCode, Status
from asic_model.mcu import Cause
from asic_model.registers import map as regs
from tests.control.assembler import EBREAK, image, j_type
from tests.control.harness import AREA, Encoder, Host, fake_chip, small_config

PROJECT_DIR = Path(__file__).resolve().parents[2]


def busy_run(host_threads: int) -> str:
    """Two queues, five encode sessions of different sizes, scales between; a digest of all that can be seen."""
    chip = fake_chip(host_threads=host_threads, cycles=lambda job: 150 + job.width % 7 * 40 + job.qp)
    host = Host(chip)
    queues = [host.queue(0, 5), host.queue(3, 5)]
    encoders = [
        Encoder(queues[n % 2], 32 + 16 * n, 48, **({"bit_rate": 200_000, "rate_numerator": 30} if n % 2 else {}))
        for n in range(5)
    ]
    for encoder in encoders:
        chip.memory_write(encoder.source, bytes(range(97)))
    seen = hashlib.sha256()
    for turn in range(4):
        for encoder in encoders:
            encoder.submit(ring=False)
        for queue in queues:
            queue.ring()
        chip.memory_write(host.allocate(20_000), bytes([turn]) * 20_000)
        for queue, count in zip(queues, (3, 2), strict=True):
            for done in queue.finish(count):
                seen.update(repr(sorted(done.items())).encode())
    for encoder in encoders:
        seen.update(chip.memory_read(encoder.recon[1], 3000))
    stats = chip.stats()
    seen.update(repr([stats[name] for name in ("now_ps", "control", "jobs", "traffic", "memory")]).encode())
    return seen.hexdigest()


def test_same_bytes_and_cycles_whatever_the_threads():
    assert len({busy_run(threads) for threads in (1, 2, 5, 2)}) == 1


def test_same_bytes_and_cycles_whatever_the_hash_seed(tmp_path):
    """Two processes with different PYTHONHASHSEED, in different folders."""
    digests = set()
    for seed in ("1", "4242"):
        folder = tmp_path / seed
        folder.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(PROJECT_DIR), "TASIC_QUIET_COMPILE": "1"}
        code = "from tests.control.test_chip import busy_run; print(busy_run(2))"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
        digests.add(done.stdout)
    assert len(digests) == 1


def test_two_sessions_are_computed_at_the_same_time():
    """Each session's second picture waits, on its host thread, for the other's: alone neither could go on."""
    meeting = threading.Barrier(2, timeout=20)
    pictures = {32: 0, 48: 0}

    def before(job):
        pictures[job.width] += 1
        if pictures[job.width] > 1:
            meeting.wait()

    host = Host(fake_chip(host_threads=2, before=before, cycles=lambda job: 40_000))
    queue = host.queue(0, 5)
    encoders = [Encoder(queue, 32, 32), Encoder(queue, 48, 32)]
    for _ in range(6):
        for encoder in encoders:
            encoder.submit(ring=False)
    queue.ring()
    assert {done["status"] for done in queue.finish(12)} == {Status.OK}


def test_announced_jobs_wait_for_what_they_read():
    """A chain recon -> reference over 8 pictures, on 4 threads: every picture sees its finished reference."""
    expected = None
    for threads in (1, 4):
        host = Host(fake_chip(host_threads=threads))
        queue = host.queue(0, 5)
        encoder = Encoder(queue, 128, 128)
        host.chip.memory_write(encoder.source, bytes(5000))
        for _ in range(8):
            encoder.submit(ring=False)
        queue.ring()
        queue.finish(8)
        found = host.chip.memory_read(encoder.recon[1], 100)
        assert expected in (None, found)
        expected = found


def test_an_error_in_a_core_reaches_the_caller():
    def before(job):
        raise ZeroDivisionError("in the core")

    for threads in (1, 2):
        host = Host(fake_chip(host_threads=threads, before=before))
        queue = host.queue()
        Encoder(queue).submit()
        with pytest.raises(ZeroDivisionError, match="in the core"):
            queue.finish(1)


def test_host_link_time():
    """Latency and bandwidth as configured; a register read is one round trip, a write half of it."""
    config = small_config()
    chip = fake_chip(config)
    link = config.host_link
    before = chip.now_ps
    chip.read32(regs.ID)
    assert chip.now_ps - before == link.mmio_latency_ns * 1000
    before = chip.now_ps
    chip.memory_write(AREA, bytes(1_000_000))
    assert chip.now_ps - before == link.latency_ns * 1000 + -(-(10**12) // link.bandwidth_mb_s)
    before = chip.now_ps
    chip.memory_read(AREA, 500_000)
    assert chip.now_ps - before == 2 * link.latency_ns * 1000 + -(-5 * 10**11 // link.bandwidth_mb_s)
    served = chip.stats()["traffic"]["other"]["host"]
    assert (served["read"], served["write"]) == (500_000, 1_000_000)


def test_host_may_write_only_its_registers_and_memory():
    chip = fake_chip()
    Host(chip)
    for address in (regs.ID, regs.FIRMWARE_STATUS, regs.MOVER_GO, regs.CORES_START, regs.QUEUES_HEAD, 0xFFC):
        before = chip.read32(address)
        chip.write32(address, 0x55)
        assert chip.read32(address) == before
    chip.memory_write(0, b"\x55" * 64)
    assert chip.memory_read(0, 64) != b"\x55" * 64
    assert chip.read32(regs.HOST_WRITES_DROPPED) == 7


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda chip: chip.read32(2), "register address"),
        (lambda chip: chip.read32(0x1000), "register address"),
        (lambda chip: chip.write32(-4, 0), "register address"),
        (lambda chip: chip.write32(0x30, 1 << 32), "32-bit"),
        (lambda chip: chip.memory_read(64 << 20, 1), "outside"),
        (lambda chip: chip.memory_write((64 << 20) - 3, b"1234"), "outside"),
        (lambda chip: chip.memory_read(-1, 1), "outside"),
    ],
)
def test_wrong_calls_are_explained(call, words):
    with pytest.raises(ValueError, match=words):
        call(fake_chip())


def test_trap_is_reported():
    """An image that jumps to an EBREAK: state FAULT, cause, PC, event; time still passes, the host still reads."""
    chip = fake_chip(image=image([j_type(8, 0), 0, EBREAK]))
    chip.write32(regs.EVENT_ENABLE, 0xF)
    assert chip.wait(1)
    assert chip.read32(regs.FIRMWARE_STATUS) == regs.FirmwareState.FAULT
    assert chip.read32(regs.EVENT_STATUS) == regs.EVENT_STATUS_FAULT.mask | regs.EVENT_STATUS_STATE.mask
    assert (chip.read32(regs.FAULT_CAUSE), chip.read32(regs.FAULT_PC)) == (Cause.BREAKPOINT, 8)
    chip.write32(regs.EVENT_STATUS, 0xF)
    before = chip.now_ps
    assert not chip.wait(100)
    assert chip.now_ps == before + 100_000_000


def test_trap_with_a_job_on_a_core():
    """The firmware's memory is overwritten by zeros while a core works: the job still ends, the trap is seen."""
    host = Host(fake_chip(host_threads=1, cycles=lambda job: 3000))
    chip = host.chip
    encoder = Encoder(host.queue())
    encoder.submit()
    host.until(lambda: chip.read32(regs.CORES_STATUS) & 1 == 1)
    chip._processor.memory[:] = 0
    chip.wait(10_000)
    host.until(lambda: chip.read32(regs.FIRMWARE_STATUS) == regs.FirmwareState.FAULT)
    assert chip.read32(regs.FAULT_CAUSE) == Cause.ILLEGAL_INSTRUCTION
    host.until(lambda: chip.read32(regs.CORES_STATUS) & 1 == 0)
    chip.write32(regs.CONTROL, 1)
    assert Host(chip).queue().call(Command.NOP)["status"] == Status.OK


def test_reset_starts_again():
    """A reset with a job on a core: firmware boots, nothing is left of queues and sessions, memory stays."""
    host = Host(fake_chip(host_threads=1, cycles=lambda job: 3000))
    chip = host.chip
    queue = host.queue()
    encoder = Encoder(queue)
    chip.memory_write(encoder.source, b"kept")
    encoder.submit()
    host.until(lambda: chip.read32(regs.CORES_STATUS) & 1 == 1)
    chip.write32(regs.CONTROL, 1)
    assert chip.read32(regs.FIRMWARE_STATUS) in (regs.FirmwareState.RESET, regs.FirmwareState.BOOT)
    again = Host(chip)
    assert chip.memory_read(encoder.source, 4) == b"kept"
    assert chip.read32(regs.SESSIONS) & 0xFFFF == 0
    assert chip.read32(regs.QUEUES_STATUS) == regs.QueueState.STOPPED
    encoder = Encoder(again.queue())
    encoder.submit()
    assert encoder.queue.finish(1)[0]["status"] == Status.OK


def test_heartbeat_beats_while_idle():
    chip = fake_chip()
    Host(chip)
    while chip.wait(200):
        chip.write32(regs.EVENT_STATUS, 0xF)
    before = chip.read32(regs.FIRMWARE_HEARTBEAT)
    assert not chip.wait(10_000)
    assert 18 <= chip.read32(regs.FIRMWARE_HEARTBEAT) - before <= 22


def test_log_tells_what_happened():
    """BOOT, VERSION, QUEUE_STATE, REJECTED with status and detail: read from the ring in device memory."""
    host = Host(fake_chip(host_threads=1))
    chip = host.chip
    queue = host.queue()
    queue.call(Command.ENCODE, bytes(256), session=77)
    count, base = chip.read32(regs.LOG_COUNT), chip.read32(regs.LOG_BASE)
    records = [descriptors.LOG_RECORD.unpack(chip.memory_read(base + 64 * n, 64)) for n in range(count)]
    assert [record["index"] for record in records] == list(range(count))
    assert [record["code"] for record in records] == [
        LogCode.BOOT, LogCode.VERSION, LogCode.QUEUE_STATE, LogCode.REJECTED,
    ]  # fmt: skip
    assert (records[3]["c"], records[3]["d"]) == (Status.BAD_SESSION, 77)
    assert all(a["ticks"] < b["ticks"] for a, b in pairwise(records))


def test_rate_controlled_session_reports_its_qps():
    """The firmware chooses: QPs differ from the job's, and are what the fake core saw (its bytes follow the QP)."""
    host = Host(fake_chip(host_threads=1))
    queue = host.queue(0, 5)
    encoder = Encoder(queue, 128, 128, bit_rate=300_000, rate_numerator=30, qp_min=10, qp_max=40)
    for _ in range(20):
        encoder.submit(ring=False)
    queue.ring()
    done = queue.finish(20)
    assert all(10 <= d["qp"] <= 40 for d in done)
    assert all(d["output_bytes"] == max(4, 64 * 40 >> d["qp"] // 6) for d in done)
    tail = done[8:]
    rate = sum(d["output_bytes"] for d in tail) * 8 * 30 / len(tail)
    assert 0.5 * 300_000 < rate < 1.6 * 300_000


def test_firmware_needs_its_memory():
    with pytest.raises(ValueError, match="memory_kib"):
        Chip(small_config(**{"control.memory_kib": 64}), types={})


def test_chip_without_cores_refuses_their_jobs():
    host = Host(Chip(small_config(), types={}))
    queue = host.queue()
    block = descriptors.pack_session(Kind.ENCODE, width=64, height=64)
    refused = queue.call(Command.OPEN_SESSION, block)
    assert (refused["status"], refused["detail"]) == (Status.NO_CORE, Kind.ENCODE)


def test_memory_costs_nothing_until_it_is_used():
    """8 GiB of device memory: less than 200 MB of address space becomes resident."""
    before = int(Path("/proc/self/statm").read_text().split()[1])
    chip = Chip(load_chip("vcu"), types={})
    assert chip.memory.size == 8 << 30
    chip.memory_write((8 << 30) - 4096, bytes(4096))
    assert (int(Path("/proc/self/statm").read_text().split()[1]) - before) * os.sysconf("SC_PAGE_SIZE") < 200e6


@pytest.mark.parametrize("kind", [Kind.ENCODE, Kind.SCALE])
def test_without_pixels_work_is_estimated(kind):
    """functional=False on the real cores: memory untouched, time and traffic as for an ordinary picture."""
    host = Host(Chip(small_config(), functional=False))
    queue = host.queue()
    assert regs.FEATURES_FUNCTIONAL.get(host.chip.read32(regs.FEATURES)) == 0
    if kind is Kind.ENCODE:
        encoder = Encoder(queue, 128, 96)
        encoder.submit(ring=False)
        encoder.submit()
        watched, area = encoder.recon[0], 128 * 96
    else:
        watched, area = host.allocate(1 << 16), 100 * 60
        fields = {"width": 128, "height": 96, "src_address": host.allocate(1 << 16), "output_count": 1,
                  "out0_width": 100, "out0_height": 60, "out0_address": watched}  # fmt: skip
        session = queue.open(kind, 128, 96)
        for _ in range(2):
            queue.submit(Command.SCALE, descriptors.pack_job(kind, fields), session=session)
    done = queue.finish(2)
    assert [d["status"] for d in done] == [Status.OK, Status.OK]
    assert {d["output_bytes"] for d in done} == {0}
    assert not any(host.chip.memory[watched : watched + area])
    assert all(d["finished"] > d["started"] for d in done)
    stats = host.chip.stats()
    assert stats["traffic"][f"{kind.name.lower()}0"]["source"]["read"] >= 128 * 96
    assert stats["jobs"][kind.name.lower()]["output_bytes"] == 0


def test_the_processor_may_stop_at_every_access_or_at_few(monkeypatch):
    """The same completions, clocks and counters whether its model clears bits, looks at what is pending and moves by
    itself, or stops for the chip at each register access."""
    from asic_model.bus import Bus
    from driver.device import Device
    from driver.media.picture import blank_picture
    from driver.options import EncoderConfig, PlannedRung

    config = EncoderConfig(width=160, height=96, queue_depth=3, bit_rate=300_000)
    rungs = [PlannedRung("96p", 160, 96, 300_000), PlannedRung("48p", 80, 48, None)]

    def run() -> tuple[object, ...]:
        with Device.open("null:edge") as device:
            with device.open_transcoder(config, rungs, width=160, height=96) as session:
                packets = list(session.transcode(blank_picture(160, 96) for _ in range(12)))
            found = [(rung, packet.qp, packet.latency_ps) for rung, packet in packets]
            return found, device.backend.chip.stats(), device.now_ps()  # type: ignore[attr-defined]

    few = run()
    monkeypatch.setattr(Bus, "let_move", lambda *_arguments: None)
    without_moves = run()
    monkeypatch.setattr(Bus, "let_run_on", lambda _self: None)
    assert few == without_moves == run()
