"""A chip and a host that follow a script, to run the firmware's image on processors of different make."""

from collections.abc import Callable, Iterator

from asic_model import descriptors
from asic_model.descriptors import Command, Kind
from asic_model.registers import map as regs

AREA = 256 << 10  # the firmware's, at the bottom of device memory
IMAGE_MEMORY = 128 << 10
DEVICE_MEMORY = 4 << 20
RING, COMPLETIONS, BLOCKS, BUFFERS = AREA, AREA + 0x1000, AREA + 0x2000, AREA + 0x10000


class ScriptedChip:
    """Registers, mover and a host that follows a script. Time is the number of register accesses, so that it is the
    same on every processor. Each time the firmware waits with nothing pending, the next step of the script happens."""

    def __init__(self, local_read: Callable[[int, int], bytes], local_write: Callable[[int, bytes], None]) -> None:
        self.local_read, self.local_write = local_read, local_write
        self.words = dict.fromkeys(range(0, regs.SIZE_BYTES, 4), 0)
        self.memory = bytearray(DEVICE_MEMORY)
        self.trace: list[tuple[str, int, int]] = []
        self.finished = False
        self.processor_cycles = 0  # of the run, by whoever runs it
        self.steps = self.script()
        self.words[regs.MEMORY_SIZE] = DEVICE_MEMORY >> 20
        self.words[regs.FIRMWARE_AREA] = AREA
        self.words[regs.SESSION_LIMIT] = 8
        self.words[regs.PICTURE_LIMIT] = 256 | 256 << 16
        self.words[regs.CLOCK_PERIOD] = 2500
        self.words[regs.CORES_KIND] = Kind.ENCODE
        self.words[regs.CORES_KIND + regs.CORES_STRIDE] = Kind.SCALE

    def read(self, offset: int) -> int:
        if offset == regs.WAIT_PENDING:
            while not self.words[regs.PENDING] and not self.finished:
                self.finished = next(self.steps, "end") == "end"
            value = self.words[regs.PENDING]
        elif offset == regs.TIME_LOW:
            value = len(self.trace)
        else:
            value = self.words[offset]
        self.trace.append(("read", offset, value))
        return value

    def write(self, offset: int, value: int) -> None:
        self.trace.append(("write", offset, value))
        if offset in (regs.PENDING, regs.CORES_DONE, regs.DOORBELLS):
            self.words[offset] &= ~value
            return
        self.words[offset] = value
        if offset == regs.MOVER_GO:
            size, device, local = value & 0xFFFF, self.words[regs.MOVER_DEVICE_LOW], self.words[regs.MOVER_LOCAL]
            if value >> 16:
                self.memory[device : device + size] = self.local_read(local, size)
            else:
                self.local_write(local, bytes(self.memory[device : device + size]))

    # ------------------------------------------------------------------------------------------------ the script

    def script(self) -> Iterator[None]:
        self.words[regs.HOST_VERSION] = 1
        self.words[regs.PENDING] |= regs.PENDING_HOST_VERSION.mask
        yield
        self.words[regs.QUEUES_BASE_LOW], self.words[regs.QUEUES_COMPLETION_BASE_LOW] = RING, COMPLETIONS
        self.words[regs.QUEUES_CONTROL] = 4 << 1 | 1
        self.words[regs.PENDING] |= regs.PENDING_CONTROL.mask
        yield
        block = descriptors.pack_session(Kind.ENCODE, width=64, height=64, bit_rate=500_000, rate_numerator=30)
        self.submit(Command.OPEN_SESSION, block)
        self.submit(Command.OPEN_SESSION, descriptors.pack_session(Kind.SCALE, width=64, height=64))
        yield
        encode, scale = (self.completion(n)["session"] for n in (0, 1))
        for picture in range(3):
            fields = {
                "width": 64, "height": 64, "src_address": BUFFERS,
                "recon_address": BUFFERS + 0x4000 * (1 + picture % 2),
                "ref_count": int(picture > 0), "ref_address_0": (picture > 0) * (BUFFERS + 0x4000 * (2 - picture % 2)),
                "out_address": BUFFERS + 0x20000, "out_capacity": 4096, "slice_type": 0 if picture else 2, "slices": 1,
                "log2_max_frame_num": 4, "frame_num": picture, "idr": int(picture == 0), "nal_ref_idc": 1,
            }  # fmt: skip
            last = self.submit(Command.ENCODE, descriptors.pack_job(Kind.ENCODE, fields), session=encode)
        fields = {"width": 64, "height": 64, "src_address": BUFFERS, "output_count": 1, "out0_width": 32,
                  "out0_height": 32, "out0_address": BUFFERS + 0x30000}  # fmt: skip
        block = descriptors.pack_job(Kind.SCALE, fields)
        self.submit(Command.SCALE, block, session=scale, wait_session=encode, wait_sequence=last)
        self.submit(Command.SCALE, bytes(256), session=scale)  # refused
        yield
        for core in (0, 0, 0, 1):
            assert self.words[regs.CORES_START + core * regs.CORES_STRIDE] == 1
            self.words[regs.CORES_START + core * regs.CORES_STRIDE] = 0
            self.words[regs.CORES_OUTPUT_BYTES + core * regs.CORES_STRIDE] = 1000 * (core + 1)
            self.words[regs.CORES_DONE] |= 1 << core
            self.words[regs.PENDING] |= regs.PENDING_CORE.mask
            yield
        self.submit(Command.CLOSE_SESSION, session=encode)
        self.words[regs.PENDING] |= regs.PENDING_TIMER.mask
        yield
        self.words[regs.QUEUES_CONTROL] = 0
        self.words[regs.PENDING] |= regs.PENDING_CONTROL.mask
        yield

    def submit(self, command: Command, block: bytes | None = None, **fields: int) -> int:
        index = self.words[regs.QUEUES_TAIL]
        if block is not None:
            fields["block_address"] = BLOCKS + index % 16 * 256
            self.memory[fields["block_address"] : fields["block_address"] + 256] = block
        record = descriptors.pack_command(command, index + 1, **fields)
        self.memory[RING + index % 16 * 64 : RING + index % 16 * 64 + 64] = record
        self.words[regs.QUEUES_TAIL] = index + 1
        self.words[regs.DOORBELLS] |= 1
        self.words[regs.PENDING] |= regs.PENDING_DOORBELL.mask
        return index + 1

    def completion(self, index: int) -> dict[str, int]:
        return descriptors.unpack_completion(bytes(self.memory[COMPLETIONS + 64 * index :][:64]))


