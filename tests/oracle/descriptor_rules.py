"""The rules of docs/control.md, written from that page in plain Python: what the firmware must say of each command."""

from dataclasses import dataclass, field

from asic_model import descriptors
from asic_model.descriptors import Command, Kind, Status
from asic_model.record_layout import Layout

JOBS = {Command.ENCODE: Kind.ENCODE, Command.SCALE: Kind.SCALE, Command.DECODE: Kind.DECODE}
GOOD = (0, 0)


@dataclass
class Session:
    number: int
    queue: int
    kind: int
    width: int
    height: int
    accepted: int | None = None  # last accepted sequence
    closing: bool = False


@dataclass
class Context:
    """What the firmware knows when it judges."""

    memory: int
    area: int
    cores: dict[int, int]
    picture: tuple[int, int]
    rings: list[tuple[int, int]] = field(default_factory=list)  # (address in device memory, bytes) of queues that count
    # (base, bytes, first address that may be named) by queue; others have all of the memory
    windows: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    sessions: dict[int, Session] = field(default_factory=dict)


class Refused(Exception):
    def __init__(self, status: int, detail: int) -> None:
        super().__init__(status, detail)
        self.verdict = (int(status), detail)


def judge(context: Context, queue: int, record: bytes, block: bytes) -> tuple[int, int]:
    """Return (status, detail) of a command and its block."""
    try:
        _command(context, queue, record, block)
    except Refused as refused:
        return refused.verdict
    return GOOD


def later(one: int, other: int) -> bool:
    return 0 < (one - other) % 2**32 < 2**31


def inside(context: Context, queue: int, address: int, size: int) -> bool:
    _, room, least = context.windows.get(queue, (0, context.memory, context.area))
    return least <= address and address + size <= room


