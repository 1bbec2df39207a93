"""What a session can be asked for: names, aliases, ranges and defaults, each written once.

The command line, `from_options()` and the checks of the constructors all read the same field table, so an option
has one name, one range and one sentence of help. Names are FFmpeg's where FFmpeg has the option.
"""

import dataclasses
import shlex
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from fractions import Fraction
from typing import Any

from driver.borrowed_options import translated
from driver.errors import InvalidConfig
from driver.gop import B_REF_MODES, buffered_references
from driver.option_values import (
    near,
    parse_flag,
    parse_fraction,
    parse_integer,
    parse_rate,
    parse_size,
    parse_tools,
)

MIN_SIDE_PX = 16
# 4096x2304 is MaxFS of levels 5.1 and 5.2 (H.264 Table A-1).
MAX_SIDE_PX = 4096
MAX_HEIGHT_PX = 2304
MAX_RUNGS = 8
# Frames a second.
MIN_RATE, MAX_RATE = Fraction(1, 1000), 1000
# A rung's share of -b:v is its share of the pixels to this power: half the pixels need more than half the bits.
RATE_EXPONENT = 0.75

PIX_FMTS = ("yuv420p", "nv12")
PRESETS = ("fast", "medium", "slow")
# NVENC's and QSV's names for the same three steps
PRESET_ALIASES = {
    "ultrafast": "fast", "superfast": "fast", "veryfast": "fast", "faster": "fast",
    "slower": "slow", "veryslow": "slow",
    "p1": "fast", "p2": "fast", "p3": "fast", "p4": "medium", "p5": "medium", "p6": "slow", "p7": "slow",
}  # fmt: skip
# Reference pictures by preset, unless `refs` says otherwise.
PRESET_REFS = {"fast": 1, "medium": 2, "slow": 4}
# Pictures that rate control looks ahead, unless `rc-lookahead` says otherwise; what the tree takes off a picture's QP.
DEFAULT_LOOKAHEAD = 40
TREE_QP = 5.4
# B pictures between two others, unless `bf` says otherwise; profile baseline has none.
DEFAULT_B_FRAMES = 3

CODECS = ("h264",)
CODEC_ALIASES = {"avc": "h264", "h264_tasic": "h264", "libx264": "h264"}
PROFILES = ("baseline", "main", "high")
CODERS = ("cavlc", "cabac")


def option(
    default: Any = MISSING,
    *,
    names: tuple[str, ...] = (),
    parse: Callable[[Any], Any] = parse_integer,
    low: Any = None,
    high: Any = None,
    choices: tuple[str, ...] = (),
    aliases: Mapping[str, str] | None = None,
    unit: str = "",
    text: str = "",
) -> Any:
    """One field of a configuration: `names` are the spellings on a command line, without dashes, first one shown."""
    metadata = {
        "names": names, "parse": parse, "low": low, "high": high, "choices": choices,
        "aliases": aliases or {}, "unit": unit, "text": text,
    }  # fmt: skip
    return field(default=default, metadata=metadata)


def check_options(options: Any) -> None:
    """Refuse what is no mapping from names."""
    if not isinstance(options, Mapping):
        raise InvalidConfig(f"options: {type(options).__name__}, must be a mapping from names such as {{'b:v': '5M'}}")
    for name in options:
        if not isinstance(name, str):
            raise InvalidConfig(f"options: the name {name!r} is no text")


