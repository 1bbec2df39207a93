"""The intra prediction RTL gives the model's samples for every mode, a 4x4 block a cycle, on the model's cycle.

The model's kernels (asic_model/engines/intra_prediction.py) are the reference; tests/engines/test_intra_prediction.py
holds those to a twin written from the standard, and FFmpeg decodes what they make.
"""

import cocotb
import numpy as np

from asic_model.codecs.h264 import macroblock as m
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y
from asic_model.config import load_chip
from asic_model.engines import intra_prediction as model
from asic_model.work import encode_work
from rtl_tests.accuracy import Record
from rtl_tests.clips import coded_pictures, source_name
from rtl_tests.handshake import Bench, Sink, Source, pack, rerun, unpack

KIND_4X4, KIND_8X8, KIND_16X16, KIND_CHROMA = range(4)
KINDS = ("4x4", "8x8", "16x16", "chroma")
SIZES = (4, 8, 16, 8)
ALLOWED = (model.ALLOWED_4X4, model.ALLOWED_4X4, model.ALLOWED_16X16, model.ALLOWED_CHROMA)
LEFT_UPPER, TOP, TOP_RIGHT, CORNER, LEFT_LOWER = 1, 2, 4, 8, 16
STRIDE = 48
AT = 16 * STRIDE + 16  # the block's place in its plane


