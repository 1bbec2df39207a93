"""One job of the decode core: parse, motion, reconstruction of all slices, concealment, deblocking."""

import threading
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.cabac_contexts import CONTEXTS
from asic_model.codecs.h264.macroblock import UNAVAILABLE, Macroblocks
from asic_model.codecs.h264.macroblock import allocate as allocate_macroblocks
from asic_model.cores.decode import inter, tables
from asic_model.cores.decode.account import STAGES, DecodeCoreConfig, memory_requests, stage_cycles, work_record
from asic_model.cores.decode.conceal import KINDS, conceal_picture
from asic_model.cores.decode.job import (
    BOTTOM,
    FIELD_NUMBER,
    FRAME,
    MATRICES,
    NO_ENTRY,
    REFERENCE,
    SLICE,
    SLICE_SCALARS,
    DecodeJob,
    bad_field,
    bad_parameters,
)
from asic_model.cores.decode.motion import derive_motion, store_motion
from asic_model.cores.decode.reconstruct import (
    FETCH_FIELDS,
    FIGURES,
    Geometry,
    Scratch,
    SliceSamples,
    reconstruct_slice,
)
from asic_model.cores.decode.vectors import (
    COL_FIELDS,
    COL_FRAME,
    COL_MBAFF,
    COL_NONE,
    LIST_SIZE,
    ColocatedMotion,
    MotionSlice,
)
from asic_model.cores.result import (
    REQUEST,
    STATUS_BAD_FIELD,
    STATUS_CORRUPT_INPUT,
    STATUS_OK,
    CoreResult,
    Facts,
)
from asic_model.engines import deblock, intra_prediction, transform
from asic_model.engines.deblock.mbaff import deblock_mbaff
from asic_model.engines.parse.bitstream import PADDING_WORDS, load_words
from asic_model.engines.parse.layout import CACHE_SIZE, STATS
from asic_model.engines.parse.neighbours import NEIGHBOURS_SIZE
from asic_model.engines.parse.slice_data import SliceSyntax, parse_slice
from asic_model.engines.parse.state import END, LAST_WORD, OVERLAP, STATE_SIZE
from asic_model.memory.frame_compression import KnownTiles
from asic_model.memory.surface import surface
from asic_model.work import decode_work

_P, _B, _I = 0, 1, 2
_GREY = 128


