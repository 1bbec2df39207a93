"""`tasic serve`: one device for several processes; who may come in, what none can do to another, what death does."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver.backends.remote import RemoteBackend
from driver.device import Device
from driver.errors import CapacityExceeded, DeviceLost, InvalidConfig, NoSuchDevice, NotPermitted, OutputError
from driver.options import EncoderConfig
from driver.serve.daemon import Daemon
from driver.serve.monitor import status
from driver.serve.protocol import ANSWER, REQUEST, SHARED_BYTES, VERSION, Op, answer_of
from tests.driver.test_device import clip

CONFIG = EncoderConfig(width=80, height=48, qp=26, gop_size=6, ref_count=2, preset="fast")
PROJECT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def served(path: Path, chip: str = "model:tiny", *, faults=None, changes=None, **options) -> Iterator[Daemon]:
    """A daemon on a thread of this process."""
    changes = {"memory.capacity_mib": 256, **(changes or {})}
    device = Device.open(chip, faults=faults, changes=changes)
    daemon = Daemon(device, path, memory_mib=16, **options)
    thread = threading.Thread(target=daemon.run, daemon=True)
    thread.start()
    try:
        yield daemon
    finally:
        daemon.stop()
        thread.join(30)
        device.close()
        assert not thread.is_alive()


def until(condition, seconds: float = 20.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def coded(device: Device, count: int = 8) -> bytes:
    with device.open_encoder(CONFIG) as encoder:
        return b"".join(packet.data for packet in encoder.encode(clip(count)))


@pytest.fixture(scope="module")
def wanted() -> bytes:
    with Device.open("model:tiny") as device:
        return coded(device)


def test_a_remote_device_is_the_same_device(tmp_path, wanted):
    with served(tmp_path / "d.sock") as daemon:
        with Device.open(f"remote:{tmp_path / 'd.sock'}", client="one") as device:
            assert device.function == 1
            assert device.capabilities.queues == 1
            assert device.capabilities.memory_bytes == 16 << 20
            assert coded(device) == wanted
            found = status(tmp_path / "d.sock")
            assert [client["name"] for client in found["clients"]] == ["one"]
            assert found["clients"][0]["pid"] == os.getpid()
            assert found["simulated"] is True
        until(lambda: daemon.scrubbed == 1)
    assert not (tmp_path / "d.sock").exists()


def test_clients_at_once_each_get_their_own(tmp_path, wanted):
    with served(tmp_path / "d.sock", changes={"encode.cores": 2}):
        results: dict[int, bytes] = {}

        def work(number: int) -> None:
            with Device.open(f"remote:{tmp_path / 'd.sock'}") as device:
                results[number] = coded(device)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [results.get(n) for n in range(4)] == [wanted] * 4


def test_memory_is_zeroed_before_another_client_has_it(tmp_path):
    with served(tmp_path / "d.sock", "null:tiny") as daemon:
        first = RemoteBackend(str(tmp_path / "d.sock"))
        first.memory_write(1 << 20, b"secret" * 1000)
        assert first.memory_read(1 << 20, 6) == b"secret"
        free = daemon._windows.free_bytes
        first.close()
        until(lambda: daemon.scrubbed == 1)
        assert daemon._windows.free_bytes == free + (16 << 20)
        second = RemoteBackend(str(tmp_path / "d.sock"))
        assert second.granted["function"] == 1
        assert second.memory_read(1 << 20, 6000) == bytes(6000)
        second.close()


def test_capacity_is_said_with_figures(tmp_path):
    with served(tmp_path / "d.sock", "null:tiny", sessions=2) as daemon:
        path = str(tmp_path / "d.sock")
        with pytest.raises(CapacityExceeded) as caught:
            RemoteBackend(path, memory_mib=1000)
        assert caught.value.info["limit"] == "memory"
        assert caught.value.info["needed"] == 1000 << 20
        assert caught.value.info["free"] == daemon._windows.free_bytes
        with Device.open(f"remote:{path}") as device:
            for _ in range(2):
                device.open_encoder(CONFIG)
            with pytest.raises(CapacityExceeded, match="this client's 2") as caught:
                device.open_encoder(CONFIG)
            assert (caught.value.info["limit"], caught.value.info["of_client"]) == ("sessions", True)
        until(lambda: not daemon._dying)
        clients = [RemoteBackend(path, memory_mib=1) for _ in range(12)]
        with pytest.raises(CapacityExceeded) as caught:
            RemoteBackend(path, memory_mib=1)
        assert caught.value.info == {"limit": "clients", "needed": 1, "free": 0, "total": 12}
        for client in clients:
            client.close()


def test_the_socket_s_permissions_decide(tmp_path):
    path = tmp_path / "d.sock"
    with served(path, "null:tiny", mode=0o660):
        assert path.stat().st_mode & 0o777 == 0o660
        with pytest.raises(OutputError, match="another daemon"):
            Daemon(Device.open("null:tiny"), path)
        if os.getuid() == 0:
            # nobody has no right to the socket: the kernel refuses, and the error says so
            program = (
                "import os, sys; from driver.backends.remote import connect\n"
                "os.setgroups([]); os.setgid(65534); os.setuid(65534); connect(sys.argv[1])"
            )
            tmp_path.chmod(0o755)
            done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=PROJECT, capture_output=True,
                                  text=True, check=False)  # fmt: skip
            assert done.returncode != 0
            assert "NotPermitted" in done.stderr or "Permission" in done.stderr
    with pytest.raises(NoSuchDevice, match="no daemon listens"):
        RemoteBackend(str(path))
    with pytest.raises(NoSuchDevice, match="too long"):
        RemoteBackend("x" * 200)
    assert issubclass(NotPermitted, PermissionError)


def test_a_stale_socket_is_taken_over(tmp_path, wanted):
    path = tmp_path / "d.sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    listener.close()  # as a killed daemon leaves it
    with served(path), Device.open(f"remote:{path}") as device:
        assert coded(device) == wanted


def test_nonsense_on_the_socket_hurts_only_who_sends_it(tmp_path, wanted):
    path = tmp_path / "d.sock"
    with served(path), Device.open(f"remote:{path}") as good:
        for message in (b"", b"x", bytes(24), b"\xff" * 64, REQUEST.pack(Op.READ, 0, 0, 0),
                        REQUEST.pack(Op.HELLO, 0, 0, 0) + b"{", REQUEST.pack(Op.HELLO, 0, 0, 0) + b"[1]",
                        REQUEST.pack(Op.INJECT, 0, 0, 0) + b'{"kind": "none"}'):  # fmt: skip
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            sock.connect(str(path))
            with contextlib.suppress(OSError):
                sock.send(message)
                sock.settimeout(2)
                sock.recv(1 << 16)
            sock.close()
        bad = RemoteBackend(str(path))
        for op in range(max(Op) + 1, 250, 17):
            with pytest.raises(InvalidConfig, match="knows no operation"):
                bad._ask(op)  # type: ignore[arg-type]
        with pytest.raises(InvalidConfig, match="no register"):
            bad.read32(3)
        bad.close()
        assert coded(good) == wanted


KILLED = """
import sys, itertools
from driver.device import Device
from tests.driver.test_serve import CONFIG
from tests.driver.test_device import clip
with Device.open("remote:" + sys.argv[1], client="victim") as device:
    sessions = [device.open_encoder(CONFIG) for _ in range(3)]
    print("ready", flush=True)
    pictures = clip(4)
    for n in itertools.count():
        for session in sessions:
            while not session.has_room:
                session.receive_packet(None)
            session.send_frame(pictures[n % 4])
