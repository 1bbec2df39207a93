"""Timing tables of memory standards, in memory clocks, by the standards' own names.

One row serves the burst-accurate controller and the fast one in `memory.dram`. A row says where its figures come
from; they are those of one speed bin of one density, and real parts differ by a clock or two. No numba here.
"""

from typing import NamedTuple


class Timing(NamedTuple):
    """One device in one speed bin. All `n...` are clocks of `tCK_ps`."""

    name: str
    rate_mt_s: int  # transfers a second and pin, in millions
    tCK_ps: int  # noqa: N815 - the standard's name
    width_bits: int  # data pins of one channel
    burst_bytes: int  # bytes of one column command
    bank_groups: int
    banks: int  # in each group
    row_bytes: int  # of one channel: what one activate opens
    rows: int  # in each bank
    nBL: int  # noqa: N815 - clocks of data of one burst
    nCL: int  # noqa: N815 - read command to data
    nCWL: int  # noqa: N815 - write command to data
    nRCD: int  # noqa: N815 - activate to column command
    nRP: int  # noqa: N815 - precharge to activate
    nRAS: int  # noqa: N815 - activate to precharge
    nRC: int  # noqa: N815 - activate to activate, same bank
    nCCD_S: int  # noqa: N815 - column to column command, other bank group
    nCCD_L: int  # noqa: N815 - same bank group
    nRRD_S: int  # noqa: N815 - activate to activate, other bank group
    nRRD_L: int  # noqa: N815
    nFAW: int  # noqa: N815 - window that holds at most four activates
    nWTR_S: int  # noqa: N815 - end of write data to read command, other bank group
    nWTR_L: int  # noqa: N815
    nRTP: int  # noqa: N815 - read command to precharge
    nWR: int  # noqa: N815 - end of write data to precharge
    nRTW: int  # noqa: N815 - idle clocks on the bus between read and write data
    nCS: int  # noqa: N815 - clocks lost when another rank drives the bus
    nRFC: int  # noqa: N815 - refresh of all banks
    nREFI: int  # noqa: N815 - mean distance of refreshes
    nAAD: int  # noqa: N815 - longest distance of ACT-1 and ACT-2; 0: an activate is one command
    source: str

    @property
    def peak_bytes_s(self) -> int:
        """Bytes a second of one channel, no command ever in the way."""
        return self.burst_bytes * 10**12 // (self.nBL * self.tCK_ps)

    @property
    def bytes(self) -> int:
        """Capacity of one rank of one channel."""
        return self.bank_groups * self.banks * self.rows * self.row_bytes


_DDR4 = "JEDEC JESD79-4, bin 3200AA, 8 Gb x8, as in Ramulator 2.1's table (DDR4_3200AA, DDR4_8Gb_x8)"
_DDR5 = (
    "JEDEC JESD79-5, bin 4800B, 16 Gb x8; recalled times of the standard (tRFC1 295 ns, tREFI 3.9 us, tWR 30 ns), not "
    "checked against a published simulator; write-to-write spacing of one bank group (tCCD_L_WR) is taken as tCCD_L"
)
_LPDDR5 = "JEDEC JESD209-5, 8 Gb x16, bank-group mode, as in Ramulator 2.1's table (LPDDR5_6400)"
_LPDDR4 = "recalled figures that define the published DRAMsim3 comparison (reference/dram); not checked on a datasheet"

_LPDDR5_6400 = Timing(
    "LPDDR5-6400", 6400, 1250, 16, 32, 4, 4, 2048, 1 << 15,
    nBL=2, nCL=17, nCWL=9, nRCD=15, nRP=15, nRAS=34, nRC=49, nCCD_S=2, nCCD_L=4, nRRD_S=4, nRRD_L=4, nFAW=16,
    nWTR_S=5, nWTR_L=10, nRTP=8, nWR=28, nRTW=2, nCS=2, nRFC=168, nREFI=3125, nAAD=8, source=_LPDDR5,
)  # fmt: skip
_LPDDR4_3200 = Timing(
    "LPDDR4-3200", 3200, 625, 16, 32, 1, 8, 2048, 1 << 16,
    nBL=8, nCL=28, nCWL=14, nRCD=29, nRP=34, nRAS=68, nRC=102, nCCD_S=8, nCCD_L=8, nRRD_S=16, nRRD_L=16, nFAW=64,
    nWTR_S=16, nWTR_L=16, nRTP=12, nWR=29, nRTW=2, nCS=2, nRFC=448, nREFI=6246, nAAD=0, source=_LPDDR4,
)  # fmt: skip
_DDR4_3200 = Timing(
    "DDR4-3200", 3200, 625, 64, 64, 4, 4, 8192, 1 << 16,
    nBL=4, nCL=22, nCWL=16, nRCD=22, nRP=22, nRAS=52, nRC=74, nCCD_S=4, nCCD_L=8, nRRD_S=4, nRRD_L=8, nFAW=34,
    nWTR_S=4, nWTR_L=12, nRTP=12, nWR=24, nRTW=2, nCS=2, nRFC=576, nREFI=12480, nAAD=0, source=_DDR4,
)  # fmt: skip

# One of the two 32-bit subchannels of a module: 4 devices x8, burst of 16 beats.
_DDR5_4800 = Timing(
    "DDR5-4800", 4800, 416, 32, 64, 8, 4, 4096, 1 << 16,
    nBL=8, nCL=40, nCWL=38, nRCD=40, nRP=40, nRAS=77, nRC=117, nCCD_S=8, nCCD_L=12, nRRD_S=8, nRRD_L=12, nFAW=32,
    nWTR_S=6, nWTR_L=24, nRTP=18, nWR=72, nRTW=2, nCS=2, nRFC=708, nREFI=9375, nAAD=0, source=_DDR5,
)  # fmt: skip


def _at_rate(base: Timing, name: str, rate_mt_s: int) -> Timing:
    """The same device at a lower rate: analogue times stay, so clocks shrink; bus clocks (nBL, nCCD, nRTW) stay."""
    tck_ps = round(base.tCK_ps * base.rate_mt_s / rate_mt_s)
    scaled = {
        field: -(-getattr(base, field) * base.tCK_ps // tck_ps)
        for field in (
            *("nCL", "nCWL", "nRCD", "nRP", "nRAS", "nRRD_S", "nRRD_L", "nFAW"),
            *("nWTR_S", "nWTR_L", "nRTP", "nWR", "nRFC", "nREFI"),
        )
    }
    scaled["nRC"] = scaled["nRAS"] + scaled["nRP"]
    source = f"{base.name}'s times in clocks of {tck_ps} ps, rounded up; {base.source}"
    return base._replace(name=name, rate_mt_s=rate_mt_s, tCK_ps=tck_ps, source=source, **scaled)


STANDARDS: dict[str, Timing] = {
    timing.name: timing
    for timing in (
        _DDR4_3200,
        _at_rate(_DDR4_3200, "DDR4-2400", 2400),
        _DDR5_4800,
        _LPDDR4_3200,
        _at_rate(_LPDDR4_3200, "LPDDR4-2400", 2400),
        _LPDDR5_6400,
        _at_rate(_LPDDR5_6400, "LPDDR5-5500", 5500),
    )
}
