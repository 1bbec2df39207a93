"""The BMF nodes: their logic without BMF, their Module shell on a double of BMF, and on BMF itself where it imports."""

import types
from fractions import Fraction

import numpy as np
import pytest

from driver.errors import InvalidConfig
from driver.integrations.bmf import (
    DEVICES,
    DecoderNode,
    EncoderNode,
    ScalerNode,
    TranscodeNode,
    module,
    picture_of,
)
from tests.driver.bmf_double import FAKE, FakeFrame, FakePacket, FakeQueue, Timestamp
from tests.driver.test_device import clip, decoded

OPTIONS = {"chip": "tiny", "preset": "fast", "bf": 0}


def test_encoder_then_decoder_node():
    encoder = EncoderNode(OPTIONS)
    coded = [item for picture in clip(6) for item in encoder.send(picture)] + list(encoder.drain())
    encoder.close()
    assert [item.pts for item in coded] == list(range(6))
    assert coded[0].is_keyframe
    frames = decoded(b"".join(item.data for item in coded))
    decoder = DecoderNode({"chip": "tiny"})
    pictures = [p for item in coded for p in decoder.send(item.data, item.pts, item.time_base)] + list(decoder.drain())
    decoder.close()
    assert len(pictures) == 6
    for picture, frame in zip(pictures, frames, strict=True):
        assert (picture.y == frame[: picture.height]).all()
    assert not DEVICES._open


def test_scaler_and_fused_transcoder_share_the_device():
    scaler = ScalerNode({"chip": "tiny", "sizes": "40x24, 20x16"})
    transcoder = TranscodeNode({**OPTIONS, "ladder": "48p,24p"})
    sizes = [(number, picture.width) for item in clip(2) for number, picture in scaler.send(item)]
    assert sizes == [(0, 40), (1, 20)] * 2
    coded = [item for picture in clip(4) for item in transcoder.send(picture)] + list(transcoder.drain())
    assert scaler.device is transcoder.device
    scaler.close()
    transcoder.close()
    assert not DEVICES._open
    for stream, side in ((0, 48), (1, 24)):
        frames = decoded(b"".join(item.data for item in coded if item.stream == stream))
        assert [frame.shape[0] for frame in frames] == [side * 3 // 2] * 4


def test_bad_options_are_named():
    for node, argument in ((EncoderNode({"gopp": 3}), clip(1)[0]), (ScalerNode({"sizes": "big"}), clip(1)[0]),
                           (ScalerNode({"sizes": "40x24", "qp": 1}), clip(1)[0])):  # fmt: skip
        with pytest.raises(InvalidConfig, match=r"gopp|'big'|option qp"):
            list(node.send(argument))
        node.close()


def run_module(node, option, items, outputs=1):
    """Feed a Module as a graph does, a packet at a time; what came out by output, without the end of stream."""
    made = module(node, FAKE)(None, option)
    found = {number: FakeQueue() for number in range(outputs)}
    task = types.SimpleNamespace(timestamp=0, incoming=FakeQueue())
    task.get_inputs, task.get_outputs = (lambda: {0: task.incoming}), (lambda: found)
    for item in items:
        task.incoming.put(FakePacket(item))
        assert made.process(task) == 0
    task.incoming.put(FakePacket.generate_eof_packet())
    assert made.process(task) == 0
    assert task.timestamp is Timestamp.DONE
    for queue in found.values():
        assert queue.pop().timestamp is Timestamp.EOF
    return found


def test_modules_on_a_double_of_bmf():
    frames = [FakeFrame((p.y, p.cb, p.cr), p.pts) for p in clip(5)]
    coded = run_module(EncoderNode, OPTIONS, frames)[0]
    assert [packet.payload.pts for packet in coded] == list(range(5))
    assert [packet.timestamp for packet in coded] == [40_000 * n for n in range(5)]  # microseconds at 25 frames/s
    assert len(decoded(b"".join(packet.payload.data.numpy().tobytes() for packet in coded))) == 5
    assert len(run_module(DecoderNode, {"chip": "tiny"}, [packet.payload for packet in coded])[0]) == 5
    scaled = run_module(ScalerNode, {"chip": "tiny", "sizes": "40x24,20x16"}, frames, outputs=2)
    assert [len(scaled[n]) for n in (0, 1)] == [5, 5]
    fused = run_module(TranscodeNode, {**OPTIONS, "ladder": "48p,24p"}, frames, outputs=2)
    assert [len(fused[n]) for n in (0, 1)] == [5, 5]
    assert not DEVICES._open


def test_planes_are_copied():
    planes = [np.zeros((8, 8, 1), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)]
    picture = picture_of(planes, 3, Fraction(1, 25))
    planes[0][:] = 9
    assert picture.y.shape == (8, 8)
    assert picture.y.max() == 0


def test_a_module_is_reset_while_it_works():
    """`dynamic_reset` changes the rate from the next picture on and nothing else; `reset` lets the node begin anew."""
    made = module(EncoderNode, FAKE)(None, {**OPTIONS, "qp": 20})
    found = FakeQueue()
    task = types.SimpleNamespace(timestamp=0, incoming=FakeQueue())
    task.get_inputs, task.get_outputs = (lambda: {0: task.incoming}), (lambda: {0: found})

    def feed(count: int) -> None:
        for picture in clip(count):
            task.incoming.put(FakePacket(FakeFrame((picture.y, picture.cb, picture.cr), picture.pts)))
            made.process(task)

    feed(3)
    with pytest.raises(InvalidConfig, match="option bf: fixed once the node works"):
        made.dynamic_reset({"qp": 44, "bf": 2})
    assert made.work._session.config.qp == 20  # nothing of it was done
    assert made.dynamic_reset({"qp": 44}) == 0
    assert made.work._session.config.qp == 44
    feed(3)
    assert made.reset() == 0
    feed(2)
    task.incoming.put(FakePacket.generate_eof_packet())
    made.process(task)
    assert [packet.payload.pts for packet in list(found)[-3:-1]] == [0, 1]
    assert len(decoded(b"".join(packet.payload.data.numpy().tobytes() for packet in list(found)[-3:-1]))) == 2
    for node in (DecoderNode, ScalerNode, TranscodeNode):
        with pytest.raises(InvalidConfig, match="option chip: fixed"):
            module(node, FAKE)(None, {}).dynamic_reset({"chip": "vcu"})
    made.close()
    assert not DEVICES._open


def test_modules_are_found_by_the_names_that_graphs_give():
    import driver.integrations.bmf as place

    with pytest.raises(AttributeError, match="tasic_enkoder"):
        place.tasic_enkoder  # noqa: B018
    assert list(place.MODULES) == ["tasic_encoder", "tasic_decoder", "tasic_scaler", "tasic_transcode"]