def surface_bytes(width: int, height: int) -> int:
    """I420, every pitch a multiple of 64."""
    luma = (width + 63) // 64 * 64 * height
    chroma = ((width + 1) // 2 + 63) // 64 * 64 * ((height + 1) // 2)
    return luma + 2 * chroma


def place(layout: Layout, name: str) -> int:
    return [f.name for f in layout.body].index(name)


def _command(context: Context, queue: int, record: bytes, block: bytes) -> None:
    c = descriptors.COMMAND.unpack(record)
    names = [f.name for f in descriptors.COMMAND.fields]

    def bad(name: str) -> Refused:
        return Refused(Status.BAD_COMMAND, names.index(name))

    if c["version"] != 1:
        raise Refused(Status.BAD_VERSION, c["version"])
    if c["type"] > 6:
        raise Refused(Status.BAD_TYPE, c["type"])
    if c["flags"] > 1:
        raise bad("flags")
    if any(record[descriptors.COMMAND.used_bytes :]):
        raise Refused(Status.BAD_COMMAND, 255)
    command = Command(c["type"])
    kind = JOBS.get(command)
    if c["core"] and (queue > 3 or not kind or c["core"] > 32):
        raise bad("core")
    if c["deadline_us"] and not kind:
        raise bad("deadline_us")
    if command in (Command.OPEN_SESSION, Command.RECONFIGURE) or kind:
        if c["block_address"] % 256:
            raise Refused(Status.BAD_BLOCK, 0)
        if not inside(context, queue, c["block_address"], 256):
            raise Refused(Status.ACCESS_VIOLATION, names.index("block_address"))
    elif c["block_address"]:
        raise bad("block_address")
    if kind and not context.cores[kind]:
        raise Refused(Status.NO_CORE, kind)
    if c["core"]:
        raise bad("core")  # in this context no core is of any kind
    if command is Command.OPEN_SESSION or (command is Command.NOP and not c["session"]):
        for name in ("session", "wait_session", "wait_sequence"):
            if c[name]:
                raise bad(name)
        if command is Command.OPEN_SESSION:
            _session_block(context, block)
        return
    session = context.sessions.get(c["session"])
    if not session or session.queue != queue or session.closing or (kind and session.kind != kind):
        raise Refused(Status.BAD_SESSION, c["session"])
    if session.accepted is not None and not later(c["sequence"], session.accepted):
        raise Refused(Status.BAD_SEQUENCE, session.accepted)
    if not c["wait_session"]:
        if c["wait_sequence"]:
            raise bad("wait_sequence")
    else:
        other = context.sessions.get(c["wait_session"])
        known = other is not None and other.queue == queue and other.accepted is not None
        if not known or later(c["wait_sequence"], other.accepted):
            raise Refused(Status.BAD_FENCE, c["wait_sequence"])
    if command is Command.RECONFIGURE:
        values = _session_block(context, block)
        if values["kind"] != session.kind:
            raise Refused(Status.BAD_BLOCK, 1)
        for name, former in (("width", session.width), ("height", session.height), ("reserve_kilosamples", 0)):
            if values[name] != former:
                raise Refused(Status.BAD_FIELD, place(descriptors.SESSION_BLOCK, name))
    elif kind:
        {Kind.ENCODE: _encode, Kind.SCALE: _scale, Kind.DECODE: _decode}[kind](context, session, block)


def _header(layout: Layout, block: bytes, kinds: tuple[int, ...], block_type: int) -> dict[str, int]:
    values = layout.unpack(block)
    if values["version"] != 1:
        raise Refused(Status.BAD_VERSION, values["version"])
    if values["kind"] not in kinds:
        raise Refused(Status.BAD_BLOCK, 1)
    if values["block_type"] != block_type:
        raise Refused(Status.BAD_BLOCK, 2)
    if values["size"] != 256:
        raise Refused(Status.BAD_BLOCK, 3)
    if any(block[layout.used_bytes :]):
        raise Refused(Status.BAD_BLOCK, 4)
    for number, rule in enumerate(layout.body):
        if rule.code != "Q" and not rule.low <= values[rule.name] <= rule.high:
            raise Refused(Status.BAD_FIELD, number)
    return values


def _session_block(context: Context, block: bytes) -> dict[str, int]:
    layout = descriptors.SESSION_BLOCK
    b = _header(layout, block, (1, 2, 3), 0)
    encode = b["kind"] == Kind.ENCODE
    if not context.cores[b["kind"]]:
        raise Refused(Status.NO_CORE, b["kind"])
    for name, wrong in (
        ("width", b["width"] > context.picture[0]),
        ("height", b["height"] > context.picture[1]),
        ("bit_rate", b["bit_rate"] and not encode),
        ("max_rate", b["max_rate"] and (not encode or b["max_rate"] < b["bit_rate"])),
        ("quality_qp", b["quality_qp"] and (not encode or b["bit_rate"])),
        ("buffer_bits", b["max_rate"] and not b["buffer_bits"]),
        ("rate_numerator", (b["bit_rate"] or b["max_rate"]) and not b["rate_numerator"]),
        ("initial_bits", b["initial_bits"] > b["buffer_bits"]),
        ("reserve_kilosamples", b["reserve_kilosamples"] and not encode),
        ("qp_max", b["qp_max"] < b["qp_min"]),
    ):
        if wrong:
            raise Refused(Status.BAD_FIELD, place(layout, name))
    return b


class _Regions:
    """Addresses of a job, checked one by one, and against each other at the end."""

    def __init__(self, context: Context, session: Session, layout: Layout, values: dict[str, int]) -> None:
        self.context, self.queue, self.layout, self.values = context, session.queue, layout, values
        self.taken: list[tuple[str, int, int, bool]] = []

    def fail(self, name: str) -> None:
        raise Refused(Status.BAD_FIELD, place(self.layout, name))

    def need(self, wrong: bool, name: str) -> None:
        if wrong:
            self.fail(name)

    def add(self, name: str, size: int, alignment: int, *, write: bool = False, used: bool = True) -> None:
        address = self.values[name]
        if not used:
            self.need(address != 0, name)
            return
        self.need(address % alignment != 0, name)
        if not inside(self.context, self.queue, address, size):
            raise Refused(Status.ACCESS_VIOLATION, place(self.layout, name))
        self.taken.append((name, address, size, write))

    def overlaps(self) -> None:
        def meet(a: int, a_size: int, b: int, b_size: int) -> bool:
            return a < b + b_size and b < a + a_size

        for i, (name, address, size, write) in enumerate(self.taken):
            if not write:
                continue
            others = [r for j, r in enumerate(self.taken) if j != i and not (r[3] and j > i)]
            self.need(any(meet(address, size, r[1], r[2]) for r in others), name)
            base = self.context.windows.get(self.queue, (0, 0, 0))[0]
            self.need(any(meet(base + address, size, *ring) for ring in self.context.rings), name)


def _window(r: _Regions, b: dict[str, int]) -> int:
    """Check the part of a surface that is the source; return the bytes of the whole surface."""
    if b["src_surface_width"]:
        r.need(b["src_surface_width"] < b["width"], "src_surface_width")
        r.need(b["src_surface_height"] < b["height"], "src_surface_height")
        room = b["src_surface_width"] - b["width"], b["src_surface_height"] - b["height"]
        size = surface_bytes(b["src_surface_width"], b["src_surface_height"])
    else:
        r.need(b["src_surface_height"] != 0, "src_surface_height")
        room = 0, 0
        size = surface_bytes(b["width"], b["height"])
    for name, most in zip(("src_left", "src_top"), room, strict=True):
        r.need(b[name] % 2 == 1 or b[name] > most, name)
    return size


def _encode(context: Context, session: Session, block: bytes) -> None:
    b = _header(descriptors.ENCODE_BLOCK, block, (Kind.ENCODE,), 1)
    r = _Regions(context, session, descriptors.ENCODE_BLOCK, b)
    intra = b["slice_type"] == 2
    r.need(b["width"] % 2 == 1 or b["width"] != session.width, "width")
    r.need(b["height"] % 2 == 1 or b["height"] != session.height, "height")
    r.need(intra == (b["ref_count"] > 0), "ref_count")
    r.need((b["slice_type"] == 1) != (b["ref_l1_count"] > 0), "ref_l1_count")
    r.need(bool(b["idr"]) and not intra, "idr")
    r.need(bool(b["idr"]) and b["nal_ref_idc"] == 0, "nal_ref_idc")
    r.need(b["frame_num"] >= 2 ** b["log2_max_frame_num"] or bool(b["idr"] and b["frame_num"]), "frame_num")
    r.need(b["log2_max_poc_lsb"] in (1, 2, 3), "log2_max_poc_lsb")
    r.need(b["poc_lsb"] >= 2 ** b["log2_max_poc_lsb"], "poc_lsb")
    columns, rows = (b["width"] + 15) // 16, (b["height"] + 15) // 16
    r.need(b["slices"] > rows, "slices")
    coded = surface_bytes(columns * 16, rows * 16)
    source = _window(r, b)
    if b["mode"]:
        _first_pass(r, b, columns, rows, source)
        return
    r.add("src_address", source, 4096)
    r.add("recon_address", coded, 4096, write=True)
    r.add("out_address", b["out_capacity"], 64, write=True)
    for i in range(4):
        r.add(f"ref_address_{i}", coded, 4096, used=i < b["ref_count"])
    for i in range(2):
        r.add(f"ref_l1_address_{i}", coded, 4096, used=i < b["ref_l1_count"])
    r.add("motion_in_address", columns * rows * 32, 64, used=b["motion_in_address"] != 0)
    r.add("motion_out_address", columns * rows * 32, 64, write=True, used=b["motion_out_address"] != 0)
    r.add("qp_map_address", columns * rows, 64, used=b["qp_map_address"] != 0)
    r.add("plan_address", 64 + 64 * 16, 64, used=b["plan_address"] != 0)
    r.add("vectors_address", columns * rows * 12, 64, used=b["vectors_address"] != 0)
    r.overlaps()


def _first_pass(r: _Regions, b: dict[str, int], columns: int, rows: int, source: int) -> None:
    """Encode jobs of modes 1 (shrink), 2 (look) and 3 (hand on)."""

    def up(value: int, step: int) -> int:
        return (value + step - 1) // step * step

    slot = up(up(64 + 17 * columns * rows, 64) + columns * rows, 64)
    half = up(up(columns, 2) * 8, 64) * up(rows, 2) * 8
    mode = b["mode"]
    r.need(b["ref_count"] > 1, "ref_count")
    r.need(b["ref_l1_count"] > 1, "ref_l1_count")
    r.need(b["out_capacity"] < (64 + 16 * b["plan_count"] if mode == 3 else slot), "out_capacity")
    r.add("src_address", source if mode == 1 else half, 4096, used=mode != 3)
    r.add("recon_address", slot * b["slots"] if mode == 3 else half, 4096, write=True, used=mode != 2)
    r.add("out_address", b["out_capacity"], 64, write=True)
    r.add("ref_address_0", half, 4096, used=b["ref_count"] == 1)
    r.add("ref_l1_address_0", half, 4096, used=b["ref_l1_count"] == 1)
    for name in (
        "ref_address_1", "ref_address_2", "ref_address_3", "motion_in_address", "motion_out_address", "qp_map_address",
        "ref_l1_address_1", "plan_address", "vectors_address",
    ):  # fmt: skip
        r.need(b[name] != 0, name)
    r.overlaps()


def _scale(context: Context, session: Session, block: bytes) -> None:
    b = _header(descriptors.SCALE_BLOCK, block, (Kind.SCALE,), 1)
    r = _Regions(context, session, descriptors.SCALE_BLOCK, b)
    quality = b["mode"] == 1
    r.need(b["width"] > session.width, "width")
    r.need(b["height"] > session.height, "height")
    r.need(quality != (b["output_count"] == 0), "output_count")
    r.add("src_address", _window(r, b), 4096)
    for i in range(4):
        used = i < b["output_count"]
        for side in ("width", "height"):
            name, source = f"out{i}_{side}", b[side]
            legal = b[name] >= 2 and source <= 8 * b[name] and b[name] <= 4 * source if used else b[name] == 0
            r.need(not legal, name)
        r.add(f"out{i}_address", surface_bytes(b[f"out{i}_width"], b[f"out{i}_height"]), 4096, write=True, used=used)
    for side in ("width", "height"):
        name = f"ref_{side}"
        r.need(b[name] < b[side] if quality else b[name] != 0, name)
    r.add("ref_address", surface_bytes(b["ref_width"], b["ref_height"]), 4096, used=quality)
    r.add("result_address", 80, 64, write=True, used=quality)
    r.overlaps()


def _decode(context: Context, session: Session, block: bytes) -> None:
    b = _header(descriptors.DECODE_BLOCK, block, (Kind.DECODE,), 1)
    r = _Regions(context, session, descriptors.DECODE_BLOCK, b)
    frame = b["structure"] == 3
    r.need(b["width"] % 16 != 0 or b["width"] > session.width, "width")
    r.need(b["height"] % (16 if frame and not b["mbaff"] else 32) != 0 or b["height"] > session.height, "height")
    r.need(bool(b["mbaff"]) and not frame, "mbaff")
    r.need(bool(b["mbaff"]) and not b["direct_8x8_inference"], "direct_8x8_inference")
    r.need(b["conceal_reference"] >= b["reference_count"], "conceal_reference")
    r.add("out_address", surface_bytes(b["width"], b["height"]), 4096, write=True)
    r.add("parameters_address", b["slice_count"] * 930 + b["matrix_count"] * 224 + b["reference_count"] * 32, 64)
    r.add("stream_address", b["stream_bytes"], 64)
    motion = b["width"] // 16 * (b["height"] // 16) * 85
    r.add("motion_address", motion, 64, write=True, used=b["motion_address"] != 0)
    r.overlaps()
