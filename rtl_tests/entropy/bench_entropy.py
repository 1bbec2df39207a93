"""The entropy RTL writes the model's bytes, bin for bin as fast as the model says, CABAC and CAVLC.

The model's engine (asic_model/engines/entropy) is the reference; tests/engines/test_entropy.py holds it to a parser
written from the standard and to FFmpeg, tests/engines/test_entropy_streams.py to other encoders' streams.
"""

import cocotb
import numpy as np

from asic_model.codecs.h264 import macroblock as m
from asic_model.config import load_chip
from asic_model.engines.entropy import EntropyConfig, SliceParameters, cycles, entropy_scratch, write_slice
from asic_model.engines.entropy.elements import intra_mode_element
from asic_model.work import encode_work
from rtl_tests.accuracy import Record
from rtl_tests.clips import coded_pictures, source_name
from rtl_tests.handshake import Bench, Sink, Source, pack, pack_record, rerun
from tests.oracle.random_syntax import random_macroblocks

SLICE_P, SLICE_B, SLICE_I = range(3)
SLICE_NAMES = ("P", "B", "I")
KINDS = {
    m.I_4X4: "I_4X4", m.I_8X8: "I_8X8", m.I_16X16: "I_16X16", m.I_PCM: "I_PCM", m.P_SKIP: "P_SKIP", m.B_SKIP: "B_SKIP",
    m.INTER_16X16: "16X16", m.INTER_16X8: "16X8", m.INTER_8X16: "8X16", m.INTER_8X8: "8X8", m.B_DIRECT_16X16: "DIRECT",
}  # fmt: skip
INTER = (m.INTER_16X16, m.INTER_16X8, m.INTER_8X16, m.INTER_8X8)
NAL_HEADER = 0x41
IDLE = ("slice_valid_i", "header_valid_i", "mb_valid_i", "block_valid_i", "byte_ready_i")


