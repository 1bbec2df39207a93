"""What the decode core cannot do, found before anything is decoded."""

from collections.abc import Iterable
from typing import Any

from driver.decode.decoder import H264Decoder
from driver.decode.surfaces import SurfaceSet
from driver.errors import UnsupportedInput


class _Reached(Exception):
    """The stream got as far as its first picture."""


class _Probe:
    """A target that decodes nothing."""

    def open_surfaces(self, width: int, height: int, count: int) -> SurfaceSet:
        raise _Reached

    def decode(self, fields: dict[str, int], parameters: bytes, stream: bytes) -> Any:
        raise _Reached


def stream_refusal(extradata: bytes | None, packets: Iterable[bytes]) -> str | None:
    """Return why the stream's first picture cannot be decoded on the chip, or None; `packets` are its first ones."""
    try:
        decoder = H264Decoder(_Probe(), extradata)
        for packet in packets:
            for _ in decoder.feed(packet):
                pass
    except _Reached:
        return None
    except UnsupportedInput as refused:
        return str(refused)
    return "no picture was found in its first packets"
