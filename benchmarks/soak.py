"""Soak: many sessions of mixed kinds in several processes, with faults and killed processes all the while.

    python -m benchmarks.soak --seconds 600                 64 sessions in 8 processes, a fault each 3 s
    python -m benchmarks.soak --seconds 60 --kill-daemon 10   the daemon is killed every 10 s, too

Each session codes, scales, transcodes or decodes short clips over and over through a `tasic serve` of its own. A piece
of work ends well (its result is compared bit for bit with that of an undisturbed chip), or with one of the driver's
errors; anything else fails the run: another result, another exception, a process that does not end, a session or memory
that is not given back, a daemon that grows or does not tell how it is. Under rate control a picture's QP follows the
bits of those that have completed, so its stream depends on what else the chip does: there FFmpeg must decode every
picture of it.
"""

import argparse
import collections
import faulthandler
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from driver.device import Device
from driver.errors import DeviceLost, NoSuchDevice, TasicError
from driver.media.picture import Picture
from driver.options import EncoderConfig, PlannedRung, ScalerConfig
from driver.serve.monitor import inject, status

KINDS = ("encode", "rate", "ladder", "scale", "decode")
WIDTH, HEIGHT, PICTURES = 80, 48, 5
CONFIG = EncoderConfig(width=WIDTH, height=HEIGHT, qp=28, preset="fast", queue_depth=2)
CHANGES = {"memory.capacity_mib": 512}
# What may go wrong, and what that is drawn from.
FAULTS: tuple[Callable[[random.Random], dict[str, Any]], ...] = (
    lambda r: {"kind": "engine_hang", "job": r.randrange(20), "macroblock": r.randrange(15)},
    lambda r: {"kind": "firmware_trap", "at_us": float(r.randrange(2000))},
    lambda r: {"kind": "firmware_stuck", "at_us": float(r.randrange(2000))},
    lambda r: {"kind": "lost_doorbell", "job": r.randrange(20)},
    lambda r: {"kind": "slow_core", "job": r.randrange(20), "factor": r.randrange(2, 60)},
    lambda r: {"kind": "bit_flip", "address": r.randrange(1 << 20, 1 << 28), "bits": 1},
    lambda r: {"kind": "link_drop", "at_us": float(r.randrange(1000)), "for_us": float(r.randrange(100, 5000))},
)
END_SECONDS = 120.0  # in which every process must have ended


