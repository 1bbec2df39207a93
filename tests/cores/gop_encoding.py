"""Whole groups of pictures through the encode core: what tests of B pictures need."""

from typing import Any

import numpy as np

from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.codecs.h264.vui import Vui
from asic_model.cores.encode import EncodeJob, run
from asic_model.cores.result import STATUS_OK
from asic_model.memory.surface import surface
from driver.gop import LOG2_MAX_FRAME_NUM, LOG2_MAX_POC_LSB, PictureHeader, PictureOrder, hierarchy_depth
from tests.cores.encoding import CONFIG, PAGE, START_CODE, planes

Planes = tuple[np.ndarray, ...]


def encode_gop(
    pictures: list[Planes], *, qp: int = 27, entropy: int = 1, slices: int = 1, references: int = 2, gop: int = 250,
    b_frames: int = 3, b_ref_mode: str = "middle", references_l1: int = 1, cuts: tuple[int, ...] = (), effort: int = 1,
    qp_b: int = 2, direct_temporal: int = 0, weighted: int = 0, **fields: int,
) -> tuple[bytes, list[Planes], list[tuple[PictureHeader, Any]]]:  # fmt: skip
    """Encode `pictures`; return (Annex B stream, reconstructions in display order, headers and results as coded)."""
    height, width = pictures[0][0].shape
    coded = surface(-(-width // 16) * 16, -(-height // 16) * 16)
    macroblocks = coded.width * coded.height // 256
    order = PictureOrder(gop, references, b_frames, b_ref_mode, references_l1)
    stores = order.capacity + 2
    capacity = 2 * coded.width * coded.height + 65536
    sizes = [surface(width, height).size_bytes, *[coded.size_bytes] * stores, *[32 * macroblocks] * stores]
    addresses = np.cumsum([PAGE, *(-(-size // PAGE) * PAGE for size in sizes)]).tolist()
    source, recon, motion, out = addresses[0], addresses[1 : stores + 1], addresses[stores + 1 : -1], addresses[-1]
    memory = np.zeros(out + capacity + PAGE, np.uint8)
    reordering = b_frames > 0
    sps = Sps(
        profile_idc=100, level_idc=51, pic_order_cnt_type=0 if reordering else 2,
        log2_max_frame_num_minus4=LOG2_MAX_FRAME_NUM - 4, log2_max_pic_order_cnt_lsb_minus4=LOG2_MAX_POC_LSB - 4,
        max_num_ref_frames=order.capacity,
    )  # fmt: skip
    sps.set_size(width, height)
    sps.vui = Vui(  # without it FFmpeg guesses how many pictures to hold back
        bitstream_restriction_flag=True, max_num_reorder_frames=hierarchy_depth(b_frames, b_ref_mode),
        max_dec_frame_buffering=order.capacity,
    )  # fmt: skip
    pps = Pps(
        entropy_coding_mode_flag=bool(entropy), deblocking_filter_control_present_flag=True,
        weighted_pred_flag=bool(weighted & 1), weighted_bipred_idc=2 if weighted & 2 else 0, has_extension=True,
        transform_8x8_mode_flag=bool(fields.get("transform_8x8")),
    )  # fmt: skip
    stream = START_CODE + sps.to_nal() + START_CODE + pps.to_nal()
    reconstructions: dict[int, Planes] = {}
    results = []
    place: dict[int, int] = {}  # display number -> store

    def code(header: PictureHeader) -> None:
        nonlocal stream
        for view, plane in zip(
            planes(memory, surface(width, height, source), width, height), pictures[header.token], strict=True
        ):
            view[:] = plane
        held = {place[kept.token] for kept in order._kept if kept.token != header.token}
        held |= {place[kept.token] for entries in header.lists for kept in entries}
        store = next(number for number in range(stores) if number not in held)
        place[header.token] = store
        addresses = {}
        for prefix, entries in zip(("ref", "ref_l1"), header.lists, strict=True):
            for number, kept in enumerate(entries):
                addresses[f"{prefix}_address_{number}"] = recon[place[kept.token]]
        first = header.lists[1] or header.lists[0]
        job = EncodeJob(
            width=width, height=height, src_address=source, recon_address=recon[store], out_address=out,
            out_capacity=capacity, motion_in_address=motion[place[first[0].token]] if first else 0,
            motion_out_address=motion[store], qp=min(51, qp + (qp_b if header.level else 0)), entropy=entropy,
            slices=slices, effort=effort, direct_temporal=direct_temporal, weighted=weighted,
            **addresses, **header.fields, **fields,
        )  # fmt: skip
        result = run(memory, job, CONFIG)
        assert result.status == STATUS_OK, (result.status, result.detail)
        stream += memory[out : out + result.output_bytes].tobytes()
        views = planes(memory, surface(coded.width, coded.height, recon[store]), width, height)
        reconstructions[header.token] = tuple(view.copy() for view in views)
        results.append((header, result))

    for number in range(len(pictures)):
        for header in order.add(number, number in cuts):
            code(header)
    for header in order.flush():
        code(header)
    return stream, [reconstructions[number] for number in range(len(pictures))], results
