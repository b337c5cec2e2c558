"""The forms in which Kubernetes writes durations, quantities and instants, as checked values."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
_QUANTITY = re.compile(r"([+-]?(?:\d+[.]?\d*|[.]\d+)(?:[eE][+-]?\d{1,2})?)(|[numkMGTPE]|[KMGTPE]i)")
_SCALES = {
    **{unit: Decimal(1000) ** k for k, unit in enumerate(["n", "u", "m", "", *"kMGTPE"], start=-3)},
    **{f"{unit}i": Decimal(1024) ** k for k, unit in enumerate("KMGTPE", start=1)},
}


def parse_duration(value: Any) -> float:
    """Read ``1h30m``, ``15s`` and the like as seconds.

    Raises
    ------
    ValueError
        It is no duration.
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError(f"must be a duration such as 15s, 5m or 1h30m; it is {value!r}")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(3600 * hours + 60 * minutes + seconds)


def parse_quantity(value: Any) -> float:
    """Read a Kubernetes quantity: ``5``, ``"0.5"``, ``500m``, ``2k``, ``1Gi``.

    Raises
    ------
    ValueError
        It is no quantity.
    """
    match = None if isinstance(value, bool) else _QUANTITY.fullmatch(str(value))
    if match is None:
        raise ValueError(f'must be a quantity such as 5, "0.5" or 500m; it is {value!r}')
    return float(Decimal(match[1]) * _SCALES[match[2]])


def parse_instant(value: Any) -> float:
    """Read ``2026-12-24T06:00:00Z`` and the like as seconds since the epoch.

    Raises
    ------
    ValueError
        It is no instant of RFC 3339, or has no time zone.
    """
    try:
        instant = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ValueError(f"must be an instant such as 2026-12-24T06:00:00Z; it is {value!r}")
    return instant.astimezone(UTC).timestamp()


Duration = Annotated[float, BeforeValidator(parse_duration)]
Quantity = Annotated[float, BeforeValidator(parse_quantity)]
Instant = Annotated[float, BeforeValidator(parse_instant)]


class Model(BaseModel):
    """A part of the spec: camelCase, frozen, unknown keys refused.

    An unknown key is refused because it may be an order of a newer schema (stop until, never above)
    that this version would silently not follow.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        extra="forbid",
        frozen=True,
    )
