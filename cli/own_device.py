"""The device that a command works on: a chip of its own, or one that runs elsewhere."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from driver.device import Device


def device_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--device` and `--faults`."""
    for option in (
        click.option("--faults", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
                     help="YAML of what is to go wrong with the chip."),
        click.option("--device", metavar="NAME",
                     help="Device that runs already, instead of a chip of this command's own: what `tasic list` shows,"
                     " e.g. tasic0 or remote:SOCKET of a `tasic serve`."),
    ):  # fmt: skip
        function = option(function)
    return function


def open_device(
    options: Mapping[str, Any], *, seed: int | None = None, changes: Mapping[str, Any] | None = None
) -> "Device":
    """Open what the options name. Raises InvalidConfig for options that only a chip of the command's own can have."""
    from driver.device import Device
    from driver.errors import InvalidConfig

    name, trace = options.get("device"), options.get("trace")
    own: dict[str, Any] = {"faults": options.get("faults"), "host_threads": options.get("threads")}
    if name is None:
        if seed is not None:
            own["seed"] = seed
        return Device.open(f"model:{options['chip']}", trace=bool(trace), changes=changes, **own)
    given = {"--faults": own["faults"], "--threads": own["host_threads"], "--trace": trace, "--timing-from": changes,
             "--report": options.get("report")}  # fmt: skip
    for option, value in given.items():
        if value:
            raise InvalidConfig(
                f"option {option[2:]}: of a chip of this command's own; leave --device out", option=option
            )
    return Device.open(name)
