"""A double of BMF as far as our nodes and docs/bmf.md need it: queues, packets, frames, a graph that runs in order."""

import enum
import importlib
import sys
import types
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np


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

    def defined(self) -> bool:
        return True

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


def av_packet_of(data: bytes) -> Any:
    """BMFAVPacket: data.numpy(), pts, time_base."""
    return types.SimpleNamespace(data=types.SimpleNamespace(numpy=lambda: np.frombuffer(data, np.uint8)))


FAKE = types.SimpleNamespace(
    Module=object, Timestamp=Timestamp, Packet=FakePacket, ProcessResult=types.SimpleNamespace(OK=0),
    VideoFrame=FakeFrame, BMFAVPacket=object, av_packet_of=av_packet_of,
    video_frame_of=FakeFrame, rational_of=Fraction,
)  # fmt: skip


class Stream:
    """An output of a node; what is in it is known when the graph has run."""

    def __init__(self, graph: "Graph", node: Any = None, number: int = 0) -> None:
        self.graph, self.node, self.number = graph, node, number

    def __getitem__(self, number: int | str) -> "Stream":
        return self if isinstance(number, str) else Stream(self.graph, self.node, number)

    def module(self, _name: str, option: dict[str, Any], *, entry: str) -> "Stream":
        place, _, name = entry.rpartition(".")
        made = getattr(importlib.import_module(place), name)(None, option)
        return Stream(self.graph, self.graph.add(made, self))

    def start(self) -> Iterator[FakePacket]:
        self.graph.run()
        return iter(self.node.outputs[self.number])


class Graph:
    """Nodes in the order in which they were made: each is fed whole before the next."""

    def __init__(self, _option: dict[str, Any] | None = None) -> None:
        self.frames: list[FakePacket] = []
        self.nodes: list[Any] = []

    def decode(self, option: dict[str, Any]) -> Stream:
        with av.open(option["input_path"]) as container:
            for frame in container.decode(video=0):
                planes = [np.array(plane).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]
                self.frames.append(FakePacket(FakeFrame(planes, frame.pts, frame.time_base)))
        return Stream(self)

    def add(self, module: Any, source: Stream) -> Any:
        node = types.SimpleNamespace(module=module, source=source, outputs={n: FakeQueue() for n in range(4)})
        self.nodes.append(node)
        return node

    def run(self) -> None:
        for node in self.nodes:
            before = node.source.node.outputs[node.source.number] if node.source.node else self.frames
            items = [packet for packet in before if packet.timestamp is not Timestamp.EOF]
            task = types.SimpleNamespace(timestamp=0, incoming=FakeQueue())
            task.get_inputs, task.get_outputs = (lambda t=task: {0: t.incoming}), (lambda n=node: n.outputs)
            for packet in [*items, FakePacket.generate_eof_packet()]:
                task.incoming.put(packet)
                node.module.process(task)
            assert task.timestamp is Timestamp.DONE


class _Writer:
    """`bmf.encode`: frames to a file."""

    def __init__(self, path: str) -> None:
        self.path, self.frames = path, []

    def process(self, task: Any) -> None:
        packet = task.incoming.get()
        if packet.timestamp is not Timestamp.EOF:
            self.frames.append(packet.payload)
            return
        height, width = self.frames[0].planes[0].shape
        with av.open(self.path, "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for frame in self.frames:
                planar = np.concatenate([plane.reshape(-1, width) for plane in frame.planes])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(planar, format="yuv420p")))
            container.mux(stream.encode(None))
        task.timestamp = Timestamp.DONE


def encode(video: Stream, _audio: None, option: dict[str, Any]) -> None:
    video.graph.add(_Writer(option["output_path"]), video)


def install(monkeypatch: Any) -> None:
    """Let `import bmf`, and our modules, find the double."""
    for name in ("bmf", "bmf.lib", "bmf.lib._bmf", "bmf.lib._bmf.sdk"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for name, value in {"graph": Graph, "encode": encode, "Timestamp": Timestamp}.items():
        setattr(sys.modules["bmf"], name, value)
    sys.modules["bmf.lib._bmf.sdk"].BMFAVPacket = object  # type: ignore[attr-defined]
    place = importlib.import_module("driver.integrations.bmf")
    monkeypatch.setattr(place, "library", lambda: FAKE)
    for name in place.MODULES:
        monkeypatch.delitem(vars(place), name, raising=False)
        monkeypatch.setitem(vars(place), name, place.module(place.MODULES[name], FAKE))
