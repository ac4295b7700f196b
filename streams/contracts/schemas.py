"""JSON Schemas of the public topics, for producers and consumers in other languages.

`python -m streams.contracts.schemas DIRECTORY` writes them; `make schemas` does that for `deploy/schemas`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from streams.contracts import (
    Answer,
    Erasure,
    Event,
    Item,
    ModelAlias,
    ModelVersion,
    RankingRequest,
    Receipt,
    Recommendation,
)
from streams.topics import (
    CATALOGUE,
    CLICKSTREAM,
    ERASURES,
    MODELS,
    RANKING_ANSWERS,
    RANKING_REQUESTS,
    RECEIPTS,
    RECOMMENDATIONS,
)

_PUBLIC: dict[str, Any] = {
    CLICKSTREAM: Event,
    CATALOGUE: Item,
    RECOMMENDATIONS: Recommendation,
    RANKING_REQUESTS: RankingRequest,
    RANKING_ANSWERS: Answer,
    ERASURES: Erasure,
    RECEIPTS: Receipt,
    MODELS: (ModelVersion, ModelAlias),
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, str]:
    """Return file name -> text of the schema of each public topic."""
    return {
        f"{topic}.json": json.dumps({"$schema": _DIALECT, **_schema(message)}, indent=2) + "\n"
        for topic, message in _PUBLIC.items()
    }


def write(directory: Path) -> None:
    """Write every schema into `directory`, which is made when it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (directory / name).write_text(text)


def _schema(message: Any) -> dict[str, Any]:
    if not isinstance(message, tuple):
        return msgspec.json.schema(message)
    # Told apart by the record's key (`name/version` or `name@alias`), not by a tag.
    variants, definitions = msgspec.json.schema_components(message, ref_template="#/$defs/{name}")
    return {"anyOf": list(variants), "$defs": definitions}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
