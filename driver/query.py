"""Asking before opening: what a device would change about a configuration, and which device has room."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asic_model.memory.surface import surface
from driver.borrowed_options import translated
from driver.errors import CapacityExceeded, InvalidConfig, TasicError, UnsupportedInput
from driver.options import EncoderConfig, check_options
from driver.session import check_type

if TYPE_CHECKING:
    from driver.device import Device

POLICIES = ("least_load", "least_instance", "first")


@dataclass(frozen=True)
class Adjusted:
    """A configuration that the device can do, and a sentence for each thing that had to be changed."""

    config: EncoderConfig
    reasons: tuple[str, ...]


def query(device: "Device", config: EncoderConfig | Mapping[str, Any]) -> Adjusted:
    """Return what would be opened: values brought into range, sizes made even and small enough, depth that fits.

    Names that are unknown are refused all the same, and so is what cannot be brought into range.
    """
    reasons: list[str] = []
    if isinstance(config, EncoderConfig):
        values = {item.name: getattr(config, item.name) for item in dataclasses.fields(config)}
    else:
        check_options(config)
        values = _in_range(config, reasons)
    limits = device.capabilities
    if not limits.encode_cores:
        raise UnsupportedInput(f"{device.name} has no encode cores")
    for name, most in (("width", limits.max_width), ("height", limits.max_height)):
        if name not in values:
            raise InvalidConfig(f"option {name} is missing", option=name)
        side = values[name]
        if side > most:
            values[name] = most
            reasons.append(f"{name} {side} becomes {most}: the largest that this chip takes")
        if values[name] % 2:
            values[name] -= 1
            reasons.append(f"{name} {side} becomes {values[name]}: 4:2:0 is coded in even sizes")
    rows = -(-values["height"] // 16)
    if values.get("slices", 1) > rows:
        reasons.append(f"slices {values['slices']} becomes {rows}: a slice is a macroblock row at least")
        values["slices"] = rows
    found: EncoderConfig = EncoderConfig(**values)
    found = _fitting(device, found, reasons)
    return Adjusted(found, tuple(reasons))


def _in_range(options: Mapping[str, Any], reasons: list[str]) -> dict[str, Any]:
    """Fields by name, each value within its option's bounds."""
    known = EncoderConfig.spellings()
    options = translated(options, lambda name: known.get(name, name))
    about = {item.name: item for item in dataclasses.fields(EncoderConfig)}
    values: dict[str, Any] = {}
    for name, value in options.items():
        plain = name.lstrip("-")
        if plain not in known:
            EncoderConfig.from_options({name: value})  # refuses it by name, with the nearest one
        item = about[known[plain]]
        try:
            parsed = item.metadata["parse"](value)
        except (ValueError, TypeError) as error:
            raise InvalidConfig(f"option {plain}: {error}", option=item.name, value=value) from None
        low, high = item.metadata["low"], item.metadata["high"]
        bounded = parsed
        if low is not None and parsed < low:
            bounded = low
        elif high is not None and parsed > high:
            bounded = high
        if bounded != parsed:
            reasons.append(f"{plain} {parsed} becomes {bounded}: the range is {low}..{high}")
        values[item.name] = bounded
    return values


def _bytes_of(config: EncoderConfig) -> int:
    """Device memory that a session takes, near enough to say whether it fits."""
    coded_width, coded_height = -(-config.width // 16) * 16, -(-config.height // 16) * 16
    source = surface(config.width, config.height).size_bytes
    coded = surface(coded_width, coded_height).size_bytes
    depth = config.queue_depth + getattr(config, "b_frames", 0)
    stream = coded_width * coded_height // 256 * 640 + 8192
    return (depth + 1) * source + (config.references + depth + 3) * coded + depth * stream


def _fitting(device: "Device", config: EncoderConfig, reasons: list[str]) -> EncoderConfig:
    free = device.allocator.free_bytes
    depth = config.queue_depth
    while depth > 1 and _bytes_of(config.replace(queue_depth=depth)) > free:
        depth -= 1
    if depth != config.queue_depth:
        reasons.append(f"async_depth {config.queue_depth} becomes {depth}: {free} bytes of device memory are free")
        config = config.replace(queue_depth=depth)
    if _bytes_of(config) > free:
        raise CapacityExceeded(
            f"no device memory for {config.width}x{config.height}: {_bytes_of(config)} bytes needed, {free} free",
            limit="memory", needed=_bytes_of(config), free=free, total=device.allocator.total_bytes,
        )  # fmt: skip
    return config


def _load(device: "Device", policy: str, number: int) -> tuple[float, int]:
    if policy == "first":
        return 0.0, number
    seen = device.telemetry()
    if policy == "least_instance":
        return float(seen.sessions), number
    encoders = [core for core in seen.cores if core.kind == "encode" and core.in_service]
    if not encoders:
        return float("inf"), number
    # sessions a core in service, and of the rate what is reserved: what is known before a second of it has passed
    limit = device.capabilities.max_encode_kilosamples or 1
    reserved = 1 - min(1.0, seen.encode_kilosamples_free / limit)
    return max(reserved, seen.sessions / len(encoders)), number


def open_best(
    config: EncoderConfig, policy: str = "least_load", devices: "Iterable[Device | str] | None" = None
) -> Any:
    """Open an encode session on the device that suits `policy`; the next one is tried when a device has no room.

    policy  : least_load (sessions and reserved rate a core), least_instance (sessions), first
    devices : opened devices, or names; default: the devices that a `tasic serve` of this user offers, else `model:vcu`
              (`config.hw_index` chooses one of them)

    A device that is opened here is closed with the session. Raises the last device's CapacityExceeded.
    """
    from driver.device import Device
    from driver.enumeration import served_devices

    check_type("config", config, EncoderConfig)
    if policy not in POLICIES:
        raise InvalidConfig(f"option policy: {policy!r} is not one of {', '.join(POLICIES)}", option="policy")
    wanted = list(devices) if devices is not None else [info.name for info in served_devices()] or ["model:vcu"]
    if config.hw_index is not None:
        if config.hw_index >= len(wanted):
            raise InvalidConfig(f"option hw_index: {config.hw_index} of {len(wanted)} devices", option="hw_index")
        wanted = [wanted[config.hw_index]]
    opened: list[tuple[Any, bool]] = []
    try:
        for one in wanted:
            opened.append((Device.open(one), True) if isinstance(one, str) else (one, False))
        if not opened:
            raise InvalidConfig("option devices: none was given")
        ranked = sorted(enumerate(opened), key=lambda item: _load(item[1][0], policy, item[0]))
        error: TasicError | None = None
        for _, (device, ours) in ranked:
            try:
                session = device.open_encoder(config)
            except (CapacityExceeded, UnsupportedInput) as refused:
                error = refused
                continue
            if ours:
                opened.remove((device, True))
                session.owns_device = True
            return session
        assert error is not None
        raise error
    finally:
        for device, ours in opened:
            if ours:
                device.close()
