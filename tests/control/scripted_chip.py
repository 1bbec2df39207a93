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
