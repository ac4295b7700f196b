"""Reads single values out of a worker's `/metrics`."""

from prometheus_client.parser import text_string_to_metric_families


def gauge(exposition: str, name: str, **labels: str) -> float | None:
    """Return the value of the first sample `name` that has all these labels, or None."""
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None
