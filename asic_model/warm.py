"""Compile kernels in a second process while the first one begins: a cold start uses two processors.

    python -m asic_model.warm [GROUP ...]      compile groups now, e.g. when an image is built

numba compiles one function at a time in a process, so threads do not help. When the first job of a kind comes and its
kernels are not in the store, `want` starts one helper process that compiles them from the far end of the job, while
this process compiles from the near one; claims in the store keep the two, and any others, from doing the same work.
Only groups that a job needs are compiled, and a job never waits for the helper, only for a kernel that it needs
itself. `TASIC_WARM=0` turns the helper off.
"""

import atexit
import contextlib
import importlib
import inspect
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from asic_model.codecs.h264.macroblock import I_16X16
from asic_model.cores.encode.job import SLICE_B, SLICE_P
from asic_model.descriptors import PLAN_ENTRY, PLAN_HEADER, EncodeMode, Kind, PictureClass
from asic_model.kernel_cache import compile_callee, store
from asic_model.kernel_cache.compiler import environment_hash
from asic_model.kernel_cache.sources import PACKAGE_DIR, source_stamp

Part = Callable[[], Any]


def needs(kind: Kind, fields: Mapping[str, int]) -> tuple[str, ...]:
    """Groups that a job needs beside what this process compiles first anyway."""
    if kind == Kind.ENCODE and fields.get("mode"):
        return "first_pass", "time"
    if kind == Kind.ENCODE and fields.get("slice_type") == SLICE_B:
        return "encode", "bipredictive", "time"
    return {Kind.ENCODE: ("encode", "time"), Kind.SCALE: ("scale", "time")}.get(kind, ("time",))


# --------------------------------------------------------------------------------------------------------- groups


class _Pictures:
    """Small pictures of one kind through the encode core, the loop over macroblocks left out where that is wanted."""

    def __init__(self, loop: str, **fields: int) -> None:
        """loop: name of the kernel in `encode.picture`; fields: of the job."""
        self.core: Any = importlib.import_module("asic_model.cores.encode.core")
        self.kernels: Any = importlib.import_module("asic_model.cores.encode.picture")
        self.loop, self.fields = loop, fields
        self.arguments: dict[str, Any] = {}  # of the loop, once it was left out

    def code(self) -> None:
        """Run a picture of one macroblock."""
        page = 4096
        job = self.core.EncodeJob(
            width=16, height=16, src_address=page, recon_address=2 * page, ref_count=1, ref_address_0=4 * page,
            out_address=6 * page, out_capacity=4 * page, idr=0, qp=27, entropy=self.core.CABAC, nal_ref_idc=2,
            frame_num=1, log2_max_frame_num=8, transform_8x8=1, motion_in_address=12 * page,
            motion_out_address=13 * page, **self.fields,
        )  # fmt: skip
        self.core.run(np.zeros(16 * page, np.uint8), job, self.core.EncodeCoreConfig())

    def without_loop(self) -> None:
        """Run all but the loop: deblocking, slices, accounts of a picture in which nothing was decided."""
        signature = inspect.signature(getattr(self.kernels, self.loop).py_func)

        def keep(*values: Any) -> None:
            self.arguments.update(signature.bind(*values).arguments)
            mbs = self.arguments["mbs"]  # something that a slice can hold
            mbs.mb_type[:], mbs.slice_id[:], mbs.qp[:] = I_16X16, 0, self.arguments["p"].qp
            mbs.levels[:] = 0

        former = getattr(self.core, self.loop)
        setattr(self.core, self.loop, keep)
        try:
            self.code()
        finally:
            setattr(self.core, self.loop, former)

    def look(self) -> None:
        """Take the loop's arguments and nothing else."""

        class Enough(Exception):
            pass

        def stop(*_arguments: Any) -> None:
            raise Enough

        former, self.core._deblock = self.core._deblock, stop
        try:
            self.without_loop()
        except Enough:
            pass
        finally:
            self.core._deblock = former

    def decide(self, kernel: str) -> None:
        """Compile mode decision as the loop calls it."""
        if not self.arguments:
            self.look()
        a, mbs = self.arguments, self.arguments["mbs"]
        arrays = [name for name in self.kernels.Motion._fields if name != "mb_width"]
        motion = self.kernels.Motion(*(getattr(mbs, name) for name in arrays), a["p"].mb_width)
        compile_callee(
            getattr(self.kernels, kernel), a["t"], a["settings"], motion, a["references"], a["search"].vectors,
            a["search"].costs, False,
        )  # fmt: skip


