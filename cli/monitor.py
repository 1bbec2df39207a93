"""`tasic list`, `tasic top`, `tasic mon`, `tasic log`: devices and daemons at work, for people and for programs."""

import json
import time
from typing import Any

import click

from cli.options import Command

COLUMNS = ("DEV", "ENC", "DEC", "SCL", "FW", "INST", "MAX_INST", "CLIENTS", "MEM(TOTAL", "SHARE)", "TEMP", "PWR",
           "RETRY", "RESET", "STATE")  # fmt: skip


def served(given: tuple[str, ...]) -> list[str]:
    from driver.enumeration import served_devices
    from driver.errors import NoSuchDevice

    found = list(given) or [info.name.partition(":")[2] for info in served_devices()]
    if not found:
        raise NoSuchDevice("no daemon is running: start one with `tasic serve`, or say --socket PATH")
    return found


@click.command(name="list", cls=Command)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it [text].")
def list_devices(form: str) -> None:
    """List the devices that can be opened: those of running daemons first, then every chip on every backend."""
    from driver.enumeration import devices

    found = [
        {"name": info.name, "backend": info.backend, "chip": info.chip, "index": info.index, "uuid": info.uuid,
         "pci_bdf": info.pci_bdf or None}
        for info in devices()
    ]  # fmt: skip
    if form == "json":
        click.echo(json.dumps(found, indent=1))
        return
    for one in found:
        click.echo(f"{one['name']:40} {one['backend']:7} {one['chip']:8} {one['uuid']}")


def _row(number: int, status: dict[str, Any]) -> list[str]:
    """One device in the columns that `nvidia-smi` and `ni_rsrc_mon` have made customary; loads in percent."""
    telemetry, load = status["telemetry"], status["utilization"]
    total = status["window_bytes_total"]
    used = total - status["window_bytes_free"]

    def percent(kind: str) -> str:
        return f"{100 * load[kind]:.0f}" if kind in load else "-"

    return [
        str(number), percent("encode"), percent("decode"), percent("scale"), percent("firmware"),
        str(telemetry["sessions"]), str(telemetry["max_sessions"]),
        f"{len(status['clients'])}/{status['clients_most']}", f"{total >> 20}M", f"{100 * used / total:.0f}%",
        f"{status['celsius']:.0f}C" if status.get("celsius") is not None else "-",
        f"{status['watts']:.2f}W" if status.get("watts") is not None else "-",
        str(telemetry["counters"]["jobs_retried"]), str(telemetry["counters"]["resets"]),
        telemetry["firmware_state"] if status["link_up"] else "NO LINK",
    ]  # fmt: skip


def table(rows: list[list[str]]) -> str:
    """Columns under their names, right-aligned."""
    widths = [max(len(cell) for cell in column) for column in zip(COLUMNS, *rows, strict=True)]
    lines = [COLUMNS, *rows]
    return "\n".join("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in lines)


def _screen(paths: list[str]) -> str:
    found, gone = _told(paths)
    lines = [table([_row(number, one) for number, one in enumerate(found)])]
    for number, one in enumerate(found):
        lines.append(f"\n{number}: {one['device']}, firmware {one['firmware_version']}, simulated, {one['socket']}")
        for client in one["clients"]:
            lines.append(
                f"   client {client['function']:2}  {client['name'][:24]:24} pid {client['pid']:<8} "
                f"{client['user']:12} "
                f"{client['memory_bytes'] >> 20:6} MiB  violations {client['violations']}"
            )
        lines += [f"   {text}" for text in one["log"][-4:]]
    return "\n".join([*lines, *(["", *gone] if gone else [])])


def _told(paths: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """What the daemons say, and why some do not; raises when none does."""
    from driver.errors import TasicError
    from driver.serve.monitor import status

    found, gone = [], []
    for path in paths:
        try:
            found.append(status(path))
        except TasicError as error:
            if path == paths[-1] and not found:
                raise
            gone.append(str(error))
    return found, gone


@click.command(cls=Command)
@click.option("--socket", "sockets", multiple=True, metavar="PATH", help="Daemon's socket [all of this user].")
@click.option("-n", "seconds", type=click.FloatRange(min=0.1), default=1.0, metavar="SECONDS", help="Interval [1].")
@click.option("--once", is_flag=True, help="Print once and stop.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it [text].")
def top(sockets: tuple[str, ...], seconds: float, once: bool, form: str) -> None:
    """Show devices at work: load by kind of core, sessions, memory, clients, firmware; Ctrl-C ends it.

    Loads are shares of simulated time since the last look.
    """
    from driver.serve.monitor import status

    paths = served(sockets)
    if form == "json":
        while True:
            click.echo(json.dumps([status(path) for path in paths]))
            if once:
                return
            time.sleep(seconds)
    if once:
        click.echo(_screen(paths))
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(Text(_screen(paths)), console=Console(), auto_refresh=False) as live:
        while True:
            time.sleep(seconds)
            live.update(Text(_screen(paths)), refresh=True)


@click.command(cls=Command)
@click.option("--socket", "sockets", multiple=True, metavar="PATH", help="Daemon's socket [all of this user].")
@click.option("--prometheus", metavar="[HOST]:PORT", help="Serve metrics over HTTP at that address, e.g. :9402.")
@click.option("--once", is_flag=True, help="Print the metrics once and stop.")
def mon(sockets: tuple[str, ...], prometheus: str | None, once: bool) -> None:
    """Export metrics of running daemons in Prometheus' text format; every figure is labelled simulated."""
    from driver.serve.prometheus import metrics, serve_http

    paths = served(sockets)
    if once or prometheus is None:
        click.echo(metrics(paths), nl=False)
        return
    host, colon, port = prometheus.rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise click.UsageError(f"option --prometheus: {prometheus!r} is no address such as :9402 or 127.0.0.1:9402")
    serve_http(
        paths, host or "127.0.0.1", int(port), lambda address: click.echo(f"metrics at http://{address}/metrics")
    )


@click.command(cls=Command)
@click.option("--socket", "socket_path", metavar="PATH", help="Daemon's socket [the first of this user].")
@click.option("-n", "count", type=click.IntRange(min=1), default=50, help="Entries, newest last [50].")
def log(socket_path: str | None, count: int) -> None:
    """Print the log of a daemon's firmware, decoded."""
    from driver.serve.monitor import status

    path = socket_path or served(())[0]
    for text in status(path)["log"][-count:]:
        click.echo(text)
