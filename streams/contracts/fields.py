"""Field types that several messages share, with the limits that they are held to."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

Identifier = Annotated[str, Meta(min_length=1, max_length=512)]
"""A user, item, event or session id: 1 to 512 characters, compared byte by byte."""

Moment = Annotated[datetime, Meta(tz=True)]
"""An RFC 3339 date-time with its offset; written in UTC."""

Text = Annotated[str, Meta(max_length=20_000)]
Title = Annotated[str, Meta(min_length=1, max_length=2_000)]
Count = Annotated[int, Meta(ge=1)]
Scalar = str | int | float | bool | None
"""A value of an event's open map, `context`."""
Attribute = str | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | float | bool | None
"""A value of an item's open map, `attributes`, or of a request's, `context`: msgpack carries it on, which has no
larger integers."""
