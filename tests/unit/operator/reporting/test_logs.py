"""Lines of the log as collectors read them."""

from __future__ import annotations

import json
import logging

from headstart_operator.reporting import logs


def a_line(**extra: object) -> dict[str, object]:
    """Write one line as JSON and read it back."""
    record = logging.getLogger("test").makeRecord(
        "test", logging.INFO, "file", 1, "%s scaled", ("shop/checkout",), None, extra=extra
    )
    line: dict[str, object] = json.loads(logs.JsonFormatter().format(record))
    return line


def test_facts_are_keys_of_their_own() -> None:
    line = a_line(**logs.about("shop", "checkout", before=2, after=5))
    assert line["message"] == "shop/checkout scaled"
    assert (line["namespace"], line["policy"]) == ("shop", "checkout")
    assert (line["before"], line["after"]) == (2, 5)


def test_a_line_without_facts_is_a_line() -> None:
    assert a_line()["level"] == "info"
