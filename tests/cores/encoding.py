"""A small host for the encode core: pictures into a memory array, jobs, a stream out, and FFmpeg to decode it."""

import io

import av
import numpy as np

from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.cores.encode import EncodeCoreConfig, EncodeJob, run
from asic_model.cores.encode.core import Recording
from asic_model.cores.result import STATUS_OK
from asic_model.memory.surface import Surface, surface

CONFIG = EncodeCoreConfig()
START_CODE = b"\0\0\0\1"
PAGE = 4096


def natural(width: int, height: int, count: int, seed: int = 0) -> list[tuple[np.ndarray, ...]]:
    """Moving texture with edges: pictures of (Y, Cb, Cr), uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 4 + 24, width // 4 + 24)).astype(np.float64)
    canvas = np.kron(coarse, np.ones((4, 4)))
    for axis in (0, 1):  # soften: neighbouring samples of natural video resemble each other
        canvas = (np.roll(canvas, 1, axis) + 2 * canvas + np.roll(canvas, -1, axis)) / 4
    pictures = []
    for index in range(count):
        luma = canvas[2 * index : 2 * index + height, 3 * index : 3 * index + width].copy()
        luma[height // 4 : height // 2, width // 4 : width // 2] = 40 + 9 * index
        chroma = [luma[::2, ::2] * 0.5 + 50, 190 - luma[::2, ::2] * 0.4]
        pictures.append(tuple(np.clip(plane, 0, 255).astype(np.uint8) for plane in (luma, *chroma)))
    return pictures


def flat(width: int, height: int, count: int, seed: int = 0) -> list[tuple[np.ndarray, ...]]:
    """One grey that steps by one a picture."""
    shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    return [tuple(np.full(shape, 100 + seed % 50 + index, np.uint8) for shape in shapes) for index in range(count)]


def noise(width: int, height: int, count: int, seed: int = 0) -> list[tuple[np.ndarray, ...]]:
    """Uniform noise over the whole range: nothing predicts anything."""
    rng = np.random.default_rng(seed)
    shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    return [tuple(rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes) for _ in range(count)]


def screen(width: int, height: int, count: int, seed: int = 0) -> list[tuple[np.ndarray, ...]]:
    """Black strokes on white that scroll by four lines a picture, and a coloured bar."""
    rng = np.random.default_rng(seed)
    page = np.where(rng.random((height + 8 * count, width)) < 0.2, 0, 255).astype(np.uint8)
    pictures = []
    for index in range(count):
        luma = page[4 * index : 4 * index + height].copy()
        cb, cr = (np.full((height // 2, width // 2), 128, np.uint8) for _ in range(2))
        luma[:, : width // 8] = 81
        cb[:, : width // 16], cr[:, : width // 16] = 90, 240
        pictures.append((luma, cb, cr))
    return pictures


CONTENT = {"natural": natural, "flat": flat, "noise": noise, "screen": screen}


def planes(memory: np.ndarray, place: Surface, width: int, height: int) -> tuple[np.ndarray, ...]:
    """Views of the upper left `width` x `height` of a surface."""
    views = []
    for address, pitch, w, h in (
        (place.address, place.pitch, width, height),
        (place.cb_address, place.chroma_pitch, width // 2, height // 2),
        (place.cr_address, place.chroma_pitch, width // 2, height // 2),
    ):
        views.append(memory[address : address + pitch * h].reshape(h, pitch)[:, :w])
    return tuple(views)


def encode(
    pictures: list[tuple[np.ndarray, ...]],
    *,
    qp: int = 27,
    entropy: int = 1,
    slices: int = 1,
    references: int = 1,
    gop: int = 0,
    effort: int = 1,
    qp_offsets: np.ndarray | None = None,
    config: EncodeCoreConfig = CONFIG,
    recordings: list[Recording] | None = None,
    **fields: int,
) -> tuple[bytes, list[tuple[np.ndarray, ...]], list]:
    """Encode `pictures`; return (Annex B stream, reconstructions cropped to the picture, results of the jobs).

    `gop` pictures from one IDR picture to the next, 0 for a single one. `recordings` gets one of each picture. Other
    `fields` go into every job.
    """
    height, width = pictures[0][0].shape
    coded_width, coded_height = -(-width // 16) * 16, -(-height // 16) * 16
    macroblocks = coded_width * coded_height // 256

    def pages(size: int) -> int:
        return -(-size // PAGE) * PAGE

    sizes = [surface(width, height).size_bytes]
    sizes += [surface(coded_width, coded_height).size_bytes] * (references + 1)
    sizes += [64 * macroblocks] * 2 + [macroblocks]
    capacity = 2 * coded_width * coded_height + 65536
    addresses = np.cumsum([PAGE, *map(pages, sizes)]).tolist()
    source, stores = addresses[0], addresses[1 : references + 2]
    motion, offsets, out = addresses[references + 2 : references + 4], addresses[references + 4], addresses[-1]
    memory = np.zeros(out + capacity + PAGE, np.uint8)
    if qp_offsets is not None:
        memory[offsets : offsets + macroblocks] = qp_offsets.astype(np.int8).view(np.uint8)

    sps = Sps(
        profile_idc=100 if fields.get("transform_8x8") else 77,
        level_idc=51,
        pic_order_cnt_type=2,
        max_num_ref_frames=references,
    )
    sps.set_size(width, height)
    pps = Pps(
        entropy_coding_mode_flag=bool(entropy),
        deblocking_filter_control_present_flag=True,
        chroma_qp_index_offset=fields.get("chroma_qp_offset", 0),
        has_extension=bool(fields.get("transform_8x8")),
        transform_8x8_mode_flag=bool(fields.get("transform_8x8")),
        second_chroma_qp_index_offset=fields.get("chroma_qp_offset", 0),
    )
    stream = START_CODE + sps.to_nal() + START_CODE + pps.to_nal()
    kept: list[int] = []  # reconstructions, latest first
    reconstructions, results, frame_num, idr_pic_id = [], [], 0, 0
    for index, picture in enumerate(pictures):
        idr = index == 0 or (gop > 0 and index % gop == 0)
        if idr:
            kept, frame_num, idr_pic_id = [], 0, idr_pic_id ^ 1
        for view, plane in zip(planes(memory, surface(width, height, source), width, height), picture, strict=True):
            view[:] = plane
        store = stores[index % len(stores)]
        used = kept[:references]
        job = EncodeJob(
            width=width,
            height=height,
            src_address=source,
            recon_address=store,
            ref_count=len(used),
            motion_in_address=motion[(index + 1) % 2] if used else 0,
            motion_out_address=motion[index % 2],
            out_address=out,
            out_capacity=capacity,
            qp_map_address=offsets if qp_offsets is not None else 0,
            slice_type=2 if idr else 0,
            idr=int(idr),
            frame_num=frame_num,
            idr_pic_id=idr_pic_id,
            qp=qp,
            entropy=entropy,
            slices=slices,
            effort=effort,
            **{f"ref_address_{i}": address for i, address in enumerate(used)},
            **fields,
        )
        result = run(memory, job, config, recordings)
        assert result.status == STATUS_OK, (result.status, result.detail)
        stream += memory[out : out + result.output_bytes].tobytes()
        views = planes(memory, surface(coded_width, coded_height, store), width, height)
        reconstructions.append(tuple(view.copy() for view in views))
        results.append(result)
        kept.insert(0, store)
        frame_num = (frame_num + 1) % 16
    return stream, reconstructions, results


def decode(stream: bytes) -> list[tuple[np.ndarray, ...]]:
    """What FFmpeg makes of an Annex B stream: (Y, Cb, Cr) of each picture, cropped."""
    pictures = []
    with av.open(io.BytesIO(stream), format="h264") as container:
        container.streams.video[0].thread_count = 1
        for frame in container.decode(video=0):
            w, h = frame.width, frame.height
            flat_samples = frame.to_ndarray(format="yuv420p").reshape(-1)
            luma = flat_samples[: w * h].reshape(h, w)
            chroma = flat_samples[w * h :].reshape(2, h // 2, w // 2)
            pictures.append((luma, chroma[0], chroma[1]))
    return pictures


def check_against_ffmpeg(stream: bytes, reconstructions: list[tuple[np.ndarray, ...]], what: str) -> None:
    """Assert that FFmpeg's pictures equal the reconstructions; say where the first difference is."""
    decoded = decode(stream)
    assert len(decoded) == len(reconstructions), f"{what}: {len(decoded)} of {len(reconstructions)} pictures decoded"
    for number, (theirs, ours) in enumerate(zip(decoded, reconstructions, strict=True)):
        for name, a, b in zip(("Y", "Cb", "Cr"), theirs, ours, strict=True):
            assert a.shape == b.shape, f"{what}: picture {number} {name}: {a.shape}, model {b.shape}"
            if not np.array_equal(a, b):
                y, x = np.argwhere(a != b)[0]
                size = 16 if name == "Y" else 8
                raise AssertionError(
                    f"{what}: picture {number}, {name}, macroblock ({x // size}, {y // size}), sample ({x}, {y}): "
                    f"FFmpeg {a[y, x]}, model {b[y, x]}"
                )
