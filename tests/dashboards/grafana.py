"""Grafana's own HTTP API, as far as it shows whether a panel has something to show."""

import http.client
import json
import math
from typing import Any

UID = "headrace-prometheus"
"""Of the provisioned data source; see deploy/grafana/provisioning."""


class Grafana:
    """A Grafana that lets anybody look.

    Args:
        address: host:port.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def healthy(self) -> bool:
        """Return whether it answers and has its database."""
        try:
            return bool(self._asked("GET", "/api/health").get("database") == "ok")
        except (OSError, http.client.HTTPException, RuntimeError):
            return False

    def dashboards(self) -> dict[str, dict[str, Any]]:
        """Return Headrace's dashboards as Grafana has read them, by uid."""
        found: Any = self._asked("GET", "/api/search?type=dash-db&tag=headrace")
        uids = [each["uid"] for each in found]
        return {uid: self._asked("GET", f"/api/dashboards/uid/{uid}")["dashboard"] for uid in uids}

    def values(self, expr: str, minutes: int, interval_seconds: int) -> list[float]:
        """Return every finite value that Grafana gets for a query of a panel.

        Args:
            expr: with Grafana's own `$__` variables; those of the dashboard filled in.
            interval_seconds: how often Prometheus scrapes.

        Raises:
            RuntimeError: Grafana or Prometheus refuses the query.
        """
        query = {
            "refId": "A",
            "datasource": {"type": "prometheus", "uid": UID},
            "expr": expr,
            "range": True,
            "intervalMs": interval_seconds * 1000,
            "maxDataPoints": 1000,
        }
        asked = {"queries": [query], "from": f"now-{minutes}m", "to": "now"}
        answer = self._asked("POST", "/api/ds/query", asked)["results"]["A"]
        if "error" in answer:
            raise RuntimeError(f"{expr}: {answer['error']}")
        columns = [column for frame in answer["frames"] for column in frame["data"]["values"][1:]]
        return [value for column in columns for value in column if value is not None and math.isfinite(value)]

    def _asked(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._address, timeout=30)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
            # A query that failed comes with 400 and the same form.
            if response.status != 200 and '"results"' not in text:
                raise RuntimeError(f"{method} {path}: {response.status} {text[:300]}")
            answer: dict[str, Any] = json.loads(text)
            return answer
        finally:
            connection.close()
