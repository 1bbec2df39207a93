"""Nodes for BMF (Babit Multimedia Framework): encoder, decoder, scaler, and one fused 1:N transcoder.

    stream.module("tasic_encoder", {"chip": "vcu", "b:v": "2M"}, module_path=DIR, entry="bmf_nodes.TasicEncoder")

The logic stands here without BMF: `EncoderNode` and the others take frames or packets and return what came out, and
`module()` wraps one as a BMF Module class when BMF is there. A node keeps up to `async_depth` pictures in the device,
so it copies what it takes (BMF's queues hold five). All nodes of a process share one device a name; with `chip` set to
`remote:...` they share it with other processes. docs/bmf.md says how to get BMF to import.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from driver.device import Device
from driver.errors import EndOfStream, InvalidConfig, TryAgain
from driver.media.picture import Picture
from driver.option_values import parse_size
from driver.options import EncoderConfig, ScalerConfig, parse_ladder, plan_ladder, share_rate

MICROSECOND = Fraction(1, 1_000_000)


@dataclass(frozen=True)
class Coded:
    """One coded picture for the framework: Annex B bytes; `stream` is the number of the output."""

    data: bytes
    pts: int
    time_base: Fraction
    is_keyframe: bool
    stream: int = 0


class _Devices:
    """One opened device a name, closed with its last user."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Device, int]] = {}

    def take(self, name: str) -> Device:
        with self._lock:
            device, users = self._open.get(name) or (Device.open(name), 0)
            self._open[name] = device, users + 1
            return device

    def give_back(self, name: str) -> None:
        with self._lock:
            device, users = self._open[name]
            if users > 1:
                self._open[name] = device, users - 1
            else:
                del self._open[name]
                device.close()


DEVICES = _Devices()


class _Node:
    """What all nodes share: options by name, a device, a session made with the first picture."""

    OWN: tuple[str, ...] = ("chip",)

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        self.options = dict(options or {})
        chip = str(self.options.get("chip", "vcu"))
        self._name = chip if ":" in chip else f"model:{chip}"
        self._device: Device | None = None
        self._session: Any = None

    @property
    def device(self) -> Device:
        if self._device is None:
            self._device = DEVICES.take(self._name)
        return self._device

    def _rest(self) -> dict[str, Any]:
        return {name: value for name, value in self.options.items() if name not in self.OWN}

    def send(self, *item: Any) -> Iterator[Any]:
        """Take one item; yield what is finished."""
        raise NotImplementedError

    def drain(self) -> Iterator[Any]:
        """No more will come: yield the rest."""
        raise NotImplementedError

    def reconfigure(self, options: dict[str, Any]) -> None:
        """Change options while pictures are under way; only an encoder's rate can be."""
        raise InvalidConfig(f"option {next(iter(options), '')}: fixed once the node works")

    def close(self) -> None:
        """End in order; harmless when done already, and the node may begin anew."""
        session, self._session = self._session, None
        if session is not None:
            session.close()
        if self._device is not None:
            self._device = None
            DEVICES.give_back(self._name)


class EncoderNode(_Node):
    """Pictures in, H.264 out. Options: `chip` and those of EncoderConfig by any of their names."""

    OWN = ("chip", "fps")

    def send(self, picture: Picture) -> Iterator[Coded]:
        """Take one picture; yield what is finished."""
        if self._session is None:
            rate = self.options.get("fps", "25")
            config = EncoderConfig.from_options(
                {**self._rest(), "width": picture.width, "height": picture.height, "fps": rate}
            )
            self._session = self.device.open_encoder(config)
        while not self._session.has_room:
            yield self._coded(self._session.receive_packet(timeout_us=None))
        self._session.send_frame(picture)
        while (packet := self._session.ready_packet()) is not None:
            yield self._coded(packet)

    def reconfigure(self, options: dict[str, Any]) -> None:
        """From the next picture on: `b:v` or `qp`, whichever the session was opened with."""
        if self._session is None:
            self.options.update(options)
            return
        size = {"width": self._session.config.width, "height": self._session.config.height}
        changes = {}
        for name, value in options.items():
            config = EncoderConfig.from_options({**size, name: value})
            key = "qp" if config.bit_rate is None else "bit_rate"
            if config != EncoderConfig.from_options({**size, key: getattr(config, key)}):
                raise InvalidConfig(f"option {name}: fixed once the node works; b:v and qp are not", option=name)
            changes[key] = getattr(config, key)
        self._session.reconfigure(**changes)

    def drain(self) -> Iterator[Coded]:
        """No more will come: yield the rest."""
        if self._session is None:
            return
        self._session.send_frame(None)
        while True:
            try:
                yield self._coded(self._session.receive_packet(timeout_us=None))
            except EndOfStream:
                return

    @staticmethod
    def _coded(packet: Any, stream: int = 0) -> Coded:
        return Coded(packet.data, packet.pts, packet.time_base, packet.is_keyframe, stream)


