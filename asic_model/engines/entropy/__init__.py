"""Entropy engine: a picture's macroblock records to the NAL units of its slices (H.264 7.3.4, 9.1 to 9.3).

RTL twin: rtl_tests/rtl/entropy/. Use:

    scratch = entropy_scratch(macroblocks)                       # once per picture size
    header, bits = write_slice_header(slice_header, sps, pps)
    end = write_slice(mbs, SliceParameters(...), scratch, work, header, bits, nal_header, out, position, limit)
    end = pad_picture(work, out, position, end, limit)           # CABAC, after the last slice

The caller has decided everything: mb_type, sub_type, intra and chroma modes, ref_idx, mv, cbp, transform_8x8, qp,
levels and slice_id stand in `mbs` for every macroblock of the slice. `ref_idx` is -1 where a list is not used (intra
macroblocks too), `cbp` and `levels` agree (a set bit covers whatever stands in its blocks; blocks of unset bits are not
looked at), and `qp` of a macroblock without residual is that of its predecessor. The engine derives what the stream
says instead: mvd (stored in `mbs.mvd`), predicted intra modes, skip runs, mb_qp_delta, nC and all contexts.

Limits that the record must respect: vector differences within 16 bits, and for CAVLC below the High profiles levels of
at most 2063 in magnitude (beyond, level_prefix exceeds 15).
"""

import numpy as np
from pydantic import Field

from asic_model.codecs.h264.emulation_prevention import escape_into
from asic_model.codecs.h264.macroblock import Macroblocks
from asic_model.engines.entropy.cabac import write_slice_data_cabac
from asic_model.engines.entropy.cavlc import write_slice_data_cavlc
from asic_model.engines.entropy.elements import (
    FAULT_PATTERN,
    FAULT_QP,
    FAULT_SKIP_MV,
    FAULT_TYPE,
    OUTPUT_FULL,
    UNCODABLE,
    EntropyScratch,
    SliceParameters,
    entropy_scratch,
)
from asic_model.kernel_cache import kernel
from asic_model.section import Section

__all__ = [
    "OUTPUT_FULL",
    "EntropyConfig",
    "EntropyScratch",
    "SliceParameters",
    "UncodableMacroblock",
    "cycles",
    "entropy_scratch",
    "pad_picture",
    "write_slice",
]

_FAULTS = {
    FAULT_QP: "its qp differs from its predecessor's, but nothing is coded that carries the difference",
    FAULT_TYPE: "its type or transform does not exist in this slice",
    FAULT_SKIP_MV: "it is P_Skip with another motion than 8.4.1.1 derives",
    FAULT_PATTERN: "it is Intra 16x16 with some of the luma pattern bits only",
}


class UncodableMacroblock(ValueError):
    """A macroblock record contradicts itself: no stream says what it says."""


def write_slice(
    mbs: Macroblocks,
    parameters: SliceParameters,
    scratch: EntropyScratch,
    work: np.ndarray,
    header: bytes,
    header_bits: int,
    nal_header: int,
    out: np.ndarray,
    position: int,
    limit: int,
) -> int:
    """Write one slice to `out` from byte `position` on: start code, NAL header, slice header, slice data.

    work        : ENCODE_WORK[n], rows of the slice get entropy_bins and entropy_bits
    header      : slice header in RBSP bits as `slice_header.write_slice_header` returns it, with its `header_bits`
    nal_header  : first byte of the NAL unit
    out         : uint8[:]; out[limit:] is never touched
    Returns the position after the NAL unit, or OUTPUT_FULL (-1) when it does not fit. Raises UncodableMacroblock.
    """
    p, rbsp = parameters, scratch.rbsp
    whole, rest = header_bits >> 3, header_bits & 7
    rbsp[:whole] = np.frombuffer(header, np.uint8, whole)
    if p.cabac:
        if rest:  # cabac_alignment_one_bit
            rbsp[whole] = header[whole] | 255 >> rest
            whole += 1
        size = write_slice_data_cabac(mbs, p, scratch, work, whole)
    else:
        waiting = header[whole] >> (8 - rest) if rest else 0
        size = write_slice_data_cavlc(mbs, p, scratch, work, waiting, rest, whole)
    if size == UNCODABLE:
        mb, fault = (int(value) for value in scratch.fault)
        raise UncodableMacroblock(f"macroblock {mb} (type {mbs.mb_type[mb]}) cannot be coded: {_FAULTS[fault]}")
    begin = position + 5
    if size == OUTPUT_FULL or begin > limit:
        return OUTPUT_FULL
    out[position:begin] = (0, 0, 0, 1, nal_header)
    return int(escape_into(rbsp, size, out, begin, limit))


