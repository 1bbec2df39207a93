"""The chip: registers, control processor, cores and memory on one clock, behind three calls of the host.

    chip = Chip(load_chip("vcu"))
    chip.memory_write(address, data); chip.write32(registers.QUEUES_TAIL, 1); chip.wait(timeout_us=1000)

Time is an integer number of picoseconds and passes only in the host's calls: each one takes the host link's time. The
chip is played when the host looks at it: register reads, memory reads and `wait` first catch up with the host's clock,
with every posted write at its own time. What takes how long:

 - the control processor by its instructions (`mcu.py`); register accesses and moves stall it;
 - cores, their memory traffic and their contention by the fabric (`core_jobs.py`, `cores/fabric.py`);
 - the host link by latency and bandwidth; its traffic contends with the cores in the fabric;
 - the mover by network and memory latency without contention; its traffic is charged to the fabric.

The pixels of a job are computed by the executor on host threads, maybe long before the job's simulated start. The host
may have submitted much by the time it looks (`lookahead.py` sees that), so many jobs can be under way. No decision
here looks at a thread.
"""

import mmap
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asic_model.bus import (
    FIRMWARE_AREA_BYTES,
    WINDOW_UNIT_BYTES,
    Bus,
    function_register,
)
from asic_model.config import ChipConfig
from asic_model.core_jobs import CONTROL, HOST, NEVER_PS, ChipError, CoreJobs, Watcher
from asic_model.cores.fabric import Fabric
from asic_model.cores.registry import CoreType, core_types
from asic_model.damage import Damage
from asic_model.descriptors import BLOCK_BYTES, RECORD_BYTES, Kind
from asic_model.executor import Executor
from asic_model.faults import Fault, Faults
from asic_model.functions import Function
from asic_model.job_times import JobTimes
from asic_model.lookahead import Lookahead
from asic_model.mcu import CYCLES, MOVES, Processor, Stop, move_time
from asic_model.registers import map as regs
from asic_model.ticket import Window
from asic_model.trace import SAMPLE_PS, Timeline

FIRMWARE_IMAGE = Path(__file__).resolve().parent.parent / "firmware" / "tasic.bin"
FIRMWARE_MEMORY_BYTES = 128 << 10  # what firmware/link.ld uses of the control processor's memory

PS_PER_US = 1_000_000
POSTED_MOST = 10_000  # register writes before the chip catches up anyway
RESET_STEP_PS = 100 * PS_PER_US
# Registers that neither firmware nor cores change: the chip need not be played up to the moment of reading them.
STANDING = frozenset((regs.LINK_DROPS, regs.ID, regs.INTERFACE_VERSION, regs.CLOCK_PERIOD))
ALL_ONES = 0xFFFFFFFF  # what a read gives when nobody answers
NOWHERE = 0xFFFFFFFC  # an address that the control processor cannot fetch from
_MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)


