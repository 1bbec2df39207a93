"""Metrics of running daemons in Prometheus' text format (version 0.0.4). Every sample carries simulated="true"."""

from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from driver.errors import OutputError, TasicError
from driver.serve.monitor import status

# name, type, help
METRICS = (
    ("tasic_up", "gauge", "Whether the daemon answered."),
    ("tasic_link_up", "gauge", "Whether the host link is up; while it is down figures of the device stand still."),
    ("tasic_engine_utilization_ratio", "gauge", "Share of simulated time that cores of a kind were busy, last look."),
    ("tasic_engine_busy_seconds_total", "counter", "Simulated seconds that a core was busy (wraps at 2^32 ticks)."),
    ("tasic_sessions", "gauge", "Sessions open."),
    ("tasic_sessions_max", "gauge", "Sessions that may be open."),
    ("tasic_clients", "gauge", "Clients connected."),
    ("tasic_clients_max", "gauge", "Clients that may be connected."),
    ("tasic_jobs_total", "counter", "Jobs that cores finished, by outcome."),
    ("tasic_frames_total", "counter", "Pictures that a kind of core finished."),
    ("tasic_bytes_total", "counter", "Bytes of streams and results that a kind of core put out."),
    ("tasic_frame_latency_seconds", "histogram", "Simulated time of a job from submission to completion."),
    ("tasic_queue_depth", "gauge", "Commands of a queue that were sent and have not completed."),
    ("tasic_dram_bytes_total", "counter", "Bytes of device memory moved (wraps at 4 TiB)."),
    ("tasic_memory_bytes", "gauge", "Device memory for clients."),
    ("tasic_memory_free_bytes", "gauge", "Of it, what no client has."),
    ("tasic_encode_rate_free_samples_per_second", "gauge", "Encode rate that no session reserved."),
    ("tasic_power_watts", "gauge", "Mean power since power-on, modelled."),
    ("tasic_temperature_celsius", "gauge", "Of the die at that power in the long run, modelled."),
    ("tasic_energy_joules_total", "counter", "Energy since power-on, modelled."),
    ("tasic_errors_total", "counter", "Errors by code."),
    ("tasic_device_resets_total", "counter", "Resets of the chip."),
    ("tasic_ecc_errors_total", "counter", "Memory errors by kind."),
    ("tasic_client_violations_total", "counter", "Accesses of a client outside of its window."),
    ("tasic_clients_scrubbed_total", "counter", "Clients that went and were cleaned up after."),
    ("tasic_firmware_heartbeat_total", "counter", "Turns of the firmware's loop."),
    ("tasic_firmware_info", "gauge", "Version of the firmware."),
    ("tasic_simulated_seconds_total", "counter", "Simulated time since power-on."),
)
ERROR_COUNTERS = {
    "rejected": "commands_rejected", "job_failed": "jobs_failed", "job_timed_out": "jobs_timed_out",
    "deadline_missed": "deadlines_missed", "access_violation": "access_violations",
    "core_violation": "core_violations", "link_down": "link_drops",
}  # fmt: skip


