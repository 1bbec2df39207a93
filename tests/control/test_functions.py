"""Functions: a client has its window, its queue and its events, and nothing else; limits, priorities, deadlines."""

import random

import pytest

from asic_model import descriptors
from asic_model.chip import Chip
from asic_model.config import load_chip, with_changes
from asic_model.descriptors import CapacityLimit, Command, Kind, Status
from asic_model.functions import Function
from asic_model.registers import map as regs
from tests.control.harness import Encoder, Host, HostQueue, fake_chip, small_config

WINDOW = 4 << 20


class Client(Host):
    """A host behind a function; its memory starts behind the first page."""

    def __init__(self, function: Function) -> None:
        super().__init__(function)  # type: ignore[arg-type]
        self._next = 4096


def clients(chip: Chip, count: int, **limits: int) -> list[Client]:
    """Function 0 brings the chip up and gives out `count` functions, their windows one behind the other."""
    Host(chip)
    found = []
    for number in range(1, count + 1):
        function = chip.function(number)
        function.enable(16 << 20 | (number - 1) * WINDOW, WINDOW, **limits)
        found.append(Client(function))
    return found


def violations(client: Client) -> int:
    return client.chip.read32(regs.FUNCTIONS_VIOLATIONS)


def test_a_client_sees_its_own_part_of_the_chip():
    chip = fake_chip(host_threads=1)
    one, two = clients(chip, 2, sessions=3, kilosamples=500)
    for number, client in enumerate((one, two), 1):
        read = client.chip.read32
        assert read(regs.FUNCTION) == number
        assert regs.CAPACITY_QUEUES.get(read(regs.CAPACITY)) == 1
        assert read(regs.MEMORY_SIZE) == WINDOW >> 20
        assert read(regs.FIRMWARE_AREA) == 4096
        assert read(regs.SESSION_LIMIT) == 3
        assert read(regs.ENCODE_RATE_LIMIT) == 500
        assert read(regs.LOG_BASE) == 0
    one.queue()
    assert one.chip.read32(regs.QUEUES_STATUS) == regs.QueueState.RUNNING
    assert two.chip.read32(regs.QUEUES_STATUS) == regs.QueueState.STOPPED
    assert two.chip.read32(regs.QUEUES_STATUS + regs.QUEUES_STRIDE) == 0  # nobody else's is to be seen
    with pytest.raises(ValueError, match="function 13"):
        chip.function(13)


def test_jobs_of_two_clients_at_equal_addresses_do_not_meet():
    """Both use the same addresses; each gets what came from its own picture, and not a byte outside is written."""
    chip = fake_chip(host_threads=2)
    both = clients(chip, 2)
    before = chip.memory.copy()
    outputs = []
    for value, client in zip((3, 200), both, strict=True):
        encoder = Encoder(client.queue())
        client.chip.memory_write(encoder.source, bytes([value]) * (64 * 64 * 3 // 2))
        encoder.submit()
        outputs.append((encoder, client))
    streams = []
    for encoder, client in outputs:
        assert encoder.queue.finish(1)[0]["status"] == Status.OK
        streams.append(client.chip.memory_read(encoder.out, 4))
    # harness.fake_core: every byte of the stream is the sum of the source, modulo 251
    assert streams[0] != streams[1]
    assert outputs[0][0].out == outputs[1][0].out
    changed = (chip.memory != before).nonzero()[0]
    inside = [(16 << 20) + n * WINDOW for n in range(2)]
    outside = changed[(changed >= 256 << 10) & ~((changed >= inside[0]) & (changed < inside[1] + WINDOW))]
    assert outside.size == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"src_address": WINDOW},
        {"recon_address": WINDOW - 4096},  # begins inside, ends outside
        {"out_address": 0},  # the first page is nobody's
        {"out_address": 16 << 20},  # a device address of the client's own memory
        {"src_address": 1 << 40},
        {"qp_map_address": WINDOW + 64},
    ],
)
def test_addresses_outside_of_the_window_fail_the_job_and_are_counted(changes):
    seen = []
    chip = fake_chip(host_threads=1, before=seen.append)
    (client,) = clients(chip, 1)
    encoder = Encoder(client.queue())
    encoder.submit(**changes)
    done = encoder.queue.finish(1)[0]
    assert done["status"] == Status.ACCESS_VIOLATION
    assert done["detail"] == descriptors.ENCODE_BLOCK.number(next(iter(changes)))
    assert not seen
    assert violations(client) == 1
    assert chip.read32(regs.ACCESS_VIOLATIONS) == 1
    encoder.pictures = 0
    encoder.submit()
    assert encoder.queue.finish(1)[0]["status"] == Status.OK  # the next job is as welcome as ever


