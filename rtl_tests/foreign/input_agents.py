"""Agents of the inputs: how each kind of stream is offered to the block."""

from rtl_tests.foreign.parts import BEFORE, RUN, Parts, polarity
from rtl_tests.foreign.plan import InputPlan, Plan
from rtl_tests.foreign.words import ranges


def add_input(w: Parts, number: int, plan: InputPlan) -> None:
    s, stream, width = f"tb_i{number}", plan.stream, max(plan.width, 1)
    w.declare += [f"integer {s}_file, {s}_n, {s}_i, {s}_t, {s}_first, {s}_wait; reg [{width - 1}:0] {s}_next;"]
    w.setup += [f'{s}_file = $fopen("in_{plan.name}.txt", "r"); {s}_n = -1; {s}_i = 0; {s}_t = 0; {s}_first = 0;',
                   f"{s}_wait = 0; {s}_next = 0;"]  # fmt: skip
    _KINDS[stream.kind](w, number, s, plan, width)


def _flush(w: Parts, s: str) -> None:
    """At LOAD, what the last transaction left unread is skipped."""
    w.load += [
        f"while ({s}_t < tb_t) begin",
        f'  if ({s}_n < 0) begin tb_code = $fscanf({s}_file, "%d\\n", {s}_n); {s}_i = 0; end',
        f'  while ({s}_i < {s}_n) begin tb_code = $fscanf({s}_file, "%h\\n", {s}_next); {s}_i = {s}_i + 1; end',
        f"  {s}_n = -1; {s}_i = 0; {s}_t = {s}_t + 1;", "end",
    ]  # fmt: skip


def _hold(w: Parts, number: int, s: str, plan: InputPlan, width: int) -> None:
    w.register(f"{s}_data", plan.ports, width, s)
    if not w.serial:
        _beats(w, number, s, plan, width, taken="1'b1", valid=None)
        return
    w.load += [f'tb_code = $fscanf({s}_file, "%d\\n", {s}_n);', f'tb_code = $fscanf({s}_file, "%h\\n", {s}_next);',
                  f"{s}_data <= {s}_next;"]  # fmt: skip


def _valid(w: Parts, number: int, s: str, plan: InputPlan, width: int) -> None:
    w.register(f"{s}_data", plan.ports, width, s)
    _beats(w, number, s, plan, width, taken="1'b1", valid=plan.stream.valid)


def _valid_ready(w: Parts, number: int, s: str, plan: InputPlan, width: int) -> None:
    w.register(f"{s}_data", plan.ports, width, s)
    _beats(w, number, s, plan, width, taken=plan.stream.ready or "", valid=plan.stream.valid)


def _beats(w: Parts, number: int, s: str, plan: InputPlan, width: int, *, taken: str, valid: str | None) -> None:
    """Beats one after another; `taken` is the condition under which an offered one is gone."""
    stream = plan.stream
    w.declare.append(f"reg {s}_offered, {s}_valid;")
    w.setup.append(f"{s}_offered = 0; {s}_valid = 0;")
    if valid:
        port, sign = polarity(valid)
        w.connect(port, f"{sign}{s}_valid", s)
    pauses = stream.bubbles if stream.bubbles is not None else stream.kind == "valid_ready"
    may_pause = "!tb_bubble" if pauses else f"!({s}_i == 0 && tb_bubble)" if not w.serial else "1'b1"
    control = w.plan.adapter.control
    if control is not None:
        _flush(w, s)
        phase = (f"tb_state == {BEFORE}" if stream.before_start
                 else f"(tb_state == {RUN} && tb_cycle - tb_begin >= {control.data_cycles})")  # fmt: skip
        allowed = f"{s}_t == tb_t && {phase}"
        if stream.after is not None:
            earlier = [each.name for each in w.plan.inputs].index(stream.after)
            allowed += f" && tb_i{earlier}_t > tb_t"
        if stream.before_start:
            w.before.append(f"{s}_t > tb_t")
    else:
        allowed = f"{s}_t < tb_total"
    idle = _idle(s, plan)
    if stream.kind == "valid_ready":
        w.stuck.append(f'if ({s}_offered) $fdisplay(tb_log, "y i {number} %0d %0d", {s}_i, {s}_n);')
    w.events += [
        f"if ({s}_offered && ({taken})) begin",
        f"  {s}_offered = 0; tb_progress = 1; if ({s}_i == 0) {s}_first = tb_cycle - 1; {s}_i = {s}_i + 1; {s}_wait = {stream.gap};",
        f"  if ({s}_i == {s}_n) begin",
        f'    $fdisplay(tb_log, "i {number} %0d %0d %0d", {s}_t, {s}_first, tb_cycle - 1);',
        f"    {s}_t = {s}_t + 1; {s}_n = -1; {s}_i = 0;", "  end", "end",
    ]  # fmt: skip
    fire = f"{s}_event = {s}_event | 1;" if counts_latency(w.plan, plan.name) else ""
    w.step += [
        f"if (!{s}_offered) begin",
        f'  if ({s}_n < 0 && {allowed}) begin tb_code = $fscanf({s}_file, "%d\\n", {s}_n); {s}_i = 0;',
        f"    if ({s}_n == 0) begin {s}_n = -1; {s}_t = {s}_t + 1; end end",
        f"  if ({s}_wait > 0 && {s}_i > 0) begin {s}_wait = {s}_wait - 1; tb_now = 0; end else tb_now = {s}_n > 0 && ({allowed}) && {may_pause};",
        "  if (tb_now) begin",
        f'    tb_code = $fscanf({s}_file, "%h\\n", {s}_next); {s}_data <= {s}_next; {s}_valid <= 1; {s}_offered = 1;',
        f"    if ({s}_i == 0) begin {fire} end",
        f"  end else begin {s}_valid <= 0; {s}_data <= {idle}; end",
        "end",
    ]  # fmt: skip