class BusyChip(ScriptedChip):
    """A busier script: five sessions on three queues of different priority, one of them a client's, under rate control
    with B pictures and a buffer; fences, deadlines, commands that are refused, accesses outside of the window, cores
    that hang and are reset, a queue that is stopped half-way."""

    QUEUES = (0, 1, 4)  # queue 4 is function 1's
    WINDOW, WINDOW_BYTES = 1 << 20, 1 << 20
    PICTURES = 24

    def __init__(self, local_read: Callable[[int, int], bytes], local_write: Callable[[int, bytes], None]) -> None:
        super().__init__(local_read, local_write)
        self.words[regs.CORES_KIND + 2 * regs.CORES_STRIDE] = Kind.ENCODE
        self.sent = dict.fromkeys(self.QUEUES, 0)
        self.encoded = 0

    def place(self, queue: int, address: int) -> int:
        """Where a queue's own address is in device memory."""
        return address + (self.WINDOW if queue == 4 else queue * 0x40000)

    def own(self, queue: int, address: int) -> int:
        """How the queue's owner names that place."""
        return address if queue == 4 else self.place(queue, address)

    def word(self, queue: int, register: int) -> int:
        return register + queue * regs.QUEUES_STRIDE

    def enable(self, queue: int, priority: int) -> None:
        for register, address in ((regs.QUEUES_BASE_LOW, RING), (regs.QUEUES_COMPLETION_BASE_LOW, COMPLETIONS)):
            self.words[self.word(queue, register)] = self.own(queue, address)
        self.words[self.word(queue, regs.QUEUES_CONTROL)] = priority << 5 | 4 << 1 | 1
        self.words[regs.PENDING] |= regs.PENDING_CONTROL.mask

    def send(self, queue: int, command: Command, block: bytes | None = None, **fields: int) -> int:
        index = self.sent[queue]
        if block is not None:
            at = BLOCKS + index % 16 * 256
            fields.setdefault("block_address", self.own(queue, at))
            self.memory[self.place(queue, at) : self.place(queue, at) + 256] = block
        record = descriptors.pack_command(command, index + 1, **fields)
        at = self.place(queue, RING + index % 16 * 64)
        self.memory[at : at + 64] = record
        self.sent[queue] = self.words[self.word(queue, regs.QUEUES_TAIL)] = index + 1
        self.words[regs.DOORBELLS] |= 1 << queue
        self.words[regs.PENDING] |= regs.PENDING_DOORBELL.mask
        return index + 1

    def done(self, queue: int, index: int) -> dict[str, int]:
        at = self.place(queue, COMPLETIONS + 64 * (index % 16))
        return descriptors.unpack_completion(bytes(self.memory[at : at + 64]))

    def take(self, queue: int) -> None:
        self.words[self.word(queue, regs.QUEUES_COMPLETION_HEAD)] = self.words[
            self.word(queue, regs.QUEUES_COMPLETION_TAIL)
        ]

    def picture(self, queue: int, number: int, **more: int) -> bytes:
        """An encode job: I, then B, B, P by turns."""
        kind = 2 if number == 0 else 0 if number % 3 == 0 else 1
        at = self.own(queue, BUFFERS)
        fields = {
            "width": 64, "height": 64, "src_address": at, "recon_address": at + 0x4000 * (1 + number % 4),
            "out_address": at + 0x20000, "out_capacity": 4096, "slice_type": kind, "slices": 1,
            "ref_count": int(kind != 2), "ref_l1_count": int(kind == 1),
            "ref_address_0": (kind != 2) * (at + 0x4000 * (1 + (number + 1) % 4)),
            "ref_l1_address_0": (kind == 1) * (at + 0x4000 * (1 + (number + 2) % 4)),
            "log2_max_frame_num": 4, "frame_num": number % 16, "idr": int(number == 0),
            "nal_ref_idc": int(kind != 1), "qp": 20 + number,
        }  # fmt: skip
        return descriptors.pack_job(Kind.ENCODE, fields | more)

    def finish(self) -> bool:
        """End what runs on the cores, in one order or the other; whether there was anything."""
        any_ended = False
        for core in (0, 1, 2) if self.encoded % 2 else (2, 1, 0):
            base = core * regs.CORES_STRIDE
            if not self.words[regs.CORES_START + base]:
                continue
            self.encoded += 1
            self.end(core, output_bytes=300 + 700 * self.encoded % 4000)
            any_ended = True
        return any_ended

    def end(self, core: int, status: int = 0, output_bytes: int = 0) -> None:
        base = core * regs.CORES_STRIDE
        self.words[regs.CORES_START + base] = self.words[regs.CORES_RESET + base] = 0
        self.words[regs.CORES_STATUS + base] = regs.CORES_STATUS_RESULT.put(status)
        self.words[regs.CORES_OUTPUT_BYTES + base] = output_bytes
        self.words[regs.CORES_FINISHED_LOW + base] = len(self.trace) + 1000  # later than some deadlines
        self.words[regs.CORES_DONE] |= 1 << core
        self.words[regs.PENDING] |= regs.PENDING_CORE.mask

    def script(self) -> Iterator[None]:
        function = {
            regs.FUNCTIONS_CONTROL: 1, regs.FUNCTIONS_WINDOW_BASE: self.WINDOW >> 16,
            regs.FUNCTIONS_WINDOW_SIZE: self.WINDOW_BYTES >> 16, regs.FUNCTIONS_SESSION_LIMIT: 2,
            regs.FUNCTIONS_ENCODE_RATE_LIMIT: 10_000,
        }  # fmt: skip
        self.words |= function
        self.words[regs.HOST_VERSION] = 1
        self.words[regs.PENDING] |= regs.PENDING_HOST_VERSION.mask
        yield
        for queue, priority in zip(self.QUEUES, (2, 0, 1), strict=True):
            self.enable(queue, priority)
            yield
        rated = descriptors.pack_session(
            Kind.ENCODE, width=64, height=64, rate_numerator=30, bit_rate=300_000, max_rate=400_000,
            buffer_bits=200_000, initial_bits=180_000, intra_period=48, b_frames=2, watchdog_us=1000,
        )  # fmt: skip
        plain = descriptors.pack_session(Kind.ENCODE, width=64, height=64, watchdog_us=1000)
        scaler = descriptors.pack_session(Kind.SCALE, width=64, height=64)
        for queue, block in ((0, rated), (1, plain), (1, scaler), (4, rated), (4, plain), (4, scaler)):
            self.send(queue, Command.OPEN_SESSION, block)
            yield
        first, client = self.done(0, 0)["session"], self.done(4, 0)["session"]
        second, scale = self.done(1, 0)["session"], self.done(1, 1)["session"]
        assert self.done(4, 2)["status"] == descriptors.Status.NO_CAPACITY  # of the function
        for queue in self.QUEUES:
            self.take(queue)
        for number in range(self.PICTURES):
            self.send(0, Command.ENCODE, self.picture(0, number), session=first, deadline_us=1 + number % 3)
            self.send(4, Command.ENCODE, self.picture(4, number), session=client)
            if number % 2 == 0:
                coded = self.send(1, Command.ENCODE, self.picture(1, number), session=second, core=1 + number % 4)
                fields = {
                    "width": 64, "height": 64, "src_address": self.own(1, BUFFERS), "output_count": 2,
                    "out0_width": 32, "out0_height": 32, "out0_address": self.own(1, BUFFERS + 0x30000),
                    "out1_width": 16, "out1_height": 16, "out1_address": self.own(1, BUFFERS + 0x34000),
                }  # fmt: skip
                self.send(1, Command.SCALE, descriptors.pack_job(Kind.SCALE, fields), session=scale,
                          wait_session=second, wait_sequence=coded)  # fmt: skip
            if number % 5 == 1:  # outside of its window; a field out of range; an old sequence; no such type
                self.send(4, Command.ENCODE, self.picture(4, number, src_address=self.WINDOW_BYTES), session=client)
                spoilt = bytearray(self.picture(0, number))
                spoilt[descriptors.ENCODE_BLOCK.offsets["qp"]] = 60
                self.send(0, Command.ENCODE, bytes(spoilt), session=first)
            yield
            while self.finish():
                yield
            if number == 9:
                self.send(0, Command.RECONFIGURE, rated, session=first)
                yield
            if number % 8 == 7:  # nobody ends these: the watchdog does, twice
                self.send(0, Command.ENCODE, self.picture(0, 3), session=first)
                yield
                yield from self.hang()
            for queue in self.QUEUES:
                self.take(queue)
            self.words[regs.DOORBELLS] |= sum(1 << queue for queue in self.QUEUES)
            self.words[regs.PENDING] |= regs.PENDING_DOORBELL.mask | regs.PENDING_TIMER.mask
            yield
        for _ in range(4):
            self.send(1, Command.ENCODE, self.picture(1, 0), session=second)
        yield
        self.words[self.word(1, regs.QUEUES_CONTROL)] = 0  # one of them is on a core, the others are aborted
        self.words[regs.PENDING] |= regs.PENDING_CONTROL.mask
        yield
        while self.finish():
            yield
        self.send(0, Command.CLOSE_SESSION, session=first)
        yield

    def hang(self) -> Iterator[None]:
        """Heartbeats pass until the firmware has reset each core that it started, as often as it starts it again."""
        for _ in range(24):
            for core in (0, 1, 2):
                if self.words[regs.CORES_RESET + core * regs.CORES_STRIDE]:
                    self.end(core, descriptors.Status.CORE_RESET)
            self.words[regs.PENDING] |= regs.PENDING_TIMER.mask
            yield