class Chip:
    """One chip, powered on: the firmware boots as soon as time passes.

    functional    False: no pixels; cores' work is estimated from the jobs' sizes, streams stay empty
    host_threads  threads that compute pixels; 1: on the caller's thread; None: as many as processors
    seed          for the cores' jobs comes with each job; kept here to be reported
    trace         keep what `trace.py` draws: `timeline`, and the fabric's spans and samples
    watcher       is told of every job
    faults        what is to go wrong (`faults.py`)
    """

    def __init__(
        self,
        config: ChipConfig,
        *,
        functional: bool = True,
        host_threads: int | None = None,
        seed: int = 0,
        trace: bool = False,
        types: dict[Kind, CoreType] | None = None,
        image: bytes | None = None,
        watcher: Watcher | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.config = config
        self.functional = functional
        self.seed = seed
        self._watcher = watcher
        self.now_ps = 0  # the host's clock; the chip has been played up to here
        self._map = mmap.mmap(
            -1, config.memory.capacity_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        )
        self.memory = np.frombuffer(self._map, np.uint8)
        self._bytes = memoryview(self._map)  # the same, faster for small pieces
        self._types = core_types(config) if types is None else types
        threads = host_threads or (os.cpu_count() or 1)
        self._executor = Executor(self.memory, self._types, threads if functional else 1, functional)
        self.faults = faults or Faults()
        if self.faults.any_spoils:
            self._executor.hold()
        self._link_down_until_ps = 0
        self.removed = False  # nobody will find it again behind the link
        self._stuck = False  # the control processor turns in a circle
        self.job_times: JobTimes | None = None  # for whoever wants to know how long jobs take
        self.timeline = Timeline(config.clocks.control_ps) if trace else None
        # Without pixels nothing is computed ahead; then the lookahead only knows what the timeline and a watcher ask.
        self._lookahead: Lookahead | None = None
        if functional or trace or watcher is not None:
            self._lookahead = Lookahead(
                self.memory, self._executor, set(self._types) if functional else set(), self.window,
                self._rung if trace else None,
            )  # fmt: skip
        self.fabric = Fabric(config, trace=trace, sample_ps=SAMPLE_PS)
        if len(self.fabric.cores) > regs.CORES_COUNT:
            raise ValueError(f"{len(self.fabric.cores)} cores; the register map has room for {regs.CORES_COUNT}")
        self._image = FIRMWARE_IMAGE.read_bytes() if image is None else image
        self._bus = Bus(config, self._types, functional, self.fabric)
        self._damage = Damage(self.memory, self._executor, self._bus, self.faults)
        self._core_jobs = CoreJobs(
            config, self._types, self._bus, self.fabric, self._executor, self._damage, self.faults, self.window,
            watcher, self.timeline,
        )  # fmt: skip
        self._processor = Processor(config.control, self._bus.file)
        if self._processor.memory.nbytes < FIRMWARE_MEMORY_BYTES:
            raise ValueError(f"control.memory_kib: the firmware needs {FIRMWARE_MEMORY_BYTES >> 10} KiB")
        self._processor.load(self._image)
        self._tick_ps = config.clocks.control_ps
        self._waiting = False  # the processor is stalled on `wait_pending`
        self._stopped = False  # it trapped
        self._awake_ps = 0
        self._on_store = self._store_acts()
        self._posted: deque[tuple[int, int, int]] = deque()  # the host's register writes: time, address, value
        self._move_ps = self._move_latency_ps()
        self._mmio_ps = config.host_link.mmio_latency_ns * 500  # one way
        self._link_latency_ps, self._link_mb_s = config.host_link.latency_ns * 1000, config.host_link.bandwidth_mb_s
        if not trace:  # which shows when the processor stopped
            self._bus.let_run_on()
        if self._lookahead is None:  # nobody need see what is moved
            self._bus.let_move(self.memory, self._move_ps)
        self._counts = dict.fromkeys(("host_read_bytes", "host_write_bytes", "host_reads", "host_writes"), 0)

    # ------------------------------------------------------------------------------------------- the host's calls

    def read32(self, address: int) -> int:
        """Read a register; takes the link's round trip."""
        _check_register(address)
        self._counts["host_reads"] += 1
        self.now_ps += 2 * self._mmio_ps
        if address not in STANDING or self._looks_often:
            self._catch_up()
        if self._link_down_until_ps > self.now_ps:
            return ALL_ONES
        return self._bus.read(address, self.now_ps // self._tick_ps, self._processor.instructions)

    def write32(self, address: int, value: int) -> None:
        """Write a register; takes one way over the link. Writes that the host may not do are dropped and counted."""
        _check_register(address)
        if not 0 <= value <= 0xFFFFFFFF:
            raise ValueError(f"{value:#x} is no 32-bit value")
        self._counts["host_writes"] += 1
        self.now_ps += self._mmio_ps
        if self._link_down_until_ps > self.now_ps:
            return
        if address == regs.CONTROL and value & regs.CONTROL_RESET.mask:
            self._reset()
            return
        self._posted.append((self.now_ps, address, value))
        if self._lookahead is not None:
            self._lookahead.host_wrote(address, value)
        if len(self._posted) > POSTED_MOST:
            self._catch_up()

    def memory_read(self, address: int, size: int) -> bytes:
        """Read device memory over the link: request, memory, `size` bytes back."""
        self._check_memory(address, size)
        if self.link_is_down:
            self._pass(self._link_latency_ps)
            return b"\xff" * size
        self._counts["host_read_bytes"] += size
        latency_ps, duration_ps = self._link(size)
        if self.timeline is not None:
            self.timeline.download.add(self.now_ps, self.now_ps + 2 * latency_ps + duration_ps, size)
        self._pass(latency_ps)
        self._core_jobs.transfer(self.now_ps, HOST, address, size, False, duration_ps)
        self._executor.settle(address, size, False)
        data = self._bytes[address : address + size].tobytes()
        self.now_ps += latency_ps + duration_ps
        if self._looks_often:
            self._catch_up()
        return data

    def memory_write(self, address: int, data: Any) -> None:
        """Write device memory over the link. The firmware's area is not writable."""
        view = memoryview(data).cast("B")
        size = len(view)
        self._check_memory(address, size)
        if self.link_is_down:
            self.now_ps += self._link_latency_ps
            return
        self._counts["host_write_bytes"] += size
        latency_ps, duration_ps = self._link(size)
        self._core_jobs.transfer(self.now_ps + latency_ps, HOST, address, size, True, duration_ps)
        if self.timeline is not None:
            self.timeline.upload.add(self.now_ps, self.now_ps + latency_ps + duration_ps, size)
        self.now_ps += latency_ps + duration_ps
        if address < FIRMWARE_AREA_BYTES:
            self._bus.drop_host_write()
            return
        # The bytes are there at once; the chip, which may be behind, reads only what was submitted before.
        self._executor.settle(address, size, True)
        self._damage.heal(address, size)
        self._bytes[address : address + size] = view

    def wait(self, timeout_us: float, function: int = 0) -> bool:
        """Let time pass until an enabled event of `function` is up (True) or `timeout_us` simulated microseconds
        passed (False)."""
        limit_ps = self.now_ps + round(timeout_us * PS_PER_US)
        self._do_posted()
        if not self._bus.event_line(function):
            self._play_with_faults(limit_ps, (function,))
        if self.link_is_down or not self._bus.event_line(function):
            self.now_ps = max(self.now_ps, limit_ps)
            return False
        raised_ps = self._bus.event_ps[function] + self._link_latency_ps
        self.now_ps = max(self.now_ps, raised_ps)
        if self._looks_often:
            self._catch_up()
        return True

    def wait_any(self, timeout_us: float, functions: Sequence[int]) -> None:
        """Let time pass until an enabled event of one of `functions` is up, or `timeout_us` passed; all of it while the
        link is down."""
        limit_ps = self.now_ps + round(timeout_us * PS_PER_US)
        self._catch_up()
        if self.link_is_down:
            self._pass(limit_ps - self.now_ps)
            return
        if not self._any_event(functions):
            self._play_with_faults(limit_ps, functions)
        up = [self._bus.event_ps[f] for f in functions if self._bus.event_line(f)]
        self._pass(max(0, min(up, default=limit_ps) - self.now_ps))

    @property
    def awake_ps(self) -> int:
        """How long the control processor has worked since power-on."""
        return self._awake_ps

    def watch_job_times(self) -> JobTimes:
        """From now on, keep how long jobs take."""
        self.job_times = self.job_times or JobTimes(self._tick_ps)
        return self.job_times

    def event_is_up(self, function: int) -> bool:
        """Whether the function's event line is up now, and the host sees it."""
        return self._bus.event_line(function) and not self.link_is_down

    def _any_event(self, functions: Sequence[int]) -> bool:
        line = self._bus.event_line
        for function in functions:  # noqa: SIM110 - any() over a generator costs more than what it asks
            if line(function):
                return True
        return False

    # -------------------------------------------------------------------------------------------------- functions

    memory_floor = FIRMWARE_AREA_BYTES  # what is below belongs to the firmware

    def scrub(self, address: int, size: int) -> None:
        """Zero device memory in no simulated time and give its pages back to this machine; both multiples of 4096."""
        self._catch_up()
        self._executor.settle(address, size, True)
        self._damage.heal(address, size)
        self._map.madvise(mmap.MADV_DONTNEED, address, size)

    def function(self, number: int) -> Function:
        """What client `number` (1..12) sees; `Function.enable` comes first."""
        return Function(self, number)

    def window(self, function: int) -> Window:
        """The part of device memory that a function's addresses are in; of no bytes when it has none."""
        if function == 0:
            return Window(0, self.memory.size)
        word = self._bus.word
        base = word(function_register(function, regs.FUNCTIONS_WINDOW_BASE)) * WINDOW_UNIT_BYTES
        size = word(function_register(function, regs.FUNCTIONS_WINDOW_SIZE)) * WINDOW_UNIT_BYTES
        enabled = word(function_register(function, regs.FUNCTIONS_CONTROL)) & regs.FUNCTIONS_CONTROL_ENABLE.mask
        fits = enabled and base >= FIRMWARE_AREA_BYTES and base + size <= self.memory.size
        return Window(base, size if fits else 0)

    def peek(self, address: int) -> int:
        """A register's stored word: what the host bridge itself looks at, in no time."""
        return self._bus.word(address)

    def function_events(self, function: int, *, clear: int = 0, enable: int | None = None) -> None:
        """A function clears events, or chooses those that raise its line."""
        self._pass(self._mmio_ps)
        if clear:
            self._bus.clear_events(function, clear)
        if enable is not None:
            self._bus.enable_events(function, enable, self.now_ps)

    def count_violation(self, function: int) -> None:
        """The host bridge dropped something that was not the function's."""
        self._pass(self._mmio_ps)
        self._bus.count_up(function_register(function, regs.FUNCTIONS_VIOLATIONS))

    def inject(self, fault: Fault) -> None:
        """Arm one more fault, from now on."""
        self.faults.add(fault, self.now_ps)
        if self.faults.any_spoils:
            self._executor.hold()

    def close(self) -> None:
        """Stop the host threads. The memory goes with the last reference to the chip."""
        self._executor.close()

    def stats(self) -> dict[str, Any]:
        """What was measured since power-on; raises when the model contradicts itself."""
        self._catch_up()
        self._core_jobs.settle(self.now_ps)
        self.check()
        processor = self._processor
        elapsed = max(self.now_ps, processor.cycles * self._tick_ps)
        return {
            "now_ps": self.now_ps,
            "functional": self.functional,
            "seed": self.seed,
            "control": {
                "instructions": processor.instructions,
                "awake_ps": self._awake_ps,
                "idle_ps": elapsed - self._awake_ps,
                "register_accesses": processor.accesses,
            },
            "host_link": dict(self._counts),
            "jobs": {section: dict(counters) for section, counters in self._core_jobs.counts.items()},
            "traffic": self.fabric.traffic(),
            "memory": self.fabric.memory(),
        }

    def check(self) -> None:
        """Raise when an invariant is broken: time, cores, memory, bytes of the host link."""
        self.fabric.check()
        if self._awake_ps > max(self.now_ps, self._processor.cycles * self._tick_ps):
            raise ChipError(f"the control processor was awake for {self._awake_ps} ps of {self.now_ps} ps")
        served = self.fabric.traffic().get("other", {}).get("host", {"read": 0, "write": 0})
        ahead = self._core_jobs.host_bytes_ahead
        moved = served["read"] + served["write"]
        asked = self._counts["host_read_bytes"] + self._counts["host_write_bytes"]
        if moved + ahead > asked:
            raise ChipError(f"host link: {moved} bytes served of {asked} asked for")

    # ------------------------------------------------------------------------------------------------------- time

    @property
    def _looks_often(self) -> bool:
        """Whether the chip is played at every point of the host's time, and not only where that can show: a fault may
        strike the link meanwhile, and the timeline shows how far the control processor was played."""
        return self.timeline is not None or self.faults.any_armed

    def _pass(self, duration_ps: int) -> None:
        """The host spends `duration_ps`; the chip goes on meanwhile."""
        self.now_ps += duration_ps
        self._catch_up()

    def _catch_up(self) -> None:
        """Play the chip up to the host's clock, with what the host posted."""
        if self._posted:
            self._do_posted()
        if self.faults.any_armed:
            self._play_with_faults(self.now_ps)
        else:
            self._play(self.now_ps)

    def _do_posted(self) -> None:
        """Play the chip up to the last of the host's posted writes."""
        posted, faults, play = self._posted, self.faults, self._play
        while posted:
            at_ps, address, value = posted.popleft()
            if not faults.any_armed:
                play(at_ps)
                self._bus.host_write(address, value, at_ps)
                continue
            self._play_with_faults(at_ps)
            queue, offset = divmod(address - regs.QUEUES_TAIL, regs.QUEUES_STRIDE)
            if offset == 0 and 0 <= queue < regs.QUEUES_COUNT and faults.loses_doorbell(queue):
                self._bus.set_word(address, value)
            else:
                self._bus.host_write(address, value, at_ps)

    def _play_with_faults(self, until_ps: int, until_event: Sequence[int] = ()) -> None:
        """`_play`, with the faults whose time comes on the way."""
        while self.faults.any_armed:
            due_ps = self.faults.next_ps
            if due_ps is None or due_ps > until_ps:
                break
            self._play(due_ps, until_event)
            if self._any_event(until_event):
                return
            for fault in self.faults.take_due(due_ps):
                self._strike(fault, due_ps)
        self._play(until_ps, until_event)

    def _play(self, until_ps: int, until_event: Sequence[int] = ()) -> None:
        """Play the chip up to `until_ps`, or up to the moment that the line of one of these functions goes up."""
        processor, jobs, bus, tick_ps = self._processor, self._core_jobs, self._bus, self._tick_ps
        state = processor.words
        limit_cycles = until_ps // tick_ps + 1
        while not until_event or not self._any_event(until_event):
            if self._waiting:
                wake_ps = self._wake_ps(until_ps)
                if wake_ps is None:
                    return
                processor.stall_until(-(-wake_ps // tick_ps))
                processor.finish_load(bus.pending)
                self._waiting = False
            elif self._stopped or self._stuck:
                if not jobs.next_end(until_ps):
                    return
            else:
                before = state[CYCLES]
                if before >= limit_cycles:
                    return
                # Up to here neither a core nor the timer changes a register.
                quiet_ps, timer_ps = jobs.quiet_ps, bus.timer_ps
                if timer_ps is not None and timer_ps < quiet_ps:
                    quiet_ps = timer_ps
                stop = processor.run(limit_cycles, (quiet_ps - 1) // tick_ps)
                if state[MOVES]:
                    self._moved(processor.taken_moves())
                if stop is not Stop.LIMIT:
                    self._handle(stop)
                after = state[CYCLES]
                self._awake_ps += (after - before) * tick_ps
                if self.timeline is not None:
                    self.timeline.awake.add(before * tick_ps, after * tick_ps)

    def _moved(self, moves: list[list[int]]) -> None:
        """The control processor's model moved these by itself."""
        self._core_jobs.control_moves(moves, self._tick_ps)
        if self.job_times is not None:
            for _, address, size, write in moves:
                if write and size == RECORD_BYTES:
                    self._note(address)

    def _wake_ps(self, until_ps: int) -> int | None:
        """When the stalled processor goes on; None: not up to `until_ps`."""
        if not self._bus.pending:
            timer_ps = self._bus.timer_ps
            limit_ps = until_ps if timer_ps is None else min(until_ps, timer_ps)
            if not self._core_jobs.next_end(limit_ps):
                if timer_ps is None or timer_ps > until_ps:
                    return None
                self._bus.fire_timer()
        return self._bus.pending_ps

    def _handle(self, stop: Stop) -> None:
        """Do what the control processor stopped for."""
        processor = self._processor
        at_ps = processor.cycles * self._tick_ps
        if stop is Stop.MMIO_STORE:
            offset, value = processor.access
            self._bus.write(offset, value, at_ps)
            act = self._on_store.get(offset)
            if act is not None:
                act(offset, value, at_ps)
        elif stop is Stop.MMIO_LOAD:
            offset, _ = processor.access
            if offset in self._bus.VOLATILE:
                while self._core_jobs.next_end(at_ps):
                    pass
                self._bus.expire_timer(at_ps)
            if offset == regs.WAIT_PENDING and not self._bus.pending:
                self._waiting = True
            else:
                processor.finish_load(self._bus.read(offset, processor.cycles, processor.instructions))
        elif stop is Stop.TRAP:
            self._stopped = True
            self._bus.set_fault(*processor.fault, at_ps)
        elif stop is Stop.WAIT:
            # WFI may end at once; the firmware stalls on `wait_pending` instead.
            pass

    def _store_acts(self) -> dict[int, Callable[[int, int, int], None]]:
        """What happens when the firmware writes a register, beside its being written: (offset, value, at_ps)."""
        acts: dict[int, Callable[[int, int, int], None]] = {
            regs.MOVER_GO: lambda _, value, at_ps: self._move(value, at_ps),
            regs.PREFETCH_HIGH: self._prefetch,
        }
        for core in range(regs.CORES_COUNT):
            acts[regs.CORES_START + core * regs.CORES_STRIDE] = self._start_core
            acts[regs.CORES_RESET + core * regs.CORES_STRIDE] = self._reset_core
        return acts

    def _prefetch(self, _offset: int, value: int, at_ps: int) -> None:
        """The firmware says that a job's block is final."""
        address = self._bus.word(regs.PREFETCH_LOW) | regs.PREFETCH_HIGH_ADDRESS.get(value) << 32
        if address + BLOCK_BYTES <= self.memory.size and regs.PREFETCH_HIGH_KIND.get(value) in self._types:
            self._executor.announce(address, self.window(regs.PREFETCH_HIGH_FUNCTION.get(value)))
            if self.timeline is not None:
                self.timeline.announced(address, at_ps)

    def _start_core(self, offset: int, value: int, at_ps: int) -> None:
        if value & 1:
            self._core_jobs.start((offset - regs.CORES_START) // regs.CORES_STRIDE, at_ps)

    def _reset_core(self, offset: int, value: int, at_ps: int) -> None:
        if value & 1:
            self._core_jobs.reset((offset - regs.CORES_RESET) // regs.CORES_STRIDE, at_ps)

    # ------------------------------------------------------------------------------------------------------ faults

    @property
    def link_is_down(self) -> bool:
        return self._link_down_until_ps > self.now_ps

    def _strike(self, fault: Fault, at_ps: int) -> None:
        """A fault's time has come."""
        if fault.kind == "bit_flip":
            self._damage.flip_bits(fault)
        elif fault.kind == "firmware_trap":
            self._processor.jump(NOWHERE)
            self._waiting = False
        elif fault.kind == "firmware_stuck":
            self._stuck = True
        elif fault.kind == "link_drop":
            self._link_down_until_ps = max(self._link_down_until_ps, at_ps + round(fault.for_us * PS_PER_US))
            self._bus.count_up(regs.LINK_DROPS)
        else:
            self._link_down_until_ps = NEVER_PS
            self.removed = True

    # --------------------------------------------------------------------------------------------- mover and link

    def _move(self, value: int, at_ps: int) -> None:
        """The mover: copy between device memory and the processor's, which stalls meanwhile."""
        bus, processor = self._bus, self._processor
        size = regs.MOVER_GO_BYTES.get(value)
        write = bool(regs.MOVER_GO_WRITE.get(value))
        device = bus.word(regs.MOVER_DEVICE_LOW) | bus.word(regs.MOVER_DEVICE_HIGH) << 32
        local = bus.word(regs.MOVER_LOCAL)
        in_memory = device + size <= self.memory.size and (size | local | device) % 4 == 0
        refused = not in_memory or processor.read(local, size) is None
        bus.set_word(regs.MOVER_STATUS, int(refused))
        if refused:
            return
        self._executor.settle(device, size, write)
        if write:
            data = processor.read(local, size) or b""
            self.memory[device : device + size] = np.frombuffer(data, np.uint8)
            if self.job_times is not None and size == RECORD_BYTES:
                self._note(device)
            if size == RECORD_BYTES and device >= FIRMWARE_AREA_BYTES and self._lookahead is not None:
                completed = self._lookahead.firmware_wrote(device, data)
                if completed is not None:
                    if self.timeline is not None:
                        self.timeline.completed(*completed, at_ps)
                    if self._watcher is not None:
                        self._watcher.completed(completed[1])
        else:
            processor.write(local, self.memory[device : device + size].tobytes())
        self._core_jobs.transfer(at_ps, CONTROL, device, size, write, 0)
        if not size:
            return
        done_ps = at_ps + move_time(device, size, write, self._move_ps, self._tick_ps)
        processor.stall_until(-(-done_ps // self._tick_ps))

    def _note(self, address: int) -> None:
        """The firmware wrote a record: outside of its own area that is a completion."""
        if self.job_times is not None and address >= FIRMWARE_AREA_BYTES:
            self.job_times.note(self.memory[address : address + RECORD_BYTES].tobytes())

    def _rung(self, queue: int, sequence: int) -> None:
        """A doorbell showed a command."""
        if self.timeline is not None:
            self.timeline.rung(queue, sequence, self.now_ps)

    def _move_latency_ps(self) -> int:
        """Network there and back and one read of a closed row."""
        timing = self.config.memory.timing
        network_ps = 2 * self.config.noc.latency_cycles * self.config.clocks.noc_ps
        return network_ps + (timing.nRCD + timing.nCL + timing.nBL) * timing.tCK_ps

    def _link(self, size: int) -> tuple[int, int]:
        """(latency, duration) of `size` bytes over the host link, ps."""
        return self._link_latency_ps, -(-size * PS_PER_US // self._link_mb_s)

    def _check_memory(self, address: int, size: int) -> None:
        if size < 0 or not 0 <= address <= self.memory.size - size:
            raise ValueError(f"{size} bytes at {address:#x} are outside the {self.memory.size} bytes of device memory")

    # ------------------------------------------------------------------------------------------------------- reset

    def _reset(self) -> None:
        """Restart firmware and registers. Jobs on cores run out first, unseen: a core cannot be stopped half-way."""
        self._catch_up()
        self._core_jobs.forget_all()
        while self._core_jobs.any_running:
            if not self._core_jobs.next_end(self.now_ps):
                self.now_ps += RESET_STEP_PS
        self._core_jobs.forgotten()
        self._executor.drain()
        self._bus.resets += 1
        self._processor.load(self._image)
        self._processor.stall_until(-(-self.now_ps // self._tick_ps))
        self._bus.reset()
        if self._lookahead is not None:
            self._lookahead.forget()
        if self.timeline is not None:
            self.timeline.forget()
        self._waiting = self._stopped = self._stuck = False


def _check_register(address: int) -> None:
    if address % 4 or not 0 <= address < regs.SIZE_BYTES:
        raise ValueError(f"{address:#x} is no register address (0..{regs.SIZE_BYTES - 4:#x}, multiples of 4)")
