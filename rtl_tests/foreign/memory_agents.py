"""Agents of the external memory: planes behind command ports, and replies to requests without data."""

from rtl_tests.foreign.memories import MemoryPort, Reply
from rtl_tests.foreign.parts import Parts, polarity
from rtl_tests.foreign.words import ranges


def add_planes(w: Parts) -> None:
    planes = w.plan.planes
    if not w.plan.adapter.memory_ports:
        return
    count = len(planes)
    w.declare += [
        f"reg [7:0] tb_store [0:{w.plan.store_bytes - 1}];",
        f"integer tb_base [0:{count - 1}]; integer tb_width [0:{count - 1}]; integer tb_height [0:{count - 1}];",
        "integer tb_planes_file, tb_given, tb_at, tb_row, tb_column; reg [127:0] tb_chunk;",
    ]
    w.setup += [
        'tb_planes_file = $fopen("planes.txt", "r");',
        f"for (tb_k = 0; tb_k < {count}; tb_k = tb_k + 1)",
        '  tb_code = $fscanf(tb_planes_file, "%d %d %d\\n", tb_base[tb_k], tb_width[tb_k], tb_height[tb_k]);',
        f"for (tb_k = 0; tb_k < {w.plan.store_bytes}; tb_k = tb_k + 1) tb_store[tb_k] = 8'd0;",
    ]
    for to, origin in w.plan.copies:
        w.load += [
            f"if (tb_t > 0) for (tb_k = 0; tb_k < tb_width[{to}] * tb_height[{to}]; tb_k = tb_k + 1)",
            f"  tb_store[tb_base[{to}] + tb_k] = tb_store[tb_base[{origin}] + tb_k];",
        ]
    # What the transaction gives: pieces of 16 bytes at an address, ended by -1.
    w.load += [
        'tb_code = $fscanf(tb_planes_file, "%d\\n", tb_given);', "while (tb_given >= 0) begin",
        '  tb_code = $fscanf(tb_planes_file, "%h\\n", tb_chunk);',
        "  for (tb_k = 0; tb_k < 16; tb_k = tb_k + 1) tb_store[tb_given + tb_k] = tb_chunk[8*(15-tb_k)+:8];",
        '  tb_code = $fscanf(tb_planes_file, "%d\\n", tb_given);', "end",
    ]  # fmt: skip
    written = sorted({planes.index(each.plane) for port in w.plan.adapter.memory_ports.values() for each in port.commands
                      if each.direction == "out"})  # fmt: skip
    w.dump = [
        line for plane in written for line in (
            f"for (tb_row = 0; tb_row < tb_height[{plane}]; tb_row = tb_row + 1) begin",
            f'  $fwrite(tb_log, "p {plane} %0d %0d ", tb_t, tb_row);',
            f"  for (tb_column = 0; tb_column < tb_width[{plane}]; tb_column = tb_column + 1)",
            f'    $fwrite(tb_log, "%02h", tb_store[tb_base[{plane}] + tb_row * tb_width[{plane}] + tb_column]);',
            '  $fdisplay(tb_log, "");', "end",
        )
    ]  # fmt: skip


