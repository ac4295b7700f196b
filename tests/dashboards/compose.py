"""`make compose-check`: starts deploy/compose.yaml, sends traffic, and asks Grafana itself for every panel.

Needs Docker with Compose, and the ports 3000, 9090, 9092 and 9093. CI runs without Docker: what it shows instead
is in tests/integration/test_dashboards.py (the same dashboards, asked of Prometheus) and in
tests/unit/test_deployment.py.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from encoder.identity import encoder_id
from streams.settings import load_settings
from tests.dashboards.boards import filled, panels
from tests.dashboards.grafana import Grafana
from tests.dashboards.traffic import Traffic
from workers.datasets.sample import load
from workers.demo.catalogue import load_catalogue
from workers.publisher import Publisher

_COMPOSE = ("docker", "compose", "--file", str(Path(__file__).parents[2] / "deploy" / "compose.yaml"))
_BROKER, _GRAFANA = "127.0.0.1:9092", "127.0.0.1:3000"
_SCRAPE_SECONDS = 5


def compose(*arguments: str) -> None:
    """Run `docker compose …` and raise when it fails."""
    subprocess.run([*_COMPOSE, *arguments], check=True)


def check(seconds: float) -> int:
    """Return how many panels of the running stack have no data after `seconds` of traffic."""
    dataset, settings = load(), load_settings(kafka={"bootstrap_servers": _BROKER})
    load_catalogue(settings, Publisher(settings), dataset.items, encoder_id(settings.encoder), lambda _: None)
    compose("run", "--rm", "headrace", "train", "--dataset", "sample")
    traffic = Traffic(settings, dataset)
    traffic.history()
    traffic.start()
    try:
        print(f"Traffic for {seconds:g} s; look at http://{_GRAFANA} meanwhile.", flush=True)
        time.sleep(seconds)
        return silent(Grafana(_GRAFANA))
    finally:
        traffic.close()


def silent(grafana: Grafana) -> int:
    """Return how many panels have no data, or other queries than the committed ones; print them."""
    served = {
        (uid, panel["title"], target["expr"])
        for uid, dashboard in grafana.dashboards().items()
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }
    count = 0
    for panel in panels():
        # Grafana's server knows its own variables; those of a dashboard are filled in by the browser. One of the
        # queries of a panel may be empty while nothing is wrong; every one is asked, and a refused one raises.
        asked = [filled(expr, "$__rate_interval", "$__range") for expr in panel.exprs]
        found = [grafana.values(expr, 30, _SCRAPE_SECONDS) for expr in asked]
        if any((panel.board, panel.title, expr) not in served for expr in panel.exprs):
            print(f"not in Grafana: {panel.name}")
        elif not any(found):
            print(f"no data: {panel.name}: {panel.exprs}")
        else:
            continue
        count += 1
    print(f"{len(panels())} panels asked of Grafana, {count} of them without an answer.")
    return count


def main() -> None:
    """Start, check, stop."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300.0, help="how long traffic flows before the questions")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    asked = parser.parse_args()
    try:
        compose("up", "--build", "--wait", "--detach")
        failed = check(asked.seconds)
    finally:
        if not asked.keep:
            compose("down", "--volumes")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
