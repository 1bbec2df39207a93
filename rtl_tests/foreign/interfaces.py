"""Blocks whose ports are SystemVerilog interfaces: a module around them has plain ports, and is what the wrapper holds.

Signal `tdata` of port `s` becomes port `s_tdata`, of element 1 of an array of interfaces `s_1_tdata`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rtl_tests.foreign.description import Adapter, Interface
from rtl_tests.foreign.sources import AdapterFault, Port, SourceSet, elaborate, port_of, ports_of

PLAIN = "tasic_plain"
_PROBE = "tasic_probe"


def plain_ports(adapter: Adapter, sources: SourceSet, folder: Path) -> dict[str, Port]:
    """Ports of the module around the block, which is written to `folder` and joins `sources`.

    Raises AdapterFault where interfaces and block do not fit.
    """
    probe = folder / f"{_PROBE}.sv"
    probe.write_text(_module(_PROBE, adapter, [], _instances(adapter, {}), []), encoding="utf-8")
    tree = elaborate(adapter, replace(sources, files=[*sources.files, probe]), folder, _PROBE)
    probe.unlink()
    types = {node["addr"]: node for node in tree["miscsp"][0]["typesp"] if "addr" in node}
    block = next(each for each in tree["modulesp"] if adapter.top in (each.get("origName"), each["name"]))
    plain = ports_of(block, types)
    found, connections, instances = dict(plain), [f".{name}({name})" for name in plain], []
    for name, interface in adapter.interfaces.items():
        node = next((each for each in block["stmtsp"] if each.get("name") == name and each.get("type") == "VAR"), None)
        if node is None:
            raise AdapterFault(f"interfaces.{name}: {adapter.top} has no such port")
        kind = types.get(node["dtypep"], {})
        while kind.get("type") == "UNPACKARRAYDTYPE":
            kind = types.get(kind["refDTypep"], {})
        if kind.get("type") != "IFACEREFDTYPE":
            raise AdapterFault(f"interfaces.{name}: port {name} of {adapter.top} is no interface")
        directions, signals = _signals(adapter, name, interface, kind, tree, types)
        for element in range(interface.count) if interface.count else [None]:
            scope = name if element is None else f"{name}[{element}]"
            flat = name if element is None else f"{name}_{element}"
            for signal, direction in directions.items():
                port = replace(signals[signal], name=f"{flat}_{signal}", direction=direction)
                if port.name in found:
                    raise AdapterFault(f"interfaces.{name}: {port.name} is a port of {adapter.top} already")
                found[port.name] = port
                ends = (f"{scope}.{signal}", port.name)
                instances.append("assign {} = {};".format(*(ends if direction == "INPUT" else ends[::-1])))
        connections.append(f".{name}({name})")
    shim = folder / f"{PLAIN}.sv"
    body = [*_instances(adapter, plain), *instances]
    shim.write_text(_module(PLAIN, adapter, list(found.values()), body, connections), encoding="utf-8")
    sources.files.append(shim)
    return found


def _signals(
    adapter: Adapter, name: str, interface: Interface, kind: dict[str, Any], tree: dict[str, Any], types: dict[str, Any]
) -> tuple[dict[str, str], dict[str, Port]]:
    """Direction of each signal as the block sees it, and the signals."""
    holder = next(each for each in tree["modulesp"] if each["addr"] == kind["ifacep"])
    modports = {each["name"]: each for each in holder["stmtsp"] if each.get("type") == "MODPORT"}
    chosen = kind.get("modportName") or interface.modport
    if chosen is None or chosen not in modports:
        said = "names no modport; give one: `modport`" if chosen is None else f"has no modport {chosen!r}"
        raise AdapterFault(
            f"interfaces.{name}.modport: interface {interface.type} {said}, of {', '.join(modports) or 'none'}"
        )
    directions = {
        each["name"]: each["direction"] for each in modports[chosen]["varsp"] if each.get("type") == "MODPORTVARREF"
    }
    declared = {each["name"]: each for each in holder["stmtsp"] if each.get("type") == "VAR"}
    # A modport that lists the interface's own ports (clocks) has them from outside.
    directions = {signal: way for signal, way in directions.items() if signal not in interface.ports}
    signals = {signal: port_of(signal, "INPUT", declared[signal]["dtypep"], types) for signal in directions}
    for signal, port in signals.items():
        if port.entries:
            raise AdapterFault(f"interfaces.{name}: signal {signal} is an unpacked array, which is not connected")
    return directions, signals


def _instances(adapter: Adapter, plain: dict[str, Port]) -> list[str]:
    """The interfaces. For the probe, which has no ports, theirs are tied."""
    lines = []
    for name, interface in adapter.interfaces.items():
        given = ", ".join(f".{key}({value})" for key, value in interface.parameters.items())
        ports = []
        for key, value in interface.ports.items():
            if plain and isinstance(value, str) and value not in plain:
                raise AdapterFault(
                    f"interfaces.{name}.ports.{key}: {adapter.top} has no port {value!r}; it has {', '.join(plain)}"
                )
            standing = value if plain or isinstance(value, int) else "1'b0"
            ports.append(f".{key}({standing})")
        size = f" [0:{interface.count - 1}]" if interface.count else ""
        lines.append(f"{interface.type} {f'#({given}) ' if given else ''}{name}{size} ({', '.join(ports)});")
    return lines


def _module(name: str, adapter: Adapter, ports: list[Port], body: list[str], connections: list[str]) -> str:
    """A module with the block in it; without connections only its interfaces are connected."""
    heads = []
    for port in ports:
        width = port.width // port.entries if port.entries else port.width
        bounds = "".join(f"[{left}:{right}]" for left, right in port.dimensions)
        sign = " signed" if port.signed else ""
        heads.append(f"{port.direction.lower()} wire{sign} [{width - 1}:0] {port.name} {bounds}".rstrip())
    parameters = ", ".join(f".{key}({value})" for key, value in adapter.sources.parameters.items())
    pins = ", ".join(connections or [f".{each}({each})" for each in adapter.interfaces])
    return "\n".join([
        f"module {name} ({', '.join(heads)});", *body,
        f"{adapter.top} {f'#({parameters}) ' if parameters else ''}block ({pins});", "endmodule", "",
    ])  # fmt: skip
