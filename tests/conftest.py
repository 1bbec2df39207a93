"""Fixtures shared by all tests."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, not whether the code is right; and the same commit gives the
# same examples. TASIC_RANDOM_EXAMPLES=1 draws new ones.
settings.register_profile("tasic", deadline=None, derandomize=not os.environ.get("TASIC_RANDOM_EXAMPLES"))
settings.load_profile("tasic")

# A shell that runs the suite in the background has Ctrl-C ignored; every command that a test starts would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PROJECT_DIR = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def media() -> Path:
    """Folder with test media (`TASIC_MEDIA`, by default ../shared/media beside the project); skips without it."""
    folder = Path(os.environ.get("TASIC_MEDIA") or PROJECT_DIR.parent / "shared" / "media")
    if not folder.is_dir():
        pytest.skip(f"no test media in {folder} (set TASIC_MEDIA)")
    return folder
