"""Agents of AXI4 and AXI4-Lite memories: what a master of the block reads and writes, and rules that it may break.

Bursts are served in the order of their addresses, reads beside writes. A master that writes outside the memory, takes
back an offer, ends a burst on the wrong beat or crosses a 4 KiB boundary leaves a line in the log:

    v MEMORY TRANSACTION RULE ADDRESS

Clauses are those of the AMBA AXI specification, issue E.
"""

from rtl_tests.foreign.parts import Parts
from rtl_tests.foreign.sources import Port

RULES = (
    "", "read outside the memory", "write outside the memory", "wlast does not stand at the beat that awlen says",
    "a burst crosses a 4 KiB boundary (A3.4.1)", "a beat is wider than the bus", "arvalid or araddr changed before arready",
    "awvalid or awaddr changed before awready", "wvalid or wdata changed before wready",
)  # fmt: skip


def add_axi(w: Parts, number: int, name: str) -> None:
    """The agent of one master."""
    memory, signals = w.plan.adapter.axi[name], w.plan.axi[name]
    owner = list(w.plan.adapter.axi).index(memory.shared_with or name)
    a, store = f"tb_x{number}", f"tb_x{owner}_store"
    if owner == number:
        _store(w, number, a, name)
    read = "araddr" in signals
    write = "awaddr" in signals
    bus = signals["rdata" if read else "wdata"].width // 8
    w.declare.append(f"integer {a}_lane; reg [63:0] {a}_at;")
    broken = f'$fdisplay(tb_log, "v {number} %0d %0d %0d", tb_t, {{rule}}, {{at}})'
    context = _Channel(w, a, store, bus, memory.outstanding, broken, memory.base, memory.size)
    if read:
        _read(context, signals, memory.latency, memory.beat_gap)
        w.stuck.append(f'if ({a}_r_count > 0) $fdisplay(tb_log, "y r {number} %0d %0d", {a}_r_beat, {a}_r_count);')
    if write:
        _write(context, signals)
        w.stuck.append(f'if ({a}_w_count > 0) $fdisplay(tb_log, "y w {number} %0d %0d", {a}_w_beat, {a}_w_count);')


def _store(w: Parts, number: int, a: str, name: str) -> None:
    """The bytes, what each transaction puts there, and what is read back after done."""
    memory = w.plan.adapter.axi[name]
    outs = [region for region in memory.regions.values() if region.direction == "out"]
    w.declare += [
        f"reg [7:0] {a}_store [0:{memory.size - 1}]; integer {a}_file, {a}_given, {a}_k; reg [127:0] {a}_chunk;",
        f"integer {a}_from [0:{len(outs)}]; integer {a}_bytes [0:{len(outs)}];",
    ]
    w.setup += [
        f'{a}_file = $fopen("axi_{name}.txt", "r");',
        f"for ({a}_k = 0; {a}_k < {memory.size}; {a}_k = {a}_k + 1) {a}_store[{a}_k] = 8'd0;",
    ]
    w.load += [
        f'tb_code = $fscanf({a}_file, "%d\\n", {a}_given);', f"while ({a}_given != -1) begin",
        f'  tb_code = $fscanf({a}_file, "%h\\n", {a}_chunk);',
        # -2 - address: one byte
        f"  if ({a}_given < 0) {a}_store[-2 - {a}_given] = {a}_chunk[7:0]; else",
        f"  for ({a}_k = 0; {a}_k < 16; {a}_k = {a}_k + 1)",
        f"    if ({a}_given + {a}_k < {memory.size}) {a}_store[{a}_given + {a}_k] = {a}_chunk[8*(15-{a}_k)+:8];",
        f'  tb_code = $fscanf({a}_file, "%d\\n", {a}_given);', "end",
        *(f'tb_code = $fscanf({a}_file, "%d %d\\n", {a}_from[{r}], {a}_bytes[{r}]);' for r in range(len(outs))),
    ]  # fmt: skip
    for r, region in enumerate(outs):
        if region.length is not None:
            w.reads.append(
                f"if (tb_count == 0) begin {a}_given = {region.length}; if ({a}_given < {a}_bytes[{r}]) {a}_bytes[{r}] = {a}_given; end"
            )
        w.dump += [
            f'$fwrite(tb_log, "a {number} {r} %0d ", tb_t);',
            f"for ({a}_k = 0; {a}_k < {a}_bytes[{r}]; {a}_k = {a}_k + 1)",
            f'  $fwrite(tb_log, "%02h", {a}_store[{a}_from[{r}] + {a}_k]);', '$fdisplay(tb_log, "");',
        ]  # fmt: skip


