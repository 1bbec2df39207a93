"""`tasic list|info|top|mon|log|selftest` beside a running daemon."""

import json
import threading
import urllib.request

import pytest
from click.testing import CliRunner

from cli.main import run, tasic
from driver.device import Device
from driver.serve import prometheus
from tests.driver.test_device import clip
from tests.driver.test_serve import CONFIG, served

METRIC = r'^tasic_[a-z_]+\{([a-z]+="[^"]*",?)*\} [0-9.e+-]+$'


def invoke(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(tasic, list(words))
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output  # compiling kernels is said on stderr


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A daemon with one client, who has coded some pictures."""
    path = tmp_path_factory.mktemp("serve") / "d.sock"
    with (
        served(path) as daemon,
        Device.open(f"remote:{path}", client='a "name"') as device,
        device.open_encoder(CONFIG) as encoder,
    ):
        packets = list(encoder.encode(clip(4)))
        yield path, daemon, device, packets


def test_list_and_info_as_json():
    found = json.loads(invoke("list", "--format", "json"))
    vcu = next(one for one in found if one["name"] == "model:vcu")
    assert (vcu["backend"], vcu["chip"], vcu["index"], vcu["pci_bdf"]) == ("model", "vcu", 0, None)
    assert len({one["uuid"] for one in found}) == len(found)
    assert vcu["uuid"] in invoke("list")
    about = json.loads(invoke("info", "tiny", "--format", "json"))
    assert about["device"] == "model:tiny"
    assert about["memory_bytes"] == 512 << 20
    assert about["max_sessions"] == 16


def test_top(busy):
    path, *_ = busy
    text = invoke("top", "--once", "--socket", str(path))
    header, row, *rest = text.splitlines()
    assert header.split()[:6] == ["DEV", "ENC", "DEC", "SCL", "FW", "INST"]
    cells = dict(zip(header.split(), row.split(), strict=True))
    assert cells["INST"] == "1"
    assert cells["CLIENTS"] == "1/12"
    assert cells["STATE"] == "RUN"
    assert float(cells["PWR"].rstrip("W")) > 0
    assert any('a "name"' in line and "16 MiB" in line for line in rest)
    found = json.loads(invoke("top", "--once", "--format", "json", "--socket", str(path)))
    assert found[0]["simulated"] is True
    assert found[0]["telemetry"]["counters"]["jobs_finished"] >= 4
    # tiny: 35 degrees of air, 25 K/W
    assert found[0]["celsius"] == pytest.approx(35 + 25 * found[0]["watts"])
    assert cells["TEMP"] == f"{found[0]['celsius']:.0f}C"
    assert "opened on queue 4" in invoke("log", "--socket", str(path))


def test_prometheus(busy):
    """Each line is a sample or a comment as the format has them, each sample says that it is simulated."""
    import re

    path, *_ = busy
    page = invoke("mon", "--once", "--socket", str(path))
    samples = [line for line in page.splitlines() if not line.startswith("#")]
    assert all(re.match(METRIC, line.replace(r"\"", "'")) for line in samples), samples
    assert all('simulated="true"' in line for line in samples)
    assert any(line.startswith("tasic_jobs_total{") and 'outcome="finished"' in line for line in samples)
    assert any(r'name="a \"name\""' in line for line in samples)
    figures = {line.partition("{")[0]: float(line.split()[-1]) for line in samples}
    watts, celsius = figures["tasic_power_watts"], figures["tasic_temperature_celsius"]
    assert celsius == pytest.approx(35 + 25 * watts)
    names = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")}
    assert names <= {name for name, _, _ in prometheus.METRICS}
    assert len(names) > 15
    assert 'tasic_up{device="tasic0",simulated="true",socket="/nowhere"} 0' in prometheus.metrics(["/nowhere"])


def test_prometheus_histogram_of_latency(busy):
    """Buckets count up to the jobs that were done; their sum is what the packets said of themselves."""
    path, _, _, packets = busy
    page = invoke("mon", "--once", "--socket", str(path))

    def values(name: str) -> list[float]:
        lines = [line for line in page.splitlines() if line.startswith(name + "{") and 'engine="encode"' in line]
        return [float(line.rpartition(" ")[2]) for line in lines]

    buckets = values("tasic_frame_latency_seconds_bucket")
    assert buckets == sorted(buckets)
    assert buckets[-1] == values("tasic_frame_latency_seconds_count")[0] == values("tasic_frames_total")[0]
    done = [packet.latency for packet in packets]
    assert buckets[-1] >= len(done) >= 4
    assert values("tasic_frame_latency_seconds_sum")[0] >= float(sum(done)) > 0
    assert values("tasic_bytes_total")[0] >= sum(len(packet.data) for packet in packets[1:]) > 0
    assert "# TYPE tasic_frame_latency_seconds histogram" in page
    assert 'tasic_queue_depth{device="tasic0",simulated="true",queue="4"} 0' in page


def test_prometheus_over_http(busy):
    path, *_ = busy
    address: list[str] = []
    ready = threading.Event()

    def started(at: str) -> None:
        address.append(at)
        ready.set()

    threading.Thread(target=prometheus.serve_http, args=([str(path)], "127.0.0.1", 0, started), daemon=True).start()
    assert ready.wait(10)
    with urllib.request.urlopen(f"http://{address[0]}/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert b"tasic_firmware_info" in answer.read()


def test_reset_of_a_daemon_s_device(busy):
    path, _, device, _ = busy
    before = device.telemetry().counters["resets"]
    assert "reset the device" in invoke("reset", "--socket", str(path))
    with device.open_encoder(CONFIG) as encoder:  # the client goes on
        assert len(list(encoder.encode(clip(2)))) == 2
    assert device.telemetry().counters["resets"] == before + 1


def test_validate():
    text = invoke("validate", "null:tiny")
    assert "ok    upload" in text
    assert "FAIL" not in text
    found = json.loads(invoke("validate", "null:tiny", "--link", "1e6", "--format", "json", code=1))
    assert [check["name"] for check in found if not check["passed"]] == ["upload", "download"]


def test_selftest(tmp_path):
    text = invoke("selftest", "--chip", "tiny")
    assert text.count("ok") == 3
    plan = tmp_path / "faults.yaml"
    plan.write_text("faults: [{kind: wrong_result, core: 0, probability: 1.0}]\n")
    assert "wrong answer" in invoke("selftest", "--chip", "tiny", "--faults", str(plan), code=1)


def test_bad_options():
    assert "no address" in invoke("mon", "--prometheus", "9402", "--socket", "/nowhere", code=2)
    assert "octal" in invoke("serve", "--mode", "abc", code=2)
    assert "give one each" in invoke("serve", "--socket", "a", "--socket", "b", code=2)


def test_info_of_a_running_device(busy):
    path, *_ = busy
    found = json.loads(invoke("info", f"remote:{path}", "--format", "json"))
    assert found["memory_bytes"] == 16 << 20  # what a client gets
    assert found["queues"] == 1


def test_a_serve_that_cannot_begin_leaves_no_socket(tmp_path, capfd):
    sockets = [word for number in range(2) for word in ("--socket", str(tmp_path / f"{number}.sock"))]
    assert run(["serve", "--chip", "tiny", "--chip", "nonsense", "--no-selftest", *sockets]) == 1
    assert "nonsense: no such chip" in capfd.readouterr().err
    assert not list(tmp_path.glob("*.sock"))
