"""`tasic serve` when the chip fails under it: it tells how it is, gives back what clients had, ends when it goes."""

import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from asic_model.registers import map as regs
from driver.backends.remote import RemoteBackend
from driver.device import Device
from driver.errors import DeviceLost, LinkDown, NoSuchDevice, SessionReset
from driver.serve.monitor import inject, status
from driver.serve.protocol import ANSWER, JSON_MOST, REQUEST, Op, receive
from tests.driver.test_serve import PROJECT, coded, served, until


def test_it_tells_how_it_is_during_and_after_a_drop_of_the_link(tmp_path):
    """A monitor needs no link to be answered: the figures stand still meanwhile, and say so. After it nothing is left
    of the drop but its count, with no reset of the chip in between."""
    path = tmp_path / "d.sock"
    with served(path, "null:tiny"):
        before = status(path)
        assert before["link_up"]
        assert before["log"]
        client = RemoteBackend(str(path))
        inject(path, {"kind": "link_drop", "for_us": 5000})
        client.wait(0)
        during = status(path)
        assert not during["link_up"]
        assert during["telemetry"] == status(path)["telemetry"]  # as they were at the last look before
        assert [one["violations"] for one in during["clients"]] == [0]
        client.wait(6000)
        after = status(path)
        assert after["link_up"]
        assert after["telemetry"]["counters"]["link_drops"] == 1
        assert after["telemetry"]["counters"]["resets"] == 0
        assert after["telemetry"]["heartbeat"] > before["telemetry"]["heartbeat"]
        assert after["log"][: len(before["log"])] == before["log"]
        client.close()


@pytest.mark.parametrize("at_us", [0.3 + 1.7 * step for step in range(60)])
def test_a_look_that_a_drop_breaks_off_is_no_look(at_us):
    """`null:tiny` takes about 1 us for each of a look's reads; the link drops for 3 of them."""
    with Device.open("null:tiny") as device:
        whole = device.telemetry()
        entries = len(device.dump_firmware_log())
        device.inject(kind="link_drop", at_us=at_us, for_us=3.0)
        for _ in range(40):
            try:
                seen, log = device.telemetry(), device.dump_firmware_log()
            except LinkDown:
                continue
            assert [core.kind for core in seen.cores] == [core.kind for core in whole.cores]
            assert seen.max_sessions == whole.max_sessions
            assert len(log) == entries
            if seen.counters["link_drops"]:
                break
        else:
            raise AssertionError("the link came back, the figures did not")


@pytest.mark.parametrize("kind", ["firmware_stuck", "firmware_trap"])
def test_the_last_client_of_a_chip_that_stands_is_buried(tmp_path, kind):
    """Nobody is connected any more, and the queue of who went cannot stop before the chip is reset."""
    path = tmp_path / "d.sock"
    with served(path, "null:tiny") as daemon:
        free = daemon._windows.free_bytes
        device = Device.open(f"remote:{path}")
        device.queue(0)
        inject(path, {"kind": kind})
        device.backend.wait(0)  # the fault strikes
        device.backend.close()
        until(lambda: daemon.scrubbed == 1)
        assert daemon._windows.free_bytes == free
        assert daemon.device.resets == 1
        with Device.open(f"remote:{path}") as device:
            assert device.telemetry().firmware_state == "RUN"


def test_a_daemon_with_a_chip_that_stands_ends_at_once(tmp_path):
    path = tmp_path / "d.sock"
    began = time.monotonic()
    with served(path, "null:tiny") as daemon:
        device = Device.open(f"remote:{path}")
        device.queue(0)
        inject(path, {"kind": "firmware_stuck"})
        device.backend.wait(0)
    assert daemon.scrubbed == 1
    assert time.monotonic() - began < 8  # two seconds less than it would wait for a queue that never stops


