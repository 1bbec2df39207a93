"""Faults at the chip: each does what it says, watchdog and ECC meet it, and the same seed gives the same run."""

import pytest

from asic_model.chip import Chip
from asic_model.descriptors import LOG_RECORD, Command, LogCode, Status
from asic_model.faults import Fault, FaultError, Faults, load_faults
from asic_model.registers import map as regs
from tests.control.harness import Encoder, Host, fake_chip, small_config


def chip_with(*faults: dict, ecc: bool = True, seed: int = 0, **more) -> Chip:
    return fake_chip(host_threads=1, faults=Faults([Fault.parse(f) for f in faults], seed, ecc), **more)


def log_of(chip: Chip) -> list[dict[str, int]]:
    count, size = chip.read32(regs.LOG_COUNT), chip.read32(regs.LOG_SIZE)
    base = chip.read32(regs.LOG_BASE)
    return [LOG_RECORD.unpack(chip.memory_read(base + n % size * 64, 64)) for n in range(max(0, count - size), count)]


def stream_of(chip: Chip, count: int = 4) -> tuple[list[dict[str, int]], list[bytes]]:
    """Code `count` pictures one by one; completions and streams."""
    queue = Host(chip).queue()
    encoder = Encoder(queue)
    chip.memory_write(encoder.source, bytes(range(256)) * 24)
    done, streams = [], []
    for _ in range(count):
        encoder.submit()
        done += queue.finish(1)
        streams.append(chip.memory_read(encoder.out, done[-1]["output_bytes"]))
    return done, streams


def test_a_hung_engine_is_reset_its_job_tried_elsewhere_and_its_core_taken_out():
    plain, wanted = stream_of(chip_with())
    chip = chip_with({"kind": "engine_hang", "core": 0, "job": 1, "macroblock": 5})
    done, streams = stream_of(chip)
    assert streams == wanted
    assert [d["status"] for d in done] == [0] * 4
    assert [d["attempts"] for d in done] == [1, 2, 1, 1]
    assert [d["core"] for d in done] == [0, 1, 1, 1]
    # 64x64: 20 ms and 16 macroblocks of 100 us, counted in heartbeats of 500 us
    waited_us = (done[1]["finished"] - done[1]["submitted"]) * chip.config.clocks.control_ps / 1e6
    assert 21_600 < waited_us < 24_000
    assert chip.read32(regs.CORES_OUT) == 1
    assert chip.read32(regs.JOBS_RETRIED) == 1
    codes = [record["code"] for record in log_of(chip)]
    assert LogCode.WATCHDOG in codes
    assert LogCode.CORES_OUT in codes
    assert plain[1]["attempts"] == 1


def test_a_job_that_hangs_on_every_attempt_ends_by_name_and_the_last_core_stays():
    chip = chip_with({"kind": "engine_hang", "probability": 1.0})
    done, _ = stream_of(chip, 2)
    assert [(d["status"], d["detail"]) for d in done] == [(Status.TIMED_OUT, 2)] * 2
    assert chip.read32(regs.CORES_OUT).bit_count() == 1
    assert chip.read32(regs.JOBS_TIMED_OUT) == 2
    chip.faults.clear()
    queue = Host(chip, negotiate=False).queue(1)
    encoder = Encoder(queue)
    encoder.submit()
    assert queue.finish(1)[0]["status"] == Status.OK


def test_a_wrong_result_differs_in_one_byte_and_claims_success():
    _, wanted = stream_of(chip_with())
    done, streams = stream_of(chip_with({"kind": "wrong_result", "job": 2}))
    assert [d["status"] for d in done] == [0] * 4
    assert [a == b for a, b in zip(streams, wanted, strict=True)] == [True, True, False, True]
    assert sum(a != b for a, b in zip(streams[2], wanted[2], strict=True)) == 1


def test_a_slow_core_takes_its_factor():
    (plain, *_), _ = stream_of(chip_with(cycles=lambda job: 4000))
    (slow, *_), _ = stream_of(chip_with({"kind": "slow_core", "factor": 8}, cycles=lambda job: 4000))
    ratio = (slow["finished"] - slow["started"]) / (plain["finished"] - plain["started"])
    assert 7.5 < ratio <= 8.0


@pytest.mark.parametrize(("ecc", "bits"), [(True, 1), (True, 2), (False, 1)])
def test_bit_flips(ecc, bits):
    """ECC corrects one bit and fails jobs that read two, until the word is written again; without it data change."""
    chip = chip_with(ecc=ecc)
    queue = Host(chip).queue()
    encoder = Encoder(queue)
    data = bytes(range(256)) * 24
    chip.memory_write(encoder.source, data)
    chip.inject(Fault("bit_flip", address=encoder.source + 65, bits=bits))
    encoder.submit()
    done = queue.finish(1)[0]
    changed = chip.memory_read(encoder.source, len(data)) != data
    assert changed == (not ecc or bits == 2)
    assert chip.read32(regs.ECC_CORRECTED) == (ecc and bits == 1)
    assert chip.read32(regs.ECC_UNCORRECTED) == (ecc and bits == 2)
    assert done["status"] == (Status.MEMORY_ERROR if ecc and bits == 2 else Status.OK)
    if done["status"]:
        assert done["detail"] == (encoder.source + 65) // 64
    chip.memory_write(encoder.source, data)
    encoder.pictures = 0
    encoder.submit()
    assert queue.finish(1)[0]["status"] == Status.OK