def clip() -> list[Picture]:
    """A few moving pictures."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    found = []
    for number in range(PICTURES):
        luma = ((x * 3 + y * 2 + 7 * number) % 200 + 20).astype(np.uint8)
        luma[10 : 10 + 2 * number + 4, 8 + 5 * number : 30 + 5 * number] = 235
        cb = (128 + x[::2, ::2] // 2).astype(np.uint8)
        found.append(Picture(luma, cb, (255 - cb).astype(np.uint8), number, 1, Fraction(1, 25)))
    return found


def work(device: Device, kind: str, pictures: list[Picture], stream: bytes) -> str:
    """Do one piece of work; return the digest of all that came out."""
    digest = hashlib.sha256()
    if kind in ("encode", "rate"):
        config = CONFIG if kind == "encode" else CONFIG.replace(bit_rate=200_000)
        with device.open_encoder(config) as encoder:
            data = b"".join(packet.data for packet in encoder.encode(pictures))
        digest.update(data if kind == "encode" else str(decoded_pictures(data)).encode())
    elif kind == "ladder":
        rungs = [PlannedRung("48p", WIDTH, HEIGHT, None), PlannedRung("24p", 40, 24, None)]
        streams = {0: b"", 1: b""}
        with device.open_transcoder(CONFIG, rungs, width=WIDTH, height=HEIGHT) as session:
            for number, packet in session.transcode(pictures):
                streams[number] += packet.data
        digest.update(streams[0] + streams[1])
    elif kind == "scale":
        with device.open_scaler(ScalerConfig(width=WIDTH, height=HEIGHT, sizes=((40, 24),), queue_depth=2)) as scaler:
            for (small,) in scaler.scale(pictures):
                digest.update(np.ascontiguousarray(small.y).tobytes())
    else:
        with device.open_decoder() as decoder:
            for picture in decoder.decode([stream]):
                digest.update(np.ascontiguousarray(picture.download().y).tobytes())
    return digest.hexdigest()


def decoded_pictures(data: bytes) -> int:
    """How many pictures FFmpeg decodes of a stream."""
    with av.open(io.BytesIO(data), format="h264") as container:
        return sum(1 for _ in container.decode(video=0))


def answers() -> tuple[dict[str, str], bytes]:
    """What an undisturbed chip gives for each kind, and the stream for decoding."""
    pictures = clip()
    with Device.open("model:edge", changes=CHANGES) as device:
        with device.open_encoder(CONFIG) as encoder:
            stream = b"".join(packet.data for packet in encoder.encode(pictures))
        return {kind: work(device, kind, pictures, stream) for kind in KINDS}, stream


# ------------------------------------------------------------------------------------------------------------ a client


class Client:
    """One process with several sessions at once, each on a thread, all on one device."""

    def __init__(self, path: str, sessions: int, seconds: float, seed: int, known: dict[str, str], stream: bytes):
        self.path, self.known, self.stream = path, known, stream
        self.until = time.monotonic() + seconds
        self.counts: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.said: dict[str, str] = {}  # the first message of each code
        self._lock = threading.Lock()
        self._device: Device | None = None
        self._generation = 0
        self._threads = [threading.Thread(target=self._work, args=(seed * 1000 + n,)) for n in range(sessions)]

    def run(self) -> dict[str, Any]:
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()
        if self._device is not None:
            with suppress(TasicError):
                self._device.close()
        return {"counts": dict(self.counts), "wrong": self.wrong, "said": self.said}

    def _take(self) -> tuple[Device, int]:
        """The device, opened again when somebody lost it."""
        with self._lock:
            while self._device is None:
                try:
                    self._device = Device.open(f"remote:{self.path}", memory_mib=32)
                except (NoSuchDevice, DeviceLost):
                    if time.monotonic() > self.until:
                        raise
                    time.sleep(0.1)
            return self._device, self._generation

    def _lost(self, generation: int) -> None:
        with self._lock:
            if generation == self._generation and self._device is not None:
                with suppress(TasicError):
                    self._device.backend.close()
                self._device = None
                self._generation += 1

    def _work(self, seed: int) -> None:
        generator, pictures = random.Random(seed), clip()
        while time.monotonic() < self.until:
            kind = generator.choice(KINDS)
            generation = -1
            try:
                device, generation = self._take()
                good = work(device, kind, pictures, self.stream) == self.known[kind]
                outcome = "good" if good else "WRONG"
                if not good:
                    self.wrong.append(f"{kind}: another result")
            except (DeviceLost, NoSuchDevice) as error:
                outcome = error.code
                self._lost(generation)
            except TasicError as error:
                outcome = error.code
                self.said.setdefault(error.code, str(error))
            except Exception as error:
                outcome = "TRACEBACK"
                self.wrong.append(f"{kind}: {type(error).__name__}: {error}")
                self._lost(generation)
            with self._lock:
                self.counts[f"{kind} {outcome}"] += 1


def client(arguments: argparse.Namespace) -> int:
    """The client process: its results as one line of JSON."""
    faulthandler.register(signal.SIGUSR1)
    plan = json.loads(Path(arguments.client).read_text())
    made = Client(
        plan["socket"], arguments.sessions, arguments.seconds, arguments.seed, plan["known"],
        bytes.fromhex(plan["stream"]),
    )  # fmt: skip
    print(json.dumps(made.run()), flush=True)
    return 0


# ------------------------------------------------------------------------------------------------------------- the run


def rss_kib(pid: int) -> int:
    """Memory of a process that is its own: pages of files and of shared memory apart."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


