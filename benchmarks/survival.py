"""What the device survives: random descriptors, and processes that are killed at random moments.

    python -m benchmarks.survival descriptors --count 1000000
    python -m benchmarks.survival kills --count 200

Random call sequences are a state machine of the tests (tests/driver/test_sequences.py), the soak with faults is
`python -m benchmarks.soak`.

`descriptors`: two clients and the owner of one chip put structured random commands on their rings: legal ones with
fields at and beyond their limits, flipped bits, addresses from everywhere. Every command must complete, the queues must
run on, memory outside of the clients' windows must stay as it is, and a good client's stream must come out as ever.

`kills`: a daemon and clients at work; each time one of them is killed by signal 9 and started again. The others must
carry on, every result must be right, and in the end all memory and sessions must have been given back.
"""

import argparse
import collections
import json
import os
import random
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from asic_model import descriptors
from asic_model.descriptors import BLOCK_BYTES, RECORD_BYTES, Command, Kind, Status
from asic_model.record_layout import Layout
from asic_model.registers import map as regs
from benchmarks import soak
from driver.backends import Backend
from driver.device import Device
from driver.errors import DeviceLost, NoSuchDevice, TasicError
from driver.media.picture import blank_picture
from driver.options import EncoderConfig
from driver.serve.daemon import Daemon
from driver.serve.monitor import status

# -------------------------------------------------------------------------------------------------------- descriptors

RING_LOG2 = 6
WINDOW_BYTES = 4 << 20
WINDOWS = {1: 64 << 20, 2: 96 << 20}  # of the two hostile clients
RINGS, BLOCKS, BUFFERS = 0x10000, 0x20000, 0x40000  # in an attacker's window
LOOK_EVERY = 20_000  # commands between looks at everybody else
KINDS = {Command.ENCODE: Kind.ENCODE, Command.SCALE: Kind.SCALE, Command.DECODE: Kind.DECODE}
SIDE = 64
SESSIONS_MOST = 6  # that an attacker has open, about