"""


def victim(path: Path) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], cwd=PROJECT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_a_client_that_is_killed_is_scrubbed_and_others_go_on(tmp_path, wanted):
    path = tmp_path / "d.sock"
    with served(path, changes={"encode.cores": 2}) as daemon, Device.open(f"remote:{path}") as survivor:
        free = daemon._windows.free_bytes
        for _ in range(2):
            process = victim(path)
            assert coded(survivor, 2)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert coded(survivor) == wanted
        until(lambda: daemon.scrubbed == 2)
        assert daemon._windows.free_bytes == free
        assert survivor.telemetry().sessions == 0


def test_a_client_that_dies_while_it_waits_is_scrubbed_at_once(tmp_path):
    """It waits for an hour of simulated time, which takes this process minutes."""
    path = tmp_path / "d.sock"
    with served(path, "null:tiny") as daemon:
        backend = RemoteBackend(str(path))

        def ask() -> None:
            with pytest.raises(DeviceLost):
                backend.wait(3600 * 10**6)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        until(lambda: any(client.waits_until_ps for client in daemon._clients))
        backend.close()
        until(lambda: daemon.scrubbed == 1, 5.0)
        asking.join(5)
        assert not asking.is_alive()
        assert daemon.chip.now_ps < 3600 * 10**12


def test_a_call_that_is_interrupted_ends_the_connection(tmp_path):
    """Its answer may still come, and must not be taken for that of the next call."""
    path = tmp_path / "d.sock"
    with served(path, "null:tiny") as daemon:
        backend = RemoteBackend(str(path))

        def interrupt(*_signal: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                backend.wait(3600 * 10**6)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        with pytest.raises(DeviceLost):
            backend.read32(0)
        until(lambda: daemon.scrubbed == 1, 5.0)


def test_a_daemon_that_is_killed_is_a_lost_device_and_starts_clean(tmp_path, wanted):
    path = tmp_path / "d.sock"
    command = [sys.executable, "-m", "cli.main", "serve", "--chip", "tiny", "--socket", str(path)]
    for _ in range(2):
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert "serving" in process.stdout.readline()
        with pytest.raises(DeviceLost, match="daemon is gone"), Device.open(f"remote:{path}") as device:
            assert coded(device, 3)
            process.send_signal(signal.SIGKILL)
            process.wait()
            coded(device)


def test_closing_ends_the_calls_of_other_threads(tmp_path):
    """A daemon that says hello and then nothing: the thread that waits for an answer is let go when another one closes
    the backend."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(str(tmp_path / "silent.sock"))
    listening.listen()
    said: list[str] = []

    def answer() -> None:
        peer, _ = listening.accept()
        peers.append(peer)
        peer.recv(1 << 16)
        shared = os.memfd_create("shared")
        os.truncate(shared, SHARED_BYTES)
        socket.send_fds(peer, [ANSWER.pack(1, 0) + b"{}"], [shared])
        os.close(shared)

    def ask() -> None:
        with pytest.raises(DeviceLost) as lost:
            backend.read32(0)
        said.append(str(lost.value))

    peers: list[socket.socket] = []
    daemon = threading.Thread(target=answer, daemon=True)
    daemon.start()
    backend = RemoteBackend(str(tmp_path / "silent.sock"))
    daemon.join(10)
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    time.sleep(0.2)
    backend.close()
    asking.join(10)
    for sock in (*peers, listening):
        sock.close()
    assert said
    assert "gone" in said[0]


