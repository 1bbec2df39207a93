"""The golden self-test: known answers are right answers, and a core that gives others goes out of service."""

import base64
import hashlib
import io

import av
import numpy as np
import pytest

from driver.device import Device
from driver.errors import NotPermitted
from driver.options import EncoderConfig
from driver.selftest import answers
from tests.driver.test_device import clip


def test_the_decode_answer_is_what_ffmpeg_decodes():
    digest = hashlib.sha256()
    with av.open(io.BytesIO(base64.b64decode(answers()["stream"])), format="h264") as container:
        for frame in container.decode(video=0):
            planar = frame.to_ndarray(format="yuv420p")
            digest.update(np.ascontiguousarray(planar[: frame.height]).tobytes())
            digest.update(np.ascontiguousarray(planar[frame.height :]).tobytes())
    assert digest.hexdigest() == answers()["decode"]


def test_good_cores_pass():
    """After a change of what the encoder decides: `python -m driver.selftest` makes the answers anew."""
    with Device.open("model:edge") as device:
        results = device.self_test()
        assert {result.kind for result in results} == {"encode", "scale", "decode"}
        assert [result.reason for result in results if not result.passed] == []
        assert device.cores_out() == set()


def test_a_core_that_fails_fast_does_not_swallow_the_work():
    """Core 1 spoils every result: the self-test takes it out, and then no stream differs any more."""
    config = EncoderConfig(width=80, height=48, preset="fast")
    changes = {"encode.cores": 3}

    def streams(device: Device) -> list[bytes]:
        sessions = [device.open_encoder(config) for _ in range(4)]
        for picture in clip(3):
            for session in sessions:
                session.send_frame(picture)
        found = [b"".join(packet.data for packet in session.encode([])) for session in sessions]
        for session in sessions:
            session.close()
        return found

    with Device.open("model:tiny", changes=changes) as device:
        good = streams(device)
    spoiler = {"kind": "wrong_result", "core": 1, "probability": 1.0}
    with Device.open("model:tiny", changes=changes, faults=[spoiler]) as device:
        assert streams(device) != good
        results = {result.core: result for result in device.self_test()}
        assert not results[1].passed
        assert results[1].reason == "wrong answer"
        assert device.cores_out() == {1}
        assert streams(device) == good
        device.inject(kind="engine_hang", core=0, probability=1.0)
        results = {result.core: result for result in device.self_test()}
        assert "did not end in its time" in results[0].reason
        assert device.cores_out() == {0, 1}
        assert streams(device) == good


def test_only_the_owner_may_test():
    with Device.open("null:tiny") as owner:
        function = owner.backend.chip.function(1)  # type: ignore[attr-defined]
        function.enable(16 << 20, 8 << 20)
        with Device(function, "client") as client, pytest.raises(NotPermitted, match="only the owner"):
            client.self_test()
        assert all(result.passed for result in owner.self_test())