class Slice:
    """One slice: what goes into the ports, and the model's bytes, bins and bits."""

    def __init__(self, mbs, p, rng):
        self.mbs, self.p = mbs, p
        self.work = encode_work(len(mbs.mb_type))
        self.work["slice_start"][p.first_mb] = 1
        bits = int(rng.integers(1, 40))
        value = int(rng.integers(0, 1 << bits))
        header = (value << (-bits & 7)).to_bytes(-(-bits // 8), "big")
        out = np.zeros(4096 * p.mb_count + 256, np.uint8)
        end = write_slice(
            mbs, p, entropy_scratch(len(mbs.mb_type)), self.work, header, bits, NAL_HEADER, out, 0, out.size
        )
        assert end > 0, "the model found no room"
        self.expected = out[4:end].tobytes()
        self.header = self._header_items(header, bits)
        self.macroblocks, self.blocks = [], []
        qp = p.qp
        for mb in range(p.first_mb, p.first_mb + p.mb_count):
            self.macroblocks.append({"": self._record(mb, qp)})
            qp = int(mbs.qp[mb]) if mbs.mb_type[mb] != m.I_PCM else qp
            self.blocks += [{"": pack(block, 16)} for block in self._blocks(mb)]
        self.start = pack_record(
            (
                (p.cabac, 1), (p.slice_type, 2), (0 if p.slice_type == SLICE_I else 1 + p.cabac_init_idc, 2), (p.qp, 6),
                (p.mb_width, 9), (p.first_mb % p.mb_width, 9), (p.transform_8x8_mode, 1), (p.direct_8x8_inference, 1),
                (p.monochrome, 1), (p.field, 1), (p.num_ref_idx_l0, 6), (p.num_ref_idx_l1, 6),
            )
        )  # fmt: skip

    def _header_items(self, header, bits):
        items = [{"bits": NAL_HEADER, "length": 8, "last": 0}]
        for i, byte in enumerate(header):
            length = min(8, bits - 8 * i)
            value = byte >> (8 - length)
            if length < 8 and self.p.cabac:  # cabac_alignment_one_bit
                value, length = value << (8 - length) | 255 >> length, 8
            items.append({"bits": value, "length": length, "last": 0})
        items[-1]["last"] = 1
        return items

    def _record(self, mb, qp):
        mbs, p = self.mbs, self.p
        left, up = mb - 1, mb - p.mb_width
        if mb % p.mb_width == 0 or mbs.slice_id[left] != mbs.slice_id[mb]:
            left = -1
        if up < 0 or mbs.slice_id[up] != mbs.slice_id[mb]:
            up = -1
        kind = int(mbs.mb_type[mb])
        codes = [0] * 16
        if kind in (m.I_4X4, m.I_8X8):
            codes = [
                1 + int(intra_mode_element(mbs.mb_type, mbs.intra_mode, p.constrained_intra, mb, left, up, block))
                for block in range(16)
            ]
        delta = (int(mbs.qp[mb]) - qp + 26) % 52 - 26
        return pack_record(
            [
                (mb == p.first_mb + p.mb_count - 1, 1), (kind, 4), (mbs.transform_8x8[mb], 1), (mbs.cbp[mb], 6),
                (mbs.intra_mode[mb, 0], 2), (mbs.chroma_mode[mb], 2), (delta if kind != m.I_PCM else 0, 7),
                *((code, 4) for code in reversed(codes)),
                *((sub, 3) for sub in reversed(mbs.sub_type[mb])),
                *((ref, 6) for ref in reversed(mbs.ref_idx[mb].ravel())),
            ]
        )  # fmt: skip

    def _blocks(self, mb):
        mbs, p = self.mbs, self.p
        kind, cbp = int(mbs.mb_type[mb]), int(mbs.cbp[mb])
        levels = mbs.levels[mb]
        if kind in (m.P_SKIP, m.B_SKIP):
            return
        if kind == m.I_PCM:
            yield from levels.reshape(-1)[: 256 if p.monochrome else 384].reshape(-1, 16)
            return
        if kind in INTER:
            for lst in range(2 if p.slice_type == SLICE_B else 1):
                for component in range(2):
                    yield mbs.mvd[mb, lst, :, component]
        if kind == m.I_16X16:
            yield levels[m.LEVELS_LUMA_DC]
        for block in range(16):
            if cbp >> (block >> 2) & 1:
                yield levels[block]
        if cbp >> 4:
            yield from levels[m.LEVELS_CB_DC : m.LEVELS_CB_DC + 2]
        if cbp >> 5:
            yield from levels[m.LEVELS_CB_AC : m.LEVELS_CB_AC + 8]

    def where(self, position):
        """The macroblock that byte `position` belongs to, as far as the model's bits say."""
        bits = np.cumsum(self.work["entropy_bits"][self.p.first_mb : self.p.first_mb + self.p.mb_count])
        return self.p.first_mb + int(np.searchsorted(bits, 8 * max(0, position - 6)))


def slices_of(mbs, bounds, rng, **fields):
    return [Slice(mbs, SliceParameters(first_mb=first, mb_count=count, **fields), rng) for first, count in bounds]


def random_slices(rng, cabac, mb_width=None, **fixed):
    """A random picture's slices: every kind of slice, type, size, QP and magnitude."""
    case = {
        "slice_type": int(rng.integers(3)),
        "qp": int(rng.integers(52)),
        "refs": (int(rng.integers(1, 6)), int(rng.integers(1, 4))),
        "transform_8x8": bool(rng.integers(2)),
        "magnitude": int(rng.choice([1, 20, 2063, 32767])),
        "span": int(rng.choice([3, 60, 8000])),
        "monochrome": bool(rng.random() < 0.2),
    } | fixed
    mb_width = mb_width or int(rng.integers(1, 7))
    mbs, bounds = random_macroblocks(rng, mb_width, int(rng.integers(1, 4)), slices=int(rng.integers(1, 4)), **case)
    return slices_of(
        mbs, bounds, rng, mb_width=mb_width, slice_type=case["slice_type"], qp=case["qp"], cabac=int(cabac),
        cabac_init_idc=int(rng.integers(3)), num_ref_idx_l0=case["refs"][0], num_ref_idx_l1=case["refs"][1],
        transform_8x8_mode=int(case["transform_8x8"]), direct_8x8_inference=1, field=int(rng.integers(2)),
        monochrome=int(case["monochrome"]),
    )  # fmt: skip


class TB(Bench):
    """Sends slices, compares bytes, notes when each macroblock's last bin was coded."""

    async def start(self):
        await self.reset(IDLE)

    async def send(self, slices, pause_in=0.0, pause_out=0.0):
        """Pass `slices` through; return the cycles of each macroblock of each slice."""
        dut, found = self.dut, [bytearray()]
        expected = [piece.expected for piece in slices]

        def take(fields):
            found[-1].append(fields[""])
            at = len(found[-1]) - 1
            number = len(found) - 1
            want = expected[number]
            if at >= len(want) or want[at] != found[-1][at]:
                piece = slices[number]
                raise AssertionError(
                    f"slice {number} ({SLICE_NAMES[piece.p.slice_type]}, {'CABAC' if piece.p.cabac else 'CAVLC'}), "
                    f"macroblock {piece.where(at)}, byte {at}: RTL {found[-1][at]}, model "
                    f"{want[at] if at < len(want) else 'nothing'}; {rerun()}"
                )
            if fields["last"]:
                assert at + 1 == len(want), f"slice {number} ends after {at + 1} bytes, model {len(want)}; {rerun()}"
                found.append(bytearray())

        sources = [
            Source(dut, "slice", [{"": piece.start} for piece in slices]),
            Source(dut, "header", [item for piece in slices for item in piece.header], pause_in),
            Source(dut, "mb", [item for piece in slices for item in piece.macroblocks], pause_in),
            Source(dut, "block", [item for piece in slices for item in piece.blocks], pause_in),
        ]
        sink = Sink(dut, "byte", ("", "last"), take, pause_out)
        ends = []
        total = sum(int(piece.work["entropy_bins"].sum()) + len(piece.expected) for piece in slices)
        watch = [(dut.mb_end_o, ends)]
        limit = 20000 + 40 * total
        await self.run(sources, [sink], lambda: len(found) > len(slices), limit, watch)
        assert all(source.done for source in sources), f"inputs are left over; {rerun()}"
        return self._spans(slices, sources[0].taken_at, ends)

    def _spans(self, slices, started, ends):
        spans, at = [], 0
        for piece, start in zip(slices, started, strict=True):
            own = np.array([start, *ends[at : at + piece.p.mb_count]])
            spans.append(np.diff(own))
            at += piece.p.mb_count
        assert at == len(ends), f"{len(ends)} macroblock ends, {at} macroblocks; {rerun()}"
        return spans


def config_of(dut):
    """The chip that has the RTL's sizes, with the coder under test."""
    fields = load_chip("tiny").encode.core.entropy.model_dump()
    return EntropyConfig(**(fields | {"cabac_bins_per_cycle": int(dut.BINS.value)}))


def account(record, config, slices, spans):
    """Enter each macroblock's cycles, model and RTL; they lie within the bound that docs/entropy.md states."""
    for piece, span in zip(slices, spans, strict=True):
        law = cycles(config, piece.work, bool(piece.p.cabac))[piece.p.first_mb : piece.p.first_mb + piece.p.mb_count]
        for model, rtl in zip(law, span, strict=True):
            record.cycles(model=int(model), rtl=int(rtl))
            assert abs(int(model) - int(rtl)) <= 8 + int(rtl) // 3, f"model {model}, RTL {rtl} cycles; {rerun()}"


def cover(record, slices):
    for piece in slices:
        p = piece.p
        record.hit("slice", f"{SLICE_NAMES[p.slice_type]}{'_cabac' if p.cabac else '_cavlc'}")
        own = slice(p.first_mb, p.first_mb + p.mb_count)
        for kind in piece.mbs.mb_type[own]:
            record.hit("mb_type", KINDS[int(kind)])
        if p.cabac:
            record.hit("field", p.field)
        record.hit("transform_8x8", int(piece.mbs.transform_8x8[own].any()))
        largest = int(np.abs(piece.mbs.levels[own].astype(np.int64)).max())
        record.hit("level", "1" if largest < 2 else "15" if largest <= 15 else "2063" if largest <= 2063 else "32767")
        if b"\0\0\3" in piece.expected:
            record.hit("bytes", "emulation_prevention")
        record.hit("qp", "low" if p.qp < 18 else "mid" if p.qp < 36 else "high")


def random_record(test):
    record = Record("entropy", test)
    record.bins("slice", [f"{kind}_{coder}" for kind in SLICE_NAMES for coder in ("cabac", "cavlc")])
    record.bins("mb_type", KINDS.values())
    record.bins("field", range(2))
    record.bins("transform_8x8", range(2))
    record.bins("level", ("1", "15", "2063", "32767"))
    record.bins("bytes", ("emulation_prevention",))
    record.bins("qp", ("low", "mid", "high"))
    return record


def flat_macroblocks(count, mb_width, kind=m.I_16X16):
    mbs = m.allocate(count)
    mbs.mb_type[:], mbs.slice_id[:], mbs.qp[:] = kind, 0, 26
    return mbs


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def skipped_picture(dut):
    """Ten skipped macroblocks in CAVLC are one codeword: mb_skip_run ue(10) = 0001011, then the stop bit."""
    tb = TB(dut)
    await tb.start()
    mbs = flat_macroblocks(10, 5, m.P_SKIP)
    mbs.ref_idx[:, 0] = 0
    (piece,) = slices_of(mbs, [(0, 10)], tb.rng, mb_width=5, slice_type=SLICE_P, qp=26, cabac=0)
    tail = "".join(f"{byte:08b}" for byte in piece.expected[1:])
    assert tail.rstrip("0").endswith("00010111"), tail
    await tb.send([piece])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def samples_pass_unchanged(dut):
    """I_PCM samples of 0, 3 and 255 stand in the stream as they are, but for emulation prevention."""
    tb = TB(dut)
    await tb.start()
    for cabac in (0, 1):
        for sample in (0, 3, 255):
            mbs = flat_macroblocks(2, 2, m.I_PCM)
            mbs.levels[:] = sample
            (piece,) = slices_of(mbs, [(0, 2)], tb.rng, mb_width=2, slice_type=SLICE_I, qp=26, cabac=cabac)
            wanted = b"\0\0\3" * 190 if sample == 0 else bytes([sample]) * 384
            assert wanted in piece.expected
            await tb.send([piece])


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_syntax(dut):
    """All slice types, macroblock types, QPs, magnitudes to the 16-bit limit, several slices a picture."""
    tb = TB(dut)
    await tb.start()
    record, config = random_record("random_syntax"), config_of(dut)
    slices = []
    for slice_type in range(3):
        for magnitude in (1, 20, 2063, 32767):
            for cabac in (0, 1):
                slices += random_slices(tb.rng, cabac, slice_type=slice_type, magnitude=magnitude)
    mbs = flat_macroblocks(1, 1, m.I_PCM)
    mbs.levels[:] = 0
    slices += slices_of(mbs, [(0, 1)], tb.rng, mb_width=1, slice_type=SLICE_I, qp=26, cabac=1)
    spans = await tb.send(slices)
    account(record, config, slices, spans)
    cover(record, slices)
    dut._log.info(f"model - RTL cycles a macroblock: {sorted(record.errors.items())}")
    assert not record.open_bins(), f"bins never hit: {record.open_bins()}; {rerun()}"
    record.write()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_syntax_under_pressure(dut):
    """The same bytes with bubbles on every input and back-pressure on the output."""
    tb = TB(dut)
    await tb.start()
    for pause_in, pause_out in ((0.5, 0.0), (0.0, 0.7), (0.4, 0.4)):
        for cabac in (0, 1):
            await tb.send(random_slices(tb.rng, cabac), pause_in, pause_out)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def coded_clip(dut):
    """Slices of pictures that the model encoded: I and P, both coders; the rate that the engine sustains."""
    tb = TB(dut)
    await tb.start()
    record, config = Record("entropy", "coded_clip"), config_of(dut)
    for cabac in (1, 0):
        for picture in coded_pictures(cabac=cabac):
            fields = picture.parameters._asdict()
            fields = {name: int(fields[name]) for name in fields if name not in ("first_mb", "mb_count")}
            (piece,) = slices_of(picture.mbs, [(0, len(picture.mbs.mb_type))], tb.rng, **fields)
            (span,) = await tb.send([piece])
            account(record, config, [piece], [span])
            bins = int(piece.work["entropy_bins"].sum())
            if cabac:
                steady = int(span[1:].sum())
                rate = int(piece.work["entropy_bins"][1:].sum()) / steady
                dut._log.info(
                    f"{SLICE_NAMES[piece.p.slice_type]} slice, QP {piece.p.qp}: {bins} bins in {int(span.sum())} "
                    f"cycles, {rate:.3f} bins a cycle after the first macroblock"
                )
                assert rate >= 0.95 * int(dut.BINS.value), "the coder waits for bins"
    dut._log.info(f"{source_name()}: model - RTL cycles a macroblock: {sorted(record.errors.items())}")
    assert max(map(abs, record.errors)) <= 8, f"the law is off by more than 8 cycles; {rerun()}"
    assert abs(record.model_cycles - record.rtl_cycles) <= record.rtl_cycles // 200, "all macroblocks together: 0.5 %"
    record.write()