class Attacker:
    """One queue that random commands go to, written past the driver."""

    def __init__(self, backend: Backend, queue: int, base: int, generator: random.Random) -> None:
        """base: of the attacker's memory, as its own addresses go."""
        self._backend, self._base, self._random = backend, base, generator
        self._offset = queue * regs.QUEUES_STRIDE
        self._tail = self._taken = self._sequence = 0
        self.sessions: dict[int, Kind] = {}
        self.statuses: collections.Counter[int] = collections.Counter()
        for low, address in ((regs.QUEUES_BASE_LOW, RINGS), (regs.QUEUES_COMPLETION_BASE_LOW, RINGS + 0x4000)):
            backend.write32(low + self._offset, base + address)
            backend.write32(low + 4 + self._offset, 0)
        for register in (regs.QUEUES_TAIL, regs.QUEUES_COMPLETION_HEAD):
            backend.write32(register + self._offset, 0)
        control = regs.QUEUES_CONTROL_SIZE_LOG2.put(RING_LOG2, regs.QUEUES_CONTROL_ENABLE.put(1))
        backend.write32(regs.QUEUES_CONTROL + self._offset, control)
        backend.wait(100)

    @property
    def runs(self) -> bool:
        return self._backend.read32(regs.QUEUES_STATUS + self._offset) == regs.QueueState.RUNNING

    def attack(self, count: int) -> int:
        """Put `count` commands on the ring, wait until all have completed; return how many did."""
        for _ in range(count):
            slot = self._tail % (1 << RING_LOG2)
            record, block = self._command(self._base + BLOCKS + slot * BLOCK_BYTES)
            self._backend.memory_write(self._base + BLOCKS + slot * BLOCK_BYTES, block)
            self._backend.memory_write(self._base + RINGS + slot * RECORD_BYTES, record)
            self._tail = self._tail + 1 & 0xFFFFFFFF
        self._backend.write32(regs.QUEUES_TAIL + self._offset, self._tail)
        done = 0
        for _ in range(400):
            done += self._collect()
            if done >= count:
                break
            self._backend.write32(regs.EVENT_STATUS, 0xF)
            self._backend.wait(2000)
        return done

    def _collect(self) -> int:
        tail = self._backend.read32(regs.QUEUES_COMPLETION_TAIL + self._offset)
        found = tail - self._taken & 0xFFFFFFFF
        for index in range(found):
            slot = (self._taken + index) % (1 << RING_LOG2)
            place = self._base + RINGS + 0x4000 + slot * RECORD_BYTES
            done = descriptors.unpack_completion(self._backend.memory_read(place, RECORD_BYTES))
            self.statuses[done["status"]] += 1
            if done["type"] == Command.OPEN_SESSION and done["status"] == Status.OK:
                self.sessions[done["session"]] = self._opening.get(done["user_data"], Kind.ENCODE)
            elif done["status"] == Status.BAD_SEQUENCE:  # one with a spoilt number was accepted: go on behind it
                self._sequence = done["detail"]
            elif done["type"] == Command.CLOSE_SESSION and done["status"] == Status.OK:
                self.sessions.pop(done["session"], None)
        self._taken = tail
        self._backend.write32(regs.QUEUES_COMPLETION_HEAD + self._offset, tail)
        return found

    _opening: dict[int, Kind]

    def _address(self, alignment: int) -> int:
        r = self._random
        draw = r.random()
        if draw < 0.93:
            return self._base + BUFFERS + r.randrange((WINDOW_BYTES - BUFFERS) // alignment) * alignment
        if draw < 0.96:
            return r.getrandbits(r.choice((16, 24, 32, 64)))
        return self._base + r.randrange(WINDOW_BYTES) // alignment * alignment

    def _spoilt(self, layout: Layout, values: dict[str, int]) -> bytes:
        """The record, now and then with a field at or beyond its limits, or with bits turned over."""
        r = self._random
        for field in r.choices(layout.fields, k=r.choice((0, 0, 1, 1, 3))):
            low, high = field.low, field.high
            value = r.choice((low - 1, low, low + 1, high - 1, high, high + 1, r.randint(low, high)))
            bits, signed = 8 * struct.calcsize(field.code), field.code.islower()
            least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
            values[field.name] = min(max(value, least), most)
        record = bytearray(layout.pack(values))
        if r.random() < 0.1:
            record[r.randrange(len(record))] ^= 1 << r.randrange(8)
        return bytes(record)

    def _command(self, block_address: int) -> tuple[bytes, bytes]:
        r = self._random
        command = r.choice((*KINDS, *KINDS, *KINDS, Command.NOP, Command.OPEN_SESSION, Command.CLOSE_SESSION,
                            Command.RECONFIGURE))  # fmt: skip
        if command in (Command.OPEN_SESSION, Command.CLOSE_SESSION):
            command = Command.CLOSE_SESSION if len(self.sessions) >= SESSIONS_MOST else Command.OPEN_SESSION
        kind = KINDS.get(command) or r.choice((Kind.ENCODE, Kind.SCALE, Kind.DECODE))
        fitting = [number for number, of in self.sessions.items() if of is kind]
        session = r.choice(fitting) if fitting else 0
        self._sequence = self._sequence + 1 & 0xFFFFFFFF
        header = {"version": descriptors.VERSION, "size": BLOCK_BYTES, "kind": int(kind)}
        block = bytes(BLOCK_BYTES)
        if command in (Command.OPEN_SESSION, Command.RECONFIGURE):
            values = {**header, "width": SIDE, "height": SIDE, "rate_denominator": 1, "qp_max": 51}
            if kind is Kind.ENCODE and r.random() < 0.3:
                values |= {"rate_numerator": 30, "bit_rate": r.randrange(1, 10**6)}
            block = self._spoilt(descriptors.SESSION_BLOCK, values)
        elif command in KINDS:
            layout = descriptors.JOB_BLOCKS[kind]
            values = {**header, **self._job(kind), "block_type": 1}
            block = self._spoilt(layout, values)
        self._opening[self._sequence] = kind
        if len(self._opening) > 4096:
            self._opening.clear()
        record = {
            "version": descriptors.VERSION, "type": int(command), "sequence": self._sequence,
            "session": 0 if command is Command.OPEN_SESSION else session, "user_data": self._sequence,
            "block_address": 0 if command in (Command.NOP, Command.CLOSE_SESSION) else block_address,
        }  # fmt: skip
        if fitting and r.random() < 0.1:
            record |= {"wait_session": r.choice(fitting), "wait_sequence": max(0, self._sequence - r.randrange(40))}
        return (
            self._spoilt(descriptors.COMMAND, record) if r.random() < 0.3 else descriptors.COMMAND.pack(record)
        ), block

    def _job(self, kind: Kind) -> dict[str, int]:
        r = self._random
        if kind is Kind.ENCODE:
            references = r.randrange(3)
            job = {
                "width": SIDE, "height": SIDE, "src_address": self._address(4096), "out_capacity": 1 << 14,
                "recon_address": self._address(4096), "out_address": self._address(64), "log2_max_frame_num": 4,
                "slice_type": 0 if references else 2, "ref_count": references, "qp": r.randrange(52), "slices": 1,
                "entropy": r.randrange(2), "frame_num": r.randrange(16), "idr": 0,
            }  # fmt: skip
            job |= {f"ref_address_{n}": self._address(4096) for n in range(references)}
            return job
        if kind is Kind.SCALE:
            return {
                "width": SIDE, "height": SIDE, "src_address": self._address(4096), "output_count": 1,
                "out0_width": 32, "out0_height": 32, "out0_address": self._address(4096),
            }  # fmt: skip
        return {
            "width": SIDE, "height": SIDE, "out_address": self._address(4096), "structure": 3, "chroma": 1,
            "parameters_address": self._address(64), "stream_address": self._address(64), "slice_count": 1,
            "stream_bytes": r.randrange(1, 2000), "matrix_count": 1, "conceal_reference": -1,
        }  # fmt: skip


def descriptor_run(chip_name: str, count: int, seed: int) -> int:
    """Throw `count` commands at a chip; 0 when all held."""
    generator = random.Random(seed)
    owner = Device.open(chip_name, host_threads=1, changes={"limits.sessions": 128})
    chip = owner.backend.chip  # type: ignore[attr-defined]
    attackers = []
    for number, base in WINDOWS.items():
        function = chip.function(number)
        function.enable(base, WINDOW_BYTES, sessions=24)
        Device(function, f"client {number}")  # agrees on the version
        attackers.append(Attacker(function, 0, 0, generator))
    own = owner.allocator.allocate(WINDOW_BYTES, 4096, "the owner's attack")
    attackers.append(Attacker(owner.backend, 3, own.address, generator))
    for attacker in attackers:
        attacker._opening = {}
    good = chip.function(3)
    good.enable(160 << 20, 8 << 20)
    neighbour = Device(good, "the neighbour")
    config = EncoderConfig(width=64, height=48, preset="fast")

    def stream() -> bytes:
        with neighbour.open_encoder(config) as encoder:
            return b"".join(packet.data for packet in encoder.encode(blank_picture(64, 48) for _ in range(3)))

    wanted = stream()
    mark = np.arange(1 << 20, dtype=np.uint32).view(np.uint8)
    places = [200 << 20, *(base + WINDOW_BYTES for base in WINDOWS.values()), WINDOWS[1] - mark.size]
    for place in places:
        chip.memory[place : place + mark.size] = mark
    failures: list[str] = []
    began, sent, look = time.monotonic(), 0, LOOK_EVERY
    while sent < count and not failures:
        # the owner's commands may name all of the memory: it attacks only where that does no harm, without pixels
        attacker = generator.choice(attackers if not owner.capabilities.functional else attackers[:2])
        batch = min(count - sent, generator.randrange(1, 1 << RING_LOG2))
        done = attacker.attack(batch)
        sent += batch
        if done != batch:
            failures.append(f"{done} of {batch} commands completed, after {sent}")
        if not attacker.runs:
            failures.append(f"a queue stopped after {sent} commands")
        if sent >= look or sent >= count:
            look += LOOK_EVERY
            if stream() != wanted:
                failures.append(f"the neighbour's stream changed after {sent} commands")
            if any((chip.memory[place : place + mark.size] != mark).any() for place in places):
                failures.append(f"memory outside of the windows changed after {sent} commands")
            rate = sent / (time.monotonic() - began)
            print(f"  {sent:9} commands, {rate:.0f} a second", flush=True)
    counts: collections.Counter[int] = sum((a.statuses for a in attackers), collections.Counter())
    named = {int(member): member.name for member in Status}
    print(f"{sent} random commands on {chip_name}, seed {seed}: "
          + ", ".join(f"{n} {named.get(code, code)}" for code, n in counts.most_common()))  # fmt: skip
    for failure in failures:
        print(f"  FAILED: {failure}")
    print("  passed" if not failures else f"  {len(failures)} failures", flush=True)
    return int(bool(failures))


# --------------------------------------------------------------------------------------------------------------- kills

CLIENTS = 3
SESSIONS = 2  # of each client
DAEMON_SHARE = 0.25  # of the kills
AFTER_SECONDS = 8.0  # that the last ones work on
LIMIT_SECONDS = 60.0


def _fork(work: Callable[[], None]) -> int:
    """Run `work` in a process of its own; return its number."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def _serve(path: Path, chip: str) -> None:
    device = Device.open(chip, changes=soak.CHANGES)
    daemon = Daemon(device, path, memory_mib=32)
    signal.signal(signal.SIGTERM, lambda *_: daemon.stop())
    daemon.run()
    device.close()


class Kills:
    """A daemon and clients, one of which dies every now and then."""

    def __init__(self, chip: str, count: int, seed: int, folder: Path) -> None:
        self._chip, self._count, self._folder = chip, count, folder
        self._random = random.Random(seed)
        self._path = folder / "kills.sock"
        self._known, self._stream = soak.answers()
        self._serial = seed * 10_000
        self.failures: list[str] = []
        self.killed: collections.Counter[str] = collections.Counter()

    def _client(self, until: float) -> int:
        self._serial += 1
        serial = self._serial
        report = self._folder / f"{serial}.json"

        def work() -> None:
            seconds = until - time.monotonic()
            client = soak.Client(str(self._path), SESSIONS, seconds, serial, self._known, self._stream)
            found = client.run()
            report.write_text(json.dumps(found))

        return _fork(work)

    def run(self) -> bool:
        pause = 0.35  # mean, between two kills
        until = time.monotonic() + self._count * pause + AFTER_SECONDS
        daemon = _fork(lambda: _serve(self._path, self._chip))
        clients = [self._client(until) for _ in range(CLIENTS)]
        for _ in range(self._count):
            time.sleep(self._random.uniform(0.0, 2 * pause))
            if self._random.random() < DAEMON_SHARE:
                os.kill(daemon, signal.SIGKILL)
                os.waitpid(daemon, 0)
                daemon = _fork(lambda: _serve(self._path, self._chip))
                self.killed["daemon"] += 1
            else:
                victim = self._random.randrange(CLIENTS)
                os.kill(clients[victim], signal.SIGKILL)
                os.waitpid(clients[victim], 0)
                until = max(until, time.monotonic() + AFTER_SECONDS)
                clients[victim] = self._client(until)
                self.killed["client"] += 1
        for client in clients:
            self._await(client, "a client")
        self._look()
        os.kill(daemon, signal.SIGTERM)
        self._await(daemon, "the daemon")
        return not self.failures

    def _await(self, pid: int, who: str) -> None:
        limit = time.monotonic() + LIMIT_SECONDS + AFTER_SECONDS
        while time.monotonic() < limit:
            done, code = os.waitpid(pid, os.WNOHANG)
            if done:
                if code:
                    self.failures.append(f"{who} ended with {code}")
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.failures.append(f"{who} was stuck")

    def _look(self) -> None:
        """Everything must have been given back; the clients that lived must have done good work and no other."""
        found: dict[str, Any] = {}
        limit = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < limit:
            with suppress(NoSuchDevice, DeviceLost):
                found = status(self._path)
                given_back = found["window_bytes_free"] == found["window_bytes_total"]
                if not found["clients"] and not found["dying"] and given_back and not found["telemetry"]["sessions"]:
                    break
            time.sleep(0.1)
        else:
            self.failures.append(f"not all was given back: {found}")
        self.counts: collections.Counter[str] = collections.Counter()
        for report in self._folder.glob("*.json"):
            said = json.loads(report.read_text())
            self.counts.update(said["counts"])
            self.failures += said["wrong"]
            if not any(name.endswith(" good") for name in said["counts"]):
                self.failures.append(f"a client that lived did nothing: {said['counts']}")


def kill_run(chip: str, count: int, seed: int) -> int:
    with tempfile.TemporaryDirectory(prefix="tasic-kills-") as folder:
        kills = Kills(chip, count, seed, Path(folder))
        kills.run()
        killed = ", ".join(f"{n} times {who}" for who, n in kills.killed.items())
        print(f"{count} kills on {chip}, seed {seed}: {killed}")
        print(f"  the last clients' work: {', '.join(f'{n} {name}' for name, n in sorted(kills.counts.items()))}")
        for failure in kills.failures[:20]:
            print(f"  FAILED: {failure}")
        print("  passed" if not kills.failures else f"  {len(kills.failures)} failures", flush=True)
    return int(bool(kills.failures))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("descriptors", "kills"))
    parser.add_argument("--count", type=int, help="default: 1,000,000 descriptors, 200 kills")
    parser.add_argument("--chip", help="default: null:tiny for descriptors, model:edge for kills")
    parser.add_argument("--seed", type=int, default=1)
    found = parser.parse_args(arguments)
    try:
        if found.what == "descriptors":
            return descriptor_run(found.chip or "null:tiny", found.count or 1_000_000, found.seed)
        return kill_run(found.chip or "model:edge", found.count or 200, found.seed)
    except TasicError as error:
        print(f"FAILED: {error}")
        return 1


if __name__ == "__main__":
    os.environ.setdefault("TASIC_QUIET_COMPILE", "1")
    sys.exit(main())
