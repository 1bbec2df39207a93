"""A whole encoder: frames in, a stream out, judged by decoding it with FFmpeg.

One transaction is one frame, or with `sequence` all of them: arrays are then one frame behind the other. Fields:
`source_mb` (macroblocks in raster order: 256 luma samples, then 64 pairs of Cb and Cr), `source_mb_planar` (luma, Cb,
Cr a macroblock), `source_ctu` (the same as source_mb in 64x64 units), `source_raster` (planar 4:2:0), `source_nv12`,
`source_y`, `source_u`, `source_v`, `source_uv` (planes, with rows and columns), `source_u_full`, `source_v_full`
(chroma repeated to luma's size: a pixel a beat); scalars `frame`, `intra`, `qp`, `width`, `height`, `mb_width`,
`mb_height`, `ctu_width`, `ctu_height`, `frame_num`, `poc`, `header_bits` (slice_data: of the slice header in front).
Memory ports serve planes `source_y`, `source_u`, `source_v`, `source_uv` (Cb and Cr in turn),
`source_cbcr` (Cb beside Cr in each macroblock), `reference_*` (the reconstruction of the frame before) and
`reconstruction_*`.

`size` in `supports` is the number of frames.
"""

from typing import Any

import numpy as np

from asic_model.codecs.h264.nal import NAL_IDR_SLICE, NAL_SLICE, nal_bytes
from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.codecs.h264.slice_header import SLICE_I, SLICE_P, SliceHeader, write_slice_header
from rtl_tests.foreign.sources import AdapterFault
from rtl_tests.foreign.transactions import hevc_headers
from rtl_tests.foreign.transactions.base import Transaction, Vector, unit_of

START_CODE = b"\0\0\0\1"
_KINDS = ("y", "u", "v", "uv", "cbcr")
_LEAST_PSNR_DB = 25.0


