"""Agents of the outputs: how each kind of stream is taken from the block and logged."""

from rtl_tests.foreign.parts import BEFORE, READ, Parts, polarity
from rtl_tests.foreign.plan import OutputPlan


def add_output(w: Parts, number: int, plan: OutputPlan) -> None:
    o, stream = f"tb_o{number}", plan.stream
    data = "{" + ", ".join(port.name for port in reversed(plan.layout.ports)) + "}"
    w.declare.append(f"integer {o}_file, {o}_want, {o}_got, {o}_total;")
    w.setup.append(f'{o}_file = $fopen("out_{plan.name}.txt", "r"); {o}_want = 0; {o}_got = 0; {o}_total = 0;')
    if w.serial:
        w.load.append(f'tb_code = $fscanf({o}_file, "%d\\n", {o}_want); {o}_got = 0;')
        if stream.kind in ("valid", "valid_ready", "latency"):
            w.complete.append(f"{o}_got >= {o}_want")
    else:
        # Streamed: the sum over all transactions stands in the file's first line.
        w.setup.append(f'tb_code = $fscanf({o}_file, "%d\\n", {o}_want);')
        w.complete.append(f"{o}_got >= {o}_want")
    if stream.kind in ("valid", "valid_ready", "latency"):
        w.stuck.append(f'$fdisplay(tb_log, "y o {number} %0d %0d", {o}_got, {o}_want);')
    length = f", ({stream.length})" if stream.length else ""
    entry = (f'$fdisplay(tb_log, "o {number} %0d %0d %h{" %0d" if stream.length else ""}", tb_t, tb_cycle - 1, {data}'
             f"{length}); {o}_got = {o}_got + 1; tb_progress = 1;")  # fmt: skip
    log = f"begin {entry} end"
    active = f"tb_state >= {BEFORE} && " if w.serial else ""
    if stream.kind == "valid":
        w.events.append(f"if ({active}({stream.valid})) {log}")
    elif stream.kind == "valid_ready":
        w.declare.append(f"reg {o}_ready;")
        w.setup.append(f"{o}_ready = 0;")
        port, sign = polarity(stream.ready or "")
        w.connect(port, f"{sign}{o}_ready")
        w.events.append(f"if ({active}({stream.valid}) && {o}_ready) {log}")
        w.step.append(f"{o}_ready <= !tb_pressure;")
    elif stream.kind == "latency":
        _latency(w, o, number, plan, entry)
    elif stream.kind == "ram":
        stored = ""
        if any(each.stream.written_by == plan.name for each in w.plan.inputs):
            # Read back by the block: a memory whose word is the old one in the cycle of its writing.
            depth = next(each.stream.depth for each in w.plan.inputs if each.stream.written_by == plan.name)
            w.declare.append(f"reg [{plan.layout.width - 1}:0] {o}_memory [0:{depth - 1}];")
            stored = f"{o}_memory[{stream.address}] <= {data}; "
        w.events.append(
            f'if ({active}({stream.enable})) begin $fdisplay(tb_log, "w {number} %0d %0d %h", tb_t, {stream.address}, {data}); '
            f"{stored}tb_progress = 1; end"
        )
    elif stream.kind == "hold":
        w.reads.append(f"if (tb_count == {stream.hold_cycles}) {log}")
    else:
        _read(w, o, plan, log)


def _latency(w: Parts, o: str, number: int, plan: OutputPlan, entry: str) -> None:
    names = [each.name for each in w.plan.inputs]
    s = f"tb_i{names.index(plan.stream.after or names[0])}"
    first = not any(line.startswith(f"reg [4095:0] {s}_event") for line in w.declare)
    if first:
        w.declare.append(f"reg [4095:0] {s}_event;")
        w.setup.append(f"{s}_event = 0;")
        w.events.insert(0, f"{s}_event = {s}_event << 1;")
    # The number of beats of each transaction follows in the file, also when transactions stream.
    w.declare.append(f"integer {o}_run, {o}_cycles;")
    w.setup += [
        f"{o}_run = 0;", f'if (!$value$plusargs("latency{number}=%d", {o}_cycles)) {o}_cycles = {plan.stream.cycles};',
    ]  # fmt: skip
    count = f"{o}_run = {o}_want;" if w.serial else f'tb_code = $fscanf({o}_file, "%d\\n", {o}_run);'
    w.events += [
        f"if ({s}_event[{o}_cycles + 1]) begin {count} end",
        f"if ({o}_run > 0) begin {o}_run = {o}_run - 1; {entry} end",
    ]


def _read(w: Parts, o: str, plan: OutputPlan, log: str) -> None:
    """After done the wrapper walks over the block's memory."""
    stream = plan.stream
    address = w.plan.ports[stream.address or ""]
    w.declare.append(f"reg [{address.width - 1}:0] {o}_address; reg {o}_enable; integer {o}_next;")
    w.setup.append(f"{o}_address = 0; {o}_enable = 0; {o}_next = 0;")
    w.connect(stream.address or "", f"{o}_address")
    if stream.enable:
        port, sign = polarity(stream.enable)
        w.connect(port, f"{sign}{o}_enable")
    w.load.append(f"{o}_next = 0;")
    if stream.words is not None:
        w.reads.append(f"if (tb_count == 0) {o}_want = {stream.words};")
    sample = stream.cycles + 1
    w.step += [
        f"if (tb_state == {READ}) begin",
        f"  if (tb_count >= {sample} && {o}_got < {o}_want) {log}",
        f"  {o}_enable <= {o}_next < {o}_want; {o}_address <= {o}_next; {o}_next = {o}_next + 1;",
        f"end else {o}_enable <= 0;",
    ]  # fmt: skip
    w.reads_done.append(f"{o}_got >= {o}_want")
