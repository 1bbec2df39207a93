"""One picture on the host, as the chip takes it: planar 4:2:0, 8 bits, even size."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from driver.errors import InvalidConfig


@dataclass(slots=True)
class Picture:
    """Samples and time of one picture.

    y       uint8[height, width]           C-contiguous rows, any row stride
    cb, cr  uint8[height / 2, width / 2]
    pts     presentation time in units of `time_base` (seconds)
    """

    y: np.ndarray
    cb: np.ndarray
    cr: np.ndarray
    pts: int
    duration: int
    time_base: Fraction

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])


def as_picture(frame: Any, width: int, height: int, number: int, rate: Fraction, pix_fmt: str = "yuv420p") -> Picture:
    """Return `frame` as a Picture of `width` x `height`: it is one, or uint8[height * 3 / 2, width] (numpy, DLPack).

    Such an array is Y, then Cb and Cr packed one after the other (as PyAV's `to_ndarray(format="yuv420p")` gives it),
    or with `pix_fmt` nv12 rows of Cb and Cr in turn; its time is that of picture `number` at `rate` frames/s. Raises
    InvalidConfig, naming the field, for anything else.
    """
    if not isinstance(frame, Picture | np.ndarray) and hasattr(frame, "__dlpack__"):
        try:
            frame = np.from_dlpack(frame)  # a view: nothing is copied
        except (BufferError, TypeError, RuntimeError) as error:
            raise InvalidConfig(f"frame: not to be had as host memory by DLPack: {error}", option="frame") from None
    if isinstance(frame, Picture):
        picture = frame
    elif isinstance(frame, np.ndarray):
        if frame.dtype != np.uint8:
            raise InvalidConfig(f"frame.dtype: {frame.dtype}, must be uint8", option="frame.dtype", value=frame.dtype)
        wanted = (height * 3 // 2, width)
        if frame.shape != wanted:
            raise InvalidConfig(
                f"frame.shape: {frame.shape}, must be {wanted}: Y, Cb and Cr of {width}x{height} in 4:2:0",
                option="frame.shape", value=frame.shape,
            )  # fmt: skip
        if pix_fmt == "nv12":
            return Picture(frame[:height], frame[height:, 0::2], frame[height:, 1::2], number, 1, 1 / rate)
        chroma = np.ascontiguousarray(frame[height:]).reshape(2, height // 2, width // 2)
        return Picture(frame[:height], chroma[0], chroma[1], number, 1, 1 / rate)
    else:
        raise InvalidConfig(f"frame: {type(frame).__name__}, must be a Picture or an array of uint8", option="frame")
    if (picture.width, picture.height) != (width, height):
        raise InvalidConfig(
            f"frame: a picture of {picture.width}x{picture.height} in a session of {width}x{height}", option="frame"
        )
    for name, plane in (("y", picture.y), ("cb", picture.cb), ("cr", picture.cr)):
        shape = (height, width) if name == "y" else (height // 2, width // 2)
        if plane.dtype != np.uint8 or plane.shape != shape:
            raise InvalidConfig(
                f"frame.{name}: {plane.dtype}{list(plane.shape)}, must be uint8{list(shape)}", option=f"frame.{name}"
            )
    return picture


def even_planes(y: np.ndarray, cb: np.ndarray, cr: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return planes whose luma has even sides: the last column and row replicated where the size is odd.

    4:2:0 chroma of an odd size already covers the replicated samples: (n + 1) / 2 of them.
    """
    rows, columns = y.shape[0] % 2, y.shape[1] % 2
    if rows or columns:
        y = np.pad(y, ((0, rows), (0, columns)), mode="edge")
    return y, cb, cr


def blank_picture(width: int, height: int, time_base: Fraction = Fraction(1, 25)) -> Picture:
    """Return a grey picture (128 in all planes) at time 0."""
    chroma = (height // 2, width // 2)
    return Picture(
        np.full((height, width), 128, np.uint8), np.full(chroma, 128, np.uint8), np.full(chroma, 128, np.uint8),
        0, 1, time_base,
    )  # fmt: skip