class Request:
    """One request; `expected` lists (mode, block, samples) in the order in which they leave."""

    def __init__(self, kind, available, plane, modes=0x1FF, at=AT, stride=STRIDE):
        self.kind, self.available, self.modes = kind, available, modes & int(ALLOWED[kind][available])
        size = SIZES[kind]
        flat = plane.reshape(-1)
        self.left = [int(flat[at - 1 + y * stride]) if y < size else 0 for y in range(16)]
        width = {KIND_4X4: 8, KIND_8X8: 16, KIND_16X16: 16, KIND_CHROMA: 8}[kind]
        self.top = [int(flat[at - stride + x]) if x < width else 0 for x in range(16)]
        self.corner = int(flat[at - stride - 1])
        self.expected = [
            entry for mode in range(9) if self.modes >> mode & 1 for entry in self._model(mode, flat, at, stride)
        ]

    def _model(self, mode, flat, at, stride):
        size = SIZES[self.kind]
        guard = 256  # samples before and behind that the model must leave alone
        block = np.zeros(size * size + 2 * guard, np.uint8)
        line, scratch = np.zeros(model.LINE, np.uint8), np.zeros(model.PREDICTIONS, np.uint8)
        corner = at - stride - 1
        if self.kind == KIND_4X4:
            dc = model.gather_4x4(line, flat, at, stride, corner, self.available)
            model.predict_4x4(block, guard, 4, mode, line, dc, scratch)
        elif self.kind == KIND_8X8:
            dc = model.gather_8x8(line, flat, at, stride, corner, self.available)
            model.predict_8x8(block, guard, 8, mode, line, dc, scratch)
        elif self.kind == KIND_16X16:
            model.predict_16x16(block, guard, 16, mode, flat, at, stride, corner, self.available)
        else:
            model.predict_chroma(block, guard, 8, mode, flat, at, stride, corner, self.available)
        assert not block[:guard].any(), f"mode {mode} of kind {self.kind} wrote before its block"
        assert not block[guard + size * size :].any(), f"mode {mode} of kind {self.kind} wrote behind its block"
        square = block[guard : guard + size * size].reshape(size, size)
        for number in range(size * size // 16):
            y, x = divmod(number, size // 4)
            yield mode, number, square[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].reshape(-1).tolist()

    def fields(self):
        return {
            "kind": self.kind, "modes": self.modes, "available": self.available, "left": pack(self.left, 8),
            "top": pack(self.top, 8), "corner": self.corner,
        }  # fmt: skip


def legal_available(rng, kind):
    """Neighbours as a slice can have them; the halves of the left column differ for chroma only (MBAFF)."""
    available = int(rng.integers(32))
    if kind != KIND_CHROMA:
        available = available | LEFT_LOWER if available & LEFT_UPPER else available & ~LEFT_LOWER
    return available if available & TOP else available & ~TOP_RIGHT


def random_plane(rng):
    low, high = sorted(int(value) for value in rng.integers(0, 256, 2))
    if rng.random() < 0.2:
        low, high = 0, 255
    noise = rng.integers(low, high + 1, (48, STRIDE))
    if rng.random() < 0.3:  # steep slopes make planes that clip
        y, x = np.mgrid[:48, :STRIDE]
        noise = (x - 24) * int(rng.integers(-24, 25)) + (y - 24) * int(rng.integers(-24, 25)) + 128
    if rng.random() < 0.1:
        noise = rng.choice([0, 255], (48, STRIDE))
    return np.clip(noise, 0, 255).astype(np.uint8)


def random_request(rng, kind=None):
    kind = int(rng.integers(4)) if kind is None else kind
    available = legal_available(rng, kind)
    modes = 0x1FF if rng.random() < 0.5 else int(rng.integers(1, 512))
    if not modes & int(ALLOWED[kind][available]):
        modes = 0x1FF
    return Request(kind, available, random_plane(rng), modes)


class TB(Bench):
    async def start(self):
        await self.reset(("in_valid_i", "out_ready_i"))

    async def send(self, requests, pause_in=0.0, pause_out=0.0, wait=False):
        """Pass `requests`; return (cycles in which they were taken, cycles in which their last block left).

        wait : a request that is `chained` is offered only when all before it have left, as in reconstruction
        """
        outputs = [(number, *entry) for number, request in enumerate(requests) for entry in request.expected]
        state = {"at": 0}
        finished = []

        def take(fields):
            number, mode, block, samples = outputs[state["at"]]
            request = requests[number]
            where = f"request {number} ({KINDS[request.kind]}, available {request.available:05b})"
            assert (fields["mode"], fields["block"]) == (mode, block), (
                f"{where}: RTL mode {fields['mode']} block {fields['block']}, model {mode}, {block}; {rerun()}"
            )
            found = unpack(fields["samples"], 8, 16, False)
            if found != samples:
                i = next(i for i in range(16) if found[i] != samples[i])
                raise AssertionError(
                    f"{where}, mode {mode}, block {block}, sample ({i % 4}, {i // 4}): RTL {found[i]}, model "
                    f"{samples[i]}; {rerun()}"
                )
            state["at"] += 1
            last = state["at"] == len(outputs) or outputs[state["at"]][0] != number
            assert bool(fields["last"]) == last, f"{where}: out_last_o is {fields['last']}; {rerun()}"
            if last:
                finished.append(self.cycle)

        source = Source(self.dut, "in", [request.fields() for request in requests], pause_in)
        if wait:
            source = _Chained(self.dut, requests, finished)
        sink = Sink(self.dut, "out", ("mode", "block", "last", "samples"), take, pause_out)
        await self.run([source], [sink], lambda: state["at"] == len(outputs), 1000 + 50 * len(outputs))
        return source.taken_at, finished


class _Chained(Source):
    """Requests marked `chained` wait until everything before them has left."""

    def __init__(self, dut, requests, finished):
        super().__init__(dut, "in", [request.fields() for request in requests])
        self.requests, self.finished = requests, finished

    def drive(self, rng):
        if self.next < len(self.requests) and getattr(self.requests[self.next], "chained", False):
            if len(self.finished) < self.next:
                return
        super().drive(rng)


def new_record(test):
    record = Record("intra_prediction", test)
    record.bins("mode_4x4", range(9))
    record.bins("mode_8x8", range(9))
    record.bins("mode_16x16", range(4))
    record.bins("mode_chroma", range(4))
    record.bins(
        "available_luma", [f"{a:05b}" for a in range(32) if bool(a & 1) == bool(a & 16) and not (a & 4 and not a & 2)]
    )
    record.bins("available_chroma", [f"{a:05b}" for a in range(32) if not (a & 4 and not a & 2)])
    record.bins("plane", ("clipped_low", "clipped_high", "inside"))
    return record


def cover(record, request):
    record.hit("available_chroma" if request.kind == KIND_CHROMA else "available_luma", f"{request.available:05b}")
    for mode, block, samples in request.expected:
        if block == 0:
            record.hit(f"mode_{KINDS[request.kind]}", mode)
        if request.kind >= KIND_16X16 and mode == 3:
            inside = True
            for name, value in (("clipped_low", 0), ("clipped_high", 255)):
                if value in samples:
                    record.hit("plane", name)
                    inside = False
            if inside:
                record.hit("plane", "inside")


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def corners(dut):
    """No neighbours give 128; flat neighbours give themselves in all modes; a ramp goes on as a plane."""
    tb = TB(dut)
    await tb.start()
    flat = np.full((48, STRIDE), 77, np.uint8)
    requests = [Request(kind, 0, flat) for kind in range(4)]
    for request in requests:
        assert all(samples == [128] * 16 for _, _, samples in request.expected)
    whole = [Request(kind, 31, flat) for kind in range(4)]
    for request in whole:
        assert all(samples == [77] * 16 for _, _, samples in request.expected)
    ramp = (np.mgrid[:48, :STRIDE][1] * 2 + 20).astype(np.uint8)
    plane = Request(KIND_16X16, 31, ramp, 8)
    assert plane.expected[0][2][:4] == ramp[16, 16:20].tolist()
    await tb.send([*requests, *whole, plane])


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_requests(dut):
    """All kinds, modes and availabilities: a block a cycle, requests back to back."""
    tb = TB(dut)
    await tb.start()
    record = new_record("random_requests")
    requests = [random_request(tb.rng) for _ in range(400)]
    requests += [Request(KIND_CHROMA, a, random_plane(tb.rng)) for a in range(32) if a & TOP or not a & TOP_RIGHT]
    for slope in (-24, 24):  # planes that clip at both ends
        ramp = np.clip((np.mgrid[:48, :STRIDE].sum(0) - 48) * slope + 128, 0, 255).astype(np.uint8)
        requests += [Request(kind, 31, ramp, 8) for kind in (KIND_16X16, KIND_CHROMA)]
    taken, finished = await tb.send(requests)
    blocks = sum(len(request.expected) for request in requests)
    latency = int(dut.LATENCY.value)
    record.cycles(model=blocks - 1 + latency, rtl=finished[-1] - taken[0])
    assert finished[-1] - taken[0] == blocks - 1 + latency, "the engine left a gap between requests"
    for request in requests:
        cover(record, request)
    assert not record.open_bins(), f"bins never hit: {record.open_bins()}; {rerun()}"
    record.write()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_requests_under_pressure(dut):
    """The same samples with bubbles on the input and back-pressure on the output."""
    tb = TB(dut)
    await tb.start()
    for pause_in, pause_out in ((0.7, 0.0), (0.0, 0.5), (0.4, 0.4)):
        await tb.send([random_request(tb.rng) for _ in range(80)], pause_in, pause_out)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def macroblocks_of_a_clip(dut):
    """Macroblocks of a coded picture: 16x16 and chroma stream, 4x4 (8x8) blocks wait for each other; the law holds."""
    tb = TB(dut)
    await tb.start()
    record = Record("intra_prediction", "macroblocks_of_a_clip")
    config = load_chip("tiny").encode.core.intra_prediction
    assert config.latency_cycles == int(dut.LATENCY.value), "model and RTL differ in latency"
    for picture in coded_pictures(count=1):
        planes = [np.pad(plane, 32) for plane in picture.unfiltered]
        mb_width = picture.parameters.mb_width
        for mb in range(0, len(picture.mbs.mb_type), 3):
            requests = macroblock_requests(picture, planes, mb, mb_width)
            taken, finished = await tb.send(requests, wait=True)
            work = encode_work(1)
            work["mb_type"] = picture.mbs.mb_type[mb]
            work["intra_prediction_blocks"] = sum(len(request.expected) for request in requests)
            law = int(model.cycles(config, work)[0])
            rtl = finished[-1] - taken[0] + 1  # both ends counted
            record.cycles(model=law, rtl=rtl)
            assert law == rtl, f"macroblock {mb}: law {law}, RTL {rtl} cycles; {rerun()}"
    dut._log.info(f"{source_name()}: model - RTL cycles a macroblock: {sorted(record.errors.items())}")
    record.write()


def macroblock_requests(picture, planes, mb, mb_width):
    """Requests of one macroblock of `picture` (planes padded by 32) in the order of an encoder's decisions."""
    column, row = mb % mb_width, mb // mb_width
    around = (LEFT_UPPER | LEFT_LOWER if column else 0) | (TOP if row else 0)
    around |= (CORNER if row and column else 0) | (TOP_RIGHT if row and column + 1 < mb_width else 0)
    stride, chroma_stride = planes[0].shape[1], planes[1].shape[1]
    at = (32 + 16 * row) * stride + 32 + 16 * column
    chroma_at = (32 + 8 * row) * chroma_stride + 32 + 8 * column
    requests = [Request(KIND_16X16, around, planes[0], at=at, stride=stride)]
    requests += [Request(KIND_CHROMA, around, plane, at=chroma_at, stride=chroma_stride) for plane in planes[1:]]
    kind = picture.mbs.mb_type[mb]
    if kind not in (m.I_4X4, m.I_8X8):
        return requests
    size = 4 if kind == m.I_4X4 else 8
    for block in range(0, 16, 1 if size == 4 else 4):
        x, y = 4 * int(BLOCK_X[block]), 4 * int(BLOCK_Y[block])
        left, up = x > 0 or column > 0, y > 0 or row > 0
        corner = (left and up) if x == 0 or y == 0 else True
        right = y == 0 and row > 0 and (x + size < 16 or column + 1 < mb_width)
        if y > 0 and x + size < 16:  # inside the macroblock: coded before this one, but for two 4x4 blocks
            right = not (size == 4 and block in (3, 11))
        available = (LEFT_UPPER | LEFT_LOWER if left else 0) | (TOP if up else 0)
        available |= (CORNER if corner else 0) | (TOP_RIGHT if right and up else 0)
        request = Request(
            KIND_4X4 if size == 4 else KIND_8X8, available, planes[0], at=at + y * stride + x, stride=stride
        )
        request.chained = block > 0
        requests.append(request)
    return requests
