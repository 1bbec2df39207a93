"""Jobs of the RTL encode core: what it can do of the model's, and how a job stands on its port.

`job_word` packs `encode_core_pkg::job_t`; `refused_field` is what a wrapper answers BAD_FIELD with.
"""

from asic_model.cores.encode.effort import SINGLE_PASS_P
from asic_model.cores.encode.job import CABAC, SLICE_I, SLICE_P, EncodeJob
from asic_model.cores.encode.syntax import WEIGHTED_P
from asic_model.descriptors import EncodeMode, Tool
from rtl_tests.handshake import pack_record

MB_WIDTH_MAX = 64


def refused_field(job: EncodeJob, mb_width_max: int = MB_WIDTH_MAX) -> str | None:
    """Name of the first field of a job that the model can do and the RTL cannot, or None."""
    inter = job.slice_type == SLICE_P
    wanted_off = SINGLE_PASS_P if inter else Tool.TRIALS
    refused = {
        "mode": job.mode != EncodeMode.ENCODE,
        "slice_type": job.slice_type not in (SLICE_I, SLICE_P),
        "slices": job.slices != 1,
        "tools_off": job.tools_off & wanted_off != wanted_off or (inter and job.tools_off & Tool.COARSE_SEARCH != 0),
        "transform_8x8": job.transform_8x8 != 0,
        "qp_map_address": job.qp_map_address != 0,
        "max_bits": job.max_bits != 0,
        "dead_zone_intra": job.dead_zone_intra != 0,
        "src_surface_width": job.src_surface_width != 0,
        "unmark_count": job.unmark_count != 0,
        "deblock_disable": job.deblock_disable == 2,
        "width": job.mb_width > mb_width_max,
        "src_address": job.src_address % 64 != 0 or job.src_address >> 32 != 0,
        "recon_address": job.recon_address % 64 != 0 or job.recon_address >> 32 != 0,
        "out_address": job.out_address % 8 != 0 or job.out_address >> 32 != 0,
        "motion_out_address": job.motion_out_address % 8 != 0 or job.motion_out_address >> 32 != 0,
    }
    if inter:
        refused |= {
            "ref_count": job.ref_count != 1,
            "ref_address_0": job.ref_address_0 % 64 != 0 or job.ref_address_0 >> 32 != 0,
            "weighted": job.weighted & WEIGHTED_P != 0,
            "modify_lists": job.modify_lists & 1 != 0,
            "dead_zone_inter": job.dead_zone_inter != 0,
            "vectors_address": job.vectors_address != 0,
            "motion_in_address": job.motion_in_address % 8 != 0 or job.motion_in_address >> 32 != 0,
        }
    return next((name for name, cannot in refused.items() if cannot), None)


def job_word(job: EncodeJob) -> int:
    """`job_t` as an integer."""
    return pack_record(
        [
            (job.width, 13), (job.height, 13), (job.src_address, 32), (job.recon_address, 32), (job.out_address, 32),
            (job.out_capacity, 32), (job.qp, 6), (job.chroma_qp_offset, 5), (job.entropy == CABAC, 1),
            (job.deblock_disable, 1), (job.deblock_alpha, 4), (job.deblock_beta, 4), (job.idr, 1), (job.nal_ref_idc, 2),
            (job.idr_pic_id, 16), (job.frame_num, 16), (job.poc_lsb, 16), (job.log2_max_frame_num, 5),
            (job.log2_max_poc_lsb, 5), (job.motion_out_address, 32), (job.slice_type == SLICE_P, 1),
            (job.ref_address_0, 32), (job.ref_poc_0, 16), (job.motion_in_address, 32), (job.cabac_init_idc, 2),
            (not job.tools_off & Tool.INTRA_IN_INTER, 1),
        ]
    )  # fmt: skip
