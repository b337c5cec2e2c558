"""The statistics that recorded and synthetic loads are compared by."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_training.loads.compare import statistics


def test_a_daily_wave_with_noise_is_described_as_what_it_is() -> None:
    minutes = np.arange(4 * 1440)
    noise = np.random.default_rng(0).normal(1, 0.03, minutes.size)
    found = statistics((2 + np.sin(2 * np.pi * minutes / 1440)) * noise, 60.0)
    assert found.likeness > 0.99
    assert found.noise == pytest.approx(0.03, rel=0.15)
    assert found.fall * found.rise == pytest.approx(1, rel=0.02)
    assert found.kurtosis == pytest.approx(3, abs=0.3)
    assert (found.peak, found.trough) == pytest.approx((1.5, 0.5), rel=0.03)