class Soak:
    """Daemon, clients, faults, kills; `run` returns what happened."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.a = arguments
        self.random = random.Random(arguments.seed)
        self.socket = folder / "soak.sock"
        self.plan = folder / "plan.json"
        self.failures: list[str] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self.did: collections.Counter[str] = collections.Counter()
        self.said: dict[str, str] = {}
        self.struck: collections.Counter[str] = collections.Counter()
        self.clients: list[subprocess.Popen[str]] = []
        self.samples: list[tuple[float, int, int]] = []
        self.last: dict[str, Any] = {}
        self.unanswered = 0  # questions
        self.stderr = folder / "daemon.err"

    def _daemon(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "cli.main", "serve", "--chip", self.a.chip, "--socket", str(self.socket),
                   "--memory", "32", "--no-selftest"]  # fmt: skip
        with self.stderr.open("a") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        if "serving" not in process.stdout.readline():
            raise SystemExit(f"the daemon does not start: {self.stderr.read_text()[-1000:]}")
        return process

    def _client(self, number: int, seconds: float) -> "subprocess.Popen[str]":
        each = self.a.sessions // self.a.clients
        command = [sys.executable, "-m", "benchmarks.soak", "--client", str(self.plan), "--sessions", str(each),
                   "--seconds", str(seconds), "--seed", str(self.a.seed * 100 + number)]  # fmt: skip
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self) -> bool:
        known, stream = answers()
        self.plan.write_text(json.dumps({"socket": str(self.socket), "known": known, "stream": stream.hex()}))
        self.daemon = self._daemon()
        began = time.monotonic()
        end = began + self.a.seconds
        self.clients = [self._client(n, self.a.seconds) for n in range(self.a.clients)]
        serial = self.a.clients
        events = self._events(began, end)
        for what in events:
            if what == "fault":
                fault = self.random.choice(FAULTS)(self.random)
                if fault["kind"] in self.a.without.split(","):
                    continue
                with suppress(TasicError):
                    inject(self.socket, fault)
                    self.did[f"fault {fault['kind']}"] += 1
            elif what == "kill client" and self.clients:
                victim = self.random.randrange(len(self.clients))
                self.clients[victim].send_signal(signal.SIGKILL)
                self.clients[victim].communicate()
                self.clients[victim] = self._client(serial, max(1.0, end - time.monotonic()))
                serial += 1
                self.did["client killed"] += 1
            elif what == "kill daemon":
                self._note()
                self.daemon.send_signal(signal.SIGKILL)
                self.daemon.wait()
                self.daemon = self._daemon()
                self.samples.clear()
                self.did["daemon killed"] += 1
            else:
                self._note()
        self._finish()
        return not self.failures

    def _events(self, began: float, end: float) -> Iterator[str]:
        """What is to happen, each thing when its time has come."""
        due = {"look": began + 2.0, "fault": began + self.a.fault_every}
        for name, every in (("kill client", self.a.kill_every), ("kill daemon", self.a.kill_daemon)):
            if every:
                due[name] = began + every
        every = {"look": 2.0, "fault": self.a.fault_every, "kill client": self.a.kill_every,
                 "kill daemon": self.a.kill_daemon}  # fmt: skip
        while (now := time.monotonic()) < end:
            name = min(due, key=lambda key: due[key])
            if due[name] > now:
                time.sleep(min(due[name] - now, end - now))
                continue
            spread = self.random.uniform(0.5, 1.5) if name != "look" else 1.0
            due[name] = now + every[name] * spread
            yield name

    def _note(self) -> None:
        """Look at the daemon, which must say how it is whatever is done to its device."""
        if self.daemon.poll() is not None:
            raise SystemExit(f"the daemon ended by itself: {self.daemon.returncode}\n{self.stderr.read_text()[-3000:]}")
        try:
            self.last = status(self.socket)
        except TasicError as error:
            if not self.unanswered:
                self.failures.append(f"the daemon does not tell how it is: {error}\n{self._stacks()}")
            self.unanswered += 1
            return
        self.struck = collections.Counter(self.last["faults"])
        pid = self.daemon.pid
        self.samples.append((time.monotonic(), rss_kib(pid), descriptors(pid)))

    def _stacks(self) -> str:
        """Where each of the daemon's threads stands."""
        before = self.stderr.stat().st_size
        self.daemon.send_signal(signal.SIGUSR1)
        time.sleep(1.0)
        return self.stderr.read_text()[before:]

    def _finish(self) -> None:
        for process in self.clients:
            try:
                out, err = process.communicate(timeout=END_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGUSR1)  # where its threads stand
                with suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=2.0)
                process.kill()
                _, err = process.communicate()
                self.failures.append(f"a client process was stuck:\n{err}")
                continue
            if process.returncode or not out.strip():
                self.failures.append(f"a client ended with {process.returncode}: {err.strip()[-300:]}")
                continue
            found = json.loads(out.strip().splitlines()[-1])
            self.counts.update(found["counts"])
            self.said.update(found["said"])
            self.failures += found["wrong"]
        limit = time.monotonic() + END_SECONDS
        while time.monotonic() < limit:
            self._note()
            if not self._kept():
                break
            time.sleep(0.2)
        else:
            self.failures.append(
                f"not given back: {self._kept()}; log: {self.last.get('log', [])[-10:]}\n{self._stacks()}"
            )
        self.daemon.send_signal(signal.SIGTERM)
        try:
            if self.daemon.wait(END_SECONDS):
                self.failures.append(f"the daemon ended with {self.daemon.returncode}")
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.failures.append("the daemon was stuck")
        third = len(self.samples) // 3
        if third >= 3:
            early = max(kib for _, kib, _ in self.samples[third : 2 * third])
            late = max(kib for _, kib, _ in self.samples[2 * third :])
            if late > early * 1.1 + 20_000:
                self.failures.append(f"the daemon grew from {early} to {late} KiB")

    def _kept(self) -> dict[str, Any]:
        """What the daemon has told that somebody still has."""
        told = self.last
        if not told:
            return {"everything": "the daemon never told how it is"}
        found = {
            "sessions": told["telemetry"]["sessions"],
            "clients": told["clients"],
            "dying": told["dying"],
            "bytes": told["window_bytes_total"] - told["window_bytes_free"],
        }
        state = {"link_up": told["link_up"], "firmware": told["telemetry"]["firmware_state"]}
        return found | state | {"uptime_seconds": told["uptime_seconds"]} if any(found.values()) else {}

    def report(self) -> str:
        """What happened, in lines."""
        kinds: dict[str, collections.Counter[str]] = {kind: collections.Counter() for kind in KINDS}
        for name, count in self.counts.items():
            kind, _, outcome = name.partition(" ")
            kinds[kind][outcome] += count
        lines = [
            f"{self.a.sessions} sessions in {self.a.clients} processes on {self.a.chip}, {self.a.seconds:.0f} s, "
            f"seed {self.a.seed}"
        ]
        for kind, outcomes in kinds.items():
            words = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
            lines.append(f"  {kind:8} {sum(outcomes.values()):6} pieces of work: {words or 'none'}")
        lines += [f"  {code}: {text}" for code, text in sorted(self.said.items())]
        lines.append(f"  done to it: {', '.join(f'{n} {name}' for name, n in sorted(self.did.items())) or 'nothing'}")
        lines.append(f"  struck: {', '.join(f'{n} {name}' for name, n in sorted(self.struck.items())) or 'none'}")
        counters = self.last.get("telemetry", {}).get("counters", {})
        lines.append(f"  the chip: {', '.join(f'{v} {k}' for k, v in counters.items() if v)}")
        if self.samples:
            memory = [kib for _, kib, _ in self.samples]
            lines.append(f"  the daemon: {memory[0]} KiB at first, {max(memory)} at most, {memory[-1]} at last; "
                         f"{self.samples[-1][2]} descriptors at last")  # fmt: skip
        if self.unanswered:
            lines.append(f"  {self.unanswered} questions to the daemon without an answer")
        lines += [f"  FAILED: {text}" for text in self.failures[:20]]
        lines.append("  passed" if not self.failures else f"  {len(self.failures)} failures")
        return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--sessions", type=int, default=64, help="in all processes together")
    parser.add_argument("--chip", default="edge")
    parser.add_argument("--fault-every", type=float, default=3.0, help="seconds")
    parser.add_argument("--kill-every", type=float, default=15.0, help="seconds; 0: no client is killed")
    parser.add_argument("--kill-daemon", type=float, default=0.0, help="seconds; 0: the daemon is not killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without", default="", help="kinds of faults to leave out, e.g. link_drop,slow_core")
    parser.add_argument("--client", help=argparse.SUPPRESS)
    found = parser.parse_args(arguments)
    if found.client:
        return client(found)
    with tempfile.TemporaryDirectory(prefix="tasic-soak-") as folder:
        soak = Soak(found, Path(folder))
        good = False
        try:
            good = soak.run()
        finally:
            for process in [*soak.clients, getattr(soak, "daemon", None)]:
                if process is not None and process.poll() is None:
                    process.kill()
        print(soak.report(), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    os.environ.setdefault("TASIC_QUIET_COMPILE", "1")
    sys.exit(main())