def _idle(s: str, plan: InputPlan) -> str:
    """What stands on the data ports while no beat does: strobes are low."""
    strobes = sum(port.width for port in plan.strobes)
    width = plan.width - strobes
    quiet = {"random": f"tb_noise[{width - 1}:0]", "zero": f"{width}'d0", "hold": f"{s}_data[{width - 1}:0]"}
    parts = ([f"{strobes}'d0"] if strobes else []) + ([quiet[plan.stream.idle]] if width else [])
    return f"{{{', '.join(parts)}}}" if parts else "1'b0"


def counts_latency(plan: Plan, name: str) -> bool:
    """Whether an output of kind latency counts from this input."""
    return any(
        out.stream.kind == "latency" and (out.stream.after or plan.inputs[0].name) == name for out in plan.outputs
    )


def _pull(w: Parts, number: int, s: str, plan: InputPlan, width: int) -> None:
    """After a request: beats of a burst with valid, or one beat for each cycle of the request."""
    stream, latency = plan.stream, plan.stream.latency
    burst = stream.burst
    request = stream.request
    w.declare.append(f"reg {s}_valid; integer {s}_left, {s}_delay, {s}_size;")
    w.setup.append(f"{s}_valid = 0; {s}_left = 0; {s}_delay = 0; {s}_size = 0;")
    if stream.valid:
        port, sign = polarity(stream.valid)
        w.connect(port, f"{sign}{s}_valid")
    next_beat = [
        f'if ({s}_n < 0 && {s}_t < tb_total && {s}_t <= tb_allowed) begin tb_code = $fscanf({s}_file, "%d\\n", {s}_n); {s}_i = 0; end',
        f"if ({s}_n > 0) begin",
        f'  tb_code = $fscanf({s}_file, "%h\\n", {s}_next); tb_progress = 1; tb_now = 1; if ({s}_i == 0) {s}_first = tb_cycle;',
        f"  {s}_i = {s}_i + 1; if ({s}_i == {s}_n) begin",
        f'    $fdisplay(tb_log, "i {number} %0d %0d %0d", {s}_t, {s}_first, tb_cycle); {s}_t = {s}_t + 1; {s}_n = -1; {s}_i = 0; end',
        "end",
    ]  # fmt: skip
    if w.serial:
        _flush(w, s)
    if burst is not None:
        size = burst if isinstance(burst, int) else next(iter(burst.values()))
        w.register(f"{s}_data", plan.ports, width)
        w.step += [
            "tb_now = 0;",
            f"if ({s}_left == 0 && ({request}) && !{s}_valid) begin {s}_left = {size}; {s}_delay = {latency}; end",
            f"if ({s}_left > 0) begin if ({s}_delay > 0) {s}_delay = {s}_delay - 1; else begin",
            *(f"  {line}" for line in next_beat),
            f"  if (tb_now) {s}_left = {s}_left - 1; else {s}_left = 0;", "end end",
            f"if (tb_now) begin {s}_valid <= 1; {s}_data <= {s}_next; end",
            f"else begin {s}_valid <= 0; {s}_data <= {{{-(-width // 32)}{{tb_lfsr}}}}; end",
        ]  # fmt: skip
        return
    # One beat a cycle of request. Show-ahead: the head stands before it is asked for.
    depth = max(latency, 1)
    w.register(f"{s}_data", plan.ports, width)
    w.declare.append(f"reg [{width - 1}:0] {s}_pipe [0:{depth}]; reg [{depth}:0] {s}_live; reg {s}_head;")
    w.setup.append(f"{s}_head = 0; {s}_live = 0; for (tb_k = 0; tb_k <= {depth}; tb_k = tb_k + 1) {s}_pipe[tb_k] = 0;")
    if latency == 0:
        if w.serial:
            w.load.append(f"{s}_head = 0; {s}_valid <= 0;")
        w.step += [
            f"if ({s}_head && ({request})) begin {s}_head = 0; tb_progress = 1; end", "tb_now = 0;",
            f"if (!{s}_head) begin", *(f"  {line}" for line in next_beat), f"  {s}_head = tb_now;", "end",
            f"{s}_valid <= {s}_head; if ({s}_head) {s}_data <= {s}_next;",
        ]  # fmt: skip
        return
    w.step += [
        "tb_now = 0;", f"if ({request}) begin", *(f"  {line}" for line in next_beat), "end",
        f"for (tb_k = {depth}; tb_k > 0; tb_k = tb_k - 1) {s}_pipe[tb_k] = {s}_pipe[tb_k-1];",
        f"{s}_pipe[0] = {s}_next; {s}_live = {{{s}_live[{depth - 1}:0], tb_now}};",
        f"{s}_valid <= {s}_live[{latency - 1}]; {s}_data <= {s}_pipe[{latency - 1}];",
    ]  # fmt: skip


