"""Which device an address means."""

import socket

import pytest

import driver
from driver.device import Device
from driver.enumeration import devices, find, is_address, served_devices
from driver.errors import NoSuchDevice
from tests.driver.test_serve import served


def test_devices_of_one_chip_are_told_apart_by_their_index() -> None:
    with Device.open("null:tiny") as one, Device.open("null:tiny:1") as other:
        assert (one.index, other.index) == (0, 1)
        assert one.uuid != other.uuid
        assert one.pci_bdf == other.pci_bdf == ""
        assert one.uuid == next(info.uuid for info in devices() if info.name == "null:tiny")
        assert other.caps.encode_cores == one.caps.encode_cores
    with Device.open(one.uuid) as same:  # uuids say where a device is, so they stay what they were
        assert same.uuid == one.uuid
        assert same.backend.chip.config.name == "tiny"  # type: ignore[attr-defined]


def test_a_daemon_s_device_goes_by_name_number_uuid_and_bdf(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = tmp_path / "tasic" / "tasic0.sock"
    with served(path):
        (info,) = served_devices()
        assert (info.index, info.chip, info.pci_bdf) == (0, "tasic0", "ffff:01:00.0")
        for address in ("remote:", f"remote:{path}", "tasic0", "/dev/tasic0", info.uuid, info.pci_bdf):
            with Device.open(address) as device:
                assert device.function >= 1
                assert address == "remote:" or (device.uuid, device.pci_bdf) == (info.uuid, info.pci_bdf)
        config = driver.EncoderConfig(width=64, height=48, hw_index=0)
        with driver.open_best(config) as encoder:
            assert encoder.device.name == f"remote:{path}"
        with pytest.raises(driver.InvalidConfig, match="hw_index: 1 of 1 devices"):
            driver.open_best(config.replace(hw_index=1))


@pytest.mark.parametrize("address", ["ffff:09:00.0", "00000000-0000-0000-0000-000000000000"])
def test_what_is_not_there_is_refused(address, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(NoSuchDevice, match=address):
        Device.open(address)


def test_backends_say_themselves_what_is_wrong() -> None:
    assert find("model:no/such.yaml:2").name == "model:no/such.yaml"
    with pytest.raises(NoSuchDevice, match="no backend 'tasic7'"):
        Device.open("tasic7")


def test_a_socket_that_a_killed_daemon_left_is_no_device(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "tasic").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(tmp_path / "tasic" / "tasic0.sock"))
    with served(tmp_path / "tasic" / "tasic1.sock", "null:tiny"):
        (info,) = served_devices()
        assert (info.chip, info.index, info.pci_bdf) == ("tasic1", 1, "ffff:02:00.0")  # as while the other one lived
        with Device.open("remote:") as device:
            assert device.function == 1
        assert is_address("tasic1")
        assert not is_address("tasic0")
    for text in ("model:vcu", "remote:", info.uuid, info.pci_bdf):
        assert is_address(text)
    for text in ("vcu", "in.mp4", "my:clip.mp4"):
        assert not is_address(text)