class _Buffers:
    """What a core holds on chip while it decodes a picture; kept by thread, for pictures of one size."""

    def __init__(self, mb_count: int) -> None:
        self.mb_count = mb_count
        self.record = allocate_macroblocks(mb_count)
        flat = {name: array.reshape(-1) for name, array in self.record._asdict().items()}
        for name in ("mv", "mvd"):
            flat[name] = flat[name].view(np.int32)
        self.flat = Macroblocks(**flat)
        self.state = np.zeros(STATE_SIZE, np.int64)
        self.contexts = np.zeros(CONTEXTS, np.uint8)
        self.neighbours = np.zeros(NEIGHBOURS_SIZE, np.int64)
        self.cache = np.zeros(CACHE_SIZE, np.int16)
        self.found = np.zeros(64, np.int32)
        self.dc_flags = np.zeros(mb_count, np.uint8)
        self.stats = np.zeros(mb_count * STATS, np.int32)
        self.uniform = np.zeros(mb_count, np.uint8)
        self.ref_pic = np.zeros(mb_count * 8, np.int32)
        self.cache_ref = np.full(80, -2, np.int32)
        self.cache_mv = np.zeros(80, np.int32)
        self.motion_tables, self.reference_tables = tables.allocate()
        self.figures = np.zeros(mb_count * FIGURES, np.int32)
        self.fetches = np.zeros(mb_count * 8 * FETCH_FIELDS, np.int32)
        self.edges = np.zeros(mb_count, np.uint8)
        self.deblock = deblock.allocate_scratch(mb_count)
        self.scratch = Scratch(
            inter=np.zeros(inter.SCRATCH_SIZE, np.uint8),
            coefs=np.zeros(transform.SCRATCH, np.int16),
            line=np.zeros(intra_prediction.LINE, np.uint8),
            predictions=np.zeros(intra_prediction.PREDICTIONS, np.uint8),
            nb=self.neighbours,
        )
        self.words = np.zeros(0, np.uint32)

    def hold_stream(self, size: int) -> None:
        """Make room for a slice of `size` bytes."""
        if self.words.size < size // 4 + 1 + PADDING_WORDS:
            self.words = np.zeros(size // 2 + 64, np.uint32)


_local = threading.local()


def _buffers(mb_count: int) -> _Buffers:
    buffers: _Buffers | None = getattr(_local, "buffers", None)
    if buffers is None or buffers.mb_count != mb_count:
        buffers = _local.buffers = _Buffers(mb_count)
    return buffers


@lru_cache(maxsize=32)
def _quantiser(matrices: bytes) -> transform.Quantiser:
    """Scaling tables of one MATRICES record."""
    record = np.frombuffer(matrices, MATRICES)[0]
    return transform.quantiser(record["intra_inter_4x4"], record["intra_inter_8x8"])


def _motion(memory: np.ndarray, address: int, mb_count: int) -> ColocatedMotion:
    """The motion buffer of a frame of `mb_count` macroblocks (also of two fields)."""
    numbers = address + 64 * mb_count
    indices = numbers + 16 * mb_count
    flags = indices + 4 * mb_count
    return ColocatedMotion(
        mv=memory[address:numbers].view(np.int32),
        ref_idx=memory[indices:flags].view(np.int8),
        ref_id=memory[numbers:indices].view(np.int32),
        field=memory[flags : flags + mb_count],
    )


_NO_MOTION = ColocatedMotion(
    np.zeros(16, np.int32), np.full(4, -1, np.int8), np.zeros(4, np.int32), np.zeros(1, np.uint8)
)


class Decoded(NamedTuple):
    """Outcome of the pixels of one job; arrays belong to the thread's buffers until its next job."""

    status_field: int  # number of a bad field, -1: fine
    buffers: _Buffers
    counters: dict[str, int]
    fetch_count: int = 0
    slice_starts: tuple[int, ...] = ()
    stream_bytes: int = 0
    reference_addresses: tuple[int, ...] = ()
    colocated_address: int = 0
    cabac: bool = False
    filtered: bool = False


def _reference_rows(job: DecodeJob, references: np.ndarray) -> np.ndarray:
    """References as `tables.fill_tables` wants them; one more row stands for the picture itself."""
    rows = np.zeros((len(references) + 1, tables.REFERENCE_COLUMNS), np.int64)
    place = surface(job.width, job.height)
    n = len(references)
    rows[:n, tables.R_LUMA] = references["address"]
    rows[n, tables.R_LUMA] = job.out_address
    rows[:, tables.R_CB] = rows[:, tables.R_LUMA] + place.cb_address
    rows[:, tables.R_CR] = rows[:, tables.R_LUMA] + place.cr_address
    rows[:n, tables.R_NUMBER] = references["number"]
    rows[:n, tables.R_POC_TOP : tables.R_POC_BOTTOM + 1] = references["poc"]
    rows[:n, tables.R_LONG_TERM] = references["long_term"] != 0
    rows[:, tables.R_SLOT] = np.arange(n + 1)
    rows[n, tables.R_POC_TOP : tables.R_POC_BOTTOM + 1] = job.poc_top, job.poc_bottom
    return rows


def _fill_grey(memory: np.ndarray, job: DecodeJob) -> None:
    """Set the rows of the picture, of a field its own, to grey."""
    place = job.surface
    step, first = (1, 0) if job.structure == FRAME else (2, int(job.structure == BOTTOM))
    for begin, end, pitch in (
        (place.address, place.cb_address, place.pitch),
        (place.cb_address, place.address + place.size_bytes, place.chroma_pitch),
    ):
        memory[begin:end].reshape(-1, pitch)[first::step] = _GREY


def decode(memory: np.ndarray, job: DecodeJob) -> Decoded:
    """Decode the picture of `job` into device memory."""
    name = bad_field(job, memory.size)
    if name is not None:
        return Decoded(FIELD_NUMBER[name], _buffers(1), {})
    at = job.parameters_address
    slices = memory[at : at + job.slice_count * SLICE.itemsize].view(SLICE)
    at += slices.nbytes
    matrices = memory[at : at + job.matrix_count * MATRICES.itemsize].view(MATRICES)
    at += matrices.nbytes
    references = memory[at : at + job.reference_count * REFERENCE.itemsize].view(REFERENCE)
    if bad_parameters(job, slices, references, memory.size):
        return Decoded(FIELD_NUMBER["parameters_address"], _buffers(1), {})

    b = _buffers(job.mb_count)
    record = b.flat
    record.mb_type.fill(UNAVAILABLE)
    record.slice_id.fill(-1)
    b.stats.fill(0)
    b.figures.fill(0)
    place = job.surface
    second = job.structure == BOTTOM
    geometry = Geometry(
        luma=place.address + second * place.pitch,
        cb=place.cb_address + second * place.chroma_pitch,
        cr=place.cr_address + second * place.chroma_pitch,
        pitch=place.pitch,
        chroma_pitch=place.chroma_pitch,
        width=job.width,
        height=job.height,
        mb_width=job.mb_width,
        field_picture=int(job.structure != FRAME),
        mbaff=job.mbaff,
        chroma=job.chroma,
    )
    rows = _reference_rows(job, references)
    conceal = job.conceal_reference if job.conceal_reference != NO_ENTRY else job.reference_count
    if conceal == job.reference_count:
        _fill_grey(memory, job)  # nothing to copy from: a slice that refers to something refers to grey
    elif not job.chroma:
        memory[place.cb_address : place.address + place.size_bytes] = _GREY

    filters = deblock.allocate_slices(job.slice_count)
    filters.disable[:] = slices["deblock_disable"]
    filters.alpha_offset[:], filters.beta_offset[:] = slices["deblock_alpha"], slices["deblock_beta"]
    filters.cb_offset[:], filters.cr_offset[:] = slices["cb_qp_offset"], slices["cr_qp_offset"]
    fetch_count = 0
    faults = replaced = stream_bytes = 0
    starts: list[int] = []
    heads = slices[SLICE_SCALARS].tolist()
    for number, parameters in enumerate(slices):
        head = dict(zip(SLICE_SCALARS, heads[number], strict=True))
        fetch_count, fault, wrong = _slice(
            memory, job, b, geometry, number, head, parameters, matrices, references, rows, conceal, fetch_count,
            starts, filters.pictures,
        )  # fmt: skip
        faults += fault
        replaced += wrong
        stream_bytes += head["data_bytes"]
    lost = np.zeros(len(KINDS), np.int64)
    if (record.slice_id < 0).any():
        row = rows[conceal]
        offset = int(second)
        if conceal < len(references) and job.structure != FRAME and not references[conceal]["fields"] & job.structure:
            offset = 1 - offset  # the field that there is
        conceal_picture(
            memory, geometry, record, row[tables.R_LUMA] + offset * place.pitch,
            row[tables.R_CB] + offset * place.chroma_pitch, row[tables.R_CR] + offset * place.chroma_pitch,
            conceal != job.reference_count, job.mb_count, lost,
        )  # fmt: skip
    filtered = bool((filters.disable != 1).any())
    if filtered:
        step = 2 if geometry.field_picture else 1
        planes = deblock.Planes(
            memory, geometry.luma, step * place.pitch, geometry.cb, geometry.cr, step * place.chroma_pitch, job.chroma
        )
        if job.mbaff:
            deblock_mbaff(planes, b.record, filters, b.deblock, job.mb_width, job.mb_count, b.edges)
        else:
            deblock.deblock_picture(
                planes, b.record, filters, b.deblock, job.mb_width, job.mb_count // job.mb_width,
                geometry.field_picture, 2 if (slices["kind"] == _B).any() else 1, b.edges,
            )  # fmt: skip
    else:
        b.edges.fill(0)
    if job.motion_address:
        frame_mbs = job.mb_width * (job.height // 16)
        out = _motion(memory, job.motion_address, frame_mbs)
        if second:
            half = frame_mbs // 2
            out = ColocatedMotion(
                out.mv[16 * half :], out.ref_idx[4 * half :], out.ref_id[4 * half :], out.field[half:]
            )
        store_motion(record, b.ref_pic, job.mb_count, out)
    counters = {
        "macroblocks": job.mb_count,
        "bits": 8 * stream_bytes,
        "slices": job.slice_count,
        "damaged_slices": faults,
        "impossible_modes": replaced,
    }
    counters.update(zip(KINDS, lost.tolist(), strict=True))
    colocated = 0
    for parameters in slices[slices["kind"] == _B]:
        entry = int(parameters["ref"][1, 0])
        if entry != NO_ENTRY:
            colocated = int(references[entry]["motion_address"])
            break
    return Decoded(
        -1, b, counters, fetch_count, tuple(starts), stream_bytes,
        reference_addresses=(*references["address"].tolist(), job.out_address),
        colocated_address=colocated,
        cabac=bool(slices["cabac"].any()),
        filtered=filtered,
    )  # fmt: skip


def cost(
    memory: np.ndarray | KnownTiles, job: DecodeJob, config: DecodeCoreConfig, work: np.ndarray, facts: Facts
) -> tuple[np.ndarray, np.ndarray]:
    """Return (cycles int64[n, stages], REQUEST rows) of a picture whose work record and facts are known."""
    cabac, filtered, colocated = facts["flags"].tolist()
    requests = memory_requests(
        memory, config, job, work, facts["fetches"], tuple(facts["references"].tolist()), colocated
    )
    return stage_cycles(config, work, bool(cabac), bool(filtered)), requests


def run(memory: np.ndarray, job: DecodeJob, config: DecodeCoreConfig) -> CoreResult:
    """Decode the picture of `job`: samples, motion and what they cost."""
    result = decode(memory, job)
    if result.status_field >= 0:
        none = np.zeros((0, len(STAGES)), np.int64)
        return CoreResult(
            STATUS_BAD_FIELD, result.status_field, 0, STAGES, none, np.zeros(0, REQUEST), decode_work(0), {}
        )
    b = result.buffers
    work = work_record(job, b.flat.mb_type, b.stats, b.figures, b.edges, result.slice_starts, result.stream_bytes)
    concealed = sum(result.counters[name] for name in KINDS)
    facts: Facts = {
        "fetches": b.fetches[: result.fetch_count * FETCH_FIELDS].copy(),  # rectangles of reference samples
        "references": np.array(result.reference_addresses, np.int64),
        "flags": np.array((result.cabac, result.filtered, result.colocated_address), np.int64),
    }
    cycles, requests = cost(memory, job, config, work, facts)
    return CoreResult(
        status=STATUS_CORRUPT_INPUT if concealed else STATUS_OK,
        detail=concealed,
        output_bytes=job.surface.size_bytes,
        stages=STAGES,
        cycles=cycles,
        requests=requests,
        work=work,
        counters=result.counters,
        facts=facts,
    )


def _slice(
    memory: np.ndarray,
    job: DecodeJob,
    b: _Buffers,
    geometry: Geometry,
    number: int,
    p: dict[str, int],
    parameters: np.void,
    matrices: np.ndarray,
    references: np.ndarray,
    rows: np.ndarray,
    conceal: int,
    fetch_count: int,
    starts: list[int],
    pictures: np.ndarray,
) -> tuple[int, int, int]:
    """Decode slice `number`; p: the plain numbers of its record `parameters`.

    Returns (rectangles fetched so far, 1 if it was damaged, intra modes replaced).
    """
    begin = job.stream_address + p["data_offset"]
    size = p["data_bytes"]
    if size == 0:
        return fetch_count, 0, 0
    b.hold_stream(size)
    last_word, end = load_words(memory, begin, begin + size, b.words)
    b.state[LAST_WORD], b.state[END] = last_word, end
    kind = p["kind"]
    ref_counts = parameters["ref_count"].tolist()
    counts = (ref_counts[0] if kind != _I else 0, ref_counts[1] if kind == _B else 0)
    first_mb = p["first_mb"] << job.mbaff
    if p["first_bit"] >= end:
        return fetch_count, 1, 0
    syntax = SliceSyntax(
        slice_id=number,
        slice_type=kind,
        cabac=p["cabac"],
        first_mb=first_mb,
        mb_width=job.mb_width,
        mb_count=job.mb_count,
        mbaff=job.mbaff,
        field_picture=geometry.field_picture,
        qp=p["qp"],
        cabac_table=0 if kind == _I else p["cabac_init_idc"] + 1,
        ref_count_0=counts[0],
        ref_count_1=counts[1],
        transform_8x8=p["transform_8x8"],
        direct_8x8_inference=job.direct_8x8_inference,
        chroma=job.chroma,
        constrained_intra=p["constrained_intra"],
        first_bit=p["first_bit"],
    )
    parsed, fault = parse_slice(
        b.words, syntax, b.flat, b.state, b.contexts, b.neighbours, b.cache, b.found, b.dc_flags, b.stats
    )
    if not parsed:
        return fetch_count, int(fault != OVERLAP), 0
    starts.append(first_mb)

    col, structure, parity, col_mbs, short_term = _NO_MOTION, COL_NONE, 0, 0, 0
    weights = p["weights"] if kind != _I else 0
    if kind != _I:
        entries = parameters["ref"].astype(np.int64).reshape(-1)
        structures = parameters["ref_structure"].astype(np.int64).reshape(-1)
        whole = job.structure == FRAME
        structures[structures == 0] = FRAME if whole else job.structure
        if whole:
            structures[:] = FRAME
        else:
            structures[structures == FRAME] = job.structure
        entries[entries == NO_ENTRY] = conceal
        b.reference_tables.weighting[: inter.IMPLICIT] = parameters["weight"].reshape(-1)
        tables.fill_tables(
            rows.reshape(-1), entries, structures, counts[0] | counts[1] << 8, job.mbaff, job.structure, job.poc_top,
            job.poc_bottom, geometry.pitch, geometry.chroma_pitch, weights, b.motion_tables, b.reference_tables,
        )  # fmt: skip
        slots = entries * 4 + structures % FRAME
        pictures[number] = slots.reshape(2, LIST_SIZE)
        if kind == _B:
            col, structure, parity, col_mbs, short_term = _colocated(
                memory, job, references, int(entries[LIST_SIZE]), int(structures[LIST_SIZE])
            )
    motion = MotionSlice(
        slice_id=number,
        is_b=int(kind == _B),
        spatial=p["direct_spatial"],
        inference=job.direct_8x8_inference,
        mbaff=job.mbaff,
        field_picture=geometry.field_picture,
        bottom_field=int(job.structure == BOTTOM),
        mb_width=job.mb_width,
        first_mb=first_mb,
        macroblocks=int(parsed),
        ref_count_0=counts[0],
        col_structure=structure,
        col_parity=parity,
        col_field_mbs=col_mbs,
        col_short_term=short_term,
        keep=int(job.motion_address != 0),
    )
    derive_motion(motion, b.flat, b.motion_tables, col, b.neighbours, b.cache_ref, b.cache_mv, b.ref_pic, b.uniform)
    samples = SliceSamples(
        slice_id=number,
        first_mb=first_mb,
        macroblocks=int(parsed),
        constrained_intra=p["constrained_intra"],
        cb_qp_offset=p["cb_qp_offset"],
        cr_qp_offset=p["cr_qp_offset"],
        bypass=job.bypass,
        weights=weights,
        luma_log2_denominator=p["luma_log2_denominator"],
        chroma_log2_denominator=p["chroma_log2_denominator"],
    )
    fetch_count, wrong = reconstruct_slice(
        memory, geometry, samples, b.flat, b.record.total_coeff, b.uniform, b.reference_tables,
        _quantiser(matrices[p["matrices"]].tobytes()), b.scratch, b.figures, b.fetches, fetch_count,
    )  # fmt: skip
    return fetch_count, int(fault != 0), wrong


def _colocated(
    memory: np.ndarray, job: DecodeJob, references: np.ndarray, entry: int, part: int
) -> tuple[ColocatedMotion, int, int, int, int]:
    """Motion of RefPicList1[0]: (arrays, coding structure, parity, macroblocks a field, short-term)."""
    if entry >= len(references) or not references[entry]["motion_address"]:
        return _NO_MOTION, COL_NONE, 0, 0, 0
    picture = references[entry]
    frame_mbs = job.mb_width * (job.height // 16)
    col = _motion(memory, int(picture["motion_address"]), frame_mbs)
    structure = COL_FIELDS if picture["as_fields"] else (COL_MBAFF if picture["mbaff"] else COL_FRAME)
    if structure == COL_FRAME and job.mbaff:
        structure = COL_NONE  # a stream cannot mix them
    parity = int(part == BOTTOM)
    if job.structure == FRAME:
        now = min(job.poc_top, job.poc_bottom)
        top, bottom = (int(poc) for poc in picture["poc"])
        parity = int(abs(top - now) >= abs(bottom - now))
    return col, structure, parity, frame_mbs // 2, int(not picture["long_term"])