class DecoderNode(_Node):
    """H.264 packets in, pictures out. Options: `chip`."""

    def send(self, data: bytes, pts: int, time_base: Fraction = MICROSECOND) -> Iterator[Picture]:
        """Take one packet (Annex B); yield the pictures that are due."""
        if self._rest():
            raise InvalidConfig(f"unknown option {next(iter(self._rest()))}")
        if self._session is None:
            self._session = self.device.open_decoder()
        self._session.send_packet(data, pts)
        yield from self._pictures(time_base)

    def drain(self, time_base: Fraction = MICROSECOND) -> Iterator[Picture]:
        """No more will come: yield the rest."""
        if self._session is not None:
            self._session.send_packet(None)
            yield from self._pictures(time_base)

    def _pictures(self, time_base: Fraction) -> Iterator[Picture]:
        while True:
            try:
                picture = self._session.next_frame()
            except (TryAgain, EndOfStream):
                return
            pts = picture.pts if isinstance(picture.pts, int) else 0
            yield picture.download(pts, 1, time_base)
            picture.release()


class ScalerNode(_Node):
    """Pictures in, the same at other sizes out. Options: `chip`, `sizes` ("640x360,320x180")."""

    OWN = ("chip", "sizes")

    def send(self, picture: Picture) -> Iterator[tuple[int, Picture]]:
        """Take one picture; yield (number of the size, picture)."""
        if self._rest():
            raise InvalidConfig(f"unknown option {next(iter(self._rest()))}")
        if self._session is None:
            words = str(self.options.get("sizes", "")).split(",")
            try:
                sizes = tuple(parse_size(word.strip()) for word in words)
            except ValueError as error:
                raise InvalidConfig(f"option sizes: {error}", option="sizes") from None
            self._session = self.device.open_scaler(
                ScalerConfig(width=picture.width, height=picture.height, sizes=sizes)
            )
        self._session.send_frame(picture)
        yield from enumerate(self._session.receive_frame(timeout_us=None))

    def drain(self) -> Iterator[tuple[int, Picture]]:
        """Nothing is held back."""
        return iter(())


class TranscodeNode(_Node):
    """The fused 1:N node: each picture goes to the device once and comes back coded at every size of `ladder`.

    Options: `chip`, `ladder` ("1080p,720p@2M,360p"), `fps`, and those of EncoderConfig.
    """

    OWN = ("chip", "ladder", "fps")

    def send(self, picture: Picture) -> Iterator[Coded]:
        """Take one picture; yield what is finished, `stream` being the number of the rung, largest first."""
        if self._session is None:
            width, height = picture.width, picture.height
            rungs, _ = plan_ladder(parse_ladder(str(self.options.get("ladder", "720p,360p"))), width, height)
            config = EncoderConfig.from_options(
                {
                    **self._rest(), "width": rungs[0].width, "height": rungs[0].height,
                    "fps": self.options.get("fps", "25"),
                }
            )  # fmt: skip
            self._session = self.device.open_transcoder(
                config, share_rate(rungs, config.bit_rate), width=width, height=height
            )
        while not self._session.has_room:
            number, packet = self._session.receive_packet(timeout_us=None)
            yield EncoderNode._coded(packet, number)
        self._session.send_frame(picture)

    def drain(self) -> Iterator[Coded]:
        """No more will come: yield the rest."""
        if self._session is not None:
            for number, packet in self._session.drain():
                yield EncoderNode._coded(packet, number)


def fraction_of(value: Any) -> Fraction:
    """A time base of BMF (`num`, `den`), or anything that a Fraction is made of."""
    return Fraction(value.num, value.den) if hasattr(value, "den") else Fraction(value)


def picture_of(planes: Iterable[Any], pts: int, time_base: Fraction, duration: int = 1) -> Picture:
    """A Picture of three planes uint8[h, w] or [h, w, 1] (BMF's layout), copied: BMF takes its memory back."""
    y, cb, cr = (np.array(plane, np.uint8).reshape(np.shape(plane)[:2]) for plane in planes)
    return Picture(y, cb, cr, pts, duration, time_base)


