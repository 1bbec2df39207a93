"""Writing pictures as they are: YUV4MPEG2 (`.y4m`) or bare planes (`.yuv`), 8-bit 4:2:0."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from driver.errors import InvalidConfig, OutputError
from driver.media.output_file import OutputFile
from driver.media.picture import Picture

SUFFIXES = (".y4m", ".yuv")


def check_suffix(path: str) -> None:
    """Refuse names that say another format."""
    if not path:
        raise InvalidConfig("the name of the output is empty")
    if Path(path).suffix.lower() not in SUFFIXES:
        raise InvalidConfig(f"{path}: pictures are written as {' or '.join(SUFFIXES)}")


class PlanarWriter:
    """One file of pictures of one size; it appears under its name when the `with` block ends well."""

    def __init__(
        self,
        path: str,
        width: int,
        height: int,
        rate: Fraction,
        aspect: Fraction | None = None,
        full_range: bool = False,
        scan: str = "p",
    ) -> None:
        """scan: YUV4MPEG2's word for it: p progressive, t top field first, b bottom field first."""
        check_suffix(path)
        self._file = OutputFile(path)
        self.path = path
        self._header = b""
        if Path(path).suffix.lower() == ".y4m":
            # C420mpeg2: chroma on the left column, as H.264 places it by default
            colour = " XCOLORRANGE=FULL" if full_range else ""
            shape = f"{aspect.numerator}:{aspect.denominator}" if aspect else "0:0"  # 0:0: not said
            self._write(
                f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator} I{scan} A{shape} "
                f"C420mpeg2 XYSCSS=420MPEG2{colour}\n".encode()
            )
            self._header = b"FRAME\n"

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror or error}") from None

    def write(self, picture: Picture) -> None:
        self._write(
            self._header + b"".join(np.ascontiguousarray(p).tobytes() for p in (picture.y, picture.cb, picture.cr))
        )

    def __enter__(self) -> "PlanarWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.commit()
        else:
            self._file.discard()