class _Channel:
    """What both directions share: the queue of bursts and the address of a beat."""

    def __init__(self, w: Parts, a: str, store: str, bus: int, depth: int, broken: str, base: int, size: int) -> None:
        self.w, self.a, self.store, self.bus, self.depth = w, a, store, bus, depth
        self.broken, self.base, self.size = broken, base, size

    def queue(self, way: str, signals: dict[str, Port], extra: str) -> str:
        """Registers of a queue of bursts, and its address channel; returns the queue's prefix."""
        w, q, depth = self.w, f"{self.a}_{way}", self.depth
        v = f"a{way}"
        identity = signals[f"{v}id"].width if f"{v}id" in signals else 1
        w.declare += [
            f"reg {q}_ready, {q}_held; reg [63:0] {q}_old, {q}_low, {q}_span; reg [{identity - 1}:0] {q}_id [0:{depth - 1}];",
            f"reg [63:0] {q}_addr [0:{depth - 1}]; integer {q}_len [0:{depth - 1}]; integer {q}_bytes [0:{depth - 1}];",
            f"integer {q}_burst [0:{depth - 1}]; integer {q}_time [0:{depth - 1}];",
            f"integer {q}_head, {q}_tail, {q}_count, {q}_beat;",
        ]
        w.setup.append(
            f"{q}_ready = 0; {q}_held = 0; {q}_old = 0; {q}_head = 0; {q}_tail = 0; {q}_count = 0; {q}_beat = 0;"
        )
        w.connect(signals[f"{v}ready"].name, f"{q}_ready")
        valid, addr = signals[f"{v}valid"].name, signals[f"{v}addr"].name
        size = f"(1 << {signals[f'{v}size'].name})" if f"{v}size" in signals else str(self.bus)
        length = signals[f"{v}len"].name if f"{v}len" in signals else "0"
        burst = signals[f"{v}burst"].name if f"{v}burst" in signals else "1"
        name = signals[f"{v}id"].name if f"{v}id" in signals else "0"
        rule = 6 if way == "r" else 7
        w.events += [
            f"if ({q}_held && (!{valid} || {addr} != {q}_old)) {self.broken.format(rule=rule, at=f'{q}_old')};",
            f"{q}_held = {valid} && !{q}_ready; {q}_old = {addr};",
            f"if ({valid} && {q}_ready) begin",
            f"  {q}_addr[{q}_head] = {addr}; {q}_len[{q}_head] = {length}; {q}_bytes[{q}_head] = {size};",
            f"  {q}_burst[{q}_head] = {burst}; {q}_time[{q}_head] = tb_cycle{extra}; "
f"{q}_id[{q}_head] = {name};",
            f"  if ({q}_bytes[{q}_head] > {self.bus}) {self.broken.format(rule=5, at=addr)};",
            f"  if ({q}_burst[{q}_head] == 1 && {addr} % 4096 / {q}_bytes[{q}_head] + {q}_len[{q}_head] >= 4096 / {q}_bytes[{q}_head])",
            f"    {self.broken.format(rule=4, at=addr)};",
            f"  {q}_head = ({q}_head + 1) % {depth}; {q}_count = {q}_count + 1; tb_progress = 1;", "end",
        ]  # fmt: skip
        w.step.append(f"{q}_ready <= {q}_count < {depth} && !tb_pressure;")
        return q

    def place(self, q: str) -> list[str]:
        """`at`: the byte address of the beat that stands next in the queue (A3.4.1: FIXED, INCR, WRAP)."""
        t, at = f"{q}_tail", f"{self.a}_at"
        return [
            f"{at} = {q}_addr[{t}];",
            f"{q}_span = {q}_bytes[{t}] * ({q}_len[{t}] + 1); {q}_low = {at} / {q}_span * {q}_span;",
            f"if ({q}_burst[{t}] == 2) {at} = {q}_low + ({at} - {q}_low + {q}_beat * {q}_bytes[{t}]) % {q}_span;",
            f"else if ({q}_burst[{t}] != 0 && {q}_beat > 0) {at} = {at} / {q}_bytes[{t}] * {q}_bytes[{t}] + {q}_beat * {q}_bytes[{t}];",
        ]  # fmt: skip

    def inside(self) -> str:
        at = f"{self.a}_at"
        low = f"{at} >= 64'd{self.base} && " if self.base else ""
        return f"{low}{at} < 64'd{self.base + self.size}"