def test_the_chip_s_resets_are_seen_through(tmp_path, wanted):
    """Traps, hangs and a stuck firmware under two remote clients: the daemon resets, they go on where they were."""
    faults = [
        {"kind": "firmware_trap", "at_us": 12_000},
        {"kind": "firmware_stuck", "at_us": 100_000},
        {"kind": "engine_hang", "core": 0, "job": 5},
    ]
    path = tmp_path / "d.sock"
    with (
        served(path, faults=faults, changes={"encode.cores": 2}) as daemon,
        Device.open(f"remote:{path}") as one,
        Device.open(f"remote:{path}") as two,
    ):
        for _ in range(3):
            assert coded(one) == wanted
            assert coded(two) == wanted
        until(lambda: coded(one) == wanted and daemon.device.resets >= 2)
        two.inject(kind="firmware_trap")
        assert coded(one) == wanted
        with pytest.raises(NotPermitted):
            one.reset_core(0)


def test_a_client_cannot_take_the_shared_memory_from_under_the_daemon(tmp_path):
    """Pages behind the end of a file that was made smaller are SIGBUS for whoever has them mapped."""
    path = tmp_path / "d.sock"
    with served(path), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.connect(str(path))
        sock.send(REQUEST.pack(Op.HELLO, 0, 0, 0) + json.dumps({"version": VERSION}).encode())
        _, (handle,), _, _ = socket.recv_fds(sock, 1 << 16, 1)
        for size in (0, 4096, SHARED_BYTES + 4096):
            with pytest.raises(PermissionError):
                os.ftruncate(handle, size)
        os.close(handle)
        sock.send(REQUEST.pack(Op.WRITE_MEMORY, SHARED_BYTES - 4096, 1 << 16, 4096))
        sock.send(REQUEST.pack(Op.SYNC, 0, 0, 0))
        assert answer_of(sock.recv(1 << 16))[0] == 0
        with Device.open(f"remote:{path}") as device, device.open_encoder(CONFIG) as encoder:
            assert len(list(encoder.encode(clip(2)))) == 2


def test_memory_that_a_client_cannot_ask_for(tmp_path):
    with served(tmp_path / "d.sock"), pytest.raises(InvalidConfig, match="memory_bytes: -1048576"):
        Device.open(f"remote:{tmp_path / 'd.sock'}", memory_mib=-1)