def test_a_block_and_rings_outside_of_the_window():
    chip = fake_chip(host_threads=1)
    one, two = clients(chip, 2)
    queue = one.queue()
    done = queue.call(Command.OPEN_SESSION, descriptors.pack_session(Kind.ENCODE, width=64, height=64),
                      block_address=WINDOW)  # fmt: skip
    assert done["status"] == Status.ACCESS_VIOLATION
    two.chip.write32(regs.QUEUES_BASE_LOW, WINDOW - 64)
    two.chip.write32(regs.QUEUES_COMPLETION_BASE_LOW, 8192)
    two.chip.write32(regs.QUEUES_CONTROL, 4 << regs.QUEUES_CONTROL_SIZE_LOG2.low | 1)
    two.until(lambda: two.chip.read32(regs.QUEUES_STATUS) != regs.QueueState.STOPPED)
    assert two.chip.read32(regs.QUEUES_STATUS) == regs.QueueState.BAD_RING


def test_the_host_link_keeps_clients_apart():
    """Reads outside give zeros, writes are dropped, registers of others and of the chip cannot be written."""
    chip = fake_chip(host_threads=1)
    one, two = clients(chip, 2)
    two.chip.memory_write(8192, b"secret!!")
    base = (16 << 20) + WINDOW
    for address in (WINDOW + 8192, base + 8192, 0, 4088):
        assert one.chip.memory_read(address, 8) == bytes(8)
        one.chip.memory_write(address, b"overwrite"[:8])
    assert two.chip.memory_read(8192, 8) == b"secret!!"
    assert violations(one) == 8
    for address in (regs.CONTROL, regs.QUEUES_TAIL + regs.QUEUES_STRIDE, regs.FUNCTIONS_WINDOW_SIZE, regs.CORES_OUT,
                    regs.CORE_RESET, regs.FIRMWARE_STATUS, regs.MOVER_GO):  # fmt: skip
        before = chip.read32(address)
        one.chip.write32(address, 0xFFFFFFFF)
        assert chip.read32(address) == before
    assert violations(one) == 15
    assert violations(two) == 0


def test_a_session_number_of_another_client_is_no_session():
    chip = fake_chip(host_threads=1)
    one, two = clients(chip, 2)
    owner, thief = Encoder(one.queue()), two.queue()
    victim = owner.session
    for command in (Command.CLOSE_SESSION, Command.NOP):
        assert thief.call(command, session=victim)["status"] == Status.BAD_SESSION
    mine = thief.open(Kind.ENCODE)
    thief.submit(Command.ENCODE, owner.block(), session=mine, wait_session=victim, wait_sequence=1)
    assert thief.finish(1)[0]["status"] == Status.BAD_FENCE


def test_limits_say_which_one():
    chip = fake_chip(small_config(**{"limits.sessions": 4}), host_threads=1)
    one, two = clients(chip, 2, sessions=3, kilosamples=1000)
    queue, other = one.queue(), two.queue()

    def opened(at: HostQueue, **fields: int) -> tuple[int, int]:
        block = descriptors.pack_session(Kind.ENCODE, width=64, height=64, **fields)
        done = at.call(Command.OPEN_SESSION, block)
        return done["status"], done["detail"]

    assert opened(queue, reserve_kilosamples=900)[0] == Status.OK
    assert opened(queue, reserve_kilosamples=101) == (Status.NO_CAPACITY, CapacityLimit.FUNCTION_ENCODE_RATE)
    assert opened(other, reserve_kilosamples=1 << 30) == (Status.NO_CAPACITY, CapacityLimit.ENCODE_RATE)
    assert opened(queue)[0] == opened(queue)[0] == Status.OK
    assert opened(queue) == (Status.NO_CAPACITY, CapacityLimit.FUNCTION_SESSIONS)
    assert opened(other)[0] == Status.OK
    assert opened(other) == (Status.NO_CAPACITY, CapacityLimit.SESSIONS)


