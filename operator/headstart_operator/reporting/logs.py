"""Logs to the standard error, as text for people or as JSON for collectors."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

# Under what name a record carries its facts.
_FACTS = "headstart"


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; an exception keeps its traceback."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, _FACTS, {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def about(namespace: str, policy: str, **facts: Any) -> dict[str, Any]:
    """Facts of a line, for the argument ``extra``: keys of their own where lines are JSON."""
    return {_FACTS: {"namespace": namespace, "policy": policy, **facts}}


def set_up(style: str, level: str) -> None:
    """Log from ``level`` on, in the style ``json`` or ``text``."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s")
    handler.setFormatter(JsonFormatter() if style == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # What kopf and the HTTP clients do at each request is of interest to their authors.
    for noisy in ("aiohttp", "asyncio", "kubernetes", "leaderelection", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for noisy in ("kopf.objects", "kopf._core.reactor.running"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
