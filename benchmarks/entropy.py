"""Speed of the entropy engine on the syntax of real pictures: x264's P-only stream of a clip, parsed and written again.

The syntax comes from the plain-Python parser of tests/oracle, so that only the engine is timed; what it writes is held
to x264's own bytes.
"""

import time

import numpy as np

from asic_model.codecs.h264.macroblock import P_SKIP, allocate
from asic_model.codecs.h264.nal import NAL_IDR_SLICE, NAL_PPS, NAL_SLICE, NAL_SPS, parse_nal, split_annex_b
from asic_model.codecs.h264.parameter_sets import parse_pps, parse_sps
from asic_model.codecs.h264.slice_header import parse_slice_header
from asic_model.engines.entropy import SliceParameters, entropy_scratch, write_slice
from asic_model.work import encode_work
from benchmarks import measure
from tests.oracle.fill_record import fill_record
from tests.oracle.slice_data import Slice, parse_slice_data


def report(stream: bytes, runs: int) -> None:
    """Print one line a picture."""
    sets: dict[int, bytes] = {}
    for begin, end in split_annex_b(stream):
        unit = parse_nal(stream[begin:end])
        if unit.nal_unit_type in (NAL_SPS, NAL_PPS):
            sets[unit.nal_unit_type] = unit.rbsp
        if unit.nal_unit_type not in (NAL_SLICE, NAL_IDR_SLICE):
            continue
        sps = parse_sps(sets[NAL_SPS])
        pps = parse_pps(sets[NAL_PPS], {sps.seq_parameter_set_id: sps})
        rbsp = unit.rbsp.rstrip(b"\0")
        known = {sps.seq_parameter_set_id: sps}, {pps.pic_parameter_set_id: pps}
        header = parse_slice_header(rbsp, unit.nal_unit_type, unit.nal_ref_idc, *known)
        count = sps.mb_width * sps.mb_height
        refs = header.num_ref_idx_l0_active_minus1 + 1, 1
        cabac, qp, kind = pps.entropy_coding_mode_flag, header.slice_qp(pps), header.kind
        what = Slice(sps.mb_width, 0, kind, qp, cabac, header.cabac_init_idc, refs, mb_limit=count)
        parsed, position = parse_slice_data(rbsp, header.header_bits, what)
        mbs, work, scratch = allocate(count), encode_work(count), entropy_scratch(count)
        fill_record(mbs, sps.mb_width, 0, parsed)
        p = SliceParameters(0, count, sps.mb_width, kind, qp, int(cabac), header.cabac_init_idc, *refs)
        out = np.zeros(2 * len(rbsp) + 4096, np.uint8)
        best = float("inf")
        for _ in range(runs + 1):
            start = time.process_time()
            end = write_slice(mbs, p, scratch, work, rbsp, header.header_bits, stream[begin], out, 0, out.size)
            best = min(best, time.process_time() - start)
        # x264 fills the last byte behind the stop bit in its own way
        whole = (position - 1) // 8
        if parse_nal(out[4:end].tobytes()).rbsp[:whole] != rbsp[:whole]:
            raise SystemExit("the engine's bytes differ from x264's")
        elements = int(work["entropy_bins"].sum())
        print(
            f"{'PBI'[kind]} {'cabac' if cabac else 'cavlc'}: {best / count * 1e9:6.0f} ns a macroblock,"
            f" {elements / best / 1e6:5.0f} million {'bins' if cabac else 'codewords'}/s"
            f"  ({elements / count:.1f} and {work['entropy_bits'].mean():.1f} bits a macroblock,"
            f" {(mbs.mb_type == P_SKIP).mean():.0%} skipped)",
            flush=True,
        )


def main() -> None:
    parser = measure.parser("entropy", __doc__)
    parser.add_argument("--clip", default="sam2_03_blocks", help="clip of the test media, or a file")
    parser.add_argument("--qp", type=int, default=27)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--skip", type=int, default=60, help="frames to leave out at the beginning")
    parser.add_argument("--runs", type=int, default=7, help="runs timed, of which the shortest counts")
    options = parser.parse_args()
    clip = measure.read_clip(options.clip, options.frames, options.skip)
    for cabac in (1, 0):
        parameters = f"{measure.X264_PARAMETERS}:weightp=0:scenecut=0:cabac={cabac}"
        report(measure.encode_x264(clip, options.qp, parameters=parameters).stream, options.runs)
    print(measure.statement())


if __name__ == "__main__":
    main()