def add_memory_port(w: Parts, number: int, port: MemoryPort) -> None:
    m = f"tb_m{number}"
    planes = w.plan.planes
    samples = port.samples
    w.declare += [
        f"reg {m}_start_q, {m}_busy, {m}_out, {m}_valid, {m}_enable, {m}_done; reg [{8 * samples - 1}:0] {m}_data;",
        f"reg [31:0] {m}_address; reg [16:0] {m}_live;",
        f"integer {m}_plane, {m}_x, {m}_y, {m}_w, {m}_h, {m}_b, {m}_beats, {m}_wait, {m}_left, {m}_k, {m}_px, {m}_py, {m}_taken;",
        f"integer {m}_s, {m}_first, {m}_tw, {m}_th, {m}_n, {m}_tile; integer {m}_lane [0:{samples - 1}];",
    ]
    w.setup += [
        f"{m}_start_q = 0; {m}_busy = 0; {m}_out = 0; {m}_valid = 0; {m}_enable = 0; {m}_done = 0; {m}_data = 0; {m}_address = 0;",
        f"{m}_live = 0; {m}_left = -1; {m}_taken = 0; {m}_b = 0; {m}_beats = 0; {m}_wait = 0;",
        *(f"{m}_lane[{n}] = {place};" for n, place in enumerate(ranges(port.lanes) if port.lanes else [])),
    ]
    for label, source in (("done", f"{m}_done"), ("valid", f"{m}_valid"), ("enable", f"{m}_enable"),
                          ("address", f"{m}_address"), ("data_in", f"{m}_data")):  # fmt: skip
        if getattr(port, label):
            name, sign = polarity(getattr(port, label))
            w.connect(name, f"{sign}{source}")
    w.stuck.append(f'if ({m}_busy) $fdisplay(tb_log, "y m {number} %0d %0d", {m}_b, {m}_beats);')
    start = f"({port.start.port})"
    event = f"(!{start} && {m}_start_q)" if port.start.style == "fall" else f"({start} && !{m}_start_q)"
    choose = []
    for command in port.commands:
        choose += [
            f"if (({command.when}) && !{m}_busy) begin {m}_busy = 1; {m}_out = {int(command.direction == 'out')}; "
            f"{m}_plane = {planes.index(command.plane)}; {m}_x = {command.x}; {m}_y = {command.y}; "
            f"{m}_w = {command.width}; {m}_h = {command.height}; {m}_s = {command.samples or samples}; "
            f"{m}_first = {command.first_beat}; "
            + (
                f"{m}_tw = {command.tile[0]}; {m}_th = {command.tile[1]}; "
                if command.tile
                else f"{m}_tw = {m}_w; {m}_th = {m}_h; "
            )
            + f"{m}_beats = ({m}_w * {m}_h + {m}_s - 1) / {m}_s; end"
        ]
    # Of a narrower beat the samples stand at the low end.
    lane = f"{m}_lane[{m}_k]" if port.lanes else f"{m}_k" if port.first == "low" else f"({m}_s-1-{m}_k)"
    position = [
        f"{m}_n = {{b}} * {m}_s + {m}_k; {m}_tile = {m}_n / ({m}_tw * {m}_th); {m}_n = {m}_n % ({m}_tw * {m}_th);",
        f"  {m}_px = {m}_x + {m}_tile % ({m}_w / {m}_tw) * {m}_tw + {m}_n % {m}_tw;",
        f"  {m}_py = {m}_y + {m}_tile / ({m}_w / {m}_tw) * {m}_th + {m}_n / {m}_tw;",
    ]
    fetch = [
        f"for ({m}_k = 0; {m}_k < {m}_s; {m}_k = {m}_k + 1) begin",
        "  " + "\n  ".join(position).format(b=f"{m}_b"),
        f"  if ({m}_px < 0) {m}_px = 0; if ({m}_px >= tb_width[{m}_plane]) {m}_px = tb_width[{m}_plane] - 1;",
        f"  if ({m}_py < 0) {m}_py = 0; if ({m}_py >= tb_height[{m}_plane]) {m}_py = tb_height[{m}_plane] - 1;",
        f"  {m}_data[8*{lane}+:8] <= tb_store[tb_base[{m}_plane] + {m}_py * tb_width[{m}_plane] + {m}_px];", "end",
    ]  # fmt: skip
    store = [
        f"for ({m}_k = 0; {m}_k < {m}_s; {m}_k = {m}_k + 1) begin",
        "  " + "\n  ".join(position).format(b=f"{m}_taken"),
        f"  if ({m}_taken * {m}_s + {m}_k < {m}_w * {m}_h) begin",
        f"    if ({m}_px < 0 || {m}_py < 0 || {m}_px >= tb_width[{m}_plane] || {m}_py >= tb_height[{m}_plane])",
        f'      $fdisplay(tb_log, "s {number} %0d %0d %0d", tb_t, {m}_px, {m}_py);',
        f"    else tb_store[tb_base[{m}_plane] + {m}_py * tb_width[{m}_plane] + {m}_px] = {port.data_out or f'{m}_data'}[8*{lane}+:8];",
        "  end", "end",
    ]  # fmt: skip
    latency = port.read_latency
    w.step += [
        f"{m}_done <= 0; {m}_valid <= 0; {m}_enable <= 0;",
        f"{m}_live = {{{m}_live[15:0], 1'b0}};",
        # data of a read that was enabled `read_latency` cycles ago
        f"if ({m}_live[{latency + 1}]) begin", *(f"  {line}" for line in store),
        f"  {m}_taken = {m}_taken + 1; if ({m}_taken == {m}_beats) {m}_left = {port.done_gap}; end",
        f"if ({event}) begin",
        f"  if ({m}_busy) $fdisplay(tb_log, \"s {number} %0d -1 -1\", tb_t); else begin",
        *(f"    {line}" for line in choose),
        f"    if (!{m}_busy) $fdisplay(tb_log, \"s {number} %0d -2 -2\", tb_t);",
        f"    {m}_b = 0; {m}_taken = 0; {m}_wait = {port.latency}; {m}_left = -1; tb_progress = 1;", "  end", "end",
        f"if ({m}_busy && {m}_b < {m}_beats) begin",
        f"  if ({m}_wait > 0) {m}_wait = {m}_wait - 1; else begin",
        f"    {m}_address <= {m}_first + {m}_b; {m}_wait = {port.beat_gap}; tb_progress = 1;",
        f"    if ({m}_out) begin {m}_enable <= 1; {m}_live[0] = 1; end",
        f"    else begin {m}_valid <= 1;", *(f"      {line}" for line in fetch),
        f"      if ({m}_b == {m}_beats - 1) {m}_left = {port.done_gap} + 1; end",
        f"    {m}_b = {m}_b + 1;", "  end", "end",
        f"if ({m}_left >= 0) begin if ({m}_left == 0) begin {m}_done <= 1; {m}_busy = 0; tb_progress = 1; end {m}_left = {m}_left - 1; end",
        f"{m}_start_q = {start};",
    ]  # fmt: skip


def add_reply(w: Parts, number: int, reply: Reply) -> None:
    """A request is answered `latency` cycles later, by a pulse or by a level that follows it."""
    r, last = f"tb_r{number}", reply.latency - 1
    w.declare.append(f"reg {r}_q, {r}_out; reg [{reply.latency}:0] {r}_line;")
    w.setup.append(f"{r}_q = 0; {r}_out = 0; {r}_line = 0;")
    name, sign = polarity(reply.port)
    w.connect(name, f"{sign}{r}_out")
    now = {
        "pulse": f"({reply.request}) && !{r}_q", "fall": f"!({reply.request}) && {r}_q", "level": f"({reply.request})",
    }[reply.style]  # fmt: skip
    w.step += [
        f"{r}_line = {{{r}_line[{last}:0], {now}}}; {r}_out <= {r}_line[{last}]; {r}_q = ({reply.request});",
    ]
