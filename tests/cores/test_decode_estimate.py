"""Backend null: a decode job costs about what it costs with its pixels, by picture type."""

import io

import av
import numpy as np
import pytest

from driver.device import Device

WIDTH, HEIGHT, COUNT = 320, 192, 14


def stream(qp: int, coder: str) -> list[bytes]:
    """Moving texture with a disc that moves otherwise, three B pictures in a row."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    texture = 120 + 40 * np.sin(x / 17) * np.cos(y / 13) + rng.normal(0, 5, (HEIGHT, WIDTH))
    with av.open(io.BytesIO(), "w", format="h264") as out:
        options = {"qp": str(qp), "bf": "3", "b_strategy": "0", "g": "250", "coder": coder, "threads": "1"}
        video = out.add_stream("libx264", rate=25, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        packets = []
        for number in range(COUNT):
            luma = np.roll(texture, (number, 3 * number), (0, 1))
            disc = (x - 60 - 9 * number) ** 2 + (y - 90) ** 2 < 40**2
            planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            planes[:HEIGHT] = np.clip(np.where(disc, 255 - luma, luma), 16, 235)
            packets += video.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p"))
        return [bytes(packet) for packet in [*packets, *video.encode(None)]]


@pytest.mark.parametrize(("qp", "coder"), [(22, "cabac"), (32, "cabac"), (27, "vlc")])
def test_the_estimate_is_near_the_core(qp: int, coder: str) -> None:
    """Within a quarter over all pictures and within a half for each type: other content differs as much."""
    spent = {}
    for backend in ("model:vcu", "null:vcu"):
        with Device.open(backend) as device, device.open_decoder() as decoder:
            assert sum(1 for _ in decoder.decode(stream(qp, coder))) == COUNT
            spent[backend] = decoder.stats()["by_type"]
            report = device.report()  # bytes asked = bytes served, busy + stalls + idle = elapsed
        assert report is not None
        moved = report["memory"]["by_kind"]["decode"]
        assert moved["reconstruction"] > 0
        assert moved["reference"] > 0
        assert moved["stream"] > 0
    real, guess = spent.values()
    assert list(real) == list(guess) == ["I", "P", "B"]
    for kind, figures in real.items():
        assert {k: v for k, v in figures.items() if k != "core_ps"} == {
            k: v for k, v in guess[kind].items() if k != "core_ps"
        }
        assert guess[kind]["core_ps"] == pytest.approx(figures["core_ps"], rel=0.5), kind
    total = [sum(figures["core_ps"] for figures in each.values()) for each in (real, guess)]
    assert total[1] == pytest.approx(total[0], rel=0.25)
