"""How an adapter's words meet the block's ports: every port once, every name known, every width right."""

import difflib
import math
import re
from dataclasses import dataclass, field

from rtl_tests.foreign.description import Adapter
from rtl_tests.foreign.layout import Layout
from rtl_tests.foreign.memories import AXI_INPUTS, AXI_OUTPUTS, AxiMemory, MemoryPort
from rtl_tests.foreign.sources import AdapterFault, Port
from rtl_tests.foreign.streams import Input, Output

CONSTANT = re.compile(r"\d+|\d*'s?[bodhBODH][0-9a-fA-FxXzZ_]+|'[01]")


@dataclass
class InputPlan:
    """One input: data ports, then those of `set`, then those of `strobe`, concatenated from the low bits up."""

    name: str
    stream: Input
    layout: Layout | None  # None for written-out beats
    extra: list[Port] = field(default_factory=list)
    strobes: list[Port] = field(default_factory=list)

    @property
    def width(self) -> int:
        return sum(port.width for port in self.ports)

    @property
    def ports(self) -> list[Port]:
        return [*(self.layout.ports if self.layout else []), *self.extra, *self.strobes]


@dataclass
class OutputPlan:
    name: str
    stream: Output
    layout: Layout


@dataclass
class Plan:
    """How an adapter's words meet the block's ports. Raises AdapterFault where they do not."""

    adapter: Adapter
    ports: dict[str, Port]
    planes: list[str] = field(default_factory=list)  # names of the transaction's planes, in their order
    copies: list[tuple[int, int]] = field(default_factory=list)  # (to, from): before each transaction but the first
    store_bytes: int = 1 << 16
    module: str = ""  # what the wrapper holds, where it is not the block itself
    inputs: list[InputPlan] = field(init=False, default_factory=list)
    outputs: list[OutputPlan] = field(init=False, default_factory=list)
    driven: dict[str, str] = field(init=False, default_factory=dict)
    axi: dict[str, dict[str, Port]] = field(init=False, default_factory=dict)  # memory -> signal -> port

    def __post_init__(self) -> None:
        adapter = self.adapter
        if adapter.clock:
            self._drive(adapter.clock.port, "clock.port", 1)
            for name in adapter.clock.also:
                self._drive(name, "clock.also", 1)
        for name in adapter.clocks:
            self._drive(name, f"clocks.{name}", 1)
        if adapter.reset:
            self._drive(adapter.reset.port, "reset.port", 1)
            for name in adapter.reset.also:
                self._drive(name, "reset.also", 1)
        for name, value in adapter.tie.items():
            self._drive(name, f"tie.{name}")
            if isinstance(value, str) and not CONSTANT.fullmatch(value):
                raise AdapterFault(f"tie.{name}: {value!r} is not a Verilog literal (5, 8'h3f, '0)")
        for name in adapter.config:
            self._drive(name, f"config.{name}")
        if adapter.control:
            if adapter.control.start:
                self._drive(adapter.control.start.port, "control.start.port", 1)
            if adapter.control.ready:
                self._signal(adapter.control.ready, "control.ready")
            if adapter.control.done:
                self._signal(adapter.control.done.port, "control.done.port")
        for name, stream in adapter.inputs.items():
            self.inputs.append(self._input(name, stream))
        for name, out in adapter.outputs.items():
            self.outputs.append(self._output(name, out))
        for name, port in adapter.memory_ports.items():
            self._memory_port(name, port)
        for name, memory in adapter.axi.items():
            self.axi[name] = self._axi(name, memory)
        for name, reply in adapter.replies.items():
            self._words(reply.request, f"replies.{name}.request")
            self._drive(reply.port, f"replies.{name}.port", 1)
        for name, each in self.ports.items():
            if each.direction == "INOUT":
                raise AdapterFault(f"port {name} of {adapter.top} is bidirectional, which the wrapper cannot connect")
            if each.direction == "INPUT" and name not in self.driven:
                raise AdapterFault(
                    f"port {name} of {adapter.top} ({each.width} bits) is driven by nothing; tie, config, an "
                    "input's `ports` or `set`, or control names it"
                )

    def _find(self, name: str, where: str) -> Port:
        if name not in self.ports:
            near = difflib.get_close_matches(name, self.ports, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(self.ports)}"
            raise AdapterFault(f"{where}: {self.adapter.top} has no port {name!r}; {hint}")
        return self.ports[name]

    def _drive(self, name: str, where: str, width: int | None = None) -> Port:
        name = name.removeprefix("!")
        port = self._find(name, where)
        if port.direction != "INPUT":
            raise AdapterFault(f"{where}: {name} is an output of {self.adapter.top}")
        if name in self.driven and not self._in_turn(where, self.driven[name]):
            raise AdapterFault(
                f"{where}: {name} is driven by {self.driven[name]} already; streams may share a port where `after` "
                "orders them"
            )
        if width is not None and port.width != width:
            raise AdapterFault(f"{where}: {name} has {port.width} bits, this wants {width}")
        self.driven[name] = where
        return port

    def _in_turn(self, later: str, earlier: str) -> bool:
        """Whether two streams come one after the other in a transaction, so that they may share a port."""
        words = [text.split(".") for text in (later, earlier)]
        if any(each[0] != "inputs" for each in words):
            return False
        streams, name, wanted = self.adapter.inputs, words[0][1], words[1][1]
        if streams[wanted].before_start and not streams[name].before_start:
            return True
        while streams[name].after is not None:
            name = streams[name].after or ""
            if name == wanted:
                return True
        return False

    def _signal(self, text: str, where: str) -> None:
        """A signal that the wrapper looks at: an output, or an expression over ports."""
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", text):
            self._watch(text, where)
        else:
            self._words(text, where)

    def _watch(self, name: str, where: str) -> Port:
        """An output, or bits of it: `res[7:0]`."""
        bits = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_$]*)\[(\d{1,6})(?::(\d{1,6}))?\]", name)
        if bits:
            port = self._watch(bits[1], where)
            high, low = int(bits[2]), int(bits[3] or bits[2])
            if port.entries or port.ascending or not low <= high < port.width:
                raise AdapterFault(f"{where}: {name} are no bits of {port.name}, which has {port.width - 1}:0")
            return Port(name, port.direction, high - low + 1)
        port = self._find(name, where)
        if port.direction != "OUTPUT":
            raise AdapterFault(f"{where}: {name} is an input of {self.adapter.top}")
        return port

    def _words(self, text: str | None, where: str) -> None:
        """Names in an expression over ports are ports."""
        if text is not None:
            plain = re.sub(r"\d*'s?[bodhBODH][0-9a-fA-FxXzZ_]+|\$(un)?signed\b", "", text)
            for name in re.findall(r"[A-Za-z_][A-Za-z0-9_$]*", plain):
                self._find(name, where)

    def _input(self, name: str, stream: Input) -> InputPlan:
        where = f"inputs.{name}"
        data = [self._drive(each, f"{where}.ports") for each in stream.port_names()]
        extra_names = list(stream.set) + (list(stream.writes[0]) if stream.writes else [])
        extra = [self._drive(each, f"{where}.set") for each in extra_names]
        strobes = [self._drive(each, f"{where}.strobe") for each in stream.strobe]
        if stream.valid:
            self._drive(stream.valid, f"{where}.valid", 1)
        for label, port in (("ready", stream.ready), ("request", stream.request)):
            if port:
                self._signal(port, f"{where}.{label}")
        for label in ("address", "enable", "consumed", "x", "y"):
            self._words(getattr(stream, label), f"{where}.{label}")
        layout = Layout(where, stream, data) if data else None
        if stream.rectangle is not None and layout is not None:
            lanes = len(stream.lanes) if isinstance(stream.lanes, list) else len(layout.lanes)
            if math.prod(stream.rectangle) != lanes:
                raise AdapterFault(
                    f"{where}.rectangle: {stream.rectangle[0]}x{stream.rectangle[1]} samples on {lanes} lanes "
                    f"(`width`, `lanes`)"
                )
        return InputPlan(name, stream, layout, extra, strobes)

    def _output(self, name: str, out: Output) -> OutputPlan:
        where = f"outputs.{name}"
        data = [self._watch(each, f"{where}.ports") for each in out.port_names()]
        if out.valid:
            self._signal(out.valid, f"{where}.valid")
        if out.ready:
            self._drive(out.ready, f"{where}.ready", 1)
        if out.kind == "read":
            self._drive(out.address or "", f"{where}.address")
            if out.enable:
                self._drive(out.enable, f"{where}.enable", 1)
        else:
            for label in ("address", "enable"):
                self._words(getattr(out, label), f"{where}.{label}")
        self._words(out.length, f"{where}.length")
        self._words(out.words, f"{where}.words")
        return OutputPlan(name, out, Layout(where, out, data))

    def _axi(self, name: str, memory: AxiMemory) -> dict[str, Port]:
        """Ports of an AXI master by the signal that each is."""
        where = f"axi.{name}"
        by_name = {port.lower(): port for port in self.ports}
        found: dict[str, Port] = {}
        for signal in (*AXI_INPUTS, *AXI_OUTPUTS):
            plain = f"{memory.prefix}{signal}{memory.suffix}".lower()
            port = memory.ports.get(signal) or next(
                (by_name[each] for each in (plain, f"{plain}_i", f"{plain}_o") if each in by_name), None
            )
            if port is None:
                continue
            here = f"{where}.ports.{signal}" if signal in memory.ports else f"{where}.prefix"
            found[signal] = self._drive(port, here) if signal in AXI_INPUTS else self._watch(port, here)
        channels = [("araddr", "arvalid", "arready", "rdata", "rvalid", "rready"),
                    ("awaddr", "awvalid", "awready", "wdata", "wvalid", "wready")]  # fmt: skip
        used = [channel for channel in channels if any(signal in found for signal in channel)]
        missing = [signal for channel in used or channels[:1] for signal in channel if signal not in found]
        if missing:
            raise AdapterFault(
                f"{where}.prefix: {self.adapter.top} has no port {memory.prefix}{missing[0]}{memory.suffix} for "
                f"{missing[0]}; name it under {where}.ports, it has {', '.join(self.ports)}"
            )
        for signal in ("rdata", "wdata"):
            if signal in found and found[signal].width not in (8, 16, 32, 64, 128, 256, 512, 1024):
                raise AdapterFault(
                    f"{where}: {found[signal].name} has {found[signal].width} bits; AXI has 8, 16, ... 1024"
                )
        for label, region in memory.regions.items():
            self._words(region.length, f"{where}.regions.{label}.length")
        return found

    def _memory_port(self, name: str, port: MemoryPort) -> None:
        where = f"memory_ports.{name}"
        self._signal(port.start.port, f"{where}.start.port")
        for label in ("done", "valid", "enable"):
            if getattr(port, label):
                self._drive(getattr(port, label), f"{where}.{label}", 1)
        if port.address:
            self._drive(port.address, f"{where}.address")
        if port.data_in:
            self._drive(port.data_in, f"{where}.data_in", 8 * port.samples)
        if port.data_out:
            self._watch(port.data_out, f"{where}.data_out")
        for n, command in enumerate(port.commands):
            here = f"{where}.commands.{n}"
            if command.plane not in self.planes:
                near = difflib.get_close_matches(command.plane, self.planes, 1)
                hint = (
                    f"did you mean {near[0]!r}?" if near else f"this transaction has {', '.join(self.planes) or 'none'}"
                )
                raise AdapterFault(f"{here}.plane: no plane {command.plane!r}; {hint}")
            for label in ("when", "x", "y", "width", "height", "first_beat"):
                text = getattr(command, label)
                self._words(text if isinstance(text, str) else None, f"{here}.{label}")
            if (port.data_in if command.direction == "in" else port.data_out) is None:
                raise AdapterFault(f"{here}: direction {command.direction} needs `data_{command.direction}`")
