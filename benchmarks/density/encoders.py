"""Software encoders as a server runs them: one thread a stream, fixed QP, tuned for what is measured.

No kernels are imported here: worker processes start fast.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 tells its settings on stderr at every start; errors alone


@dataclass(frozen=True)
class SoftwareEncoder:
    """One encoder of FFmpeg. `presets` run from fast to slow; `options(preset, qp)` are its private options.

    `qp` is on H.264's scale; encoders with another scale map it to a quantiser nearby, so that curves overlap.
    """

    name: str
    codec: str
    decoder: str
    presets: tuple[str, ...]
    options: Callable[[str, int], dict[str, str]]


def _x264(preset: str, qp: int) -> dict[str, str]:
    return {"preset": preset, "tune": "psnr", "x264-params": f"qp={qp}:threads=1:lookahead-threads=1"}


def _x265(preset: str, qp: int) -> dict[str, str]:
    parameters = f"qp={qp}:pools=none:frame-threads=1:info=0:log-level=none"
    return {"preset": preset, "tune": "psnr", "x265-params": parameters}


def _svt_av1(preset: str, qp: int) -> dict[str, str]:
    # AV1's quantiser index runs to 63: one step of it is about 0.63 of a step of H.264's QP.
    quantiser = max(1, min(63, round(1.6 * qp - 8)))
    return {"preset": preset, "svtav1-params": f"rc=0:aq-mode=0:qp={quantiser}:lp=1"}


_X26X = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
ENCODERS = {
    encoder.name: encoder
    for encoder in (
        SoftwareEncoder("x264", "libx264", "h264", _X26X, _x264),
        SoftwareEncoder("x265", "libx265", "hevc", _X26X, _x265),
        SoftwareEncoder("svt-av1", "libsvtav1", "libdav1d", tuple(str(n) for n in range(13, 1, -1)), _svt_av1),
    )
}


def missing(name: str) -> str | None:
    """Return why encoder `name` cannot run in this build of FFmpeg, None where it can."""
    encoder = ENCODERS[name]
    for codec, mode in ((encoder.codec, "w"), (encoder.decoder, "r")):
        try:
            av.Codec(codec, mode)
        except (av.FFmpegError, ValueError):
            return f"{name}: this build of FFmpeg (PyAV {av.__version__}) has no {codec}"
    return None


def open_encoder(
    name: str, preset: str, qp: int, width: int, height: int, rate: Fraction
) -> "av.video.codeccontext.VideoCodecContext":
    """Return an opened encoder for planar 4:2:0 pictures; sides are even."""
    encoder = ENCODERS[name]
    context = av.CodecContext.create(encoder.codec, "w")
    assert isinstance(context, av.video.codeccontext.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.framerate, context.time_base = rate, 1 / rate
    context.thread_count = 1
    context.options = encoder.options(preset, qp)
    with ordinary_scheduling():
        context.open()
    return context


@contextlib.contextmanager
def ordinary_scheduling() -> Iterator[None]:
    """Give every thread of the process the caller's scheduling policy when the block ends.

    SVT-AV1, started by root, makes the caller and all its own threads real-time (SCHED_FIFO, 99): whatever is measured
    beside them starves, and children inherit it.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for thread in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if os.sched_getscheduler(int(thread)) != policy:
                    os.sched_setscheduler(int(thread), policy, parameters)


def encode(name: str, preset: str, qp: int, frames: Iterable[av.VideoFrame], rate: Fraction) -> list[bytes]:
    """Encode frames of one size; return the packets."""
    context = None
    packets: list[bytes] = []
    for index, frame in enumerate(frames):
        if context is None:
            context = open_encoder(name, preset, qp, frame.width, frame.height, rate)
        frame.pts, frame.time_base = index, 1 / rate
        packets += [bytes(packet) for packet in context.encode(frame)]
    if context is not None:
        packets += [bytes(packet) for packet in context.encode(None)]
    return packets


def decode(name: str, packets: Iterable[bytes]) -> list[av.VideoFrame]:
    """Decode what `encode` returned, with FFmpeg."""
    context = av.CodecContext.create(ENCODERS[name].decoder, "r")
    assert isinstance(context, av.video.codeccontext.VideoCodecContext)
    frames: list[av.VideoFrame] = []
    for data in packets:
        frames += context.decode(av.Packet(data))
    return frames + context.decode(None)