def _ram(w: Parts, number: int, s: str, plan: InputPlan, width: int) -> None:
    stream, depth = plan.stream, plan.stream.depth
    memory = f"{s}_memory"
    if stream.written_by is not None:
        memory = f"tb_o{[out.name for out in w.plan.outputs].index(stream.written_by)}_memory"
    else:
        w.declare.append(f"reg [{width - 1}:0] {memory} [0:{depth - 1}];")
        w.load += [
            f'tb_code = $fscanf({s}_file, "%d\\n", {s}_n);',
            f"for ({s}_i = 0; {s}_i < {s}_n; {s}_i = {s}_i + 1) begin",
            f'  tb_code = $fscanf({s}_file, "%h\\n", {s}_next); {memory}[{s}_i] = {s}_next;', "end",
        ]  # fmt: skip
    address, enable = f"({stream.address})", stream.enable or "1'b1"
    _answer(w, s, plan)
    if stream.latency == 0:
        w.declare.append(f"wire [{width - 1}:0] {s}_data; wire {s}_answered;")
        w.wire.append(f"assign {s}_data = {memory}[{w.live(address)}];")
        w.wire.append(f"assign {s}_answered = {w.live(enable)};")
        at = 0
        for port in plan.ports:
            w.connect(port.name, f"{s}_data[{at}+:{port.width}]")
            at += port.width
        return
    _delayed(w, s, plan, width, [f"{s}_pipe[0] = {memory}[{address}];"])


def _delayed(w: Parts, s: str, plan: InputPlan, width: int, fetch: list[str]) -> None:
    """The word that `fetch` puts into the pipe's first place stands `latency` cycles after it was asked for."""
    stream, enable = plan.stream, plan.stream.enable or "1'b1"
    w.register(f"{s}_data", plan.ports, width)
    last = stream.latency - 1
    w.declare.append(f"reg [{width - 1}:0] {s}_pipe [0:{last}]; reg {s}_answered; reg [{stream.latency}:0] {s}_asked;")
    w.setup += [
        f"for (tb_k = 0; tb_k <= {last}; tb_k = tb_k + 1) {s}_pipe[tb_k] = 0;", f"{s}_answered = 0; {s}_asked = 0;",
    ]  # fmt: skip
    w.step += [
        f"for (tb_k = {last}; tb_k > 0; tb_k = tb_k - 1) {s}_pipe[tb_k] = {s}_pipe[tb_k-1];",
        f"if ({enable}) begin", *(f"  {line}" for line in fetch), "end",
        f"{s}_asked = {{{s}_asked[{last}:0], ({enable}) != 0}};",
        f"{s}_data <= {s}_pipe[{last}]; {s}_answered <= {s}_asked[{last}];",
    ]  # fmt: skip