def test_clients_share_a_core_fairly():
    """One client has 24 jobs waiting, another comes with 4: they alternate from then on."""
    chip = fake_chip(small_config(**{"encode.cores": 1}), host_threads=1, cycles=lambda job: 5000)
    greedy, modest = clients(chip, 2)
    queues = [client.queue(0, 6) for client in (greedy, modest)]
    many = [Encoder(queues[0]) for _ in range(4)]
    few = Encoder(queues[1])
    for _ in range(6):
        for encoder in many:
            encoder.submit(ring=False)
    for _ in range(4):
        few.submit(ring=False)
    for queue in queues:
        queue.ring()
    done = [(d["started"], n) for n, count in ((1, 4), (0, 24)) for d in queues[n].finish(count)]
    order = [n for _, n in sorted(done)]
    assert order[: 2 * 4 + 1].count(1) == 4, order


def test_priority_goes_first_and_is_capped():
    chip = fake_chip(small_config(**{"encode.cores": 1}), host_threads=1, cycles=lambda job: 20_000)
    plain, urgent = clients(chip, 2)
    capped = chip.function(3)
    capped.enable(48 << 20, WINDOW, priority=1)
    third = Client(capped)
    low, high, cut = (client.queue(0, 6) for client in (plain, urgent, third))
    for queue, priority in ((high, 3), (cut, 3)):
        queue.write(regs.QUEUES_CONTROL, 0)
        queue.host.until(lambda queue=queue: queue.read(regs.QUEUES_STATUS) == regs.QueueState.STOPPED)
        control = 6 << regs.QUEUES_CONTROL_SIZE_LOG2.low | priority << regs.QUEUES_CONTROL_PRIORITY.low | 1
        queue.tail = queue.taken = 0
        for address in (regs.QUEUES_TAIL, regs.QUEUES_COMPLETION_HEAD):
            queue.write(address, 0)
        queue.write(regs.QUEUES_CONTROL, control)
        queue.host.until(lambda queue=queue: queue.read(regs.QUEUES_STATUS) == regs.QueueState.RUNNING)
    assert regs.QUEUES_CONTROL_PRIORITY.get(cut.read(regs.QUEUES_CONTROL)) == 1
    encoders = [Encoder(queue) for queue in (low, high, cut)]
    for encoder in encoders:
        for _ in range(4):
            encoder.submit(ring=False)
    for queue in (low, cut, high):
        queue.ring()
    starts = sorted((d["started"], n) for n, queue in ((0, low), (1, high), (2, cut)) for d in queue.finish(4))
    order = [n for _, n in starts]
    assert order[-3:] == [0, 0, 0], order
    assert order.index(1) <= 2
    assert [n for n in order if n != 0] == [*([1] * 4), *([2] * 4)] or order[0] == 2


def test_the_earliest_deadline_goes_first_and_a_missed_one_is_told():
    chip = fake_chip(small_config(**{"encode.cores": 1}), host_threads=1, cycles=lambda job: 50_000)
    host = Host(chip)
    queue = host.queue(0, 6)
    encoders = [Encoder(queue) for _ in range(4)]
    encoders[0].submit()  # occupies the core
    deadlines = {1: 0, 2: 900_000, 3: 1}
    for number, deadline_us in deadlines.items():
        queue.submit(Command.ENCODE, encoders[number].block(), session=encoders[number].session,
                     deadline_us=deadline_us)  # fmt: skip
    done = queue.finish(4)
    numbers = {encoder.session: n for n, encoder in enumerate(encoders)}
    assert [numbers[d["session"]] for d in done] == [0, 3, 2, 1]
    assert [d["late"] for d in done] == [0, 1, 0, 0]
    assert chip.read32(regs.DEADLINES_MISSED) == 1


def test_a_command_may_name_its_core():
    chip = fake_chip(host_threads=1)
    queue = Host(chip).queue()
    encoder = Encoder(queue)
    chip.write32(regs.CORES_OUT, 0b01)
    for core in (0, 1, 0):
        queue.submit(Command.ENCODE, encoder.block(), session=encoder.session, core=core + 1)
        done = queue.finish(1)[0]
        assert (done["status"], done["core"]) == (Status.OK, core)
    for _ in range(3):  # without a name, none goes to the core that is out
        encoder.submit()
        assert queue.finish(1)[0]["core"] == 1
    queue.submit(Command.ENCODE, encoder.block(), session=encoder.session, core=3)  # a scale core
    assert queue.finish(1)[0]["status"] == Status.BAD_COMMAND
    chip.write32(regs.CORES_OUT, 0b11)
    encoder.pictures = 0
    encoder.submit()
    assert queue.finish(1)[0]["status"] == Status.NO_CORE