def pad_picture(work: np.ndarray, out: np.ndarray, begin: int, position: int, limit: int) -> int:
    """Append cabac_zero_words to a CABAC picture that has too many bins for its bytes (7.4.2.10); rarely any.

    work            : all rows of the picture, as written by `write_slice`
    begin, position : the picture's slices stand in out[begin:position]
    Returns the position after the padding, or OUTPUT_FULL. The bound is 32 / 3 bins a byte and RawMbBits / 32 = 96 a
    macroblock; one zero word is three bytes of the NAL unit.
    """
    bins = int(work["entropy_bins"].sum(dtype=np.int64))
    missing = -(-3 * (bins - 96 * len(work)) // 32) - (position - begin)
    if missing <= 0:
        return position
    end = position + -(-missing // 3) * 3
    if end > limit:
        return OUTPUT_FULL
    out[position:end].reshape(-1, 3)[:] = (0, 0, 3)
    return end


class EntropyConfig(Section):
    """Throughput of the entropy engine.

    The defaults are a coder of two bins a cycle: published single-bin RTL does 0.4 to 1.2 bits a cycle, the best
    published engine 4.37 bins a cycle (at one 420 MHz design).
    """

    cabac_bins_per_cycle: int = Field(default=2, ge=1, le=8, description="CABAC bins coded per cycle, any kind")
    cavlc_codewords_per_cycle: int = Field(default=1, ge=1, le=4, description="CAVLC codewords packed per cycle")
    output_bits_per_cycle: int = Field(
        default=32, ge=8, le=256, description="width of the path to the stream buffer, bits"
    )
    overhead_cycles: int = Field(
        default=8, ge=0, le=64, description="CABAC, per macroblock: what the queue of bins does not hide, cycles"
    )
    cavlc_overhead_cycles: int = Field(
        default=2, ge=0, le=64, description="CAVLC, per macroblock: its record taken, its neighbours' kept, cycles"
    )
    slice_cycles: int = Field(default=160, ge=0, le=2048, description="CABAC, per slice: contexts initialised, cycles")


@kernel
def _cycles(bins, bits, slice_start, rate, output_bits, overhead, slice_cycles, found):
    """`cycles` into found int64[n]."""
    for mb in range(found.size):
        coder = (np.int64(bins[mb]) + rate - 1) // rate
        packer = (np.int64(bits[mb]) + output_bits - 1) // output_bits
        found[mb] = max(coder, packer) + overhead + (slice_cycles if slice_start[mb] else 0)


def cycles(cfg: EntropyConfig, work: np.ndarray, cabac: bool = True) -> np.ndarray:
    """Return the cycles of each macroblock, int64[n], from its bins (codewords for CAVLC) and bits.

    Binariser (or codeword tables), coder and packer run as a pipeline with a queue between them. The coder takes
    `cabac_bins_per_cycle` bins a cycle whatever their kind, the packer puts out `output_bits_per_cycle`: the slower
    of the two decides. The last group of a macroblock may be short, since the next macroblock's contexts depend on
    it. The queue of bins hides from CABAC what a macroblock's change costs (`overhead_cycles` is what it does not);
    codewords have no queue before them and wait. In CABAC the first macroblock of a slice also waits for 1024
    contexts to be initialised, several a cycle; the header passes meanwhile.
    """
    rate = cfg.cabac_bins_per_cycle if cabac else cfg.cavlc_codewords_per_cycle
    overhead = cfg.overhead_cycles if cabac else cfg.cavlc_overhead_cycles
    slice_cycles = cfg.slice_cycles if cabac else 0
    found = np.empty(len(work), np.int64)
    _cycles(
        work["entropy_bins"], work["entropy_bits"], work["slice_start"], rate, cfg.output_bits_per_cycle, overhead,
        slice_cycles, found,
    )  # fmt: skip
    return found
