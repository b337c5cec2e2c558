"""Synthetic loads: what every path keeps to, and that every component can be seen."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_training.loads import synthetic
from headstart_training.loads.synthetic import Kind, SyntheticLoad, count, generate

if TYPE_CHECKING:
    from headstart_policy.types import Floats

DAY = 1440
STILL = Kind()


def paths(kind: Kind, days: int = 14, services: int = 8, step: float = 60.0) -> Floats:
    steps = int(days * 86_400 / step)
    return generate(np.random.default_rng(5), services, steps, step, SyntheticLoad((kind,)))


def usually(**numbers: object) -> Kind:
    """Make a kind that has nothing but what is named, and has events for sure."""
    quiet = dict.fromkeys(("shifts", "outages", "crowds", "spikes", "bursts"), (1e-9, 1e-9))
    return replace(STILL, **{"eventful": 1.0, "jobs": 0.0, **quiet, **numbers})  # type: ignore[arg-type]


@given(
    seed=st.integers(0, 2**32),
    services=st.integers(1, 5),
    steps=st.integers(1, 4000),
    step=st.sampled_from([1.0, 15.0, 60.0, 300.0, 3600.0]),
)
@settings(max_examples=40, deadline=None)
def test_paths_are_seeded_finite_and_of_mean_one(
    seed: int, services: int, steps: int, step: float
) -> None:
    load = generate(np.random.default_rng(seed), services, steps, step)
    assert load.shape == (services, steps)
    assert load.dtype == np.float64
    assert np.isfinite(load).all()
    assert load.min() >= 0
    np.testing.assert_allclose(load.mean(axis=1), 1.0)
    np.testing.assert_array_equal(
        load, generate(np.random.default_rng(seed), services, steps, step)
    )


def test_a_kind_without_components_stays_at_one() -> None:
    np.testing.assert_allclose(paths(STILL), 1.0)


def test_nights_are_as_deep_as_asked() -> None:
    load = paths(replace(STILL, night=(0.05, 0.05)))
    np.testing.assert_allclose(load.min(axis=1) / load.max(axis=1), 0.05, rtol=0.02)


def test_days_repeat_but_no_two_are_the_same() -> None:
    kind = replace(STILL, night=(0.1, 0.4), day_level=(0.05, 0.05), day_phase=(5, 5))
    days = paths(kind).reshape(8, 14, DAY)
    for service in days:
        likeness = np.array([np.corrcoef(a, b)[0, 1] for a, b in pairwise(service)])
        assert np.median(likeness) > 0.98
        assert likeness.max() < 1 - 1e-9


def test_days_are_no_sines() -> None:
    """Rises and falls last for different times; those of a sine last 12 hours each."""
    load = paths(replace(STILL, night=(0.1, 0.4)), services=64, days=1)
    rising = (np.diff(load, axis=1) > 0).mean(axis=1)
    assert np.std(rising) > 0.05


def test_weekends_have_another_level_and_shape() -> None:
    alike = paths(replace(STILL, night=(0.1, 0.1)))
    lower = paths(replace(STILL, night=(0.1, 0.1), weekend_level=(0.5, 0.5)))
    daily = lower.reshape(8, 14, DAY).mean(axis=2)
    assert (daily.max(axis=1) / daily.min(axis=1)).min() > 1.5
    other = paths(replace(STILL, night=(0.1, 0.1), weekend_likeness=(0.2, 0.2)))
    for same, changed in zip(alike, other, strict=True):
        assert _likeness(same) > 0.99
        assert _likeness(changed) < 0.9


def _likeness(path: Floats) -> float:
    """Least correlation of one day with another."""
    return float(np.min(np.corrcoef(path.reshape(14, DAY))))


def test_holidays_are_like_weekends() -> None:
    kind = replace(STILL, night=(0.9, 0.9), weekend_level=(0.5, 0.5))
    assert paths(replace(kind, holidays=1.0)).std() < 0.5 * paths(kind).std()


def test_growth_is_a_slope_of_the_logarithm() -> None:
    load = paths(replace(STILL, growth=(0.1, 0.1)))
    np.testing.assert_allclose(np.log(load[:, -1] / load[:, 0]), 0.2, rtol=0.01)


@pytest.mark.parametrize(
    ("name", "size", "within", "beyond"),
    [("drift", 0.2, 60, 5 * DAY), ("swell", 0.2, 5, DAY), ("flutter", 0.2, 1, 300)],
)
def test_movement_has_its_size_and_its_time_scale(
    name: str, size: float, within: int, beyond: int
) -> None:
    load = np.log(paths(replace(STILL, **{name: (size, size)}), services=32))  # type: ignore[arg-type]
    assert load.std(axis=1).mean() == pytest.approx(size, rel=0.25)

    def correlation(lag: int) -> float:
        return float(np.mean([np.corrcoef(x[:-lag], x[lag:])[0, 1] for x in load]))

    assert correlation(within) > 0.5
    assert correlation(beyond) < 0.2


@pytest.mark.parametrize("step", [15.0, 60.0, 300.0])
@pytest.mark.parametrize("size", [0.01, 0.3])
def test_grain_is_independent_and_averages_out_over_longer_steps(step: float, size: float) -> None:
    load = paths(replace(STILL, grain=(size, size)), step=step, days=2)
    assert load.std() == pytest.approx(size * np.sqrt(60 / step), rel=0.1)
    assert abs(np.corrcoef(load[:, 1:].ravel(), load[:, :-1].ravel())[0, 1]) < 0.1


def test_grain_grows_as_the_load_thins() -> None:
    kind = replace(STILL, night=(0.1, 0.1), sharpness=(3, 3), grain=(0.03, 0.03))
    ratios = []
    for thinning in (0.0, 0.5):
        load = paths(replace(kind, thinning=(thinning, thinning)))
        change = np.abs(np.diff(np.log(load), axis=1))
        day, night = (load[:, 1:] > 1.0), (load[:, 1:] < 0.3)
        ratios.append(np.median(change[night]) / np.median(change[day]))
    assert ratios[0] == pytest.approx(1.0, rel=0.15)
    assert ratios[1] > 2


def test_level_shifts_last() -> None:
    load = paths(usually(shifts=(1, 1), shift=(2, 2)), services=64)
    moved = np.abs(np.log2(load[:, -1] / load[:, 0]))
    np.testing.assert_allclose(moved, np.round(moved), atol=0.05)
    assert 0.5 < np.mean(moved > 0) < 1.0


def test_outages_take_nearly_all_and_some_end_in_a_rush() -> None:
    load = paths(usually(outages=(2, 2), outage=(1800, 1800)), services=64)
    assert 0.5 < np.mean(load.min(axis=1) < 0.06) <= 1.0
    usual = np.median(load, axis=1)
    assert 0.1 < np.mean(load.max(axis=1) > 1.19 * usual) < 0.9


def test_a_path_that_is_all_outage_is_still_a_number() -> None:
    kind = usually(outages=(300, 300), outage=(86_400, 86_400))
    np.testing.assert_array_equal(np.isfinite(paths(kind, days=1)), True)


def test_crowds_come_fast_and_go_slowly() -> None:
    load = paths(usually(crowds=(0.5, 0.5), crowd=(10, 10)), services=64)
    peaks = load.argmax(axis=1)
    high = load.max(axis=1) / np.median(load, axis=1)
    assert high.max() > 9
    for path, peak, height in zip(load, peaks, high, strict=True):
        if height > 9 and 100 < peak < load.shape[1] - 600:
            half = path > (path[peak] + np.median(path)) / 2
            rise, fall = half[peak - 100 : peak].sum(), half[peak : peak + 600].sum()
            assert fall >= rise


def test_spikes_are_over_within_minutes() -> None:
    load = paths(usually(spikes=(2, 2), spike=(5, 5)), services=64)
    above = load > 1.5 * np.median(load, axis=1, keepdims=True)
    assert above.any(axis=1).mean() > 0.5
    runs = [len(list(run)) for row in above for on, run in groupby(row) if on]
    assert np.median(runs) <= 6


def test_bursts_go_on_and_off_at_once() -> None:
    load = paths(usually(bursts=(1, 1), burst=(3, 3)), services=64)
    steps = np.abs(np.diff(load, axis=1)) / np.median(load, axis=1, keepdims=True)
    assert np.isin(np.round(steps[steps > 0.01], 1) % 2, (0.0, 2.0)).mean() > 0.9


def test_jobs_recur_by_the_clock() -> None:
    load = paths(usually(jobs=1.0, job=(0.5, 0.5)), services=32)
    busy = load.std(axis=1) > 0.01
    assert 0.4 < busy.mean() < 0.9
    alike = [np.corrcoef(path[DAY:], path[:-DAY])[0, 1] for path in load[busy]]
    assert np.median(alike) > 0.7


@pytest.mark.parametrize("dispersion", [0.0, 0.2, 1.0])
def test_counts_have_the_mean_and_the_variance_asked_for(dispersion: float) -> None:
    requests = count(np.random.default_rng(1), np.full((4, 50_000), 30.0), dispersion)
    assert requests.dtype == np.int64
    assert requests.mean() == pytest.approx(30, rel=0.02)
    assert requests.var() == pytest.approx(30 + dispersion * 900, rel=0.05)


def test_services_are_of_the_kinds_in_their_shares() -> None:
    """About 40 % repeat from day to day, as recorded smooth services do, with quiet minutes."""
    load = generate(np.random.default_rng(2), 64, 7 * DAY)
    quarter = load.reshape(64, 7, 96, 15).mean(axis=3)
    alike = [
        np.median([np.corrcoef(day, after)[0, 1] for day, after in pairwise(x)]) for x in quarter
    ]
    assert 0.25 < np.mean(np.array(alike) >= 0.95) < 0.55
    smooth = generate(
        np.random.default_rng(2), 32, 7 * DAY, parameters=SyntheticLoad((synthetic.SMOOTH,))
    )
    change = np.median(np.abs(np.diff(smooth, axis=1)), axis=1)
    assert np.quantile(change, 0.9) < 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"night": (0.0, 0.5)}, "night must be above 0, is"),
        ({"night": (0.5, 1.5)}, "night must be at most 1, is"),
        ({"night": (0.5, 0.1)}, "night must be finite with low <= high, is"),
        ({"grain": (-0.1, 0.1)}, "grain must be at least 0, is"),
        ({"holidays": 2.0}, "holidays must be at most 1, is 2.0"),
        ({"growth": (0.0, float("nan"))}, "growth must be finite"),
    ],
)
def test_impossible_kinds_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(STILL, **change)  # type: ignore[arg-type]


def test_impossible_requests_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="services must be at least 1, is 0"):
        generate(rng, 0, 10)
    with pytest.raises(ValueError, match="step must be above 0 s, is -1"):
        generate(rng, 1, 10, -1)
    with pytest.raises(ValueError, match="dispersion must be at least 0, is -1"):
        count(rng, np.ones((1, 1)), -1.0)
    with pytest.raises(ValueError, match="kinds must have a share above 0"):
        SyntheticLoad((replace(STILL, share=0.0),))