@dataclass(frozen=True)
class _Config:
    """Checked options: every field is parsed, range-checked and named in the error when it is wrong."""

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, self._checked(item, getattr(self, item.name)))

    @staticmethod
    def _checked(item: "dataclasses.Field[Any]", value: Any) -> Any:
        about = item.metadata
        if value is None and item.default is None:
            return None
        label = about["names"][0] if about["names"] else item.name
        try:
            value = about["parse"](value)
        except (ValueError, TypeError) as error:
            raise InvalidConfig(f"option {label}: {error}", option=item.name, value=value) from None
        value = about["aliases"].get(value, value)
        if about["choices"] and value not in about["choices"]:
            words = ", ".join(about["choices"])
            raise InvalidConfig(
                f"option {label}: {value!r} is not offered; one of {words}{near(str(value), about['choices'])}",
                option=item.name, value=value, choices=about["choices"],
            )  # fmt: skip
        low, high = about["low"], about["high"]
        if (low is not None and value < low) or (high is not None and value > high):
            raise InvalidConfig(
                f"option {label}: {value} is outside {low}..{high}{' ' + about['unit'] if about['unit'] else ''}",
                option=item.name, value=value, low=low, high=high,
            )  # fmt: skip
        return value

    @classmethod
    def spellings(cls) -> dict[str, str]:
        """Every name that a field answers to, mapped to the field."""
        return {name: item.name for item in fields(cls) for name in (*item.metadata["names"], item.name)}

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Any:
        """Build from names as users type them (`{"b:v": "2M", "g": 60}`); an unknown one is refused by name."""
        check_options(options)
        known = cls.spellings()
        values: dict[str, Any] = {}
        for name, value in options.items():
            plain = name.lstrip("-")
            if plain not in known:
                raise InvalidConfig(f"unknown option {name}{near(plain, list(known))}", option=name)
            values[known[plain]] = value
        cls._check_together(values)
        missing = [item.name for item in fields(cls) if item.default is MISSING and item.name not in values]
        if missing:
            raise InvalidConfig(f"option {missing[0]} is missing", option=missing[0])
        return cls(**values)

    @classmethod
    def _check_together(cls, given: Mapping[str, Any]) -> None:
        """Refuse options that contradict each other; `given` has those that were named, by field."""

    def replace(self, **changes: Any) -> Any:
        """Return a copy with `changes`, checked again."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True)
class EncoderConfig(_Config):
    """One H.264 encode session. Constant QP unless `bit_rate` is given."""

    width: int = option(low=MIN_SIDE_PX, high=MAX_SIDE_PX, unit="luma samples", text="picture width, even")
    height: int = option(low=MIN_SIDE_PX, high=MAX_HEIGHT_PX, unit="luma samples", text="picture height, even")
    fps: Fraction = option(
        Fraction(25), names=("r",), parse=parse_fraction, low=MIN_RATE, high=MAX_RATE, unit="frames/s",
        text="nominal frame rate: VUI timing, level choice and rate control",
    )  # fmt: skip
    codec: str = option(
        "h264", names=("c:v", "vcodec", "codec:v"), parse=str, choices=CODECS, aliases=CODEC_ALIASES, text="codec"
    )
    preset: str = option(
        "medium", names=("preset",), parse=str, choices=PRESETS, aliases=PRESET_ALIASES,
        text="effort of the decisions: fast, medium or slow (p1..p7 accepted)",
    )  # fmt: skip
    qp: int = option(
        27,
        names=("qp", "qp:v"),
        low=0,
        high=51,
        text="quantisation parameter of P pictures; I pictures take 3 less, B pictures up to 2 more",
    )
    bit_rate: int | None = option(
        None, names=("b:v", "b"), parse=parse_rate, low=1_000, high=800_000_000, unit="bit/s",
        text="mean bit rate, e.g. 2M; the picture's QP then follows the bits spent",
    )  # fmt: skip
    qp_min: int = option(0, names=("qmin",), low=0, high=51, text="smallest QP that rate control may use")
    qp_max: int = option(51, names=("qmax",), low=0, high=51, text="largest QP that rate control may use")
    max_rate: int | None = option(
        None, names=("maxrate",), parse=parse_rate, low=1_000, high=800_000_000, unit="bit/s",
        text="rate at which the decoder's buffer fills; needs bufsize (default: the mean bit rate)",
    )  # fmt: skip
    buffer_size: int | None = option(
        None, names=("bufsize",), parse=parse_rate, low=1_000, high=1_000_000_000, unit="bits",
        text="the decoder's buffer: it never runs empty at maxrate, whatever the pictures need",
    )  # fmt: skip
    nal_hrd: str = option(
        "none", names=("nal-hrd",), parse=str, choices=("none", "vbr", "cbr"),
        text="declare the buffer in the stream (tasic hrd checks it); cbr: filler keeps the rate constant",
    )  # fmt: skip
    crf: float | None = option(
        None, names=("crf",), parse=float, low=0, high=51,
        text="constant quality, as x264's: the QP follows what pictures are worth to others; goes with maxrate",
    )  # fmt: skip
    rc_lookahead: int | None = option(
        None, names=("rc-lookahead", "rc_lookahead"), low=0, high=60, unit="pictures",
        text="pictures that rate control looks ahead (default 40 with b:v or crf); 0: none, least delay; with qp, 1 or"
        " more: the chip finds scene cuts and adapts the number of B pictures",
    )  # fmt: skip
    mbtree: bool = option(
        True, names=("mbtree",), parse=parse_flag, text="code finer what later pictures refer to (needs rc-lookahead)"
    )
    aq_mode: int = option(
        0, names=("aq-mode", "aq_mode"), low=0, high=1,
        text="adaptive quantisation: 0 none, 1 by variance: costs PSNR, looks better (needs rc-lookahead)",
    )  # fmt: skip
    aq_strength: float = option(
        1.0, names=("aq-strength", "aq_strength"), parse=float, low=0, high=3, text="strength of adaptive quantisation"
    )
    pass_number: int | None = option(
        None, names=("pass",), low=1, high=2,
        text="1: write what each picture took to passlogfile; 2: plan by it; both with the same options",
    )  # fmt: skip
    passlogfile: str = option(
        "tasic2pass", names=("passlogfile",), parse=str, text="beginning of the log's name; -WxH.log is added"
    )
    gop_size: int = option(250, names=("g", "gop"), low=1, high=65535, unit="pictures", text="distance of IDR pictures")
    ref_count: int | None = option(None, names=("refs",), low=1, high=4, text="reference pictures (default: by preset)")
    b_count: int | None = option(
        None,
        names=("bf", "max_b_frames"),
        low=0,
        high=7,
        unit="pictures",
        text="most B pictures in a row (default 3; baseline 0)",
    )
    b_adapt: bool | None = option(
        None, names=("b_strategy", "b_adapt", "b-adapt"), parse=parse_flag,
        text="as few B pictures as pay, by what the chip sees ahead (default with rc-lookahead); 0: always bf",
    )  # fmt: skip
    b_ref_mode: str = option(
        "middle", names=("b_ref_mode",), parse=str, choices=B_REF_MODES,
        aliases={"0": "disabled", "1": "each", "2": "middle"},
        text="B pictures as references: disabled, the middle one, or each that has others on both sides",
    )  # fmt: skip
    refs_l1: int = option(1, names=("refs_l1",), low=1, high=2, text="references of B pictures among later pictures")
    direct: str = option(
        "spatial", names=("direct-pred",), parse=str, choices=("spatial", "temporal"), text="direct prediction"
    )
    weightp: bool = option(
        True, names=("weightp",), parse=lambda text: parse_flag("1" if str(text) in ("2", "-1") else text),
        text="explicit weights in P pictures where light changes as a whole",
    )  # fmt: skip
    weightb: bool = option(True, names=("weightb",), parse=parse_flag, text="implicit weights in bi-prediction")
    scene_cut: int = option(
        40, names=("sc_threshold",), low=0, high=100, text="how readily a picture counts as a scene cut; 0: never"
    )
    slices: int = option(1, names=("slices", "slice"), low=1, high=32, text="slices a picture")
    profile: str = option("high", names=("profile:v", "profile"), parse=str, choices=PROFILES, text="H.264 profile")
    coder: str | None = option(
        None, names=("coder",), parse=str, choices=CODERS,
        aliases={"vlc": "cavlc", "ac": "cabac", "0": "cavlc", "1": "cabac"},
        text="entropy coder (default: the best of the profile)",
    )  # fmt: skip
    dct8x8: bool | None = option(
        None,
        names=("8x8dct",),
        parse=parse_flag,
        text="8x8 transform beside 4x4, and Intra8x8 (default: in profile high)",
    )
    level: str = option(
        "auto", names=("level",), parse=str, text="H.264 level, e.g. 4.1; auto takes the lowest that fits"
    )
    loop_filter: bool = option(True, names=("loop_filter",), parse=parse_flag, text="in-loop deblocking")
    deblock_alpha: int = option(0, names=("deblockalpha",), low=-6, high=6, text="slice_alpha_c0_offset_div2")
    deblock_beta: int = option(0, names=("deblockbeta",), low=-6, high=6, text="slice_beta_offset_div2")
    chroma_qp_offset: int = option(0, names=("chromaoffset",), low=-12, high=12, text="chroma_qp_index_offset")
    cabac_init_idc: int = option(
        0, names=("cabac_init_idc",), low=0, high=2, text="CABAC initialisation table of P slices"
    )
    queue_depth: int = option(4, names=("async_depth",), low=1, high=16, unit="pictures", text="pictures in flight")
    realtime: bool = option(
        False,
        names=("realtime",),
        parse=parse_flag,
        text="reserve the chip's encode rate for this session, or be refused",
    )
    tools_off: int = option(
        0,
        names=("tools_off",),
        parse=parse_tools,
        text="decisions to leave out, e.g. shapes,direct (docs/coding_tools.md)",
    )
    dead_zone_inter: int | None = option(
        None, names=("deadzone-inter",), low=0, high=31, unit="1/64 step",
        text="levels of inter blocks by a dead zone, this much wider than rounding (default: by rate and distortion)",
    )  # fmt: skip
    dead_zone_intra: int | None = option(
        None, names=("deadzone-intra",), low=0, high=31, unit="1/64 step", text="the same of intra blocks"
    )
    seed: int = option(0, names=("seed",), low=0, high=2**32 - 1, text="seed of everything random in the model")
    pix_fmt: str = option(
        "yuv420p", names=("pix_fmt",), parse=str, choices=PIX_FMTS,
        text="how chroma of arrays stands: planes one after the other, or rows of Cb and Cr in turn",
    )  # fmt: skip
    hw_index: int | None = option(None, names=("hw_index",), low=0, high=63, text="number of the device for open_best")
    # None of the following: the stream does not say
    sample_aspect_ratio: Fraction | None = option(
        None, names=("sar",), parse=parse_fraction, low=Fraction(1, 65535), high=65535, text="pixel aspect ratio"
    )
    # Code points of H.264 Tables E-3, E-4 and E-5 (the same numbers as in FFmpeg); 2: unspecified.
    color_primaries: int = option(2, names=("color_primaries",), low=0, high=255, text="colour primaries, Table E-3")
    color_trc: int = option(2, names=("color_trc",), low=0, high=255, text="transfer characteristics, Table E-4")
    colorspace: int = option(2, names=("colorspace",), low=0, high=255, text="matrix coefficients, Table E-5")
    full_range: bool | None = option(
        None, names=("full_range",), parse=parse_flag, text="samples use 0..255, not 16..235"
    )
    # Table E-2 and Figure E-1: 0 left (as in MPEG-2), 1 centre (as in JPEG)
    chroma_location: int | None = option(
        None, names=("chroma_sample_location",), low=0, high=5, text="chroma sample location"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "height"):
            if getattr(self, name) % 2:
                raise InvalidConfig(
                    f"option {name}: {getattr(self, name)} is odd; 4:2:0 is coded in even sizes", option=name
                )
        if self.profile == "baseline" and self.coder == "cabac":
            raise InvalidConfig("option coder: cabac needs -profile:v main or high", option="coder")
        if self.profile == "baseline" and self.b_count:
            raise InvalidConfig(f"option bf: {self.b_count} needs -profile:v main or high", option="bf")
        if self.profile != "high" and self.dct8x8:
            raise InvalidConfig("option 8x8dct: 1 needs -profile:v high", option="8x8dct")
        if self.qp_min > self.qp_max:
            raise InvalidConfig(f"option qmin: {self.qp_min} is more than qmax {self.qp_max}", option="qmin")
        self._check_buffer()
        self._check_rate()
        if self.slices > -(-self.height // 16):
            raise InvalidConfig(
                f"option slices: {self.slices} is more than the {-(-self.height // 16)} macroblock rows",
                option="slices",
            )

    def _check_rate(self) -> None:
        """One way to say how many bits, and nothing that would have no effect."""
        if self.crf is not None and self.bit_rate is not None:
            raise InvalidConfig("option crf: does not go with b:v; constant quality or a bit rate", option="crf")
        if self.b_adapt and not self.lookahead:
            raise InvalidConfig(
                "option b_strategy: 1 needs a chip that looks ahead (rc-lookahead not 0)", option="b_strategy"
            )
        if self.pass_number is not None and (self.bit_rate is None or not self.lookahead):
            raise InvalidConfig(
                f"option pass: {self.pass_number} needs a mean bit rate (b:v), and rc-lookahead not 0", option="pass"
            )
        if self.aq_mode and not (self.lookahead and self.plans):
            raise InvalidConfig(
                "option aq-mode: 1 needs rate control that looks ahead (b:v or crf, and rc-lookahead not 0)",
                option="aq-mode",
            )

    def _check_buffer(self) -> None:
        """The decoder's buffer: both figures or none, no less than the mean rate, and what a declaration needs."""
        if self.max_rate is not None and self.buffer_size is None:
            raise InvalidConfig("option maxrate: needs bufsize, the size of the buffer", option="maxrate")
        if self.buffer_size is not None and self.max_rate is None:
            if self.bit_rate is None:
                raise InvalidConfig("option bufsize: needs maxrate or b:v, the rate that fills it", option="bufsize")
            object.__setattr__(self, "max_rate", self.bit_rate)
        if self.max_rate is not None and self.bit_rate is not None and self.max_rate < self.bit_rate:
            raise InvalidConfig(
                f"option maxrate: {self.max_rate} is less than the mean rate b:v, {self.bit_rate}", option="maxrate"
            )
        if self.nal_hrd != "none" and self.max_rate is None:
            raise InvalidConfig(f"option nal-hrd: {self.nal_hrd} needs maxrate and bufsize", option="nal-hrd")
        if self.nal_hrd == "cbr" and self.max_rate != self.bit_rate:
            raise InvalidConfig("option nal-hrd: cbr needs b:v, and maxrate equal to it", option="nal-hrd")

    def at_rate(self, bit_rate: int | None) -> dict[str, int]:
        """The rates of an output at another mean rate: largest rate and buffer in proportion."""
        if bit_rate is None:
            return {}
        found = {"bit_rate": bit_rate}
        if self.bit_rate and self.max_rate and self.buffer_size:
            found["max_rate"] = max(bit_rate, self.max_rate * bit_rate // self.bit_rate)
            found["buffer_size"] = max(1_000, self.buffer_size * bit_rate // self.bit_rate)
        return found

    @classmethod
    def _check_together(cls, given: Mapping[str, Any]) -> None:
        if given.get("qp") is not None and given.get("bit_rate") is not None:
            raise InvalidConfig(
                "option qp: does not go with b:v; a constant QP or a bit rate, one of the two", option="qp"
            )
        if given.get("qp") is not None and given.get("crf") is not None:
            raise InvalidConfig("option qp: does not go with crf; constant QP or constant quality", option="qp")

    @property
    def lookahead(self) -> int:
        """Pictures that rate control looks ahead."""
        if self.rc_lookahead is not None:
            return self.rc_lookahead
        return DEFAULT_LOOKAHEAD if self.plans else 0

    @property
    def plans(self) -> bool:
        """Whether QPs follow from what lies ahead, where the chip looks ahead; at a constant QP only types do."""
        return self.bit_rate is not None or self.crf is not None

    @property
    def adapts_b(self) -> bool:
        """Whether the number of B pictures follows from what the chip sees ahead."""
        return self.b_frames > 0 and (self.b_adapt if self.b_adapt is not None else self.lookahead > 0)

    @property
    def held_pictures(self) -> int:
        """Most pictures between `send_frame` and `receive_packet`."""
        staged = self.queue_depth + self.b_frames
        return staged + self.lookahead + 3 * self.b_frames + 7 if self.lookahead else staged

    @property
    def aq_sixteenths(self) -> int:
        """Strength of adaptive quantisation as the job block has it."""
        return round(16 * self.aq_strength) if self.aq_mode else 0

    @property
    def quality_qp(self) -> int:
        """Base QP of constant quality, in quarters and 1 more, as the session block has it; 0: none.

        With the macroblock tree most pictures come out finer than the base QP: it is 5.4 higher, as x264's.
        """
        if self.crf is None:
            return 0
        return 1 + min(204, round(4 * (self.crf + (TREE_QP if self.mbtree and self.lookahead else 0))))

    @property
    def effort(self) -> int:
        """0 fast, 1 medium, 2 slow: the number in the job block."""
        return PRESETS.index(self.preset)

    @property
    def references(self) -> int:
        """Reference pictures that P pictures may use."""
        return self.ref_count or PRESET_REFS[self.preset]

    @property
    def b_frames(self) -> int:
        """Most B pictures in a row."""
        if self.b_count is not None:
            return self.b_count
        return 0 if self.profile == "baseline" else DEFAULT_B_FRAMES

    @property
    def buffered_references(self) -> int:
        """Reference pictures that a decoder keeps."""
        return buffered_references(self.references, self.b_frames, self.b_ref_mode)

    @property
    def weighted_p(self) -> bool:
        return self.weightp and self.profile != "baseline"

    @property
    def weighted_b(self) -> bool:
        return self.weightb and self.b_frames > 0

    @property
    def cabac(self) -> bool:
        return self.coder == "cabac" if self.coder else self.profile != "baseline"

    @property
    def transform_8x8(self) -> bool:
        return self.dct8x8 if self.dct8x8 is not None else self.profile == "high"

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Any:
        """As others' configurations, with the names of other encoders too (`borrowed_options.py`)."""
        check_options(options)
        known = cls.spellings()
        return super().from_options(translated(options, lambda name: known.get(name, name)))

    @classmethod
    def from_ffmpeg(cls, line: str) -> "EncoderConfig":
        """Build from a piece of an FFmpeg command line: `-c:v h264 -s 1920x1080 -r 30 -b:v 5M -g 30`."""
        if not isinstance(line, str):
            raise InvalidConfig(f"options: {type(line).__name__}, must be text such as '-b:v 5M -g 30'")
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise InvalidConfig(f"options: {line!r}: {error}") from None
        if len(words) % 2:
            raise InvalidConfig(f"option {words[-1]} has no value", option=words[-1])
        options: dict[str, Any] = {}
        for name, value in zip(words[::2], words[1::2], strict=True):
            if name == "-s":
                try:
                    options["width"], options["height"] = parse_size(value)
                except ValueError as error:
                    raise InvalidConfig(f"option -s: {error}", option="-s") from None
            else:
                options[name] = value
        config: EncoderConfig = cls.from_options(options)
        return config


def _sizes(value: Any) -> tuple[tuple[int, int], ...]:
    """Pairs of width and height."""
    found = []
    for size in value:
        if isinstance(size, str) or len(size) != 2:
            raise ValueError(f"{size!r} is not a width and a height")
        found.append((parse_integer(size[0]), parse_integer(size[1])))
    return tuple(found)


@dataclass(frozen=True)
class ScalerConfig(_Config):
    """One scale session: a picture size in, one or several out."""

    width: int = option(low=MIN_SIDE_PX, high=2 * MAX_SIDE_PX, unit="luma samples", text="width in")
    height: int = option(low=MIN_SIDE_PX, high=2 * MAX_SIDE_PX, unit="luma samples", text="height in")
    sizes: tuple[tuple[int, int], ...] = option(parse=_sizes, text="sizes out")
    queue_depth: int = option(4, names=("async_depth",), low=1, high=16, unit="pictures", text="pictures in flight")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sizes:
            raise InvalidConfig("option s: at least one output size is needed", option="sizes")
        for width, height in self.sizes:
            for name, src, dst in (("width", self.width, width), ("height", self.height, height)):
                if dst % 2 or dst < MIN_SIDE_PX or not src <= dst * 8 or not dst <= src * 4:
                    raise InvalidConfig(
                        f"option s: {name} {src} to {dst} is not possible; outputs are even, at least "
                        f"{MIN_SIDE_PX} and between 1/8 and 4 times the input",
                        option="sizes", value=dst,
                    )  # fmt: skip


@dataclass(frozen=True)
class Rung:
    """One rung of a ladder as asked for: the shorter side (`720p`) or a size, and perhaps a bit rate."""

    side: int | None
    size: tuple[int, int] | None
    bit_rate: int | None

    def fit(self, width: int, height: int) -> tuple[int, int]:
        """Return the even size for a `width` x `height` source: aspect kept, to the nearest even sample."""
        if self.size:
            return self.size
        assert self.side is not None
        short = min(width, height)
        return tuple(max(MIN_SIDE_PX, 2 * round(Fraction(side * self.side, 2 * short))) for side in (width, height))  # type: ignore[return-value]


@dataclass(frozen=True)
class PlannedRung:
    """One output of a ladder, decided: its name (`720p`), size and bit rate (None: constant QP)."""

    label: str
    width: int
    height: int
    bit_rate: int | None


def parse_ladder(text: str) -> tuple[Rung, ...]:
    """Return the rungs of `1080p,720p@2M,640x360@500k`."""
    rungs = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        size_text, at, rate_text = word.partition("@")
        try:
            rate = parse_rate(rate_text) if at else None
            if size_text[-1:].lower() == "p" and size_text[:-1].isdecimal():
                rung = Rung(int(size_text[:-1]), None, rate)
            else:
                rung = Rung(None, parse_size(size_text), rate)
        except ValueError as error:
            raise InvalidConfig(f"option ladder: rung {word!r}: {error} (write 720p, 720p@2M or 1280x720)") from None
        if min(rung.size or (rung.side or 0,)) < MIN_SIDE_PX or max(rung.size or (rung.side or 0,)) > MAX_SIDE_PX:
            raise InvalidConfig(f"option ladder: rung {word!r} is outside {MIN_SIDE_PX}..{MAX_SIDE_PX} luma samples")
        if rung.size and any(side % 2 for side in rung.size):
            raise InvalidConfig(f"option ladder: rung {word!r} has an odd side; 4:2:0 is coded in even sizes")
        if rate is not None and rate < 1_000:
            raise InvalidConfig(f"option ladder: rung {word!r} is below 1000 bit/s")
        rungs.append(rung)
    if not rungs:
        raise InvalidConfig("option ladder: no rung given; write for example 1080p,720p@2M,360p")
    if len(rungs) > MAX_RUNGS:
        raise InvalidConfig(f"option ladder: {len(rungs)} rungs, at most {MAX_RUNGS}")
    return tuple(rungs)


def plan_ladder(rungs: tuple[Rung, ...], width: int, height: int) -> tuple[list[PlannedRung], list[str]]:
    """Decide the sizes of a ladder for a source of `width` x `height` (even), largest first; return warnings too.

    Nothing is scaled up. Of the rungs above the source the one nearest to it is coded at the source's size, unless
    another rung is that size already; the others are left out.
    """
    warnings: list[str] = []
    above: tuple[int, PlannedRung, str] | None = None
    planned: list[PlannedRung] = []
    for rung in rungs:
        w, h = rung.fit(width, height)
        label = f"{rung.side}p" if rung.side else f"{w}x{h}"
        if w > width or h > height:
            if above is None or w * h < above[0]:
                above = (w * h, PlannedRung(f"{min(width, height)}p", width, height, rung.bit_rate), label)
            warnings.append(f"rung {label} is larger than the source ({width}x{height}): never scaled up")
        elif any((w, h) == (other.width, other.height) for other in planned):
            warnings.append(f"rung {label} is there twice: coded once")
        elif w * 8 < width or h * 8 < height:
            option = "ladder" if len(rungs) > 1 else "ladder or s"
            raise InvalidConfig(f"option {option}: {label} is less than 1/8 of the source ({width}x{height})")
        else:
            planned.append(PlannedRung(label, w, h, rung.bit_rate))
    if above and not any((r.width, r.height) == (width, height) for r in planned):
        warnings.append(f"rung {above[2]} is coded at the source's size, as {above[1].label}")
        planned.append(above[1])
    return sorted(planned, key=lambda r: -r.width * r.height), warnings


def share_rate(rungs: list[PlannedRung], bit_rate: int | None) -> list[PlannedRung]:
    """Give `bit_rate` to the largest rung and shares of it, by pixels, to the others that have no rate of their own."""
    if bit_rate is None:
        return rungs
    top = rungs[0].width * rungs[0].height
    return [
        rung
        if rung.bit_rate is not None
        else dataclasses.replace(rung, bit_rate=round(bit_rate * (rung.width * rung.height / top) ** RATE_EXPONENT))
        for rung in rungs
    ]