@pytest.mark.parametrize("at_us", range(0, 60, 4))
def test_a_reset_that_a_drop_breaks_off_is_made_again(tmp_path, wanted, at_us):
    """A chip that was reset but with which nobody agreed on a version would serve no client."""
    path = tmp_path / "d.sock"
    with served(path) as daemon, Device.open(f"remote:{path}") as device:
        assert coded(device) == wanted
        inject(path, {"kind": "link_drop", "at_us": at_us, "for_us": 400.0})
        inject(path, {"kind": "firmware_trap"})
        for _ in range(5):
            try:
                assert coded(device) == wanted
                break
            except (SessionReset, LinkDown):
                continue
        else:
            raise AssertionError("no way back")
        assert not daemon._reset_due


@pytest.fixture(scope="module")
def wanted() -> bytes:
    with Device.open("model:tiny") as device:
        return coded(device)


def test_a_device_that_is_removed_ends_its_daemon_and_no_other(tmp_path, wanted):
    """Who waits is told at once, who calls later as well, who comes finds nobody; the device next to it works."""
    gone, stays = tmp_path / "gone.sock", tmp_path / "stays.sock"
    with served(stays), Device.open(f"remote:{stays}") as other, served(gone, "null:tiny") as daemon:
        waiting, silent = RemoteBackend(str(gone)), RemoteBackend(str(gone))
        said: list[DeviceLost] = []

        def wait() -> None:
            with pytest.raises(DeviceLost) as lost:
                while True:
                    waiting.wait(1000)
            said.append(lost.value)

        thread = threading.Thread(target=wait)
        thread.start()
        began = time.monotonic()
        inject(gone, {"kind": "removal", "at_us": 3000})
        thread.join(20)
        assert "null:tiny was removed" in str(said[0])
        until(lambda: not gone.exists())
        assert time.monotonic() - began < 5
        assert daemon.removed
        with pytest.raises(DeviceLost, match="null:tiny was removed"):
            silent.read32(regs.ID)
        with pytest.raises(NoSuchDevice):
            status(gone)
        assert coded(other) == wanted
        for backend in (waiting, silent):
            backend.close()


def test_serve_goes_on_with_its_other_devices(tmp_path):
    paths = [tmp_path / f"{n}.sock" for n in range(3)]
    command = [sys.executable, "-m", "cli.main", "serve", "--backend", "null", "--no-selftest"]
    for path in paths:
        command += ["--chip", "tiny", "--socket", str(path)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for _ in paths:
            assert "serving" in process.stdout.readline()
        for path in paths[:2]:  # the first one is the main thread's
            inject(path, {"kind": "removal"})
            with pytest.raises(DeviceLost), Device.open(f"remote:{path}"):
                pass
            until(lambda path=path: not path.exists())
        assert status(paths[2])["link_up"]
        process.send_signal(signal.SIGUSR1)
        with Device.open(f"remote:{paths[2]}") as device:
            assert device.telemetry().firmware_state == "RUN"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 1
        assert err.count("null:tiny was removed") == 2
        assert "daemon.py" in err  # where its threads stood
        assert "Traceback" not in err
    finally:
        process.kill()


def test_a_daemon_that_says_nothing_is_lost_after_a_while(tmp_path):
    """What a monitor waits for at most, made short here."""
    path = tmp_path / "d.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(path))
        listening.listen()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.connect(str(path))
            sock.settimeout(0.1)
            with pytest.raises(DeviceLost, match=r"does not answer within 0\.1 s"):
                receive(sock)


def test_the_daemon_s_messages_fit_a_datagram(tmp_path):
    """Twelve clients with the longest names, a full log: what a monitor reads in one piece."""
    path = tmp_path / "d.sock"
    with served(path, "null:vcu", changes={"memory.capacity_mib": 1024}):
        clients = [RemoteBackend(str(path), memory_mib=1, client="\u20ac" * 64) for _ in range(12)]
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(str(path))
        sock.send(REQUEST.pack(Op.STATUS, 0, 0, 0))
        assert len(sock.recv(1 << 20)) < ANSWER.size + JSON_MOST
        sock.close()
        for client in clients:
            client.close()
