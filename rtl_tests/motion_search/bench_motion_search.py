"""The motion search RTL finds the model's vectors and costs, candidate for candidate, on the model's cycle.

The model's kernel (asic_model/engines/motion_search.py) is the reference; tests/engines/test_motion_search.py holds it
to a plain twin.
"""

from dataclasses import dataclass

import cocotb
import numpy as np

from asic_model.config import load_chip
from asic_model.engines.lagrangian import MOTION_LAMBDA
from asic_model.engines.motion_search import GUARD_BYTES, PAD_PX, Plane, SearchSettings, cycles, decimate, search_row
from asic_model.work import encode_work
from rtl_tests.accuracy import Record
from rtl_tests.clips import coded_pictures, source_name
from rtl_tests.handshake import Bench, Sink, Source, pack, rerun, unpack
from tests.cores.encoding import natural

RANGE_X, RANGE_Y = (int(getattr(cocotb.top, name).value) for name in ("RANGE_X", "RANGE_Y"))
RING = RANGE_X // 8 + 2
COLUMNS, ROWS = RANGE_X // 2, RANGE_Y // 2
BORDER = 24


@dataclass
class Picture:
    """A picture searched by the model: inputs, vectors and costs."""

    mb_width: int
    mb_height: int
    current: np.ndarray  # uint8[height, width]
    reference: np.ndarray  # padded by PAD_PX
    quarter: np.ndarray  # reference at 1/4 resolution, padded by PAD_PX / 4
    settings: SearchSettings
    colocated: np.ndarray
    vectors: np.ndarray = None
    costs: np.ndarray = None
    work: np.ndarray = None

    def search(self):
        count = self.mb_width * self.mb_height
        self.vectors = np.zeros((count, 9, 2), np.int16)
        self.costs = np.zeros((count, 9), np.int32)
        self.work = encode_work(count).view(np.recarray)  # fields as attributes, also with the JIT off
        height, width = self.current.shape
        current_quarter = np.zeros((height // 4, width // 4), np.uint8)
        flat = _flat(self.current)
        decimate(flat, 0, width, width // 4, height // 4, current_quarter.reshape(-1), 0, width // 4)
        planes = (
            Plane(flat, 0, width), Plane(_flat(current_quarter), 0, width // 4),
            _plane(self.reference, PAD_PX), _plane(self.quarter, PAD_PX // 4),
        )  # fmt: skip
        for row in range(self.mb_height):
            search_row(
                row, self.mb_width, self.mb_height, *planes, self.colocated, self.settings, self.vectors, self.costs,
                self.work,
            )  # fmt: skip
        return self

    def start(self, mb):
        """Where the window of the first level begins, in samples of the quarter plane from the macroblock."""
        mb_x, mb_y = mb % self.mb_width, mb // self.mb_width
        place = []
        for at, size, span, count in ((mb_x, self.mb_width, RANGE_X, COLUMNS), (mb_y, self.mb_height, RANGE_Y, ROWS)):
            edge = -((16 * at + BORDER) // 4)
            high = min(span, 16 * (size - at - 1) + BORDER)
            place.append(max(min(max(-span // 4, edge), (high >> 2) - count + 1), edge))
        return place


def _flat(plane):
    return np.concatenate([plane.reshape(-1), np.zeros(GUARD_BYTES, np.uint8)])


def _plane(padded, pad):
    return Plane(_flat(padded), pad * padded.shape[1] + pad, padded.shape[1])


def picture_of(current, reference, settings, colocated=None):
    """A picture from two luma planes."""
    height, width = current.shape
    padded = np.pad(reference, PAD_PX, mode="edge")
    quarter = np.zeros((padded.shape[0] // 4, padded.shape[1] // 4), np.uint8)
    rows, columns = quarter.shape
    decimate(padded.reshape(-1), 0, padded.shape[1], columns, rows, quarter.reshape(-1), 0, columns)
    count = width * height // 256
    if colocated is None:
        colocated = np.zeros((count, 2), np.int16)
    return Picture(width // 16, height // 16, current, padded, quarter, settings, colocated).search()


def settings_of(rng, **fixed):
    fields = {
        "range_x": RANGE_X, "range_y": RANGE_Y, "centres": int(rng.integers(1, 3)), "radius": 2,
        "radius_parts": int(rng.integers(2)), "temporal": int(rng.integers(2)),
        "lambda_motion": int(MOTION_LAMBDA[rng.integers(52)]),
    } | fixed  # fmt: skip
    return SearchSettings(**fields)


def random_picture(rng, content=None):
    """Two planes that resemble each other in some way, of 1 to 5 by 1 to 3 macroblocks."""
    width, height = 16 * int(rng.integers(1, 6)), 16 * int(rng.integers(1, 4))
    content = content or str(rng.choice(["noise", "shifted", "flat", "smooth", "stripes"]))
    reference = rng.integers(0, 256, (height, width), dtype=np.uint8)
    if content == "smooth":
        ramp = np.add.outer(np.arange(height) * int(rng.integers(-3, 4)), np.arange(width) * int(rng.integers(-3, 4)))
        reference = np.clip(128 + ramp, 0, 255).astype(np.uint8)
    elif content == "stripes":  # many candidates of the same cost: the order decides
        reference = np.broadcast_to((np.arange(width) // 2 % 2 * 255).astype(np.uint8), (height, width)).copy()
    elif content == "flat":
        reference[:] = rng.integers(256)
    current = rng.integers(0, 256, (height, width), dtype=np.uint8)
    if content != "noise":
        current = np.roll(reference, (int(rng.integers(-16, 17)), int(rng.integers(-32, 33))), (0, 1))
        if content == "shifted":
            current = np.clip(current.astype(np.int16) + rng.integers(-6, 7, current.shape), 0, 255).astype(np.uint8)
    if content == "flat" and rng.random() < 0.5:
        current[:] = rng.choice([0, 255])
    colocated = rng.integers(-200, 201, (width * height // 256, 2)).astype(np.int16)
    return picture_of(np.ascontiguousarray(current), reference, settings_of(rng), colocated)


class Loader:
    """Writes the buffers of the next command while one runs. Looks like a source to the loop."""

    def __init__(self, dut, picture):
        self.dut, self.picture = dut, picture
        self.queues: dict[str, list[tuple[int, ...]]] = {"current": [], "quarter": [], "window": []}
        self.next = 0  # macroblocks whose data are written or under way
        self.done = True
        self.valid = {name: getattr(dut, f"{name}_valid_i") for name in self.queues}
        for port in self.valid.values():
            port.value = 0

    def load(self, mb):
        """Queue what macroblock `mb` needs; the whole window at the start of a row, else its new word column."""
        p = self.picture
        mb_x, mb_y = mb % p.mb_width, mb // p.mb_width
        for row in range(16):
            samples = p.current[16 * mb_y + row, 16 * mb_x : 16 * mb_x + 16]
            self.queues["current"].append((row, pack(samples, 8)))
        start_x, start_y = p.start(mb)
        for row in range(ROWS + 3):
            y = np.clip(4 * mb_y + start_y + row + PAD_PX // 4, 0, p.quarter.shape[0] - 1)
            x = np.clip(4 * mb_x + start_x + np.arange(COLUMNS + 3) + PAD_PX // 4, 0, p.quarter.shape[1] - 1)
            self.queues["quarter"].append((row, pack(p.quarter[y, x], 8)))
        for word in range(RING - 1) if mb_x == 0 else (RING - 2,):
            x = PAD_PX + 16 * mb_x - RANGE_X + 16 * word
            for row in range(2 * RANGE_Y + 16):
                samples = p.reference[PAD_PX + 16 * mb_y - RANGE_Y + row, x : x + 16]
                self.queues["window"].append((row, (mb_x + word) % RING, pack(samples, 8)))
        self.next = mb + 1

    @property
    def idle(self):
        return not any(self.queues.values())

    def settle(self):
        for port in self.valid.values():
            port.value = 0

    def drive(self, _rng):
        dut = self.dut
        for name, queue in self.queues.items():
            if queue:
                entry = queue.pop(0)
                self.valid[name].value = 1
                getattr(dut, f"{name}_row_i").value = entry[0]
                if name == "window":
                    dut.window_word_i.value = entry[1]
                getattr(dut, f"{name}_data_i").value = entry[-1]

    def sample(self, _cycle):
        pass


class Commands(Source):
    """Offers a macroblock when its data are in the buffers; starts the next one's load when it is taken."""

    def __init__(self, dut, picture, loader, results, pause):
        p, items = picture, []
        for mb in range(p.mb_width * p.mb_height):
            mb_x, mb_y = mb % p.mb_width, mb // p.mb_width
            above = mb - p.mb_width
            around = [p.vectors[above + k, 0] if mb_y and 0 <= mb_x + k < p.mb_width else (77, -55) for k in (-1, 0, 1)]
            items.append(
                {
                    "word": mb_x % RING, "mb_x": mb_x, "mb_y": mb_y, "mb_width": p.mb_width, "mb_height": p.mb_height,
                    "above_left": pack(around[0], 14), "above": pack(around[1], 14),
                    "above_right": pack(around[2], 14), "colocated": pack(p.colocated[mb], 16),
                    "temporal": p.settings.temporal, "lambda": p.settings.lambda_motion,
                    "centres": p.settings.centres, "parts": int(p.settings.radius_parts > 0),
                }
            )  # fmt: skip
        super().__init__(dut, "cmd", items, pause)
        self.picture, self.loader, self.results = picture, loader, results

    def drive(self, rng):
        mb, loader = self.next, self.loader
        if not self.offered and mb < len(self.items):
            row_start = mb % self.picture.mb_width == 0
            if loader.next == mb and (not row_start or len(self.results) == mb):
                loader.load(mb)
            if loader.next > mb and loader.idle:
                super().drive(rng)


class TB(Bench):
    async def start(self):
        await self.reset(("cmd_valid_i", "out_ready_i", "current_valid_i", "quarter_valid_i", "window_valid_i"))

    async def send(self, picture, pause_in=0.0, pause_out=0.0):
        """Search all macroblocks; return (command port, cycles in which results were given, busy cycles)."""
        results = []

        def take(fields):
            mb = len(results)
            x, y = unpack(fields["mv_x"], 11, 9, True), unpack(fields["mv_y"], 11, 9, True)
            cost = unpack(fields["cost"], 18, 9, False)
            for p in range(9):
                found, wanted = (x[p], y[p], cost[p]), (*picture.vectors[mb, p].tolist(), int(picture.costs[mb, p]))
                assert found == wanted, (
                    f"macroblock {mb} of {picture.mb_width}x{picture.mb_height}, partition {p}: RTL (x, y, cost) "
                    f"{found}, model {wanted}; {picture.settings}; {rerun()}"
                )
            results.append(mb)

        count = picture.mb_width * picture.mb_height
        loader = Loader(self.dut, picture)
        commands = Commands(self.dut, picture, loader, results, pause_in)
        sink = Sink(self.dut, "out", ("mv_x", "mv_y", "cost"), take, pause_out)
        busy = []
        await self.run(
            [loader, commands],
            [sink],
            lambda: len(results) == count,
            4000 * count + 1000,
            [(self.dut.lanes_busy_o, busy)],
        )
        return commands, sink.given_at, busy


DRAIN = 5  # from the last candidate to the result, hidden behind the next macroblock


def account(dut, record, picture, commands, given):
    """Cycles from command to command inside a row, where the command stood ready; a row's last one to its result."""
    config = load_chip("tiny").encode.core.motion_search
    config = type(config)(**(config.model_dump() | {"lanes": int(dut.LANES.value)}))
    law, taken = cycles(config, picture.work), commands.taken_at
    for mb in range(len(taken)):
        last = (mb + 1) % picture.mb_width == 0
        if not last and commands.waits[mb + 1] == 0:
            continue  # the engine waited for its window
        rtl = given[mb] - taken[mb] - DRAIN if last else taken[mb + 1] - taken[mb]
        record.cycles(model=int(law[mb]), rtl=rtl)
        # a second centre's scan is not hidden where the first one is known already
        scan = -(-16 * int(picture.work["motion_search_coarse"][mb]) // int(dut.LANES.value))
        assert -6 - scan <= int(law[mb]) - rtl <= 6, f"macroblock {mb}: law {law[mb]}, RTL {rtl} cycles; {rerun()}"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def corners(dut):
    """A flat picture ties everywhere: zero wins. One displaced by (5, -3) is found there."""
    tb = TB(dut)
    await tb.start()
    flat = np.full((32, 48), 90, np.uint8)
    settings = settings_of(tb.rng, lambda_motion=16, temporal=0, radius_parts=1)
    picture = picture_of(flat, flat, settings)
    assert (picture.vectors == 0).all()
    assert (picture.costs == 2).all()  # two zero differences of one bit each at lambda 1
    await tb.send(picture)
    texture = natural(96, 96, 1, seed=3)[0][0]
    picture = picture_of(texture[16:80, 16:80].copy(), texture[19:83, 11:75].copy(), settings)
    assert picture.vectors[5, 0].tolist() == [5, -3]
    await tb.send(picture)
    white, black = np.full((32, 32), 255, np.uint8), np.zeros((32, 32), np.uint8)
    picture = picture_of(white, black, settings)
    assert picture.costs[0, 0] == 255 * 256 + 2
    await tb.send(picture)


def new_record(test):
    record = Record("motion_search", test)
    record.bins("centres", (1, 2))
    record.bins("temporal", (0, 1))
    record.bins("parts", (0, 1))
    record.bins("place", ("corner", "edge", "inside"))
    record.bins("vector", ("zero", "at_limit_x", "at_limit_y", "other"))
    record.bins("tie", ("partitions_differ", "partitions_agree"))
    return record


def cover(record, picture):
    record.hit("centres", picture.settings.centres)
    record.hit("temporal", picture.settings.temporal)
    record.hit("parts", picture.settings.radius_parts)
    for mb, vectors in enumerate(picture.vectors):
        mb_x, mb_y = mb % picture.mb_width, mb // picture.mb_width
        borders = (mb_x in (0, picture.mb_width - 1)) + (mb_y in (0, picture.mb_height - 1))
        record.hit("place", ("inside", "edge", "corner")[borders])
        x, y = vectors[0].tolist()
        record.hit("vector", "zero" if x == 0 and y == 0 else "other")
        if abs(x) == RANGE_X:
            record.hit("vector", "at_limit_x")
        if abs(y) == RANGE_Y:
            record.hit("vector", "at_limit_y")
        record.hit("tie", "partitions_agree" if (vectors == vectors[0]).all() else "partitions_differ")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_pictures(dut):
    """Noise, shifted texture, flat areas, ramps and stripes in pictures of 1 to 15 macroblocks, all settings."""
    tb = TB(dut)
    await tb.start()
    record = new_record("random_pictures")
    contents = ["noise", "shifted", "flat", "smooth", "stripes"]
    pictures = [random_picture(tb.rng, contents[i % 5]) for i in range(20)]
    texture = tb.rng.integers(0, 256, (80, 144), dtype=np.uint8)
    for dx, dy in ((RANGE_X, 0), (0, RANGE_Y)):  # the best place lies at the window's limit
        settings = settings_of(tb.rng, centres=2, radius_parts=1)
        pictures.append(picture_of(texture, np.roll(texture, (dy, dx), (0, 1)), settings))
    for picture in pictures:
        commands, given, _ = await tb.send(picture)
        account(dut, record, picture, commands, given)
        cover(record, picture)
    dut._log.info(f"model - RTL cycles a macroblock: {sorted(record.errors.items())}")
    assert not record.open_bins(), f"bins never hit: {record.open_bins()}; {rerun()}"
    record.write()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_pictures_under_pressure(dut):
    """The same results when commands come late and results are taken late."""
    tb = TB(dut)
    await tb.start()
    for pause_in, pause_out in ((0.95, 0.0), (0.0, 0.99), (0.9, 0.99)):
        for _ in range(3):
            await tb.send(random_picture(tb.rng), pause_in, pause_out)


@cocotb.test(timeout_time=50, timeout_unit="ms", skip=load_chip("tiny").encode.core.motion_search.range_y != RANGE_Y)
async def coded_clip(dut):
    """A P picture of a clip, searched in the picture before: the model's vectors, its cycles, and busy lanes."""
    tb = TB(dut)
    await tb.start()
    record = Record("motion_search", "coded_clip")
    pictures = list(coded_pictures(count=2))
    settings = pictures[1].search["settings"]
    colocated = pictures[1].search["temporal"][0]
    picture = picture_of(pictures[1].source[0], pictures[0].filtered[0], settings, colocated)
    own = pictures[1].search["results"]
    assert (picture.vectors == own.vectors[0]).all(), "not what the encode core found"
    commands, given, busy = await tb.send(picture)
    account(dut, record, picture, commands, given)
    taken = commands.taken_at
    span = [(taken[row], taken[row + picture.mb_width - 1]) for row in range(0, len(taken), picture.mb_width)]
    running = sum(end - begin for begin, end in span)
    share = sum(begin + 3 <= at < end + 3 for begin, end in span for at in busy) / running
    dut._log.info(f"{source_name()}: model - RTL cycles a macroblock: {sorted(record.errors.items())}")
    dut._log.info(f"{int(dut.LANES.value)} lanes busy {share:.3f} of the cycles, {running} cycles")
    assert share >= 0.9, "lanes idle"
    record.write()
