"""A job runs as it was when the firmware checked it: a client that writes over its block afterwards changes nothing."""

import pytest

from asic_model.descriptors import BLOCK_BYTES, Kind, unpack_job
from asic_model.registers import map as regs
from driver.device import Device
from driver.media.picture import Picture
from driver.options import EncoderConfig
from tests.driver.test_device import clip

CONFIG = EncoderConfig(width=80, height=48, preset="fast", qp=30, b_count=0, rc_lookahead=0, queue_depth=6)


def coded(chip: str, over: bytes | None) -> tuple[list[int], bytes]:
    """Pictures and stream of a session; `over` is written on blocks that were checked and not yet begun."""
    slow = [{"kind": "slow_core", "job": 0, "factor": 500}]
    with Device.open(chip, faults=slow) as device, device.open_encoder(CONFIG) as encoder:
        queue, read = encoder.queue, device.backend.read32
        first = queue._tail
        pictures: list[Picture] = clip(6)
        for picture in pictures:
            encoder.send_frame(picture)
        while read(queue.register(regs.QUEUES_HEAD)) != first + 6:  # the firmware has read and checked them all
            device.backend.wait(1)
        done = read(queue.register(regs.QUEUES_COMPLETION_TAIL)) - first
        assert done == 0  # the first job takes long, and each of the others needs the one before
        for number in range(first + 1, first + 6):
            address = queue._blocks + number % queue.size * BLOCK_BYTES
            assert unpack_job(device.backend.memory_read(address, BLOCK_BYTES))[0] is Kind.ENCODE
            if over is not None:
                device.backend.memory_write(address, over)
        encoder.send_frame(None)
        packets = []
        while len(packets) < 6:
            packets.append(encoder.receive_packet(None))
        return [packet.pts for packet in packets], b"".join(packet.data for packet in packets)


@pytest.mark.parametrize("chip", ["model:tiny", "null:tiny"])
@pytest.mark.parametrize("over", [bytes(BLOCK_BYTES), b"\xff" * BLOCK_BYTES, b"\x01\x00\x03" + bytes(BLOCK_BYTES - 3)])
def test_a_block_that_is_written_over_after_it_was_checked(chip, over):
    assert coded(chip, over) == coded(chip, None)
