"""Backend `model`: the chip's functional and timing model in this process."""

from collections.abc import Mapping
from typing import Any

from driver.errors import InvalidConfig, OutputError
from driver.media.output_file import OutputFile

# A chip description with more mistakes than this is better looked at with `tasic chips validate`.
SHOWN_PROBLEMS = 3


def load(chip: str, changes: Mapping[str, Any] | None = None) -> Any:
    """Return the ChipConfig of a name or a YAML file ("": the default chip), its errors as the driver's."""
    from asic_model.chips.reader import ConfigError
    from asic_model.config import DEFAULT_CHIP, load_chip, with_changes

    try:
        config = load_chip(chip or DEFAULT_CHIP)
        return with_changes(config, changes) if changes else config
    except ConfigError as error:
        shown, more = error.problems[:SHOWN_PROBLEMS], len(error.problems) - SHOWN_PROBLEMS
        text = "; ".join(map(str, shown))
        raise InvalidConfig(f"{text}{f' (and {more} more: tasic chips validate)' if more > 0 else ''}") from None


def _plan(faults: Any) -> Any:
    """The faults of a YAML file, or of what one would hold; errors are the driver's."""
    from asic_model.faults import FaultError, Faults, load_faults

    if faults is None:
        return None
    try:
        return Faults(*load_faults(faults))
    except FaultError as error:
        raise InvalidConfig(str(error)) from None


def _check_whole(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidConfig(f"option {name}: {value!r} is not a whole number", option=name, value=value)
    if not low <= value <= high:
        raise InvalidConfig(f"option {name}: {value} is outside {low}..{high}", option=name, value=value)


class ModelBackend:
    """The calls of a backend, handed to the chip; `report()` is what the model measured."""

    functional = True

    def __init__(
        self, chip: str, *, seed: int = 0, host_threads: int | None = None, trace: bool = False,
        changes: Mapping[str, Any] | None = None, record: bool = False, faults: Any = None,
    ) -> None:  # fmt: skip
        """`record`: keep what `work_trace` returns. `faults`: what is to go wrong, a YAML file or what one would hold
        (asic_model/faults.py)."""
        _check_whole("seed", seed, 0, (1 << 64) - 1)
        if host_threads is not None:
            _check_whole("host_threads", host_threads, 1, 256)
        if changes is not None and not isinstance(changes, Mapping):
            raise InvalidConfig(f"option changes: {changes!r} is no mapping from fields to values", option="changes")
        self.config = load(chip, changes)
        plan = _plan(faults)
        from asic_model.chip import Chip
        from asic_model.workload.recorder import Recorder

        recorder = Recorder(self.config) if record else None
        self.chip = Chip(
            self.config, functional=self.functional, host_threads=host_threads, seed=seed, trace=trace,
            types=recorder.types if recorder else None, watcher=recorder, faults=plan,
        )  # fmt: skip
        self.recorder = recorder
        if recorder is not None:
            recorder.attach(self.chip)
        calls: Any = recorder or self.chip
        self.read32 = calls.read32
        self.write32 = calls.write32
        self.memory_read = calls.memory_read
        self.memory_write = calls.memory_write
        self.wait = calls.wait

    def inject(self, fault: Mapping[str, Any]) -> None:
        """Arm one more fault, from now on."""
        from asic_model.faults import Fault, FaultError

        try:
            self.chip.inject(Fault.parse(fault))
        except FaultError as error:
            raise InvalidConfig(str(error)) from None

    def report(self, run: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what was measured since power-on (asic_model/stats.py), `run` added; raises on a broken invariant."""
        from asic_model import stats

        return stats.report(self.config, self.chip.fabric, self.chip.stats(), run)

    def write_trace(self, path: str) -> None:
        """Write the timeline since power-on (asic_model/trace.py), whole or not at all; needs `trace=True`."""
        timeline = self.chip.timeline
        if timeline is None:
            raise InvalidConfig("no timeline was kept: open the device with trace=True")
        from asic_model import trace

        self.chip.stats()  # plays what the host has not looked at yet
        with OutputFile(path) as file:
            try:
                for text in trace.lines(self.chip.fabric, timeline=timeline):
                    file.write(text.encode())
            except OSError as error:
                raise OutputError(f"{path}: {error.strerror or error}") from None

    def work_trace(self, meta: Mapping[str, Any]) -> Any:
        """Return what jobs did since power-on (asic_model/workload/work_trace.py); needs `record=True`."""
        if self.recorder is None:
            raise InvalidConfig("no work was recorded: open the device with record=True")
        return self.recorder.finish(dict(meta))

    def close(self) -> None:
        self.chip.close()
