"""The BMF nodes: their logic without BMF, their Module shell on a double of BMF, and on BMF itself where it imports."""

import enum
import io
import types
from collections import deque
from fractions import Fraction

import av
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


class FakeQueue(deque):
    """PacketQueue: empty, get, put."""

    def empty(self) -> bool:
        return not self

    def get(self):
        return self.popleft()

    put = deque.append


class Timestamp(enum.Enum):
    EOF = "eof"
    DONE = "done"


class FakePacket:
    """Packet with a payload and a timestamp."""

    def __init__(self, payload):
        self.payload, self.timestamp = payload, 0

    def get(self, _kind):
        return self.payload

    @staticmethod
    def generate_eof_packet():
        packet = FakePacket(None)
        packet.timestamp = Timestamp.EOF
        return packet


class FakeFrame:
    """VideoFrame: frame().data() gives tensors with numpy() of [h, w, 1]."""

    def __init__(self, planes, pts=0, time_base=Fraction(1, 25)):
        self.planes, self.pts, self.time_base = planes, pts, time_base

    def frame(self):
        tensors = [types.SimpleNamespace(numpy=lambda p=p: p[..., None]) for p in self.planes]
        return types.SimpleNamespace(data=lambda: tensors)


FAKE = types.SimpleNamespace(
    Module=object, Timestamp=Timestamp, Packet=FakePacket, ProcessResult=types.SimpleNamespace(OK=0),
    VideoFrame=FakeFrame, BMFAVPacket=object, av_packet_of=lambda data: types.SimpleNamespace(data=data),
    video_frame_of=FakeFrame, rational_of=Fraction,
)  # fmt: skip


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
    assert len(decoded(b"".join(packet.payload.data for packet in coded))) == 5
    items = [
        types.SimpleNamespace(data=types.SimpleNamespace(numpy=lambda p=p: np.frombuffer(p.payload.data, np.uint8)),
                              pts=p.payload.pts, time_base="1/25")
        for p in coded
    ]  # fmt: skip
    assert len(run_module(DecoderNode, {"chip": "tiny"}, items)[0]) == 5
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


def test_in_a_real_graph(tmp_path):
    """decode -> our encoder in a BMF graph; FFmpeg decodes what came out."""
    pytest.importorskip("bmf", reason="BMF does not import here: docs/bmf.md says how to get it")
    import bmf

    path = tmp_path / "in.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        for picture in clip(6):
            chroma = np.concatenate([picture.cb, picture.cr]).reshape(-1, 80)
            frame = av.VideoFrame.from_ndarray(np.concatenate([picture.y, chroma]), format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    nodes = tmp_path / "bmf_nodes.py"
    nodes.write_text("from driver.integrations.bmf import *\nTasicEncoder = module(EncoderNode, library())\n")
    video = bmf.graph().decode({"input_path": str(path)})["video"]
    coded = video.module("TasicEncoder", dict(OPTIONS), module_path=str(tmp_path), entry="bmf_nodes.TasicEncoder")
    data = b"".join(
        packet.get(bmf.lib._bmf.sdk.BMFAVPacket).data.numpy().tobytes()
        for packet in coded.start()
        if packet is not None and packet.defined() and packet.timestamp != bmf.Timestamp.EOF
    )
    with av.open(io.BytesIO(data), format="h264") as container:
        assert sum(1 for _ in container.decode(video=0)) == 6
