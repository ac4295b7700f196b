"""A user id that only the holder of a key can make: HMAC-SHA256, named by the key's id."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache

from streams.settings.privacy import PrivacySettings

Pseudonymise = Callable[[str], str]
"""From a user's own id to the id that every topic but the clickstream has."""


def pseudonymise(settings: PrivacySettings) -> Pseudonymise | None:
    """Return the function that makes pseudonyms such as `1.Fd0m…`, or None where users keep their ids."""
    if settings.pseudonym_key is None:
        return None
    secret = settings.pseudonym_key.get_secret_value().encode()
    prefix = f"{settings.pseudonym_key_id}."

    @lru_cache(maxsize=65_536)
    def pseudonym(user_id: str) -> str:
        digest = hmac.digest(secret, user_id.encode(), "sha256")
        return prefix + urlsafe_b64encode(digest).decode().rstrip("=")

    return pseudonym


def known_as(user_id: str, settings: PrivacySettings) -> str:
    """Return the id that state, slates and vectors have for a user."""
    rename = pseudonymise(settings)
    return user_id if rename is None else rename(user_id)