def encode_parts() -> Iterable[Part]:
    """P pictures, CABAC: mode decision, then what follows the loop over macroblocks, then the loop itself."""
    pictures = _Pictures("code_picture", slice_type=SLICE_P)
    return (lambda: pictures.decide("decide_inter"), pictures.without_loop, pictures.code)


def bipredictive_parts() -> Iterable[Part]:
    """The same of B pictures."""
    pictures = _Pictures(
        "code_bipredictive_picture", slice_type=SLICE_B, ref_l1_count=1, ref_l1_address_0=8 * 4096 + 8192, poc=2,
        ref_l1_poc_0=4, log2_max_poc_lsb=8, poc_lsb=2,
    )  # fmt: skip
    return (lambda: pictures.decide("decide_bipredictive"), pictures.code)


def first_pass_parts() -> Iterable[Part]:
    """A picture is looked at, and handed on."""
    core = importlib.import_module("asic_model.cores.encode.core")
    page = 4096
    plan = PLAN_HEADER.pack(count=1) + PLAN_ENTRY.pack(picture_class=PictureClass.P, ref=1, ref_l1=1)

    def run(mode: EncodeMode, **fields: int) -> None:
        memory = np.zeros(16 * page, np.uint8)
        memory[8 * page : 8 * page + len(plan)] = np.frombuffer(plan, np.uint8)
        job = core.EncodeJob(width=32, height=32, idr=0, qp=18, out_capacity=page, mode=mode, **fields)
        core.run(memory, job, core.EncodeCoreConfig())

    def look() -> None:
        run(
            EncodeMode.SHRINK, src_address=page, recon_address=3 * page, slice_type=SLICE_P, ref_count=1,
            ref_address_0=4 * page, out_address=6 * page,
        )  # fmt: skip

    def hand_on() -> None:
        run(EncodeMode.HAND_ON, src_address=0, recon_address=6 * page, slots=2, out_address=8 * page, plan_count=1)

    return look, hand_on


def scale_parts() -> Iterable[Part]:
    """One picture to two sizes."""
    scale = importlib.import_module("asic_model.cores.scale")

    def two_sizes() -> None:
        page = 4096
        job = scale.ScaleJob(
            width=32, height=32, src_address=page, output_count=2, out0_width=16, out0_height=16, out0_address=4 * page,
            out1_width=24, out1_height=24, out1_address=6 * page,
        )  # fmt: skip
        scale.run(np.zeros(16 * page, np.uint8), job, scale.ScaleCoreConfig())

    return (two_sizes,)


def time_parts() -> Iterable[Part]:
    """The fabric plays a job of one unit and two transfers, a short and a long one."""

    def play() -> None:
        from asic_model.config import load_chip
        from asic_model.cores.fabric import Fabric
        from asic_model.cores.result import CLIENTS, REQUEST, CoreResult

        fabric = Fabric(load_chip("tiny"))
        request = np.zeros(1, REQUEST)
        request["rows"], request["size"], request["client"] = 1, 64, CLIENTS.index("source")
        fabric.start(0, CoreResult(0, 0, 0, ("fetch",), np.ones((1, 1), np.int64), request, np.zeros(1)), 0)
        for size in (64, 1 << 16):
            fabric.transfer("host", 0, size, False, 0)
        fabric.next_finish_lower_bound()
        fabric.play([(0, 0, 0, 64, 0, 0)], 1 << 40)

    return (play,)


