"""`tasic validate`: a good device passes, each fault is found by the check that is meant for it."""

import numpy as np
import pytest

from driver.device import Device
from driver.validation import validate


def outcome(device: Device, **limits: float) -> dict[str, bool]:
    return {check.name: check.passed for check in validate(device, **limits)}


def test_a_good_device_passes() -> None:
    with Device.open("model:tiny") as device:
        found = list(validate(device))
        free = device.allocator.free_bytes
        assert all(check.passed for check in found), [check for check in found if not check.passed]
        assert {check.name for check in found} >= {
            "firmware runs", "memory keeps what is written", "upload", "download", "core 0 (encode)",
            "encode h264 1280x720", "decode h264 1280x720, exact",
        }  # fmt: skip
        link = device.backend.chip.config.host_link  # type: ignore[attr-defined]
        for check in found:
            if check.name in ("upload", "download"):
                assert 0.95 * link.bandwidth_mb_s < check.measured <= link.bandwidth_mb_s
            elif check.name == "register round trip":
                assert check.measured == pytest.approx(link.mmio_latency_ns, rel=0.02)
        assert device.allocator.free_bytes == free


def test_a_wrong_core_slow_coding_and_a_slow_link_are_found() -> None:
    with Device.open("null:tiny") as device:
        found = outcome(device, fps=1e6, link_mb_s=1e6)
        assert not any(passed for name, passed in found.items() if name in ("upload", "download"))
        assert not found["encode h264 1280x720"]
        assert found["firmware runs"]
    with Device.open("model:tiny", faults=[{"kind": "wrong_result", "core": 0, "job": 0}]) as device:
        assert not outcome(device)["core 0 (encode)"]


def test_memory_that_changes_is_found() -> None:
    with Device.open("null:tiny") as device:
        inner = device.backend.memory_read
        device.backend.memory_read = lambda address, size: (  # type: ignore[method-assign]
            inner(address, size) if size < 1 << 20 else bytes(np.roll(np.frombuffer(inner(address, size), np.uint8), 1))
        )
        assert not outcome(device)["memory keeps what is written"]


def test_a_dead_device_fails_by_name() -> None:
    with Device.open("null:tiny", recovery="none") as device:
        device.inject(kind="firmware_stuck")
        device.backend.wait(100)
        found = list(validate(device))
        assert not found[0].passed
        assert any("firmware_hang" in check.reason for check in found)
        device.reset()