def pictures(count: int, width: int, height: int, seed: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Moving texture with a moving bright square: (Y, Cb, Cr) uint8 planes of each frame."""
    rng = np.random.default_rng(seed)
    tall, wide = height + 64, width + 64
    coarse = rng.integers(40, 200, (tall // 8 + 2, wide // 8 + 2))
    y, x = np.indices((tall, wide))
    rows, columns = y // 8, x // 8
    fy, fx = y % 8, x % 8
    smooth = (
        coarse[rows, columns] * (8 - fy) * (8 - fx) + coarse[rows + 1, columns] * fy * (8 - fx)
        + coarse[rows, columns + 1] * (8 - fy) * fx + coarse[rows + 1, columns + 1] * fy * fx
    ) // 64  # fmt: skip
    texture = np.clip(smooth + rng.integers(-3, 4, smooth.shape), 0, 255).astype(np.uint8)
    found = []
    for n in range(count):
        luma = texture[n : n + height, 2 * n : 2 * n + width].copy()
        top, left = (5 * n + 8) % max(1, height - 24), (9 * n + 16) % max(1, width - 24)
        luma[top : top + 16, left : left + 16] = 225
        cb = (128 + (luma[::2, ::2].astype(np.int64) - 128) // 4).astype(np.uint8)
        cr = (128 - (luma[1::2, 1::2].astype(np.int64) - 128) // 5).astype(np.uint8)
        found.append((luma, cb, cr))
    return found


def units(planes: tuple[np.ndarray, np.ndarray, np.ndarray], side: int, interleaved: bool) -> np.ndarray:
    """Macroblocks or coding tree units one behind the other; edges are repeated."""
    height, width = planes[0].shape
    padded = [
        np.pad(plane, ((0, -plane.shape[0] % edge), (0, -plane.shape[1] % edge)), mode="edge")
        for plane, edge in zip(planes, (side, side // 2, side // 2), strict=True)
    ]
    parts = []
    half = side // 2
    for row in range(-(-height // side)):
        for column in range(-(-width // side)):
            luma = padded[0][row * side : (row + 1) * side, column * side : (column + 1) * side]
            chroma = [plane[row * half : (row + 1) * half, column * half : (column + 1) * half] for plane in padded[1:]]
            parts.append(luma.ravel())
            parts += [np.stack(chroma, -1).ravel()] if interleaved else [each.ravel() for each in chroma]
    return np.concatenate(parts).astype(np.int64)


def cbcr(u: np.ndarray, v: np.ndarray, fill: int | None = None) -> np.ndarray:
    """Cb and Cr side by side in each macroblock, 8 and 8 columns; filled up to whole ones with `fill`, or the edge."""
    wide = [(0, 0), (0, -u.shape[1] % 8)]
    whole = [
        np.pad(plane, wide, mode="edge") if fill is None else np.pad(plane, wide, constant_values=fill)
        for plane in (u, v)
    ]
    height = u.shape[0]
    return np.stack([plane.reshape(height, -1, 8) for plane in whole], 2).reshape(height, -1)


class FrameEncode(Transaction):
    name = "frame_encode"
    engine = "core"
    planes = tuple(f"{what}_{kind}" for what in ("source", "reference", "reconstruction") for kind in _KINDS)
    copies = tuple((f"reference_{kind}", f"reconstruction_{kind}") for kind in _KINDS)
    operations = {  # noqa: RUF012
        "h264": {"encode": {"intra": tuple(range(1, 65)), "inter": tuple(range(1, 65))}},
        "hevc": {"encode": {"intra": tuple(range(1, 65)), "inter": tuple(range(1, 65))}},
        "mpeg2": {"encode": {"intra": tuple(range(1, 65)), "inter": tuple(range(1, 65))}},
        "jpeg": {"encode": {"intra": tuple(range(1, 65))}},
    }
    options = {  # noqa: RUF012
        "width": (176, "luma samples"),
        "height": (144, "luma samples"),
        "qp": (27, "quantiser of every frame"),
        "payload": ("annexb", "annexb: whole stream; nal: one NAL unit a frame; rbsp: without emulation prevention; "
                              "slice_data: headers and parameter sets are added"),
        "entropy": ("cavlc", "slice_data: cavlc or cabac"),
        "profile": (66, "slice_data, h264: profile_idc"),
        "transform_8x8": (False, "slice_data: transform_8x8_mode_flag"),
        "deblock_disable": (0, "slice_data: disable_deblocking_filter_idc"),
        "sequence": (False, "one start for all frames, which the block counts itself (annexb)"),
        "trailing_bits": (True, "slice_data: the block writes rbsp_trailing_bits itself"),
        **hevc_headers.OPTIONS,
    }  # fmt: skip

    def _asked(self) -> list[tuple[str, str, int]]:
        if self.adapter.options.get("payload", "annexb") not in ("annexb", "nal", "rbsp", "slice_data"):
            raise AdapterFault(
                f"options.payload: {self.adapter.options['payload']!r} is not one of annexb, nal, rbsp, slice_data"
            )
        if self.option["sequence"] and self.option["payload"] != "annexb":
            raise AdapterFault(
                f"options.sequence: of one string for all frames {self.option['payload']!r} cannot be divided; "
                "options.payload: annexb"
            )
        if self.option["sequence"] and self.adapter.memory_ports:
            raise AdapterFault(
                "options.sequence: memory_ports serve one frame a transaction; `inputs` and `axi` serve all"
            )
        if self._hevc and self.option["payload"] == "slice_data":
            hevc_headers.check_options(self.option)
        return super()._asked()

    def vectors(self, rng: np.random.Generator) -> list[Vector]:
        op, kind, count = self.asked[0]
        width, height, qp = (int(self.option[name]) for name in ("width", "height", "qp"))
        if width % 2 or height % 2 or not 16 <= width <= 4096 or not 16 <= height <= 4096:
            raise AdapterFault(f"options.width, options.height: {width}x{height} is not even and within 16..4096")
        found: list[Vector] = []
        for n, planes in enumerate(pictures(count, width, height, int(rng.integers(1 << 30)))):
            y, u, v = planes
            uv = np.stack((u, v), -1).reshape(height // 2, width)
            intra = int(kind == "intra" or n == 0)
            fields = {
                "source_mb": units(planes, 16, True), "source_mb_planar": units(planes, 16, False),
                "source_ctu": units(planes, 64, True),
                "source_raster": np.concatenate([plane.ravel() for plane in planes]).astype(np.int64),
                "source_nv12": np.concatenate([y.ravel(), uv.ravel()]).astype(np.int64),
                "source_y": y.astype(np.int64), "source_u": u.astype(np.int64), "source_v": v.astype(np.int64),
                "source_uv": uv.astype(np.int64), "source_u_full": u.repeat(2, 0).repeat(2, 1).astype(np.int64),
                "source_v_full": v.repeat(2, 0).repeat(2, 1).astype(np.int64),
                "frame": n, "intra": intra, "qp": qp, "width": width, "height": height, "mb_width": -(-width // 16),
                "mb_height": -(-height // 16), "ctu_width": -(-width // 64), "ctu_height": -(-height // 64),
                "poc": 2 * n, "size": count,
            }  # fmt: skip
            fields["frame_num"] = 0 if intra else (found[-1].fields["frame_num"] + 1) % 16
            fields["header_bits"] = 0
            if self.option["payload"] == "slice_data":
                # HEVC's header is filled up to a byte.
                fields["header_bits"] = 0 if self._hevc else len(self._header(fields)[2])
            served = {"source_y": y, "source_u": u, "source_v": v, "source_uv": uv, "source_cbcr": cbcr(u, v)}
            found.append(Vector(op, kind, count, fields, {"bits": ""}, f"frame {n}", served))
        return [self._sequence(found)] if self.option["sequence"] else found

    @staticmethod
    def _sequence(frames: list[Vector]) -> Vector:
        """All frames in one transaction: arrays behind each other, scalars of the first; the frames as reference."""
        first = frames[0]
        fields = {
            name: np.concatenate([each.fields[name] for each in frames]) if isinstance(value, np.ndarray) else value
            for name, value in first.fields.items()
        }
        return Vector(first.op, first.kind, first.size, fields, {"bits": ""}, "sequence", reference=frames)

    def plane_sizes(self) -> dict[str, tuple[int, int]]:
        """(width, height) of each plane: whole coding units, so that stores of edge units have a place."""
        side = 64 if self.adapter.block.standard == "hevc" else 16
        width = -(-int(self.option["width"]) // side) * side
        height = -(-int(self.option["height"]) // side) * side
        found = {}
        for name in self.planes:
            kind = name.rpartition("_")[2]
            found[name] = {"y": (width, height), "uv": (width, height // 2), "cbcr": (width, height // 2)}.get(
                kind, (width // 2, height // 2)
            )
        return found

    def stream(self, vectors: list[Vector], payloads: list[str]) -> bytes:
        """The whole stream from what came out frame by frame, as text of bits."""
        form = self.option["payload"]
        if form == "slice_data":
            return self._hevc_wrapped(vectors, payloads) if self._hevc else self._wrapped(vectors, payloads)
        data = [
            int(text, 2).to_bytes(len(text) // 8, "big") if text else b""
            for text in (t[: len(t) // 8 * 8] for t in payloads)
        ]
        if form == "annexb":
            return b"".join(data)
        if form == "nal":
            return b"".join(START_CODE + each for each in data)
        return b"".join(START_CODE + nal_bytes(each[0] >> 5 & 3, each[0] & 31, each[1:]) for each in data if each)

    def _header(self, fields: dict[str, Any]) -> tuple[Sps, Pps, str]:
        """Parameter sets, and the bits of a slice header in front of the block's slice data."""
        if self.adapter.block.standard != "h264":
            raise AdapterFault("options.payload: slice_data can be wrapped for h264 and hevc only")
        cabac, eight = self.option["entropy"] == "cabac", bool(self.option["transform_8x8"])
        sps = Sps(profile_idc=int(self.option["profile"]), level_idc=40, pic_order_cnt_type=2)
        sps.set_size(fields["width"], fields["height"])
        pps = Pps(entropy_coding_mode_flag=cabac, deblocking_filter_control_present_flag=True, has_extension=eight,
                  transform_8x8_mode_flag=eight)  # fmt: skip
        intra = fields["intra"]
        header = SliceHeader(
            nal_unit_type=NAL_IDR_SLICE if intra else NAL_SLICE,
            nal_ref_idc=3,
            slice_type=SLICE_I if intra else SLICE_P,
            frame_num=fields["frame_num"],
            idr_pic_id=fields["frame"] % 2 if intra else 0,
            slice_qp_delta=fields["qp"] - 26,
            disable_deblocking_filter_idc=int(self.option["deblock_disable"]),
        )
        data, size = write_slice_header(header, sps, pps)
        bits = "".join(f"{byte:08b}" for byte in data)[:size]
        return sps, pps, bits + ("1" * (-size % 8) if cabac else "")

    @property
    def _hevc(self) -> bool:
        return self.adapter.block.standard == "hevc"

    def _hevc_wrapped(self, vectors: list[Vector], payloads: list[str]) -> bytes:
        headers = hevc_headers.Headers(vectors[0].fields["width"], vectors[0].fields["height"], self.option)
        out = b"".join(START_CODE + each for each in (headers.vps(), headers.sps(), headers.pps()))
        idr = 0
        for vector, payload in zip(vectors, payloads, strict=True):
            intra = bool(vector.fields["intra"])
            idr = vector.fields["frame"] if intra else idr
            # A decoder wants the stop bit as the last one; what fills the block's last word behind it goes.
            data = payload.rstrip("0") if self.option["trailing_bits"] else payload + "1"
            out += START_CODE + headers.slice_nal(
                data, intra=intra, poc=vector.fields["frame"] - idr, qp=vector.fields["qp"]
            )
        return out

    def _wrapped(self, vectors: list[Vector], payloads: list[str]) -> bytes:
        sps, pps, _ = self._header(vectors[0].fields)
        out = START_CODE + sps.to_nal() + START_CODE + pps.to_nal()
        for vector, payload in zip(vectors, payloads, strict=True):
            bits = self._header(vector.fields)[2] + payload
            if not self.option["trailing_bits"]:
                bits += "1"
            bits += "0" * (-len(bits) % 8)
            rbsp = int(bits, 2).to_bytes(len(bits) // 8, "big").rstrip(b"\0")
            out += START_CODE + nal_bytes(3, NAL_IDR_SLICE if vector.fields["intra"] else NAL_SLICE, rbsp)
        return out

    def judge_all(
        self, vectors: list[Vector], payloads: list[str], reconstructions: list[dict[str, np.ndarray]]
    ) -> tuple[str | None, dict[str, float]]:
        """Decode; compare with the source by PSNR and, where the block stored one, with its reconstruction exactly.

        A stream that is wrong is tried as another option would have it; one that makes it right is named.
        """
        empty = next((n for n, text in enumerate(payloads) if not text), None)
        if empty is not None:
            late = " (what comes after done counts for `control.recovery_cycles` cycles)"
            return f"frame {empty}: no bits came{late if self.adapter.control else ''}", {}
        failure, figures = self._judged(vectors, payloads, reconstructions)
        if failure is None:
            return failure, figures
        kept = dict(self.option)
        try:
            for option, value in self._other_options():
                self.option = {**kept, option: value}
                if self._judged(vectors, payloads, reconstructions)[0] is None:
                    return f"{failure} (right with `{option}: {str(value).lower()}` under options)", figures
        finally:
            self.option = kept
        return failure, figures

    def _other_options(self) -> list[tuple[str, Any]]:
        form = self.option["payload"]
        if form != "slice_data":
            return [("payload", each) for each in ("annexb", "nal", "rbsp") if each != form]
        found: list[tuple[str, Any]] = [("trailing_bits", not self.option["trailing_bits"])]
        if not self._hevc:
            found.append(("entropy", "cavlc" if self.option["entropy"] == "cabac" else "cabac"))
            found.append(("transform_8x8", not self.option["transform_8x8"]))
            found += [("deblock_disable", n) for n in (0, 1, 2) if n != self.option["deblock_disable"]]
        return found

    def _judged(
        self, vectors: list[Vector], payloads: list[str], reconstructions: list[dict[str, np.ndarray]]
    ) -> tuple[str | None, dict[str, float]]:
        import av

        stream = self.stream(vectors, payloads)
        vectors = vectors[0].reference or vectors
        name = {"h264": "h264", "hevc": "hevc", "mpeg2": "mpeg2video", "jpeg": "mjpeg"}[self.adapter.block.standard]
        context = av.CodecContext.create(name, "r")
        context.options = {"err_detect": "explode"}
        context.thread_count = 1
        decoded: list[np.ndarray] = []
        try:
            for packet in [*context.parse(stream), *context.parse(b""), None]:
                decoded += [frame.to_ndarray(format="yuv420p") for frame in context.decode(packet)]
        except av.FFmpegError as error:
            return f"FFmpeg: {error} at decoded frame {len(decoded)} of {len(vectors)}", {"bytes": float(len(stream))}
        if len(decoded) != len(vectors):
            return f"{len(decoded)} frames were decoded of {len(vectors)}", {"bytes": float(len(stream))}
        least = self.adapter.tolerance.min_psnr_db or _LEAST_PSNR_DB
        width, height = vectors[0].fields["width"], vectors[0].fields["height"]
        worst = 100.0
        for n, (vector, planes) in enumerate(zip(vectors, decoded, strict=True)):
            luma = planes[:height, :width].astype(np.int64)
            squared = float(np.mean((luma - vector.planes["source_y"].astype(np.int64)) ** 2))
            psnr = 100.0 if squared == 0 else min(100.0, 10 * float(np.log10(255**2 / squared)))
            worst = min(worst, psnr)
            if psnr < least:
                return f"frame {n}: luma PSNR {psnr:.1f} dB, at least {least:.1f} was expected", {"psnr_db": psnr}
            text = self._reconstruction_differs(
                n, planes, reconstructions[n] if n < len(reconstructions) else {}, width, height
            )
            if text:
                return text, {"psnr_db": worst}
        return None, {"psnr_db": worst, "bytes": float(len(stream)), "frames": float(len(decoded))}

    @staticmethod
    def _reconstruction_differs(
        number: int, planes: np.ndarray, stored: dict[str, np.ndarray], width: int, height: int
    ) -> str | None:
        flat = planes.ravel()
        half = (height // 2, width // 2)
        u = flat[width * height : width * height + half[0] * half[1]].reshape(half)
        v = flat[width * height + half[0] * half[1] :].reshape(half)
        whole = {"y": planes[:height, :width], "u": u, "v": v, "uv": np.stack((u, v), -1).reshape(half[0], width)}
        whole["cbcr"] = cbcr(u.astype(np.int64), v.astype(np.int64), fill=-1)  # -1: outside the picture
        for kind, decoded in whole.items():
            found = stored.get(f"reconstruction_{kind}")
            if found is None:
                continue
            wrong = np.argwhere((found[: decoded.shape[0], : decoded.shape[1]] != decoded) & (decoded != -1))
            if len(wrong):
                y, x = wrong[0]
                return (
                    f"frame {number}: reconstruction_{kind}[{y}, {x}] is {found[y, x]}, FFmpeg decodes "
                    f"{decoded[y, x]}; {len(wrong)} samples differ"
                )
        return None

    def per_unit(self, size: int) -> tuple[float, str]:
        side, unit = unit_of(self.adapter.block.standard)
        frames = self.asked[0][2] if self.option["sequence"] else 1
        return 1 / (frames * -(-int(self.option["width"]) // side) * -(-int(self.option["height"]) // side)), unit

    def not_covered(self) -> list[str]:
        inter = any(kind == "inter" for _, kind, _ in self.asked)
        return [
            *self.foreign_standard(), *(["B pictures"] if inter else ["P and B pictures"]),
            f"pictures other than {self.option['width']}x{self.option['height']}",
            f"quantisers other than {self.option['qp']}",
        ]  # fmt: skip

    def timing(self, cycles: float, vectors: list[Vector]) -> dict[str, Any]:
        side, _ = unit_of(self.adapter.block.standard)
        return {"constant": cycles * self.per_unit(0)[0] / (side / 16) ** 2}