# Most urgent first.
GROUPS: dict[str, Callable[[], Iterable[Part]]] = {
    "first_pass": first_pass_parts, "encode": encode_parts, "scale": scale_parts, "bipredictive": bipredictive_parts,
    "time": time_parts,
}  # fmt: skip


def _mark(group: str) -> str:
    """Name in the store that says: everything of `group` was compiled, from this text."""
    modules = {"scale": "cores/scale.py", "time": "cores/fabric.py"}
    text = source_stamp(PACKAGE_DIR / modules.get(group, "cores/encode/core.py")) + source_stamp(
        Path(__file__).resolve()
    )
    return f"group.{group}-{environment_hash(text)}"


def compile_group(group: str, stop: Callable[[], bool] = lambda: False) -> bool:
    """Compile the parts of `group`, in order, unless `stop()` says so between them; True when all are done."""
    for part in GROUPS[group]():
        if stop():
            return False
        part()
    store.write(_mark(group), b"")
    return True


# --------------------------------------------------------------------------------------------------------- helper

_lock = threading.Lock()
_wanted: set[str] = set()
_pipe: IO[bytes] | None = None


def want(kind: Kind, fields: Mapping[str, int], functional: bool = True) -> None:
    """A job has come: let the helper compile what of its kernels is missing. Returns at once."""
    groups = [group for group in needs(kind, fields) if functional or group == "time"]
    with _lock:
        missing = [group for group in groups if group not in _wanted]
        _wanted.update(missing)
        if missing and _may_help():
            _ask([group for group in missing if not store.has(_mark(group))])


def _may_help() -> bool:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors > 1 and bool(sys.executable) and os.environ.get("TASIC_WARM") != "0" and _compiles()


def _compiles() -> bool:
    import numba

    return not numba.config.DISABLE_JIT


def _ask(groups: list[str]) -> None:
    global _pipe
    if not groups:
        return
    with contextlib.suppress(OSError):  # no process to be had: this one compiles alone
        if _pipe is None:
            path = os.pathsep.join(filter(None, (str(PACKAGE_DIR.parent), os.environ.get("PYTHONPATH"))))
            helper = subprocess.Popen(
                [sys.executable, "-m", "asic_model.warm", "--serve"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env={**os.environ, "TASIC_WARM": "0", "PYTHONPATH": path},
            )  # fmt: skip
            _pipe = helper.stdin
            atexit.register(_leave, helper)
        assert _pipe is not None
        _pipe.write(" ".join([*groups, ""]).encode())
        _pipe.flush()


def _leave(helper: "subprocess.Popen[bytes]") -> None:
    """This process ends: the helper ends too, after the kernel that it is at; nobody waits for it."""
    with contextlib.suppress(OSError):
        assert helper.stdin is not None
        helper.stdin.close()
    helper.returncode = helper.returncode or 0


def serve() -> None:
    """Compile the groups whose names come on stdin, the most urgent first, until it is closed."""
    order = list(GROUPS)
    asked: set[str] = set()
    closed = threading.Event()

    def listen() -> None:
        while data := os.read(0, 4096):
            asked.update(name for name in data.decode().split() if name in GROUPS)
        closed.set()

    threading.Thread(target=listen, daemon=True).start()
    done: set[str] = set()
    while not closed.is_set():
        waiting = sorted(asked - done, key=order.index)
        if not waiting:
            closed.wait(0.05)
            continue
        with contextlib.suppress(Exception):  # whoever needs that kernel meets the error himself, and tells it
            compile_group(waiting[0], closed.is_set)
        done.add(waiting[0])


def main(arguments: list[str]) -> int:
    if arguments == ["--serve"]:
        serve()
        return 0
    unknown = [name for name in arguments if name not in GROUPS]
    if unknown:
        print(f"asic_model.warm: {unknown[0]!r} is not a group; one of {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    for group in arguments or GROUPS:
        begin = time.monotonic()
        compile_group(group)
        print(f"{group}: {time.monotonic() - begin:.1f} s")
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
