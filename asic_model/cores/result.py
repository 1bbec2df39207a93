"""What every core hands to the chip when its pixels are done: the work as cycles and memory requests.

A core is a function `run(memory, job, config) -> CoreResult`: pixels and streams are already in device memory when
it returns, and nothing in it knows the time. The chip lets the fabric play `cycles` and `requests` against the
clock, the memory channels and the other cores.
"""

from dataclasses import dataclass, field

import numpy as np

# Status of a job, as the core reports it to the firmware and the firmware to the host.
STATUS_OK = 0
STATUS_BAD_FIELD = 1  # detail: number of the offending field
STATUS_OUTPUT_FULL = 2  # the stream did not fit the output buffer; nothing usable was written
STATUS_CORRUPT_INPUT = 3  # decoded with concealment; detail: macroblocks concealed

# Memory clients, the columns of the traffic report.
CLIENTS = (
    "source",  # current picture in
    "reference",  # reference pictures in
    "reconstruction",  # reconstructed or scaled picture out
    "motion",  # co-located motion in and out
    "stream",  # bitstream in or out
    "intermediate",  # line buffers, first-pass data, metadata of frame compression
    "host",  # upload and download over the host link
    "control",  # descriptors and firmware data
)

# One transfer between a core and device memory. Rows are sorted by `unit`, then `stage`.
REQUEST = np.dtype(
    [
        ("unit", "i4"),  # row of `cycles` that waits for it (reads) or issues it when it leaves the stage (writes)
        ("stage", "u1"),  # column of `cycles`
        ("client", "u1"),  # index into CLIENTS
        ("write", "u1"),
        ("rows", "u2"),  # 2D transfers: `rows` pieces of `size` bytes, `pitch` apart (1: a linear one)
        ("size", "u4"),  # bytes of one piece
        ("pitch", "u4"),
        ("address", "u8"),
    ]
)


Facts = dict[str, np.ndarray]  # arrays by name; which ones is the kind's own affair


@dataclass(frozen=True)
class CoreResult:
    """Outcome of one job on one core.

    cycles    int64[units, stages]   core-clock cycles of each unit (macroblock, or scaler tile) in each stage
    requests  REQUEST[...]           memory transfers
    work      structured[units]      the work record behind `cycles`
    counters  additive figures of the job (bits, sse_luma, skipped macroblocks, ...), by name
    facts     what the kind's `cost` needs besides job and work record, where that is more than nothing
    """

    status: int
    detail: int
    output_bytes: int
    stages: tuple[str, ...]
    cycles: np.ndarray
    requests: np.ndarray
    work: np.ndarray
    counters: dict[str, int] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)