def escape(text: str) -> str:
    """A label's value as the format wants it."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _samples(device: str, found: dict[str, Any]) -> Iterable[tuple[str, dict[str, str], float]]:
    telemetry = found["telemetry"]
    counters, tick_s = telemetry["counters"], telemetry["clock_period_ps"] * 1e-12
    yield "tasic_link_up", {}, int(found["link_up"])
    for kind, share in found["utilization"].items():
        yield "tasic_engine_utilization_ratio", {"engine": kind}, share
    for core in telemetry["cores"]:
        labels = {"engine": core["kind"], "core": str(core["number"])}
        yield "tasic_engine_busy_seconds_total", labels, core["busy_ticks"] * tick_s
    yield "tasic_sessions", {}, telemetry["sessions"]
    yield "tasic_sessions_max", {}, telemetry["max_sessions"]
    yield "tasic_clients", {}, len(found["clients"])
    yield "tasic_clients_max", {}, found["clients_most"]
    for outcome in ("finished", "failed", "retried"):
        yield "tasic_jobs_total", {"outcome": outcome}, counters[f"jobs_{outcome}"]
    for kind, jobs in found["jobs"].items():
        labels = {"engine": kind, "codec": "" if kind == "scale" else "h264"}
        yield "tasic_frames_total", labels, jobs["jobs"]
        yield "tasic_bytes_total", labels, jobs["output_bytes"]
        for bound, count in (*jobs["upto"].items(), ("+Inf", jobs["jobs"])):
            yield "tasic_frame_latency_seconds_bucket", labels | {"le": bound}, count
        yield "tasic_frame_latency_seconds_sum", labels, jobs["seconds"]
        yield "tasic_frame_latency_seconds_count", labels, jobs["jobs"]
    for queue, depth in found["queue_depth"].items():
        yield "tasic_queue_depth", {"queue": queue}, depth
    for direction in ("read", "write"):
        yield "tasic_dram_bytes_total", {"dir": direction}, telemetry[f"memory_{direction}_kib"] * 1024
    yield "tasic_memory_bytes", {}, found["window_bytes_total"]
    yield "tasic_memory_free_bytes", {}, found["window_bytes_free"]
    yield "tasic_encode_rate_free_samples_per_second", {}, telemetry["encode_kilosamples_free"] * 1000
    if found.get("watts") is not None:
        yield "tasic_power_watts", {}, found["watts"]
        yield "tasic_temperature_celsius", {}, found["celsius"]
        yield "tasic_energy_joules_total", {}, found["joules"]
    for code, name in ERROR_COUNTERS.items():
        yield "tasic_errors_total", {"code": code}, counters[name]
    yield "tasic_device_resets_total", {}, counters["resets"]
    yield "tasic_ecc_errors_total", {"kind": "corrected"}, counters["ecc_corrected"]
    yield "tasic_ecc_errors_total", {"kind": "uncorrected"}, counters["ecc_uncorrected"]
    for client in found["clients"]:
        labels = {"client": str(client["function"]), "name": client["name"]}
        yield "tasic_client_violations_total", labels, client["violations"]
    yield "tasic_clients_scrubbed_total", {}, found["scrubbed"]
    yield "tasic_firmware_heartbeat_total", {}, telemetry["heartbeat"]
    yield "tasic_firmware_info", {"version": found["firmware_version"]}, 1
    yield "tasic_simulated_seconds_total", {}, telemetry["ticks"] * tick_s


def metrics(paths: Iterable[str]) -> str:
    """Return the page of all daemons; one that does not answer shows as tasic_up 0."""
    lines: dict[str, list[str]] = {name: [] for name, _, _ in METRICS}

    def add(name: str, labels: dict[str, str], value: float) -> None:
        text = ",".join(f'{key}="{escape(word)}"' for key, word in labels.items())
        family = name if name in lines else name.rpartition("_")[0]  # a histogram's _bucket, _sum, _count
        lines[family].append(f"{name}{{{text}}} {value:.10g}")

    for number, path in enumerate(paths):
        common = {"device": f"tasic{number}", "simulated": "true"}
        try:
            found = status(path)
        except TasicError:
            add("tasic_up", common | {"socket": str(path)}, 0)
            continue
        add("tasic_up", common | {"socket": str(path)}, 1)
        for name, labels, value in _samples(common["device"], found):
            add(name, common | labels, value)
    page = []
    for name, kind, text in METRICS:
        if lines[name]:
            page += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *lines[name]]
    return "\n".join(page) + "\n"


def serve_http(paths: list[str], host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve `/metrics` until interrupted. Raises OutputError when the address cannot be had."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in ("/", "/metrics"):
                self.send_error(404)
                return
            body = metrics(paths).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise OutputError(f"{host}:{port}: {error.strerror or error}") from None
    with server:
        ready(f"{server.server_address[0]!s}:{server.server_address[1]}")
        server.serve_forever()
