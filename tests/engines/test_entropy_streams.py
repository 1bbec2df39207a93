"""Other encoders' streams, parsed by the oracle and written again by the engine, come out byte for byte the same.

CABAC leaves no choice below the syntax elements, CAVLC one (mb_type 3 or 4 when all references are 0: these streams
take 4). So this holds the engine's binarisation, contexts, arithmetic coder and code tables against encoders that
never saw it.
"""

from pathlib import Path

import numpy as np
import pytest

from asic_model.codecs.h264.macroblock import allocate
from asic_model.codecs.h264.nal import NAL_IDR_SLICE, NAL_PPS, NAL_SLICE, NAL_SPS, parse_nal, split_annex_b
from asic_model.codecs.h264.parameter_sets import Pps, Sps, parse_pps, parse_sps
from asic_model.codecs.h264.slice_header import SLICE_B, parse_slice_header
from asic_model.engines.entropy import SliceParameters, entropy_scratch, write_slice
from asic_model.work import encode_work
from tests.oracle.fill_record import fill_record
from tests.oracle.slice_data import Slice, parse_slice_data


def rewrite(path: Path, pictures: int) -> int:
    """Check the first `pictures` pictures' I and P slices; return how many slices that were."""
    data = path.read_bytes()
    sequences: dict[int, Sps] = {}
    sets: dict[int, Pps] = {}
    checked = seen = slice_id = 0
    for begin, end in split_annex_b(data):
        unit = parse_nal(data[begin:end])
        if unit.nal_unit_type == NAL_SPS:
            sps = parse_sps(unit.rbsp)
            sequences[sps.seq_parameter_set_id] = sps
        elif unit.nal_unit_type == NAL_PPS:
            pps = parse_pps(unit.rbsp, sequences)
            sets[pps.pic_parameter_set_id] = pps
        elif unit.nal_unit_type in (NAL_SLICE, NAL_IDR_SLICE):
            rbsp = unit.rbsp.rstrip(b"\0")
            header = parse_slice_header(rbsp, unit.nal_unit_type, unit.nal_ref_idc, sequences, sets)
            pps = sets[header.pic_parameter_set_id]
            sps = sequences[pps.seq_parameter_set_id]
            if header.kind == SLICE_B:
                continue
            count = sps.mb_width * sps.mb_height >> header.field_pic_flag
            if header.first_mb_in_slice == 0:
                seen += 1
                if seen > pictures:
                    break
                mbs, slice_id = allocate(count), 0
            refs = header.num_ref_idx_l0_active_minus1 + 1, header.num_ref_idx_l1_active_minus1 + 1
            what = Slice(
                mb_width=sps.mb_width,
                first_mb=header.first_mb_in_slice,
                slice_type=header.kind,
                qp=header.slice_qp(pps),
                cabac=pps.entropy_coding_mode_flag,
                cabac_init_idc=header.cabac_init_idc,
                refs=refs,
                transform_8x8_mode=pps.transform_8x8_mode_flag,
                direct_8x8_inference=sps.direct_8x8_inference_flag,
                field=header.field_pic_flag,
                monochrome=sps.chroma_format_idc == 0,
                mb_limit=count,
            )
            parsed, _ = parse_slice_data(rbsp, header.header_bits, what)
            fill_record(mbs, sps.mb_width, slice_id, parsed)
            slice_id += 1
            p = SliceParameters(
                first_mb=header.first_mb_in_slice,
                mb_count=len(parsed),
                mb_width=sps.mb_width,
                slice_type=header.kind,
                qp=what.qp,
                cabac=int(what.cabac),
                cabac_init_idc=header.cabac_init_idc,
                num_ref_idx_l0=refs[0],
                num_ref_idx_l1=refs[1],
                transform_8x8_mode=int(what.transform_8x8_mode),
                field=int(what.field),
                monochrome=int(what.monochrome),
            )
            out = np.zeros(2 * len(rbsp) + 4096, np.uint8)
            size = write_slice(
                mbs,
                p,
                entropy_scratch(count),
                encode_work(count),
                rbsp,
                header.header_bits,
                data[begin],
                out,
                0,
                out.size,
            )
            written = parse_nal(out[4:size].tobytes()).rbsp
            differing = [i for i, (ours, theirs) in enumerate(zip(written, rbsp, strict=False)) if ours != theirs]
            assert not differing, f"picture {seen}, slice {slice_id}: first difference at byte {differing[0]}"
            assert len(written) == len(rbsp)
            checked += 1
    return checked


FAST = (
    "BAMQ1_JVC_C.264",  # CAVLC, I and P, mb_qp_delta everywhere
    "BA1_FT_C.264",  # several slices a picture
    "CABA2_SVA_B.264",
    "CAPA1_TOSHIBA_B.264",  # field pictures
    "LS_SVA_D.264",
    "MR1_MW_A.264",  # several references
)
SLOW = (
    "BA_MW_D.264",
    "CABA1_SVA_B.264",
    "CANL1_SVA_B.264",
    "CVPCMNL1_SVA_C.264",  # I_PCM
    "FRExt1_Panasonic_D.avc",  # 8x8 transform
    "FRExt3_Panasonic_E.avc",
    "HPCAFL_BRCM_C.264",  # fields with 8x8 transform
    "HPCAMOLQ_BRCM_B.264",  # monochrome
    "HPCANL_BRCM_C.264",
    "MR1_BT_A.h264",
    "NLMQ1_JVC_C.264",
    "brcm_freh3.264",
    "freh12_b.264",
)


@pytest.mark.parametrize("name", FAST)
def test_streams_of_others_are_written_again(media: Path, name: str) -> None:
    assert rewrite(media / "h264_conformance" / name, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_more_streams_of_others_are_written_again(media: Path, name: str) -> None:
    assert rewrite(media / "h264_conformance" / name, 4)