def test_a_lost_doorbell_is_made_good_by_the_next():
    """The first one opens the session, the second one is the job's: nothing happens until the host rings again."""
    chip = chip_with({"kind": "lost_doorbell", "queue": 0, "job": 1})
    queue = Host(chip).queue()
    encoder = Encoder(queue)
    for _ in range(300):
        chip.read32(regs.ID)  # the firmware comes to rest: a turn under way would see the new tail
    encoder.submit()
    for _ in range(3000):
        chip.read32(regs.ID)
    assert queue.collect() == []
    queue.ring()
    assert queue.finish(1)[0]["status"] == Status.OK


def test_a_trap_and_a_stuck_firmware():
    for kind, state in (("firmware_trap", regs.FirmwareState.FAULT), ("firmware_stuck", regs.FirmwareState.RUN)):
        chip = chip_with()
        Host(chip)
        chip.inject(Fault(kind))
        chip.wait(2000)
        beat = chip.read32(regs.FIRMWARE_HEARTBEAT)
        chip.wait(5000)
        assert chip.read32(regs.FIRMWARE_HEARTBEAT) == beat
        assert chip.read32(regs.FIRMWARE_STATUS) == state
        chip.write32(regs.CONTROL, 1)
        done = stream_of(chip, 1)[0]
        assert done[0]["status"] == Status.OK
        assert chip.read32(regs.RESET_COUNT) == 1


def test_the_link_goes_down_and_comes_back():
    chip = chip_with()
    Host(chip)
    chip.inject(Fault("link_drop", for_us=500))
    chip.wait(1)
    assert chip.read32(regs.ID) == 0xFFFFFFFF
    assert chip.memory_read(1 << 20, 4) == b"\xff" * 4
    chip.memory_write(1 << 20, b"lost")
    chip.wait(600)
    assert chip.read32(regs.ID) != 0xFFFFFFFF
    assert chip.memory_read(1 << 20, 4) == bytes(4)
    chip.inject(Fault("removal"))
    chip.wait(10_000_000)
    assert chip.read32(regs.ID) == 0xFFFFFFFF


def test_the_same_seed_gives_the_same_run():
    def run(seed: int) -> list[tuple[int, int, int]]:
        chip = chip_with({"kind": "slow_core", "probability": 0.4, "factor": 3}, {"kind": "wrong_result",
                         "probability": 0.3}, seed=seed, cycles=lambda job: 3000)  # fmt: skip
        done, streams = stream_of(chip, 12)
        return [(d["started"], d["finished"], hash(s)) for d, s in zip(done, streams, strict=True)]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_reset_with_hung_cores_and_waiting_jobs():
    chip = chip_with({"kind": "engine_hang", "probability": 1.0}, cycles=lambda job: 100)
    queue = Host(chip).queue()
    for _ in range(3):
        Encoder(queue).submit()
    chip.wait(100)
    chip.faults.clear()
    chip.write32(regs.CONTROL, 1)
    done = stream_of(chip, 2)[0]
    assert [d["status"] for d in done] == [0, 0]
    chip.stats()


def test_plans_are_checked(tmp_path):
    path = tmp_path / "faults.yaml"
    path.write_text("seed: 3\necc: false\nfaults:\n  - {kind: engine_hang, core: 1, macroblock: 9}\n")
    faults, seed, ecc = load_faults(path)
    assert (faults, seed, ecc) == ([Fault("engine_hang", core=1, macroblock=9)], 3, False)
    for text, message in (
        ("faults: [{kind: meltdown}]", "'meltdown' is not one of"),
        ("faults: [{kind: bit_flip, adress: 3}]", "unknown field 'adress'"),
        ("faults: [{kind: bit_flip, bits: 3}]", r"bits: 3 is not in 1\.\.2"),
        ("faults: [3]", "no mapping"),
        ("nothing: 3", "`faults`, `seed` and `ecc`"),
        ("seed: x", "no integer"),
        ("{", "faults.yaml"),
    ):
        path.write_text(text)
        with pytest.raises(FaultError, match=message):
            load_faults(path)
    with pytest.raises(FaultError, match="No such file"):
        load_faults(tmp_path / "none.yaml")


def test_a_host_may_reset_a_core():
    chip = chip_with(cycles=lambda job: 20_000)
    queue = Host(chip).queue()
    encoder = Encoder(queue)
    encoder.submit()
    chip.wait(50)
    chip.write32(regs.CORE_RESET, 0b11)
    done = queue.finish(1)[0]
    assert (done["status"], done["attempts"]) == (Status.OK, 2)
    assert chip.read32(regs.CORES_OUT) == 0
    assert queue.call(Command.NOP)["status"] == Status.OK


def test_the_watchdog_may_be_set_by_the_session():
    chip = chip_with({"kind": "engine_hang"})
    queue = Host(chip).queue()
    encoder = Encoder(queue, watchdog_us=3000)
    encoder.submit()
    done = queue.finish(1)[0]
    assert done["attempts"] == 2
    assert (done["finished"] - done["submitted"]) * small_config().clocks.control_ps < 5_000_000_000