def module(node_class: type[_Node], bmf: Any = None) -> Any:
    """Return a BMF Module class around a node; `bmf` is what `library()` gives, unless said."""
    bmf = bmf or library()
    takes_packets = node_class is DecoderNode
    gives_pictures = node_class in (DecoderNode, ScalerNode)

    class TasicModule(bmf.Module):
        """One node in a graph; end of stream drains it, goes on to all outputs, and marks the task as done."""

        def __init__(self, node: Any = None, option: Any = None) -> None:
            self.node_ = node
            self.work = node_class(option or {})

        def process(self, task: Any) -> Any:
            incoming = task.get_inputs()[0]
            outputs = task.get_outputs()
            while not incoming.empty():
                packet = incoming.get()
                if packet.timestamp == bmf.Timestamp.EOF:
                    for item in self.work.drain():
                        self._put(outputs, item)
                    for queue in outputs.values():
                        queue.put(bmf.Packet.generate_eof_packet())
                    task.timestamp = bmf.Timestamp.DONE
                    self.work.close()
                    return bmf.ProcessResult.OK
                for item in self._send(packet):
                    self._put(outputs, item)
            return bmf.ProcessResult.OK

        def _send(self, packet: Any) -> Any:
            if takes_packets:
                coded = packet.get(bmf.BMFAVPacket)
                return self.work.send(bytes(coded.data.numpy()), coded.pts, fraction_of(coded.time_base))
            frame = packet.get(bmf.VideoFrame)
            planes = [tensor.numpy() for tensor in frame.frame().data()]
            return self.work.send(picture_of(planes, frame.pts, fraction_of(frame.time_base)))

        def _put(self, outputs: Any, item: Any) -> None:
            if gives_pictures:
                number, picture = item if isinstance(item, tuple) else (0, item)
                made = bmf.video_frame_of((picture.y, picture.cb, picture.cr))
                pts, base = picture.pts, picture.time_base
            else:
                number, pts, base = item.stream, item.pts, item.time_base
                made = bmf.av_packet_of(item.data)
            made.pts, made.time_base = pts, bmf.rational_of(base)
            packet = bmf.Packet(made)
            packet.timestamp = int(pts * base / MICROSECOND)
            outputs[number].put(packet)

        def dynamic_reset(self, option: Any = None) -> Any:
            self.work.reconfigure(dict(option or {}))
            return bmf.ProcessResult.OK

        def reset(self) -> Any:
            self.work.close()
            return bmf.ProcessResult.OK

        def close(self) -> None:
            self.work.close()

    TasicModule.__name__ = node_class.__name__.replace("Node", "")
    return TasicModule


# Modules by the name that a graph gives: `entry="driver.integrations.bmf.tasic_encoder"`.
MODULES: dict[str, type[_Node]] = {
    "tasic_encoder": EncoderNode,
    "tasic_decoder": DecoderNode,
    "tasic_scaler": ScalerNode,
    "tasic_transcode": TranscodeNode,
}


def __getattr__(name: str) -> Any:
    """The modules, made when they are first asked for: only then BMF must import."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()[name] = module(MODULES[name])
    return made


def library() -> Any:
    """BMF with the two constructors that differ between its versions, as `module` wants it; ImportError without it."""
    import types

    import bmf
    from bmf.lib._bmf import sdk
    from bmf.lib._hmp import Frame as HmpFrame
    from bmf.lib._hmp import PixelFormat, PixelInfo, from_numpy

    def av_packet_of(data: bytes) -> Any:
        return sdk.BMFAVPacket(from_numpy(np.frombuffer(data, np.uint8).copy()))

    def video_frame_of(planes: Iterable[np.ndarray]) -> Any:
        tensors = [from_numpy(np.ascontiguousarray(plane)[..., None]) for plane in planes]
        return sdk.VideoFrame(HmpFrame(tensors, PixelInfo(PixelFormat.kPF_YUV420P)))

    def rational_of(value: Fraction) -> Any:
        return sdk.Rational(value.numerator, value.denominator)

    names = {name: getattr(bmf, name) for name in ("Module", "Timestamp", "Packet", "ProcessResult", "VideoFrame")}
    return types.SimpleNamespace(
        **names,
        rational_of=rational_of,
        BMFAVPacket=sdk.BMFAVPacket,
        av_packet_of=av_packet_of,
        video_frame_of=video_frame_of,
    )
