"""Files that appear whole or not at all: written beside the target, flushed to disk, then renamed over it."""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import Any

from driver.errors import OutputError


def check_target(path: str | Path) -> Path:
    """Return the resolved target, or raise OutputError when a file could not be created there."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise OutputError(f"{path}: is a folder, not a file")
    if not target.parent.is_dir():
        raise OutputError(f"{path}: the folder {target.parent} does not exist")
    if target.exists() and not target.is_file():
        return target  # a device or a pipe: written in place
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: no permission to write in {target.parent}")
    return target


class OutputFile:
    """A binary file for writing that replaces `path` on `commit()` and leaves no trace on `discard()`.

    The first OSError of any call is kept in `error` and raised again by `finish()`, as OutputError: libraries that
    write through this object may swallow it. As a context manager: commit on success, discard on any exception.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._target = check_target(path)
        self.error: OSError | None = None
        self._in_place = self._target.exists() and not self._target.is_file()
        if self._in_place:
            self._temporary = self._target
            flags = os.O_WRONLY
        else:
            self._temporary = self._target.with_name(f".{self._target.name[:200]}.{secrets.token_hex(4)}.part")
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        try:
            descriptor = os.open(self._temporary, flags | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from None
        self._file = os.fdopen(descriptor, "wb")

    # -- file protocol, as PyAV and numpy use it -----------------------------------------------------------------

    def _guard(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except OSError as error:
            self.error = self.error or error
            raise

    def write(self, data: Any) -> int:
        return int(self._guard(self._file.write, data))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._guard(self._file.seek, offset, whence))

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return self._file.seekable()

    def writable(self) -> bool:
        return True

    # -- end -----------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Make the content durable, still beside the target: what can fail fails here, and the old file stays."""
        try:
            if self.error is not None:
                raise self.error
            self._file.flush()
            if not self._in_place:
                os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            self.discard()
            raise OutputError(f"{self.path}: {error.strerror or error}") from None

    def publish(self) -> None:
        """Put the finished file under its final name."""
        if self._in_place:
            return
        try:
            if self._target.exists():
                os.chmod(self._temporary, stat.S_IMODE(self._target.stat().st_mode))
            os.replace(self._temporary, self._target)
            folder = os.open(self._target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            self.discard()
            raise OutputError(f"{self.path}: {error.strerror or error}") from None

    def commit(self) -> None:
        """`finish()` and `publish()`."""
        self.finish()
        self.publish()

    def discard(self) -> None:
        """Remove what was written; the file that was there before stays. Harmless after `commit()`."""
        with contextlib.suppress(OSError):  # a full disk fails the last flush too; it is closed all the same
            self._file.close()
        if not self._in_place:
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> "OutputFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()


def write_text(path: str | Path, text: str) -> None:
    """Write a text file (UTF-8) whole or not at all."""
    with OutputFile(path) as file:
        try:
            file.write(text.encode())
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror or error}") from None
