"""`make preview`: pictures of the dashboards, drawn by uPlot from the live run of the dashboards' test.

Needs what that test needs (Kafka's jars, Prometheus), npm, from whose registry uPlot comes (MIT, fetched, not
committed), a headless Chromium, and pngquant, which makes the pictures a third as large. Writes
deploy/grafana/preview/NAME.png. Not Grafana: its own page looks otherwise; what is drawn is the same, panel by
panel.
"""

import os
import re
import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Final

from tests.dashboards.boards import DEPLOY, documents, panels
from tests.dashboards.pages import page
from tests.dashboards.scenario import play
from tests.dashboards.shop import Shop, a_directory
from tests.integration.conftest import JARS, SKIPPED
from tests.integration.kafka_node import KafkaNode

UPLOT: Final = "uplot@1.6.32"
PICTURES: Final = DEPLOY / "grafana" / "preview"
BUILD: Final = DEPLOY.parent / "build" / "preview"
MOST_BYTES: Final = 300_000
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_SHOWN_SECONDS: Final = 120.0
_ROW_PIXELS, _HEAD_PIXELS = 34, 60


def uplot() -> tuple[str, str]:
    """Return uPlot's script and style sheet, fetched once."""
    BUILD.mkdir(parents=True, exist_ok=True)
    packed = BUILD / f"{UPLOT.replace('@', '-')}.tgz"
    if not packed.exists():
        subprocess.run(["npm", "pack", "--silent", UPLOT], cwd=BUILD, check=True, stdout=subprocess.DEVNULL)
    found = []
    with tarfile.open(packed) as files:
        for name in ("uPlot.iife.min.js", "uPlot.min.css"):
            member = files.extractfile(f"package/dist/{name}")
            assert member is not None, name
            found.append(member.read().decode())
    return found[0], found[1]


def photograph(file: Path, picture: Path, rows: int) -> int:
    """Draw a page into a PNG and return how many of its panels had something to show.

    Args:
        rows: height of the dashboard on Grafana's grid.
    """
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    assert browser is not None, "NO CHROMIUM: install Debian's `chromium`"
    size = f"--window-size=1280,{rows * _ROW_PIXELS + _HEAD_PIXELS}"
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--virtual-time-budget=4000",
        size,
    ]
    for output in (f"--screenshot={picture}", "--dump-dom"):
        done = subprocess.run(
            [browser, *flags, output, file.as_uri()], cwd=file.parent, check=True, capture_output=True, timeout=120
        )
    assert shutil.which("pngquant"), "NO PNGQUANT: install Debian's `pngquant`"
    subprocess.run(["pngquant", "--force", "--strip", "--output", picture, "96", picture], check=True)
    drawn = re.search(rb'data-drawn="(\d+)"', done.stdout)
    assert drawn is not None, "the page's script failed"
    return int(drawn.group(1))


def draw(running: Shop, started: float) -> None:
    """Draw every dashboard from what Prometheus has now."""
    library, style = uplot()
    end = time.time()
    start = max(started, end - _SHOWN_SECONDS)
    for uid in documents():
        file = BUILD / f"{uid}.html"
        file.write_text(page(uid, running.monitoring, start, end, library, style))
        own = [panel for panel in panels() if panel.board == uid]
        rows = max(panel.place[1] + panel.place[3] for panel in own)
        picture = PICTURES / f"{uid.removeprefix('headrace-')}.png"
        drawn = photograph(file, picture, rows)
        size = picture.stat().st_size
        print(f"{picture.name}: {drawn} of {len(own)} panels, {size / 1000:.0f} kB")
        assert drawn == len(own), "a panel had nothing to show"
        assert size < MOST_BYTES, f"{picture} is larger than {MOST_BYTES} bytes"


def main() -> None:
    """Run everything and draw it."""
    jars = os.environ.get(JARS)
    assert jars, SKIPPED
    PICTURES.mkdir(exist_ok=True)
    with a_directory() as directory:
        for name in ("kafka", "run"):
            (directory / name).mkdir()
        node = KafkaNode(Path(jars), directory / "kafka")
        node.start()
        try:
            play(node.bootstrap_servers, directory / "run", draw)
        finally:
            node.stop()


if __name__ == "__main__":
    main()
