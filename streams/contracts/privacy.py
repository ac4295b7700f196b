"""`privacy.erasures.v1` and `privacy.receipts.v1`: forget a user, and what is forgotten. JSON, by `user_id`."""

import msgspec

from streams.contracts.fields import Identifier, Moment


class Erasure(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="schema_version",
    tag=1,
):
    """A request to forget everything that is known of a user.

    Attributes:
        erasure_id: names the request in its receipts.
        user_id: as the internal topics have it; with pseudonyms in use, the pseudonym.
    """

    erasure_id: Identifier
    user_id: Identifier
    requested_at: Moment


class Cleared(msgspec.Struct, frozen=True):
    """Something of the user that is gone.

    Attributes:
        what: a topic, or a worker's own memory.
        at: when the worker handed its deletion to the log.
    """

    what: str
    at: Moment


class Retained(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something of the user that only time clears.

    Attributes:
        what: a topic, or trained models.
        why: a sentence.
        until: the latest moment that it may still be there; None where no setting bounds it.
    """

    what: str
    why: str
    until: Moment | None = None


class Receipt(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="schema_version",
    tag=1,
):
    """What one worker did for one erasure. A replay may repeat it.

    Attributes:
        worker: `state` writes the first receipt, `ranking` and `feedback` follow it.
    """

    erasure_id: str
    user_id: str
    worker: str
    cleared: tuple[Cleared, ...]
    retained: tuple[Retained, ...] = ()
