"""A static bound of the firmware stack, from the assembly of its build: no recursion, no calls through pointers, and
the deepest chain of frames fits what the linker script reserves."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
pytest.importorskip("ziglang", reason="needs the firmware extra: pip install .[firmware]")


def functions(folder: Path) -> dict[str, tuple[int, set[str]]]:
    """Frame in bytes and callees of every function, by name; static ones too, each name is used once."""
    from firmware.build import FLAGS, SOURCES

    flags = [flag for flag in FLAGS if not flag.startswith(("-Wl,", "-Werror"))]
    found: dict[str, tuple[int, set[str]]] = {}
    for source in SOURCES:
        if not source.endswith(".c"):
            continue
        out = folder / f"{source}.s"
        command = [sys.executable, "-m", "ziglang", "cc", *flags, "-S", source, "-o", str(out)]
        subprocess.run(command, cwd=FIRMWARE, check=True)
        name = ""
        for line in out.read_text().splitlines():
            if label := re.match(r"([A-Za-z_]\w*):", line):
                name = f"{source}:{label[1]}" if label[1] in ("stop", "start") else label[1]
                assert name not in found, name
                found[name] = 0, set()
            elif frame := re.match(r"\s+addi\s+sp, sp, -(\d+)", line):
                found[name] = found[name][0] + int(frame[1]), found[name][1]
            elif call := re.match(r"\s+(?:call|tail)\s+(\w+)", line):
                callee = f"{source}:{call[1]}" if call[1] in ("stop", "start") else call[1]
                found[name][1].add(callee)
            assert not re.match(r"\s+(jalr|sub\s+sp)", line), f"{name}: {line.strip()}"
    return found


def test_the_deepest_chain_of_calls_fits_the_stack(tmp_path):
    known = functions(tmp_path)
    reserved = re.search(r"STACK_BYTES = (\d+)K", (FIRMWARE / "link.ld").read_text())
    assert reserved is not None

    @cache
    def depth(name: str, above: tuple[str, ...] = ()) -> int:
        assert name not in above, f"recursion: {' -> '.join((*above, name))}"
        frame, callees = known[name]
        return frame + max((depth(callee, (*above, name)) for callee in callees), default=0)

    assert len(known) > 30
    bound = depth("main")
    assert 100 < bound < int(reserved[1]) * 1024, bound
