"""`tasic serve`, `tasic selftest`: devices for other processes, and whether their cores can be trusted."""

import contextlib
import faulthandler
import signal
import sys
import threading

import click

from cli.options import Command


@click.command(cls=Command)
@click.option("--chip", "chips", multiple=True, metavar="NAME|FILE.yaml", help="Chip; several times for several [vcu].")
@click.option(
    "--backend", type=click.Choice(["model", "null"]), default="model", help="With pixels or without [model]."
)
@click.option(
    "--socket", "sockets", multiple=True, metavar="PATH", help="Socket, one a chip [tasicN.sock of this user]."
)
@click.option(
    "--mode", default="600", metavar="OCTAL", help="Permissions of the sockets: who may use the devices [600]."
)
@click.option("--memory", "memory_mib", type=click.IntRange(1), metavar="MIB",
              help="Device memory of a client that does not ask for more or less [an eighth].")  # fmt: skip
@click.option("--sessions", type=click.IntRange(1), help="Most sessions that one client may open [the chip's].")
@click.option("--rate", "mpix_s", type=click.FloatRange(min=0, min_open=True), metavar="MPIXEL/S",
              help="Most encode rate that one client may reserve [the chip's].")  # fmt: skip
@click.option("--faults", type=click.Path(exists=True, dir_okay=False), help="YAML of what is to go wrong.")
@click.option("-threads", "--threads", "threads", type=click.IntRange(1, 256), metavar="N",
              help="Host threads that compute pixels [all processors].")  # fmt: skip
@click.option("--selftest/--no-selftest", default=True, help="Test the cores before the first client [on].")
@click.option("-v", "--verbose", is_flag=True, help="Say who comes and goes.")
def serve(
    chips: tuple[str, ...], backend: str, sockets: tuple[str, ...], mode: str, memory_mib: int | None,
    sessions: int | None, mpix_s: float | None, faults: str | None, threads: int | None, selftest: bool, verbose: bool,
) -> None:  # fmt: skip
    """Run devices for other processes, which open them as `remote:SOCKET`; ends with SIGTERM or Ctrl-C.

    A device that is removed ends alone, the others go on; then the command ends with 1. SIGUSR1 prints to stderr where
    each thread stands.
    """
    from driver.device import Device
    from driver.enumeration import socket_folder
    from driver.errors import DeviceLost
    from driver.serve.daemon import Daemon

    try:
        permissions = int(mode, 8)
        if not 0 <= permissions <= 0o777:
            raise ValueError
    except ValueError:
        raise click.UsageError(f"option --mode: {mode!r} is no octal number of 000..777") from None
    names = chips or ("vcu",)
    if sockets and len(sockets) != len(names):
        raise click.UsageError(f"{len(sockets)} sockets for {len(names)} chips: give one each")
    paths = sockets or tuple(str(socket_folder() / f"tasic{number}.sock") for number in range(len(names)))

    def say(text: str) -> None:
        if verbose:
            print(f"tasic: {text}", file=sys.stderr, flush=True)

    daemons: list[Daemon] = []
    devices: list[Device] = []
    threads_of: list[threading.Thread] = []
    serving = False

    def run(daemon: Daemon) -> None:
        daemon.run()
        if daemon.removed:
            print(f"tasic: {daemon.device.name} was removed", file=sys.stderr, flush=True)

    def stop(*_signal: object) -> None:
        for daemon in daemons:
            daemon.stop()

    try:
        for name, path in zip(names, paths, strict=True):
            device = Device.open(f"{backend}:{name}", faults=faults, host_threads=threads)
            devices.append(device)
            if selftest:
                for result in device.self_test():
                    if not result.passed:
                        print(f"tasic: core {result.core} ({result.kind}) fails its self-test: {result.reason}",
                              file=sys.stderr)  # fmt: skip
            daemons.append(
                Daemon(
                    device, path, memory_mib=memory_mib or 0, sessions=sessions or 0,
                    kilosamples=round(1000 * mpix_s) if mpix_s else 0, mode=permissions, say=say,
                )
            )  # fmt: skip
        serving = True
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        faulthandler.register(signal.SIGUSR1)
        threads_of += [threading.Thread(target=run, args=(daemon,)) for daemon in daemons[1:]]
        for thread in threads_of:
            thread.start()
        for daemon in daemons:
            print(f"serving {daemon.device.name} at {daemon.path}", flush=True)
        run(daemons[0])
        for thread in threads_of:
            thread.join()
    finally:
        stop()  # what still runs when this thread failed
        for thread in threads_of:
            if thread.is_alive():
                thread.join()
        for daemon in daemons if not serving else ():
            daemon.run()  # which ends at once, and takes its socket away
        for device in devices:
            with contextlib.suppress(DeviceLost):  # of one that was removed no orderly end is possible
                device.close()
    if any(daemon.removed for daemon in daemons):
        raise click.exceptions.Exit(1)


@click.command(cls=Command)
@click.option("--chip", default="vcu", metavar="NAME|FILE.yaml", help="Chip to test [vcu].")
@click.option("--faults", type=click.Path(exists=True, dir_okay=False), help="YAML of what is to go wrong.")
def selftest(chip: str, faults: str | None) -> None:
    """Run short jobs with known answers on every core; exit 1 when one fails."""
    from driver.device import Device

    with Device.open(f"model:{chip}", faults=faults) as device:
        results = device.self_test()
        for result in results:
            click.echo(f"core {result.core:2}  {result.kind:6}  {'ok' if result.passed else result.reason}")
        out = sorted(device.cores_out())
    if out:
        click.echo(f"out of service: {', '.join(map(str, out))}")
    if not all(result.passed for result in results):
        raise click.exceptions.Exit(1)


@click.command(cls=Command)
@click.argument("device", default="model:vcu", metavar="[DEVICE]")
@click.option("--fps", type=click.FloatRange(min=0), default=30.0, help="Least simulated frames/s of one stream [30].")
@click.option("--link", "link_mb_s", type=click.FloatRange(min=0), default=500.0, metavar="MB/S",
              help="Least simulated rate of the host link, each way [500].")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it [text].")
def validate(device: str, fps: float, link_mb_s: float, form: str) -> None:
    """Check a device from end to end: firmware, link, memory, cores, a transcode; exit 1 when something fails.

    DEVICE: what `tasic list` shows, such as model:vcu (the default), remote:SOCKET, tasic0, or a UUID.
    """
    import dataclasses
    import json

    from driver.device import Device
    from driver.validation import validate as checks_of

    found = []
    with Device.open(device) as opened:
        for check in checks_of(opened, fps=fps, link_mb_s=link_mb_s):
            found.append(check)
            if form == "text":
                figure = f"{check.measured:10.1f} {check.unit}" if check.measured is not None else ""
                click.echo(f"{'ok  ' if check.passed else 'FAIL'}  {check.name:34} {figure:22} {check.reason}".rstrip())
    if form == "json":
        click.echo(json.dumps([dataclasses.asdict(check) for check in found], indent=1))
    if not all(check.passed for check in found):
        raise click.exceptions.Exit(1)


@click.command(cls=Command)
@click.option("--socket", "socket_path", metavar="PATH", help="Daemon's socket [the first of this user].")
def reset(socket_path: str | None) -> None:
    """Reset a daemon's device; its clients' sessions go on. For the daemon's own user only."""
    from cli.monitor import served
    from driver.serve.monitor import reset as reset_device

    path = socket_path or served(())[0]
    reset_device(path)
    click.echo(f"reset the device at {path}")
