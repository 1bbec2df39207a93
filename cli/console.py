"""What a command says while it works: warnings, and progress on stderr when that is a terminal."""

import sys
import time
from types import TracebackType
from typing import Any, Self


def warn(text: str) -> None:
    """One line on stderr."""
    print(f"tasic: warning: {text}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """One line on stderr that is no warning."""
    print(f"tasic: {text}", file=sys.stderr, flush=True)


class Warner:
    """Prints each warning once, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, lines: "list[str] | str") -> None:
        for line in [lines] if isinstance(lines, str) else lines:
            if line not in self.lines:
                self.lines.append(line)
                warn(line)


class Progress:
    """Frames done, host rate and time left, redrawn on stderr; silent when stderr is no terminal or `quiet`."""

    def __init__(self, total: int | None, what: str, quiet: bool = False) -> None:
        self._began = time.monotonic()
        self.frames = 0
        self._bar: Any = None
        if quiet or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(), console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(what, total=total, rate="")

    def advance(self) -> None:
        """One more picture is through."""
        self.frames += 1
        if self._bar is not None:
            self._bar.update(self._task, advance=1, rate=f"{self.rate:.1f} frames/s")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def rate(self) -> float:
        """Pictures a second of host time."""
        return self.frames / max(1e-9, self.seconds)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _value: object, _trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
