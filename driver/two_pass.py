"""Two passes over a file: what each picture took in the first one, and the plan that follows from it for the second.

The log is text, one line a picture in coding order behind a first line that says what it belongs to. Cost of a picture
is its bits times the quantiser step of its QP, the offset that the first pass on the chip gives it left out; so the
bits at any other base QP follow, and from all of them the base QP that takes the rate (firmware/plan.c).
"""

import os
from dataclasses import dataclass
from pathlib import Path

from driver.errors import InvalidConfig
from driver.options import EncoderConfig

_HEAD = "tasic two-pass log 1"
_COST_MOST = (1 << 32) - 1
CLASSES = 4


def log_path(config: EncoderConfig) -> Path:
    """One log an output: a ladder's rungs have sizes of their own."""
    return Path(f"{config.passlogfile}-{config.width}x{config.height}.log")


@dataclass(frozen=True)
class PassedPicture:
    """One picture of the first pass."""

    picture_class: int
    qp: int
    offset: int
    bias: int  # quarters
    bits: int

    @property
    def cost(self) -> int:
        """Bits at a quantiser step of 1."""
        return min(_COST_MOST, max(1, round(self.bits * 2 ** ((self.qp - self.offset) / 6))))


def _first_line(config: EncoderConfig) -> str:
    return (
        f"{_HEAD}: {config.width}x{config.height} bf={config.b_frames} b_adapt={int(config.adapts_b)} "
        f"g={config.gop_size} mbtree={int(config.mbtree)}"
    )


def write_log(config: EncoderConfig, pictures: list[PassedPicture]) -> None:
    """Write the log of a first pass, whole or not at all."""
    path = log_path(config)
    lines = [_first_line(config)]
    lines += [f"{p.picture_class} {p.qp} {p.offset} {p.bias} {p.bits}" for p in pictures]
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text("\n".join(lines) + "\n")
        os.replace(part, path)
    except OSError as error:
        raise InvalidConfig(f"option passlogfile: {path}: {error.strerror}", option="passlogfile") from None


class PassLog:
    """The log of a first pass, read for the second."""

    def __init__(self, config: EncoderConfig) -> None:
        self.path = log_path(config)
        try:
            lines = self.path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "no log of a first pass"
            raise InvalidConfig(
                f"option pass: 2 needs the log of a first pass (-pass 1): {self.path}: {why}", option="pass"
            ) from None
        if not lines or lines[0] != _first_line(config):
            found = lines[0] if lines and lines[0].startswith(_HEAD) else "no log of a first pass"
            raise InvalidConfig(
                f"option pass: {self.path} is of another encode: {found}; this one is {_first_line(config)}",
                option="pass",
            )
        try:
            self.pictures = [PassedPicture(*map(int, line.split())) for line in lines[1:]]
            if any(not 0 <= p.picture_class < CLASSES for p in self.pictures):
                raise ValueError
        except (TypeError, ValueError):
            raise InvalidConfig(f"option pass: {self.path} is damaged", option="pass") from None
        # Behind each picture: sums of costs, at their biases, and counts, by class.
        costs, counts = [0] * CLASSES, [0] * CLASSES
        self._behind = [(tuple(costs), tuple(counts))]
        for picture in reversed(self.pictures):
            costs[picture.picture_class] += round(picture.cost * 2 ** (-picture.bias / 24))
            counts[picture.picture_class] += 1
            self._behind.append((tuple(costs), tuple(counts)))
        self._behind.reverse()

    def picture(self, number: int, picture_class: int) -> PassedPicture:
        """The first pass's picture at a place in coding order, which must be of that class."""
        if number >= len(self.pictures):
            raise InvalidConfig(
                f"option pass: {self.path} has {len(self.pictures)} pictures, the source has more", option="pass"
            )
        found = self.pictures[number]
        if found.picture_class != picture_class:
            raise InvalidConfig(
                f"option pass: {self.path} is of another source: picture {number} differs in its type", option="pass"
            )
        return found

    def header_fields(self, number: int) -> dict[str, int]:
        """Fields of a plan's header that stand for the pictures from `number` on."""
        costs, counts = self._behind[min(number, len(self.pictures))]
        fields = {f"far_cost_{kind}": costs[kind] for kind in range(CLASSES)}
        return fields | {f"far_count_{kind}": counts[kind] for kind in range(CLASSES)} | {"final": 1, "measured": 1}