def _read(c: _Channel, signals: dict[str, Port], latency: int, gap: int) -> None:
    w = c.w
    q = c.queue("r", signals, f" + {latency}")
    w.declare.append(f"reg {q}_valid, {q}_last; reg [{8 * c.bus - 1}:0] {q}_data; integer {q}_wait;")
    w.setup.append(f"{q}_valid = 0; {q}_last = 0; {q}_data = 0; {q}_wait = 0;")
    w.declare.append(f"reg {q}_offered, {q}_final; reg [63:0] {q}_name;")
    w.setup.append(f"{q}_offered = 0; {q}_final = 0; {q}_name = 0;")
    w.connect(signals["rvalid"].name, f"{q}_valid")
    w.connect(signals["rdata"].name, f"{q}_data")
    for signal, value in (("rlast", f"{q}_final"), ("rresp", "0"), ("rid", f"{q}_name")):
        if signal in signals:
            w.connect(signals[signal].name, value)
    w.events += [
        f"if ({q}_offered && {signals['rready'].name}) begin {q}_offered = 0; tb_progress = 1; {q}_wait = {gap};",
        f"  if ({q}_last) begin {q}_tail = ({q}_tail + 1) % {c.depth}; {q}_count = {q}_count - 1; {q}_beat = 0; end",
        f"  else {q}_beat = {q}_beat + 1;", "end",
    ]  # fmt: skip
    w.step += [
        f"if (!{q}_offered && {q}_wait > 0) {q}_wait = {q}_wait - 1;",
        f"else if (!{q}_offered && {q}_count > 0 && tb_cycle >= {q}_time[{q}_tail] && !tb_bubble) begin",
        *(f"  {line}" for line in c.place(q)),
        f"  if (!({c.inside()})) {c.broken.format(rule=1, at=f'{c.a}_at')};",
        f"  {c.a}_at = {c.a}_at / {c.bus} * {c.bus} - 64'd{c.base};",
        f"  for ({c.a}_lane = 0; {c.a}_lane < {c.bus}; {c.a}_lane = {c.a}_lane + 1)",
        f"    {q}_data[8*{c.a}_lane+:8] <= {c.a}_at + {c.a}_lane < {c.size} ? {c.store}[{c.a}_at + {c.a}_lane] : 8'd0;",
        f"  {q}_last = {q}_beat == {q}_len[{q}_tail]; {q}_offered = 1; {q}_final <= {q}_last; {q}_name <= {q}_id[{q}_tail];",
        f"end else if (!{q}_offered) {q}_data <= {{{-(-c.bus // 4)}{{tb_lfsr}}}};",
        f"{q}_valid <= {q}_offered;",
    ]  # fmt: skip


def _write(c: _Channel, signals: dict[str, Port]) -> None:
    w = c.w
    q = c.queue("w", signals, "")
    w.declare.append(
        f"reg {q}_open, {q}_answer, {q}_valid, {q}_kept; integer {q}_answers; reg [{8 * c.bus - 1}:0] {q}_was;"
    )
    w.declare.append(f"reg [63:0] {q}_name; reg [63:0] {q}_names [0:{c.depth - 1}]; integer {q}_first;")
    w.setup.append(
        f"{q}_open = 0; {q}_answer = 0; {q}_valid = 0; {q}_kept = 0; {q}_answers = 0; {q}_was = 0; {q}_name = 0; {q}_first = 0;"
    )
    w.connect(signals["wready"].name, f"{q}_open")
    for signal, value in (("bvalid", f"{q}_valid"), ("bresp", "0"), ("bid", f"{q}_name")):
        if signal in signals:
            w.connect(signals[signal].name, value)
    valid, data = signals["wvalid"].name, signals["wdata"].name
    strobe = f"{signals['wstrb'].name}[{c.a}_lane]" if "wstrb" in signals else "1'b1"
    ended = f"({q}_beat == {q}_len[{q}_tail])"
    last = (
        f"if ({signals['wlast'].name} != {ended}) {c.broken.format(rule=3, at=f'{c.a}_at')};"
        if "wlast" in signals
        else ""
    )
    taken = signals["bready"].name if "bready" in signals else "1'b1"
    w.events += [
        f"if ({q}_kept && (!{valid} || {data} != {q}_was)) {c.broken.format(rule=8, at=f'{c.a}_at')};",
        f"{q}_kept = {valid} && !{q}_open; {q}_was = {data};",
        f"if ({valid} && {q}_open) begin tb_progress = 1;", *(f"  {line}" for line in c.place(q)),
        f"  if (!({c.inside()})) {c.broken.format(rule=2, at=f'{c.a}_at')};", f"  {last}",
        f"  {c.a}_at = {c.a}_at / {c.bus} * {c.bus} - 64'd{c.base};",
        f"  for ({c.a}_lane = 0; {c.a}_lane < {c.bus}; {c.a}_lane = {c.a}_lane + 1)",
        f"    if ({strobe} && {c.a}_at + {c.a}_lane < {c.size}) {c.store}[{c.a}_at + {c.a}_lane] = {data}[8*{c.a}_lane+:8];",
        f"  if ({ended}) begin {q}_names[({q}_first + {q}_answers) % {c.depth}] = {q}_id[{q}_tail];",
        f"    {q}_answers = {q}_answers + 1; {q}_beat = 0; {q}_tail = ({q}_tail + 1) % {c.depth}; {q}_count = {q}_count - 1; end",
        f"  else {q}_beat = {q}_beat + 1;", "end",
        f"if ({q}_answer && {taken}) begin {q}_answer = 0; tb_progress = 1; {q}_answers = {q}_answers - 1;",
        f"  {q}_first = ({q}_first + 1) % {c.depth}; end",
    ]  # fmt: skip
    w.step += [
        f"{q}_open <= {q}_count > 0 && {q}_answers < {c.depth - 1 or 1} && !tb_pressure;",
        f"if (!{q}_answer && {q}_answers > 0 && !tb_bubble) begin {q}_answer = 1; {q}_name <= {q}_names[{q}_first]; end",
        f"{q}_valid <= {q}_answer;",
    ]  # fmt: skip
