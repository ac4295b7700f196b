"""`kafka.properties` are librdkafka's; this says them to aiokafka, and refuses those that it cannot say."""

import ssl
from collections.abc import Mapping

import faust
from faust.types.auth import CredentialsT

from streams.errors import SettingError
from streams.settings import Settings

_SASL = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}
_KNOWN = {
    "security.protocol", "sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password", "ssl.ca.location",
    "ssl.certificate.location", "ssl.key.location", "ssl.key.password", "ssl.endpoint.identification.algorithm",
    "enable.ssl.certificate.verification",
}  # fmt: skip


def credentials(settings: Settings) -> CredentialsT | None:
    """Return how to log in at the broker, None for not at all.

    Raises:
        SettingError: a property that aiokafka has no word for, or a value that it cannot use.
    """
    found = {name: value.get_secret_value() for name, value in settings.kafka.properties.items()}
    if unknown := sorted(found.keys() - _KNOWN):
        raise _refused(
            unknown[0], f"the feedback worker's client (aiokafka) has no such property, only {sorted(_KNOWN)}"
        )
    protocol = found.get("security.protocol", "plaintext").upper()
    if protocol not in {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}:
        raise _refused("security.protocol", "it is plaintext, ssl, sasl_plaintext or sasl_ssl")
    context = _context(found) if protocol.endswith("SSL") else None
    if not protocol.startswith("SASL"):
        return None if context is None else faust.SSLCredentials(context)
    mechanism = found.get("sasl.mechanism", found.get("sasl.mechanisms", "")).upper()
    if mechanism not in _SASL:
        raise _refused("sasl.mechanism", f"the feedback worker knows {', '.join(sorted(_SASL))}")
    return faust.SASLCredentials(
        username=found.get("sasl.username", ""),
        password=found.get("sasl.password", ""),
        mechanism=mechanism,
        ssl_context=context,
    )


def _context(found: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=found.get("ssl.ca.location"))
        if certificate := found.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, found.get("ssl.key.location"), found.get("ssl.key.password"))
    except (OSError, ssl.SSLError) as error:
        raise _refused("ssl.*", f"a certificate cannot be used: {error}") from None
    verified = found.get("enable.ssl.certificate.verification", "true").lower() != "false"
    named = found.get("ssl.endpoint.identification.algorithm", "https").lower() != "none"
    context.check_hostname = verified and named
    context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
    return context


def _refused(name: str, why: str) -> SettingError:
    return SettingError(
        f"Setting kafka.properties cannot be used by the feedback worker: {name}: {why}.",
        "correct HEADRACE_KAFKA__PROPERTIES (or `kafka.properties` in the YAML file) of this worker.",
    )
