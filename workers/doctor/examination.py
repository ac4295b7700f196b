"""All checks in order: the machine first, then what can only be seen through the broker."""

from streams.errors import Fatal
from streams.kafka import metadata
from streams.settings import Settings
from workers.doctor import broker, machine, models
from workers.doctor.findings import Finding, Status, examined, problem, skipped, warning
from workers.doctor.placement import placement

BEHIND_THE_BROKER = ("Topics", "Model")


def examine(settings: Settings) -> list[Finding]:
    """Return what every check found, in the order in which it is to be mended."""
    found = [
        *examined("Python", machine.python),
        *examined("Fold", machine.fold),
        *examined("FAISS", machine.faiss),
        *examined("BLAS", machine.blas),
        *examined("Disk", machine.disk, settings),
        *examined("Encoder", models.encoder, settings),
        *examined("Training", models.training, settings),
    ]
    if not settings.kafka.bootstrap_servers:
        found.append(
            warning(
                "Broker",
                "No broker is named: only `headrace demo` and `headrace broker` work so.",
                "set HEADRACE_KAFKA__BOOTSTRAP_SERVERS to host:port of your Kafka.",
            )
        )
        return found + [skipped(check, "Not looked at: it lies behind the broker.") for check in BEHIND_THE_BROKER]
    try:
        cluster = metadata(settings)
    except Fatal as error:
        found.append(problem("Broker", error.problem, error.action))
        return found + [skipped(check, "Not looked at: it lies behind the broker.") for check in BEHIND_THE_BROKER]
    return [
        *found,
        *examined("Broker", broker.broker, settings, cluster),
        *examined("Topics", broker.topics, settings, cluster),
        *examined("Partitions", placement, settings, cluster),
        *examined("Model", models.ranking_model, settings),
    ]


def healthy(findings: list[Finding]) -> bool:
    """Return whether nothing was found that does not work."""
    return all(finding.status is not Status.PROBLEM for finding in findings)
