"""Lines of Verilog by the place where they go, and how ports are connected: the wrapper and its agents write here."""

import re
from dataclasses import dataclass, field

from rtl_tests.foreign.plan import Plan
from rtl_tests.foreign.sources import Port

# States of the sequence.
RESET, LOAD, BEFORE, SETUP, RUN, AFTER, READ, RECOVER, END = range(9)
STATES = ("reset", "load", "before start", "setup", "waiting for done", "after done", "reading back", "recovery", "end")


def polarity(name: str) -> tuple[str, str]:
    """Port and the operator in front of what drives it: '!wfull' is active low."""
    return (name[1:], "!") if name.startswith("!") else (name, "")


@dataclass
class Parts:
    """The wrapper while it is written."""

    plan: Plan
    declare: list[str] = field(default_factory=list)
    wire: list[str] = field(default_factory=list)
    setup: list[str] = field(default_factory=list)  # initial block
    load: list[str] = field(default_factory=list)  # at LOAD, one transaction
    sample: list[str] = field(default_factory=list)  # outputs of the block, before the edge
    events: list[str] = field(default_factory=list)  # what happened in the cycle that ends, at every edge out of reset
    step: list[str] = field(default_factory=list)  # what the next cycle is given, after the events
    before: list[str] = field(default_factory=list)  # conditions for leaving BEFORE
    complete: list[str] = field(default_factory=list)  # conditions: all outputs came
    reads: list[str] = field(default_factory=list)
    reads_done: list[str] = field(default_factory=list)
    dump: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)  # when the run is given up: what it waits for
    shared: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # port -> (stream, what it drives), in order

    @property
    def serial(self) -> bool:
        """One transaction at a time, between start and done."""
        return self.plan.adapter.control is not None

    def register(self, name: str, ports: list[Port], width: int, stream: str = "") -> None:
        """A register `name` whose bits go to `ports`, the first lowest."""
        self.declare.append(f"reg [{max(width, 1) - 1}:0] {name};")
        self.setup.append(f"{name} = 0;")
        at = 0
        for port in ports:
            self.connect(port.name, f"{name}[{at}+:{port.width}]", stream)
            at += port.width

    def connect(self, port: str, value: str, stream: str = "") -> None:
        """Drive a port; streams that come one after another may share it."""
        self.shared.setdefault(port, []).append((stream, value))

    def live(self, text: str) -> str:
        """An expression over ports for a path without a clock: outputs as they are now, not as they were sampled."""
        outputs = [name for name, port in self.plan.ports.items() if port.direction == "OUTPUT"]
        return re.sub(
            r"(?<!')\b[A-Za-z_][A-Za-z0-9_$]*", lambda m: f"tb_live_{m[0]}" if m[0] in outputs else m[0], text
        )

    def connections(self) -> list[str]:
        """Assignments of the ports that `connect` named; a shared one is the first stream's that is not through."""
        lines = []
        for port, drivers in self.shared.items():
            text = drivers[-1][1]
            for stream, value in reversed(drivers[:-1]):
                text = f"!{stream}_through ? {value} : {text}"
            lines.append(f"assign {port} = {text};")
        for stream in sorted({stream for drivers in self.shared.values() for stream, _ in drivers[:-1]}):
            self.declare.append(f"reg {stream}_through;")
            self.setup.append(f"{stream}_through = 0;")
            self.step.append(f"{stream}_through <= {stream}_t > tb_t;")
        return lines
