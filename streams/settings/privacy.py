"""Settings of what is done for a user's privacy."""

from pydantic import Field, SecretStr

from streams.settings.section import Section


class PrivacySettings(Section):
    """Keyed pseudonyms in place of user ids."""

    pseudonym_key: SecretStr | None = Field(default=None, min_length=16)
    """With a key, the state worker replaces every user id by its HMAC-SHA256 before it writes anything; without
    one, user ids stay as they are. Keep it in the secrets directory."""
    pseudonym_key_id: str = Field(default="1", min_length=1, max_length=16, pattern=r"^[a-z0-9-]+$")
    """Names the key in every pseudonym. A new key needs a new id, and every user begins from nothing."""