def _samples(w: Parts, number: int, s: str, plan: InputPlan, width: int) -> None:
    """A plane that the block addresses by column and row; beyond its edges its outermost samples are repeated."""
    stream, layout = plan.stream, plan.layout
    assert layout is not None
    lanes = [layout.lanes[n] for n in ranges(stream.lanes)] if isinstance(stream.lanes, list) else layout.lanes
    columns, rows = stream.rectangle or (len(lanes), 1)
    element, data = lanes[0].width, layout.width
    bits = max(16, element)
    w.declare += [
        f"reg [{bits - 1}:0] {s}_memory [0:{stream.depth - 1}]; reg [{bits - 1}:0] {s}_word;",
        f"integer {s}_rows, {s}_columns, {s}_x, {s}_y, {s}_version;",
        f"function [{element - 1}:0] {s}_at; input integer x, y, version; integer cx, cy; begin",
        f"  cx = x < 0 ? 0 : x >= {s}_columns ? {s}_columns - 1 : x; cy = y < 0 ? 0 : y >= {s}_rows ? {s}_rows - 1 : y;",
        f"  {s}_at = {s}_memory[cy * {s}_columns + cx]; end endfunction",
    ]  # fmt: skip
    w.setup.append(f"{s}_rows = 1; {s}_columns = 1; {s}_x = 0; {s}_y = 0; {s}_version = 0;")
    w.load += [
        f'tb_code = $fscanf({s}_file, "%d\\n", {s}_n); tb_code = $fscanf({s}_file, "%h\\n", {s}_word); {s}_rows = {s}_word;',
        f'tb_code = $fscanf({s}_file, "%h\\n", {s}_word); {s}_columns = {s}_word;',
        f"for ({s}_i = 0; {s}_i < {s}_n - 2; {s}_i = {s}_i + 1) begin",
        f'  tb_code = $fscanf({s}_file, "%h\\n", {s}_word); {s}_memory[{s}_i] = {s}_word;', "end",
        f"{s}_version = {s}_version + 1;",
    ]  # fmt: skip
    # Lane of each sample of the rectangle; transposed: down the columns.
    steps = [(n // rows, n % rows) if stream.order == "transposed" else (n % columns, n // columns)
             for n in range(columns * rows)]  # fmt: skip
    if stream.latency == 0:
        w.declare.append(f"wire [{data - 1}:0] {s}_data; wire {s}_answered; wire signed [31:0] {s}_cx, {s}_cy;")
        w.wire += [f"assign {s}_cx = {w.live(stream.x)}; assign {s}_cy = {w.live(stream.y)};"]
        w.wire += [
            f"assign {s}_data[{lane.offset}+:{element}] = {s}_at({s}_cx + {dx}, {s}_cy + {dy}, {s}_version);"
            for lane, (dx, dy) in zip(lanes, steps, strict=False)
        ]
        enable = stream.enable or "1'b1"
        w.wire.append(f"assign {s}_answered = {w.live(enable)};")
        _answer(w, s, plan)
        at = 0
        for port in plan.ports:
            w.connect(port.name, f"{s}_data[{at}+:{port.width}]")
            at += port.width
        return
    w.declare.append(f"reg [{data - 1}:0] {s}_read;")
    w.setup.append(f"{s}_read = 0;")
    fetch = [f"{s}_x = {stream.x}; {s}_y = {stream.y};"]
    fetch += [
        f"{s}_read[{lane.offset}+:{element}] = {s}_at({s}_x + {dx}, {s}_y + {dy}, 0);"
        for lane, (dx, dy) in zip(lanes, steps, strict=False)
    ]
    _answer(w, s, plan)
    _delayed(w, s, plan, width, [*fetch, f"{s}_pipe[0] = {s}_read;"])


def _answer(w: Parts, s: str, plan: InputPlan) -> None:
    """The port that is 1 with the word that was asked for."""
    if plan.stream.valid:
        answer, sign = polarity(plan.stream.valid)
        w.connect(answer, f"{sign}{s}_answered")


def _bit_window(w: Parts, number: int, s: str, plan: InputPlan, width: int) -> None:
    """Bits first to last; the window's top bit is the next one. The file holds one beat: length, bits."""
    bits = plan.stream.depth
    w.declare += [f"reg [{bits - 1}:0] {s}_bits; wire [{width - 1}:0] {s}_data; integer {s}_at;"]
    w.setup.append(f"{s}_bits = 0; {s}_at = 0;")
    w.load += [
        f'tb_code = $fscanf({s}_file, "%d\\n", {s}_n); tb_code = $fscanf({s}_file, "%h\\n", {s}_bits); {s}_at = 0;'
    ]
    w.wire.append(f"assign {s}_data = {s}_bits[{bits - 1}-:{width}];")
    at = 0
    for port in plan.ports:
        w.connect(port.name, f"{s}_data[{at}+:{port.width}]")
        at += port.width
    enable = plan.stream.enable or f"tb_state == {RUN}"
    w.step += [
        f"if ({enable}) begin {s}_at = {s}_at + ({plan.stream.consumed}); {s}_bits <= {s}_bits << ({plan.stream.consumed}); end"
    ]


_KINDS = {
    "hold": _hold, "valid": _valid, "valid_ready": _valid_ready, "pull": _pull, "ram": _ram,
    "samples": _samples, "bit_window": _bit_window,
}  # fmt: skip
