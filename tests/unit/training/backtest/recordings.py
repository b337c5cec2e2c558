"""Recordings to judge by, small enough for a test."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from headstart_training.backtest.services import Actual, Service

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY = 86_400


def waves(days: float = 4, interval: float = 300.0, noise: float = 0.02) -> np.ndarray:
    """Draw days of one shape around 60 requests/s."""
    seconds = np.arange(0, days * DAY, interval)
    rng = np.random.default_rng(0)
    shape = 1 + 0.6 * np.sin(2 * np.pi * seconds / DAY) + 0.2 * np.sin(8 * np.pi * seconds / DAY)
    values: np.ndarray = 60 * shape * np.maximum(rng.normal(1.0, noise, len(seconds)), 0)
    return values


def service(days: float = 4, interval: float = 300.0, noise: float = 0.02) -> Service:
    """Record a service whose calendar is known, and nothing beside its rate."""
    return Service("checkout", waves(days, interval, noise), interval, interval, MONDAY)


def observed(capacity: float, share: float) -> Service:
    """Record the same with what ran: always ``share`` of the replicas that the rate needs."""
    base = service()
    ready = np.ceil(base.rates / capacity / share)
    return Service(
        base.name, base.rates, base.interval, base.bin, MONDAY, actual=Actual(ready, ready)
    )
