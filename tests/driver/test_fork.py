"""A process that is forked while a device is open: the parent goes on as if nothing were, the child is told."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from driver.device import Device
from driver.errors import DeviceLost
from driver.options import EncoderConfig
from tests.driver.test_device import clip
from tests.driver.test_serve import served

CONFIG = EncoderConfig(width=80, height=48, qp=30, preset="fast")


def in_child(work: Callable[[], None]) -> int:
    """Exit code of a forked child that does `work`: 0, 3 for DeviceLost, 4 for anything else, -14 when it hangs."""
    pid = os.fork()
    if pid == 0:
        import signal

        signal.alarm(60)
        code = 4
        try:
            work()
            code = 0
        except DeviceLost:
            code = 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def after_fork(device: Device) -> None:
    with device.open_encoder(CONFIG) as encoder:
        encoder.send_frame(clip(1)[0])

        def code() -> None:
            encoder.send_frame(clip(1)[0])
            encoder.flush()

        held = threading.Event()
        done = threading.Event()

        def hold() -> None:
            with device.lock:
                held.set()
                done.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        try:
            assert in_child(code) == 3
            assert in_child(lambda: device.telemetry() and None) == 3
            assert in_child(device.close) == 3
            assert in_child(encoder.abandon) == 0
        finally:
            done.set()
            thread.join()
        assert len(list(encoder.encode(clip(3)))) == 4


def test_a_device_of_this_process() -> None:
    with Device.open("model:tiny", host_threads=2) as device:
        after_fork(device)


def test_a_served_device(tmp_path: Path) -> None:
    with served(tmp_path / "d.sock"), Device.open(f"remote:{tmp_path / 'd.sock'}") as device:
        after_fork(device)


def test_the_child_opens_its_own() -> None:
    with Device.open("null:tiny"):

        def own() -> None:
            with Device.open("null:tiny") as device, device.open_encoder(CONFIG) as encoder:
                assert len(list(encoder.encode(clip(2)))) == 2

        assert in_child(own) == 0
