"""`tasic hrd`: does a stream keep to the decoder buffer that it declares, or to one that is given?"""

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import Command

if TYPE_CHECKING:
    from asic_model.codecs.h264.hrd import AccessUnit, Verdict

RAW_SUFFIXES = (".264", ".h264", ".avc", ".jsv", ".26l", ".es")
MOST_SHOWN = 10


@click.command(cls=Command)
@click.argument("path", metavar="FILE")
@click.option("--vcl", is_flag=True, help="The VCL HRD (slices and filler only) instead of the NAL HRD.")
@click.option("--schedule", type=click.IntRange(0, 31), default=0, metavar="N", help="Which of the declared CPBs [0].")
@click.option("-maxrate", "--maxrate", metavar="RATE", help="A buffer of your own, e.g. 2.5M: filled at this rate.")
@click.option("-bufsize", "--bufsize", metavar="BITS", help="Its size, e.g. 5M.")
@click.option("--initial", type=click.FloatRange(0, 1), default=0.9, help="How full it is at first [0.9, as x264].")
@click.option("--rate", metavar="FPS", help="Pictures a second of a raw stream without timing information.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def hrd(path: str, **options: Any) -> None:
    """Check an H.264 stream (raw, mp4, mkv, ts) against its hypothetical reference decoder (H.264 Annex C).

    Exit code 0 when the buffer never over- or underflows, 1 when it does. Streams that declare no buffer are checked
    against `-maxrate` and `-bufsize`.
    """
    verdict = _verdict(path, options)
    if options["as_json"]:
        click.echo(json.dumps(_record(path, verdict), indent=1))
    else:
        _print(path, verdict)
    if verdict.problems:
        click.get_current_context().exit(1)


def _verdict(path: str, options: dict[str, Any]) -> "Verdict":
    from asic_model.codecs.h264 import hrd as model
    from asic_model.codecs.h264.bits import SyntaxFault
    from driver.errors import InvalidConfig, UnsupportedInput
    from driver.option_values import parse_rate

    own = {}
    for name in ("maxrate", "bufsize"):
        if options[name] is not None:
            try:
                own[name] = parse_rate(options[name])
            except ValueError as error:
                raise InvalidConfig(f"option -{name}: {error}") from None
            if own[name] < 1000:
                raise InvalidConfig(f"option -{name}: {options[name]}, at least 1000 bits")
    if len(own) == 1:
        raise InvalidConfig("options -maxrate and -bufsize go together")
    stream, times = _read(path)
    try:
        units = model.split_access_units(stream)
        if own:
            removals = times if times is not None else _nominal_times(units, options["rate"])
            initial = round(own["bufsize"] * options["initial"])
            return model.check_leaky_bucket(units, removals, own["maxrate"], own["bufsize"], initial)
        return model.check(units, vcl=options["vcl"], schedule=options["schedule"])
    except SyntaxFault as error:
        raise UnsupportedInput(f"{path}: damaged, cannot be judged: {error}") from None
    except model.NoHrd as error:
        advice = "" if own else "; give -maxrate and -bufsize to check against a buffer of your own"
        raise UnsupportedInput(f"{path}: {error}{advice}") from None


def _read(path: str) -> tuple[bytes, list[Fraction] | None]:
    """Return the byte stream (Annex B), and the decoding times that a container gives, seconds."""
    from driver.errors import UnsupportedInput

    if Path(path).suffix.lower() in RAW_SUFFIXES:
        return Path(path).read_bytes(), None
    import av

    try:
        with av.open(path) as container:
            if not container.streams.video:
                raise UnsupportedInput(f"{path}: no video in it")
            stream = container.streams.video[0]
            if stream.codec_context.name != "h264":
                raise UnsupportedInput(f"{path}: {stream.codec_context.name}, only H.264 is checked")
            convert = av.bitstream.BitStreamFilterContext("h264_mp4toannexb", stream)
            data, times = bytearray(), []
            for packet in container.demux(stream):
                for unit in convert.filter(packet if packet.size else None):
                    data += bytes(unit)
                    if unit.dts is not None and unit.time_base is not None:
                        times.append(Fraction(unit.dts) * unit.time_base)
            return bytes(data), times
    except av.FFmpegError as error:
        raise UnsupportedInput(f"{path}: {error.strerror or error}") from None


def _nominal_times(units: "list[AccessUnit]", rate: str | None) -> list[Fraction]:
    """Decoding times of a raw stream: at the rate given, or at the one of its timing information."""
    from asic_model.codecs.h264.hrd import NoHrd
    from driver.errors import InvalidConfig
    from driver.option_values import parse_fraction

    if rate is not None:
        try:
            step = 1 / parse_fraction(rate)
        except (ValueError, ZeroDivisionError) as error:
            raise InvalidConfig(f"option --rate: {error}") from None
    else:
        vui = units[0].sps.vui if units and units[0].sps is not None else None
        if vui is None or not vui.timing_info_present_flag or not vui.time_scale or not vui.num_units_in_tick:
            raise NoHrd("no timing information: give --rate")
        step = Fraction(2 * vui.num_units_in_tick, vui.time_scale)
    return [index * step for index in range(len(units))]


def _record(path: str, verdict: "Verdict") -> dict[str, Any]:
    return {
        "path": path,
        "bit_rate": verdict.bit_rate,
        "cpb_bits": verdict.cpb_bits,
        "cbr": verdict.cbr,
        "access_units": verdict.units,
        "seconds": float(verdict.seconds),
        "average_bit_rate": verdict.average_bit_rate,
        "peak_bits": float(verdict.peak_bits),
        "low_bits": float(verdict.low_bits),
        "problems": [{"access_unit": each.unit, "kind": each.kind, "text": each.text} for each in verdict.problems],
    }


def _print(path: str, verdict: "Verdict") -> None:
    kind = "constant" if verdict.cbr else "variable"
    click.echo(
        f"{path}: {verdict.units} access units; {verdict.cpb_bits:,} bits filled at {verdict.bit_rate:,} bit/s "
        f"({kind}); average {verdict.average_bit_rate:,.0f} bit/s"
    )
    click.echo(f"fullness {float(verdict.low_bits):,.0f} to {float(verdict.peak_bits):,.0f} bits")
    for each in verdict.problems[:MOST_SHOWN]:
        click.echo(f"access unit {each.unit}: {each.kind}: {each.text}")
    left = len(verdict.problems) - MOST_SHOWN
    if left > 0:
        click.echo(f"... and {left} more")
    click.echo("clean" if not verdict.problems else f"{len(verdict.problems)} problems")
