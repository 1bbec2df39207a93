"""Options that users of other H.264 encoders type (h264_nvenc, h264_qsv, the AMA SDK), in the words of this one.

What has the same meaning here is taken over; what has none is refused by name, with what comes nearest. Names that mean
the same as in FFmpeg's own options stand in the table of `options.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from driver.errors import InvalidConfig
from driver.option_values import parse_flag

NVENC_AQ_STRENGTH = 8  # of 1..15: what -spatial-aq takes by default, here 1.0
CBR_BUFFER_SECONDS = 1  # of -rc cbr without -bufsize

# Tunes by what they change; those of latency take B pictures and looking ahead away, unless these are asked for.
TUNES = {"hq": "", "psnr": "", "ssim": "aq", "ll": "latency", "ull": "latency", "zerolatency": "latency"}
RATE_CONTROLS = {
    "constqp": "constqp", "vbr": "vbr", "vbr_hq": "vbr", "cbr": "cbr", "cbr_hq": "cbr", "cbr_ld_hq": "cbr",
}  # fmt: skip

REFUSED = {
    "2pass": "use -pass 1 and -pass 2", "cbr": "use -rc cbr",
    "surfaces": "use -async_depth", "delay": "use -async_depth",
    "nonref_p": "every P picture is a reference",
    "strict_gop": "use -sc_threshold 0", "aud": "no access unit delimiters are written", "dpb_size": "use -refs",
    "init_qpI": "use -qp or -qmin and -qmax", "init_qpP": "use -qp or -qmin and -qmax",
    "init_qpB": "use -qp or -qmin and -qmax", "intra-refresh": "intra pictures are whole: use -g",
    "single-slice-intra-refresh": "intra pictures are whole: use -g", "max_slice_size": "use -slices",
    "keyint_min": "use -g, and -sc_threshold 0 for a fixed distance", "x264-params": "give each option by itself",
    "x264opts": "give each option by itself", "global_quality": "use -crf or -qp", "flags": "there are none",
    "temporal_layers": "use -b_ref_mode", "qcomp": "it is the macroblock tree's", "me_method": "use -preset",
    "me_range": "it is the chip's: see tasic chips", "subq": "use -preset", "trellis": "use -deadzone-inter",
    "partitions": "use -tools_off", "bluray-compat": "use -maxrate, -bufsize and -nal-hrd",
}  # fmt: skip


def _flag(name: str, value: Any) -> bool:
    try:
        return parse_flag(value)
    except ValueError as error:
        raise InvalidConfig(f"option {name}: {error}", option=name, value=value) from None


def _choice(name: str, value: Any, choices: Mapping[str, str]) -> str:
    if str(value) not in choices:
        raise InvalidConfig(
            f"option {name}: {str(value)!r} is not offered; one of {', '.join(choices)}", option=name, value=value
        )
    return choices[str(value)]


class _Taking:
    """Takes borrowed options out of what was given (by plain name) and puts this encoder's in their place."""

    def __init__(self, given: dict[str, Any], spelled: Callable[[str], str]) -> None:
        self.given = given
        self._spelled = spelled  # field of a name
        self._fields = {spelled(name) for name in given}

    def take(self, *names: str) -> tuple[str, Any] | None:
        """The name and value of the one that was given, if any, which is then taken."""
        found = [(name, self.given.pop(name)) for name in names if name in self.given]
        return found[-1] if found else None

    def default(self, name: str, value: Any) -> None:
        """Put an option in unless it was given, under whatever name."""
        if self._spelled(name) not in self._fields:
            self.put(name, value)

    def put(self, name: str, value: Any) -> None:
        self.given[name] = value
        self._fields.add(self._spelled(name))

    def value(self, name: str) -> Any:
        """What was given for a field, None if nothing was."""
        return next((v for n, v in self.given.items() if self._spelled(n) == self._spelled(name)), None)

    def drop(self, name: str) -> None:
        for other in [n for n in self.given if self._spelled(n) == self._spelled(name)]:
            del self.given[other]


