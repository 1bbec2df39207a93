"""What a stream says about the decoder's buffer: HRD parameters, and the messages that time it (H.264 Annexes C to E).

The buffer is followed exactly, in fractions of a second, as the decoder will: a later buffering period's initial delay
follows from the sizes of all access units before it, and at constant rate filler data keeps the bits flowing.
"""

import math
from fractions import Fraction

from asic_model.codecs.h264 import sei
from asic_model.codecs.h264.nal import NAL_FILLER, START_CODE, header_byte
from asic_model.codecs.h264.vui import HrdParameters, Vui
from driver.options import EncoderConfig

INITIAL_SHARE = 0.9  # of the buffer, when the first picture is taken out: as x264 begins
_CLOCK_HZ = 90_000  # of the initial delays
_DELAY_BITS = 24
_LEAST_FILLER_BYTES = len(START_CODE) + 2


def hrd_parameters(config: EncoderConfig) -> HrdParameters | None:
    """The NAL HRD that the stream declares, None where it declares none. Rate and size are rounded down to what the
    syntax can say: steps of 64 bit/s and 16 bits."""
    if config.nal_hrd == "none":
        return None
    assert config.max_rate is not None
    assert config.buffer_size is not None
    return HrdParameters(
        bit_rate_value_minus1=[config.max_rate // 64 - 1],
        cpb_size_value_minus1=[config.buffer_size // 16 - 1],
        cbr_flag=[config.nal_hrd == "cbr"],
        initial_cpb_removal_delay_length_minus1=_DELAY_BITS - 1,
        cpb_removal_delay_length_minus1=_DELAY_BITS - 1,
        dpb_output_delay_length_minus1=_DELAY_BITS - 1,
        time_offset_length=0,
    )


def initial_bits(config: EncoderConfig) -> int:
    """Bits in the buffer when the first picture is taken out."""
    return int((config.buffer_size or 0) * INITIAL_SHARE)


class HrdWriter:
    """Writes the messages of one stream, access unit by access unit, in coding order."""

    def __init__(self, vui: Vui, config: EncoderConfig, reorder_pictures: int) -> None:
        """`vui`: as the sequence parameter set has it, with its NAL HRD; `reorder_pictures`: how many pictures are
        coded before the first one is shown."""
        assert vui.nal_hrd is not None
        self._vui = vui
        self._rate, self._size = vui.nal_hrd.bit_rate(), vui.nal_hrd.cpb_size()
        self._cbr = vui.nal_hrd.cbr_flag[0]
        self._tick = Fraction(vui.num_units_in_tick, vui.time_scale)
        self._reorder = reorder_pictures
        # Delay and offset have one sum through the sequence (D.2.1): the time that fills the buffer.
        self._whole = self._size * _CLOCK_HZ // self._rate
        first = min(self._whole, initial_bits(config) * _CLOCK_HZ // self._rate)
        self._first = max(1, first)
        self._count = 0  # access units so far
        self._period = 0  # the one that began the buffering period
        self._period_removal = Fraction(0)
        self._delay = self._offset = 0
        self._arrived = Fraction(0)  # last bit of the access unit before
        self._sent = 0  # bits of all access units so far

    def messages(self, idr: bool, shown: int) -> bytes:
        """The SEI NAL unit, with start code, of the next access unit. `shown`: its place in display order."""
        number = self._count
        since = 2 * (number - self._period)
        self._removal = self._period_removal + since * self._tick
        period = None
        if number == 0 or idr:
            if number:
                gap = math.floor((self._removal - self._arrived) * _CLOCK_HZ)
                self._delay = max(1, min(gap, self._whole))
            else:
                self._delay, self._removal = self._first, Fraction(self._first, _CLOCK_HZ)
            self._offset = self._whole - self._delay
            period = sei.BufferingPeriod(0, [(self._delay, self._offset)])
            self._period, self._period_removal = number, self._removal
        self._begins = period is not None
        output = 2 * (shown + self._reorder - number)
        timing = sei.PicTiming(since, max(0, output))
        return START_CODE + sei.sei_nal(self._vui, period, timing)

    def finish(self, bits: int) -> bytes:
        """Count the access unit of `bits`, messages included; return the filler data that it needs behind it."""
        filler = b""
        if self._cbr:
            following = self._removal + 2 * self._tick
            missing = math.ceil((following * self._rate - self._size - self._sent - bits) / 8)
            if missing > 0:
                count = max(missing, _LEAST_FILLER_BYTES)
                filler = START_CODE + bytes([header_byte(0, NAL_FILLER)]) + b"\xff" * (count - _LEAST_FILLER_BYTES)
                filler += b"\x80"
                bits += 8 * len(filler)
        earliest = self._removal - Fraction(self._delay if self._begins else self._whole, _CLOCK_HZ)
        begins = self._arrived if self._cbr or not self._count else max(self._arrived, earliest)
        self._arrived = begins + Fraction(bits, self._rate)
        self._sent += bits
        self._count += 1
        return filler


class BufferLevel:
    """The decoder's buffer that rate control keeps to, declared in the stream or not, as packets take bits out of it
    (C.1.1; what comes while it is full waits, or is filler data)."""

    def __init__(self, config: EncoderConfig) -> None:
        """`config` has a buffer."""
        self._level = Fraction(initial_bits(config))
        self.underflows = 0  # pictures that had not arrived whole when their time came

    def take(self, bits: int, config: EncoderConfig) -> None:
        """Take the next picture in coding order out; until the following one's time the buffer fills."""
        assert config.max_rate is not None
        assert config.buffer_size is not None
        self.underflows += bits > self._level
        self._level = min(self._level - bits + config.max_rate / config.fps, Fraction(config.buffer_size))


def overhead_bits(config: EncoderConfig, vui: Vui, parameter_sets: bytes) -> tuple[int, int]:
    """Bits that messages add to a picture, and messages and parameter sets to an IDR picture, at most."""
    if vui.nal_hrd is None:
        return 0, 8 * len(parameter_sets)
    largest = (1 << _DELAY_BITS) - 1
    period = sei.BufferingPeriod(0, [(largest, largest)])
    timing = sei.PicTiming(largest, largest)
    picture = len(START_CODE + sei.sei_nal(vui, None, timing)) + 2
    first = len(START_CODE + sei.sei_nal(vui, period, timing)) + 4
    return 8 * picture, 8 * (first + len(parameter_sets))
