"""How long jobs took, from the completions that the firmware writes: what a monitor of the chip shows."""

from bisect import bisect_left

from asic_model.descriptors import COMPLETION, JOB_COMMANDS, Kind, Status

# Upper bounds of the histogram's bins, seconds; the last bin holds all beyond.
BOUNDS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_KINDS = {int(command): kind for command, kind in JOB_COMMANDS.items()}
_GOOD = (Status.OK, Status.CORRUPT_INPUT)  # concealed damage is the input's: the picture is there


class JobTimes:
    """Good jobs of each kind: how many, bytes put out, times from submission to completion."""

    def __init__(self, tick_ps: int) -> None:
        self._tick_s = tick_ps * 1e-12
        self.bins = {kind: [0] * (len(BOUNDS_S) + 1) for kind in (Kind.ENCODE, Kind.SCALE, Kind.DECODE)}
        self.seconds = dict.fromkeys(self.bins, 0.0)
        self.output_bytes = dict.fromkeys(self.bins, 0)

    def note(self, record: bytes) -> None:
        """The firmware wrote this completion."""
        found = COMPLETION.unpack(record)
        kind = _KINDS.get(found["type"])
        if kind is None or found["status"] not in _GOOD:
            return
        seconds = (found["finished"] - found["submitted"]) * self._tick_s
        self.bins[kind][bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds[kind] += seconds
        self.output_bytes[kind] += found["output_bytes"]

    def as_dict(self) -> dict[str, dict[str, object]]:
        """By kind: jobs, output_bytes, seconds in all, and how many took at most each of `BOUNDS_S`."""
        found: dict[str, dict[str, object]] = {}
        for kind, bins in self.bins.items():
            upto, so_far = {}, 0
            for bound, count in zip(BOUNDS_S, bins, strict=False):
                so_far += count
                upto[f"{bound:g}"] = so_far
            found[kind.name.lower()] = {
                "jobs": sum(bins), "output_bytes": self.output_bytes[kind], "seconds": self.seconds[kind], "upto": upto,
            }  # fmt: skip
        return found
