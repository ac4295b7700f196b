"""From a step of the join to metrics, with every label from a small set."""

from collections import Counter, deque

from prometheus_client import Counter as Metric

from streams.feedback import metrics
from streams.feedback.examples import Offer
from streams.feedback.join_state import TYPES, lead_source
from streams.feedback.step import Step

OTHER = "other"
_LAST_POSITION = 10
SOURCES = frozenset(
    {
        "learned",
        "popular",
        "lookalike",
        "trending",
        "neighbours",
        "text",
        "covisited",
        "together",
        "pinned",
        "unknown",
    }
)
"""Those that are built in, told apart; a plug-in's is `other`."""


class Tallies:
    """Sums the steps of a batch, then counts them at once.

    Args:
        model_versions: newest model versions that are told apart; all others are `other`.
    """

    def __init__(self, model_versions: int) -> None:
        self._versions: deque[str] = deque(maxlen=model_versions)
        self._sums: Counter[tuple[Metric, tuple[str, ...]]] = Counter()

    def add(self, step: Step) -> None:
        """Take what one record did."""
        for offer in step.offers:
            version, source, position = self._labels(offer)
            self._sums[metrics.EXPOSURES, (version, source, offer.evidence)] += 1
            self._sums[metrics.EXPOSURES_BY_POSITION, (position, offer.evidence)] += 1
        for outcome in step.outcomes:
            version, source, position = self._labels(outcome.offer)
            action, evidence = TYPES[outcome.event_type].value, outcome.offer.evidence
            self._sums[metrics.OUTCOMES, (version, source, action, evidence)] += 1
            self._sums[metrics.OUTCOMES_BY_POSITION, (position, evidence)] += 1
        for example in step.examples:
            self._sums[metrics.EXAMPLES, (example.evidence,)] += 1
        for reason in step.unattributed:
            self._sums[metrics.UNATTRIBUTED, (reason,)] += 1
        if step.duplicate:
            self._sums[metrics.DUPLICATES, ()] += 1

    def count(self) -> None:
        """Hand the sums over to the metrics and begin anew."""
        for (metric, labels), value in self._sums.items():
            (metric.labels(*labels) if labels else metric).inc(value)
        self._sums.clear()

    def version_label(self, version: str) -> str:
        """Return the label of a model version; one not heard of before is the newest, and may push out the oldest.

        The series of a version that is pushed out are removed, so that their number stays bounded.
        """
        if version in self._versions:
            return version
        if len(self._versions) == self._versions.maxlen:
            self.count()
            oldest = self._versions[0]
            metrics.EXPOSURES.remove_by_labels({"model_version": oldest})
            metrics.OUTCOMES.remove_by_labels({"model_version": oldest})
        self._versions.append(version)
        return version

    def _labels(self, offer: Offer) -> tuple[str, str, str]:
        source = lead_source(offer.place.sources)
        position = offer.place.position
        return (
            self.version_label(offer.model_version),
            source if source in SOURCES else OTHER,
            str(position) if position <= _LAST_POSITION else f"{_LAST_POSITION + 1}+",
        )
