"""Parameter sets and slice headers of HEVC around slice data that an encoder leaves bare (7.3.2, 7.3.6).

One slice a picture, Main profile, 4:2:0, 8 bits; every intra picture is an IDR, every other one refers to the picture
before it. What the encoder's slice data assumes is said by options, most of them flags of the sequence or picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asic_model.codecs.h264.nal import escape
from rtl_tests.foreign.sources import AdapterFault

VPS, SPS, PPS, IDR_W_RADL, TRAIL_R = 32, 33, 34, 19, 1
_POC_BITS = 8

OPTIONS: dict[str, tuple[Any, str]] = {
    "ctb": (64, "hevc slice_data: luma samples on a side of a coding tree block, 16, 32, 64"),
    "min_cb": (8, "hevc slice_data: of the smallest coding block"),
    "max_tb": (32, "hevc slice_data: of the largest transform block"),
    "min_tb": (4, "hevc slice_data: of the smallest transform block"),
    "tb_depth_intra": (0, "hevc slice_data: max_transform_hierarchy_depth_intra"),
    "tb_depth_inter": (0, "hevc slice_data: max_transform_hierarchy_depth_inter"),
    "amp": (False, "hevc slice_data: amp_enabled_flag"),
    "sao": (False, "hevc slice_data: sample_adaptive_offset_enabled_flag, and the flags of both components"),
    "pcm": (0, "hevc slice_data: side of PCM blocks, 8, 16 or 32; 0: none"),
    "tmvp": (False, "hevc slice_data: sps_temporal_mvp_enabled_flag"),
    "strong_smoothing": (False, "hevc slice_data: strong_intra_smoothing_enabled_flag"),
    "sign_hiding": (False, "hevc slice_data: sign_data_hiding_enabled_flag"),
    "transform_skip": (False, "hevc slice_data: transform_skip_enabled_flag"),
    "cu_qp_delta_depth": (-1, "hevc slice_data: diff_cu_qp_delta_depth; -1: no cu_qp_delta"),
    "merge_candidates": (5, "hevc slice_data: MaxNumMergeCand, 1..5"),
}


def u(value: int, bits: int) -> str:
    return f"{value:0{bits}b}"


def ue(value: int) -> str:
    text = f"{value + 1:b}"
    return "0" * (len(text) - 1) + text


def se(value: int) -> str:
    return ue(2 * value - 1 if value > 0 else -2 * value)


def _log2(value: int) -> int:
    return value.bit_length() - 1


def nal(kind: int, rbsp: str) -> bytes:
    """A NAL unit of layer 0 from text of bits that is closed by its stop bit."""
    bits = rbsp + "0" * (-len(rbsp) % 8)
    return bytes([kind << 1, 1]) + escape(int(bits, 2).to_bytes(len(bits) // 8, "big"))


_ALLOWED = {
    "ctb": (16, 32, 64), "min_cb": (8, 16, 32, 64), "max_tb": (4, 8, 16, 32), "min_tb": (4, 8, 16, 32),
    "pcm": (0, 8, 16, 32), "merge_candidates": (1, 2, 3, 4, 5), "tb_depth_intra": tuple(range(5)),
    "tb_depth_inter": tuple(range(5)), "cu_qp_delta_depth": tuple(range(-1, 4)),
}  # fmt: skip


def check_options(option: Mapping[str, Any]) -> None:
    """Raises AdapterFault for a value that no stream can have."""
    for name, allowed in _ALLOWED.items():
        if option[name] not in allowed:
            raise AdapterFault(f"options.{name}: {option[name]} is not allowed; one of {', '.join(map(str, allowed))}")
    for small, large in (("min_cb", "ctb"), ("min_tb", "max_tb"), ("max_tb", "ctb")):
        if option[small] > option[large]:
            raise AdapterFault(f"options.{small}: {option[small]} is larger than {large}, {option[large]}")


@dataclass(frozen=True)
class Headers:
    """Parameter sets for pictures of one size; `option` has the names of OPTIONS and `deblock_disable`."""

    width: int
    height: int
    option: Mapping[str, Any]

    @staticmethod
    def _profile() -> str:
        # Main: profile_idc 1, compatible with profiles 1 and 2; progressive frames; level 4
        return u(1, 8) + u(0x60000000, 32) + "1001" + u(0, 44) + u(120, 8)

    def vps(self) -> bytes:
        text = u(0, 4) + "11" + u(0, 6) + u(0, 3) + "1" + u(0xFFFF, 16) + self._profile()
        text += "1" + ue(1) + ue(0) + ue(0)  # two pictures in the DPB, none out of order
        return nal(VPS, text + u(0, 6) + ue(0) + "0" + "0" + "1")

    def sps(self) -> bytes:
        o = self.option
        least = int(o["min_cb"])
        whole = -(-self.width // least) * least, -(-self.height // least) * least
        text = u(0, 4) + u(0, 3) + "1" + self._profile() + ue(0) + ue(1) + ue(whole[0]) + ue(whole[1])
        if whole == (self.width, self.height):
            text += "0"
        else:
            text += "1" + ue(0) + ue((whole[0] - self.width) // 2) + ue(0) + ue((whole[1] - self.height) // 2)
        text += ue(0) + ue(0) + ue(_POC_BITS - 4) + "1" + ue(1) + ue(0) + ue(0)
        text += ue(_log2(least) - 3) + ue(_log2(o["ctb"]) - _log2(least))
        text += ue(_log2(o["min_tb"]) - 2) + ue(_log2(o["max_tb"]) - _log2(o["min_tb"]))
        text += ue(o["tb_depth_inter"]) + ue(o["tb_depth_intra"])
        text += "0" + u(o["amp"], 1) + u(o["sao"], 1)
        if o["pcm"]:
            text += "1" + u(7, 4) + u(7, 4) + ue(_log2(o["pcm"]) - 3) + ue(0) + "1"
        else:
            text += "0"
        text += ue(1) + ue(1) + ue(0) + ue(0) + "1"  # one reference picture set: the picture before
        return nal(SPS, text + "0" + u(o["tmvp"], 1) + u(o["strong_smoothing"], 1) + "0" + "0" + "1")

    def pps(self) -> bytes:
        o = self.option
        text = ue(0) + ue(0) + "0" + "0" + u(0, 3) + u(o["sign_hiding"], 1) + "0" + ue(0) + ue(0) + se(0) + "0"
        text += u(o["transform_skip"], 1)
        text += "0" if o["cu_qp_delta_depth"] < 0 else "1" + ue(o["cu_qp_delta_depth"])
        text += se(0) + se(0) + "0" + "0" + "0" + "0" + "0" + "0" + "0"  # ... tiles, wavefronts, filters across slices
        text += "1" + "0" + ("1" if o["deblock_disable"] else "0" + se(0) + se(0))
        return nal(PPS, text + "0" + "0" + ue(0) + "0" + "0" + "1")

    def slice_header(self, *, intra: bool, poc: int, qp: int) -> str:
        """Up to the byte where slice data begins."""
        o = self.option
        text = "1" + ("0" if intra else "") + ue(0) + ue(2 if intra else 1)
        if not intra:
            text += u(poc % (1 << _POC_BITS), _POC_BITS) + "1" + u(o["tmvp"], 1) * bool(o["tmvp"])
        text += "11" if o["sao"] else ""
        if not intra:
            text += "0" + ue(5 - o["merge_candidates"])
        text += se(qp - 26) + "1"
        return text + "0" * (-len(text) % 8)

    def slice_nal(self, data: str, *, intra: bool, poc: int, qp: int) -> bytes:
        """A picture's NAL unit; `data` ends with its stop bit."""
        text = self.slice_header(intra=intra, poc=poc, qp=qp) + data
        return nal(IDR_W_RADL if intra else TRAIL_R, text)