def translated(options: Mapping[str, Any], spelled: Callable[[str], str]) -> dict[str, Any]:
    """Return `options` with this encoder's names only, as far as they are known at all.

    spelled : field that a name of this encoder stands for; an unknown name stands for itself
    Raises InvalidConfig for what is refused, naming it.
    """
    for name in options:
        if name.lstrip("-") in REFUSED:
            raise InvalidConfig(f"option {name}: not offered; {REFUSED[name.lstrip('-')]}", option=name)
    written = {name.lstrip("-"): name for name in options}
    taking = _Taking({name.lstrip("-"): value for name, value in options.items()}, spelled)
    _take_quality(taking)
    _take_adaptive(taking)
    _take_rate_control(taking)
    if tune := taking.take("tune"):
        what = _choice(tune[0], tune[1], TUNES)
        if what == "aq":
            taking.default("aq-mode", 1)
        elif what == "latency":
            _without_delay(taking)
    if (low := taking.take("zerolatency", "low_latency", "low-latency")) and _flag(*low):
        _without_delay(taking)
    if (cuts := taking.take("no-scenecut", "no_scenecut")) and _flag(*cuts):
        taking.put("sc_threshold", 0)
    if weights := taking.take("weighted_pred"):
        taking.put("weightp", _flag(*weights))
    if (forced := taking.take("forced-idr", "forced_idr")) and not _flag(*forced):
        raise InvalidConfig(
            f"option {forced[0]}: 0 is not offered; forced key frames are IDR pictures", option=forced[0]
        )
    if passes := taking.take("multipass"):
        _choice(passes[0], passes[1], {"disabled": "", "0": ""})
    if gpu := taking.take("gpu"):
        if str(gpu[1]) not in ("-1", "any"):
            taking.put("hw_index", gpu[1])
    if depth := taking.take("lookahead_depth", "look_ahead_depth"):
        taking.put("rc-lookahead", depth[1])
    return {written.get(name, name): value for name, value in taking.given.items()}


def _take_quality(taking: _Taking) -> None:
    if quality := taking.take("cq"):
        name, value = quality
        try:
            automatic = float(value) == 0
        except (ValueError, TypeError):
            raise InvalidConfig(f"option {name}: {value!r} is not a number", option=name, value=value) from None
        if not automatic:  # 0 leaves it to the bit rate
            if taking.value("crf") is not None:
                raise InvalidConfig(f"option {name}: does not go with crf; they mean the same", option=name)
            taking.put("crf", value)
    if taking.value("crf") is not None and str(taking.value("b:v")) == "0":
        taking.drop("b:v")  # how FFmpeg's users say that the quality alone decides


def _take_adaptive(taking: _Taking) -> None:
    if spatial := taking.take("spatial-aq", "spatial_aq"):
        on = _flag(*spatial)
        taking.put("aq-mode", int(on))
        strength = taking.value("aq-strength")
        if strength is not None:  # on NVENC's scale then
            taking.drop("aq-strength")
            try:
                steps = float(strength)
            except (ValueError, TypeError):
                raise InvalidConfig(f"option aq-strength: {strength!r} is not a number", option="aq-strength") from None
            if not 1 <= steps <= 15:
                raise InvalidConfig(
                    f"option aq-strength: {strength} is outside 1..15, its range with spatial-aq", option="aq-strength"
                )
            taking.put("aq-strength", steps / NVENC_AQ_STRENGTH)
    if temporal := taking.take("temporal-aq", "temporal_aq"):
        taking.put("mbtree", _flag(*temporal))


def _take_rate_control(taking: _Taking) -> None:
    mode = taking.take("rc")
    if mode is None:
        return
    name, value = mode
    what = _choice(name, value, RATE_CONTROLS)
    rate = taking.value("b:v")
    if what == "constqp":
        for other in ("b:v", "crf"):
            if taking.value(other) is not None:
                raise InvalidConfig(f"option {name}: constqp does not go with {other}", option=name)
    elif what == "cbr":
        if rate is None:
            raise InvalidConfig(f"option {name}: cbr needs b:v", option=name)
        taking.default("maxrate", rate)
        taking.default("bufsize", taking.value("maxrate"))
    elif rate is None and taking.value("crf") is None:
        raise InvalidConfig(f"option {name}: vbr needs b:v or cq", option=name)


def _without_delay(taking: _Taking) -> None:
    taking.default("bf", 0)
    if taking.value("b:v") is not None or taking.value("crf") is not None:
        taking.default("rc-lookahead", 0)


# Names that `translated` takes.
TAKEN = (
    "rc", "cq", "spatial-aq", "spatial_aq", "temporal-aq", "temporal_aq", "tune", "zerolatency", "low_latency",
    "low-latency", "no-scenecut", "no_scenecut", "weighted_pred", "forced-idr", "forced_idr", "multipass", "gpu",
    "lookahead_depth", "look_ahead_depth",
)  # fmt: skip
