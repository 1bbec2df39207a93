"""Measured points, kept by what was measured and on which machine, so that a broken run goes on where it stopped."""

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

FORMAT = 2


def default_folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tasic" / "density"


class Store:
    """One small JSON file a point; written whole or not at all. A damaged file counts as not measured."""

    def __init__(self, folder: Path, fresh: bool = False) -> None:
        self.folder = folder
        self._fresh = fresh  # measure again, replace what is there

    def path(self, key: dict[str, Any]) -> Path:
        """Where the value of `key` is kept."""
        text = json.dumps({"format": FORMAT, **key}, sort_keys=True)
        return self.folder / f"{key['what']}-{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"

    def scratch(self, key: dict[str, Any]) -> Path:
        """Where this process may put a file while it works on `key`; `tidy` removes what an interruption left there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.path(key).with_suffix(f".{os.getpid()}.scratch")

    def tidy(self) -> None:
        for file in self.folder.glob(f"*.{os.getpid()}.scratch"):
            file.unlink(missing_ok=True)

    def get(self, key: dict[str, Any]) -> Any:
        """Return what was stored under `key`, None where nothing was."""
        if self._fresh:
            return None
        try:
            found = json.loads(self.path(key).read_text())
            return found["value"] if found["key"] == json.loads(json.dumps(key)) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: dict[str, Any], value: Any) -> None:
        path = self.path(key)
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        partial.write_text(json.dumps({"key": key, "value": value}))
        os.replace(partial, path)
