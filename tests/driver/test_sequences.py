"""Random sequences of calls by the owner and two clients of one chip, with faults: only the driver's errors come out,
the device is never wedged, nobody reaches another one's memory, and all is given back."""

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from asic_model.registers import map as regs
from driver.device import Device
from driver.errors import TasicError
from driver.media.picture import blank_picture
from driver.options import EncoderConfig, PlannedRung, ScalerConfig

SIZES = ((64, 48), (32, 32), (96, 64))
WINDOW = 8 << 20
# Registers that are not a client's own, or whose writing does not undo its driver's work.
FOREIGN = sorted(
    set(regs.REGISTERS)
    - {
        regs.QUEUES_CONTROL, regs.QUEUES_TAIL, regs.QUEUES_COMPLETION_HEAD, regs.EVENT_ENABLE, regs.HOST_VERSION,
        regs.QUEUES_BASE_LOW, regs.QUEUES_BASE_HIGH, regs.QUEUES_COMPLETION_BASE_LOW, regs.QUEUES_COMPLETION_BASE_HIGH,
        regs.HOST_FEATURES,
    }
)  # fmt: skip
MARK = np.arange(4096, dtype=np.uint32).view(np.uint8)


class Calls(RuleBasedStateMachine):
    """Devices 0 (the owner), 1 and 2 (clients), and their sessions."""

    sessions = Bundle("sessions")

    @initialize()
    def begin(self) -> None:
        self.errors: set[str] = set()
        owner = Device.open("null:tiny", changes={"encode.cores": 2})
        self.chip = owner.backend.chip  # type: ignore[attr-defined]
        self.devices = [owner]
        for number in (1, 2):
            function = self.chip.function(number)
            function.enable((64 << 20) * number, WINDOW)
            self.devices.append(Device(function, f"client {number}"))
        self.free = [device.allocator.free_bytes for device in self.devices]
        # a piece of memory that nobody writes: function 3's
        self.keeper = self.chip.function(3)
        self.keeper.enable(256 << 20, 1 << 20)
        self.keeper.memory_write(4096, MARK)

    def attempt(self, call, *arguments):
        """Make a call; the driver's own errors are fine, no other exception is."""
        try:
            return call(*arguments)
        except TasicError as error:
            self.errors.add(error.code)
            return None

    @rule(target=sessions, at=st.integers(0, 2), kind=st.sampled_from("escld"), size=st.sampled_from(SIZES),
          depth=st.integers(1, 4), rate=st.sampled_from([None, 100_000]))  # fmt: skip
    def open(self, at, kind, size, depth, rate):
        device, (width, height) = self.devices[at], size
        config = EncoderConfig(width=width, height=height, queue_depth=depth, bit_rate=rate, preset="fast")
        if kind == "e":
            return self.attempt(device.open_encoder, config)
        if kind == "s":
            scaler = ScalerConfig(width=width, height=height, sizes=((width // 2, height // 2),), queue_depth=depth)
            return self.attempt(device.open_scaler, scaler)
        if kind == "l":
            rungs = [PlannedRung("a", width, height, rate), PlannedRung("b", width // 2, height // 2, None)]
            return self.attempt(lambda: device.open_transcoder(config, rungs, width=width, height=height))
        if kind == "d":
            return self.attempt(device.open_decoder)
        surfaces = self.attempt(device.surfaces, width, height, depth)
        if surfaces is not None:
            surfaces.close()
        return None

    @rule(session=sessions, size=st.sampled_from(SIZES), wait_us=st.sampled_from([0, 50, 5000]))
    def send(self, session, size, wait_us):
        if session is None:
            return
        if hasattr(session, "send_packet"):
            self.attempt(session.send_packet, bytes(range(1, 60)), 3)
        elif isinstance(getattr(session, "config", None), ScalerConfig):
            self.attempt(session.send_frame, blank_picture(*size))
        else:
            self.attempt(session.send_frame, blank_picture(*size), wait_us)

    @rule(session=sessions, wait_us=st.sampled_from([0, 50, 5000]))
    def receive(self, session, wait_us):
        if session is None:
            return
        for name in ("receive_packet", "receive_frame"):
            if hasattr(session, name):
                found = self.attempt(getattr(session, name), wait_us)
                if found is not None and hasattr(found, "release"):
                    found.release()

    @rule(session=sessions, what=st.sampled_from(["flush", "stats", "force_keyframe", "drain", "rate", "state"]))
    def other(self, session, what):
        if session is None:
            return
        if what == "drain" and hasattr(session, "send_frame") and not isinstance(session.config, ScalerConfig):
            self.attempt(session.send_frame, None)
        elif what == "rate" and hasattr(session, "reconfigure"):
            self.attempt(lambda: session.reconfigure(bit_rate=200_000))
        elif what == "state":
            assert session.state is not None
        elif what not in ("drain", "rate") and hasattr(session, what):
            self.attempt(getattr(session, what))

    @rule(session=consumes(sessions), twice=st.booleans())
    def close(self, session, twice):
        if session is not None:
            for _ in range(1 + twice):
                self.attempt(session.close)

    @rule(at=st.integers(0, 2), rerun=st.booleans())
    def reset(self, at, rerun):
        self.attempt(lambda: self.devices[at].reset(rerun=rerun))

    @rule(fault=st.fixed_dictionaries({
        "kind": st.sampled_from(["engine_hang", "firmware_trap", "firmware_stuck", "lost_doorbell", "slow_core",
                                 "bit_flip", "link_drop"]),
        "job": st.integers(0, 3), "at_us": st.floats(0, 3000), "macroblock": st.integers(0, 5),
    }))  # fmt: skip
    def fault(self, fault):
        self.devices[0].inject(**fault, address=32 << 20, for_us=500.0)

    @rule(at=st.integers(1, 2), address=st.integers(0, 1 << 40), size=st.integers(0, 4096),
          word=st.integers(0, 2**32 - 1), register=st.sampled_from(FOREIGN))  # fmt: skip
    def hostile(self, at, address, size, word, register):
        """A client pokes where it has no business: outside of its window, and at registers that are not its own."""
        backend = self.devices[at].backend
        if address >= WINDOW:
            backend.memory_write(address, bytes(size))
            assert backend.memory_read(address, size) in (bytes(size), b"\xff" * size)
        backend.write32(register, word)

    @invariant()
    def the_mark_stands(self):
        if hasattr(self, "chip"):
            assert (self.chip.memory[(256 << 20) + 4096 :][: MARK.size] == MARK).all()

    def teardown(self) -> None:
        if not hasattr(self, "chip"):
            return
        self.chip.faults.clear()
        self.chip.wait(20_000)
        for device, free in zip(self.devices, self.free, strict=True):
            for session in list(device.sessions):
                self.attempt(session.close)
            device._resets_in_a_row = 0
            self.attempt(device.reset)
            config = EncoderConfig(width=64, height=48, preset="fast")
            with device.open_encoder(config) as encoder:  # as good as new
                assert len(list(encoder.encode(blank_picture(64, 48) for _ in range(3)))) == 3
            assert not device.firmware_sessions, device.name
            rings = sum(span.size for queue in device.queues.values() for span in queue._spans)
            assert device.allocator.free_bytes == free - rings, device.name
        assert regs.SESSIONS_OPEN.get(self.chip.read32(regs.SESSIONS)) == 0
        for device in reversed(self.devices):
            device.close()


CHECKS = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=4, stateful_step_count=25, deadline=None, suppress_health_check=CHECKS)


class ManyCalls(Calls):
    """10,000 calls and more."""


TestManyCalls = pytest.mark.slow(ManyCalls.TestCase)
TestManyCalls.settings = settings(max_examples=150, stateful_step_count=70, deadline=None, suppress_health_check=CHECKS)