def test_features_are_negotiated():
    chip = fake_chip(host_threads=1)
    host = Host(chip, negotiate=False)
    offered = chip.read32(regs.FIRMWARE_FEATURES)
    assert offered == 0b11111
    for wanted, answer in ((1 << 20, regs.Negotiation.NO_FEATURE), (offered, regs.Negotiation.ACCEPTED)):
        chip.write32(regs.HOST_FEATURES, wanted)
        chip.write32(regs.HOST_VERSION, descriptors.VERSION)
        expected = int(answer) << regs.NEGOTIATION_ANSWER.low | descriptors.VERSION
        host.until(lambda expected=expected: chip.read32(regs.NEGOTIATION) == expected)
    function = chip.function(1)
    function.enable(16 << 20, WINDOW)
    function.write32(regs.HOST_FEATURES, 1 << 20)
    function.write32(regs.HOST_VERSION, descriptors.VERSION)
    assert regs.NEGOTIATION_ANSWER.get(function.read32(regs.NEGOTIATION)) == regs.Negotiation.NO_FEATURE
    function.write32(regs.HOST_FEATURES, 0)
    function.write32(regs.HOST_VERSION, descriptors.VERSION + 1)
    assert regs.NEGOTIATION_ANSWER.get(function.read32(regs.NEGOTIATION)) == regs.Negotiation.REFUSED


@pytest.mark.parametrize("seed", range(3))
def test_hostile_clients_never_reach_each_other(seed):
    """Random register and memory writes of one client: memory and jobs of another one stay as they are."""
    generator = random.Random(seed)
    chip = fake_chip(host_threads=1)
    one, two = clients(chip, 2)
    good = Encoder(two.queue())
    two.chip.memory_write(good.source, bytes(range(256)) * 24)
    marker = bytes(generator.getrandbits(8) for _ in range(4096))
    two.chip.memory_write(WINDOW - 4096, marker)
    good.submit()
    expected = good.queue.finish(1)[0]
    stream = two.chip.memory_read(good.out, expected["output_bytes"])
    addresses = [*regs.REGISTERS, *(a + regs.QUEUES_STRIDE * n for a in (regs.QUEUES_TAIL, regs.QUEUES_CONTROL)
                                    for n in range(16))]  # fmt: skip
    for _ in range(400):
        one.chip.write32(generator.choice(addresses), generator.getrandbits(generator.choice((1, 8, 32))))
        if generator.random() < 0.3:
            place = generator.choice((generator.randrange(WINDOW), generator.getrandbits(40)))
            one.chip.memory_write(place, bytes(generator.getrandbits(8) for _ in range(64)))
    good.pictures = 0
    good.submit()
    again = good.queue.finish(1)[0]
    assert again["status"] == Status.OK
    assert two.chip.memory_read(good.out, again["output_bytes"]) == stream
    assert two.chip.memory_read(WINDOW - 4096, 4096) == marker
    assert chip.read32(regs.FIRMWARE_STATUS) == regs.FirmwareState.RUN


def test_a_decode_reference_outside_of_the_window_is_stopped_at_the_core():
    """The firmware does not look into parameter blocks; the core's guard does."""
    from asic_model.codecs.h264.decode_records import MATRICES, REFERENCE, SLICE

    config = with_changes(load_chip("edge"), {"memory.capacity_mib": 64})
    chip = Chip(config, host_threads=1, functional=False)
    (client,) = clients(chip, 1)
    queue = client.queue()
    session = queue.open(Kind.DECODE, 64, 64)
    parameters = client.allocate(8192)
    for address, status in ((WINDOW, Status.ACCESS_VIOLATION), (3 << 20, Status.OK)):
        record = REFERENCE.fields["address"][1]
        reference = bytearray(REFERENCE.itemsize)
        reference[record : record + 8] = address.to_bytes(8, "little")
        block = descriptors.pack_job(
            Kind.DECODE,
            {"width": 64, "height": 64, "out_address": 1 << 20, "parameters_address": parameters,
             "stream_address": 2 << 20, "stream_bytes": 64, "slice_count": 1, "matrix_count": 1, "reference_count": 1,
             "structure": 3, "chroma": 1, "conceal_reference": -1},
        )  # fmt: skip
        client.chip.memory_write(parameters + SLICE.itemsize + MATRICES.itemsize, bytes(reference))
        queue.submit(Command.DECODE, block, session=session)
        assert queue.finish(1)[0]["status"] == status
    assert chip.read32(regs.CORE_VIOLATIONS) == 1
    assert violations(client) == 1
