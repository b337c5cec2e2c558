"""Synthetic loads as real services have them: seasons, noise on all scales, and what goes wrong.

A path is a product: the day and the week (:mod:`.waves`), growth, and movement on time scales from
minutes to days (:mod:`.noise`); events come on top (:mod:`.events`). Each service is of one kind:
*smooth* ones repeat from day to day, *bursty* ones do not from minute to minute, *sparse* ones are
so small or so coarse that single clients are seen. What is drawn are intensities; :func:`count`
makes requests of them.

The ranges were set by eye and by a table of statistics beside recorded loads (``python -m
headstart_training.loads.compare FILE...`` prints it), and not fitted to any one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from headstart_training.loads import events
from headstart_training.loads.noise import grain, wander
from headstart_training.loads.waves import Seasons, waves

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints

Range = tuple[float, float]

MINUTE = 60.0
HOUR = 3600.0
# Time scales of the movement [s]: of drift, swell and flutter.
_TIMES = ((6 * HOUR, 48 * HOUR), (20 * MINUTE, 4 * HOUR), (2 * MINUTE, 15 * MINUTE))
# Level below which the grain grows no more [share of the mean].
_THINNEST = 0.05


@dataclass(frozen=True)
class Kind:
    """What services of one kind are drawn from; as it stands, a load that is 1 all the time.

    A pair is a range, drawn once per service, or once per event where it says so. Events that come
    per week come to a service at all with probability ``eventful``.

    Attributes
    ----------
    share
        How many services are of this kind, relative to the other kinds.
    night
        Lowest point of a working day over its highest; uniform in the logarithm.
    sharpness, day_level, day_shape
        See :class:`.waves.Seasons`.
    day_phase
        Standard deviation of a day's shift in time [min].
    weekend_likeness, weekend_level
        See :class:`.waves.Seasons`; the level is uniform in the logarithm.
    holidays
        Share of working days that are free.
    growth
        Change of the load's logarithm in a week.
    drift, swell, flutter
        Standard deviation of the load's logarithm over 6 to 48 hours, 20 minutes to 4 hours, and 2
        to 15 minutes.
    grain
        Standard deviation of the independent part of one minute's load over its mean; a step of s
        seconds has sqrt(60 / s) times that.
    thinning
        Exponent by which the grain grows as the load falls below its mean; 0.5: as of counts.
    eventful
        Probability that a service has events of a sort, for each of the sorts below anew.
    shifts, outages, crowds, spikes, bursts
        Events per week of an eventful service; uniform in the logarithm.
    shift, crowd, spike, burst
        Size of an event as a factor, once per event; uniform in the logarithm.
    outage
        Duration of an outage [s], once per outage; uniform in the logarithm.
    jobs
        Mean number of scheduled jobs of an eventful service.
    job
        Height of a job over the mean load, once per job; uniform in the logarithm.

    Raises
    ------
    ValueError
        When a parameter is out of its bounds; it names key, bound and value.
    """

    share: float = 1.0
    night: Range = (1.0, 1.0)
    sharpness: Range = (0.7, 3.0)
    day_level: Range = (0.0, 0.0)
    day_phase: Range = (0.0, 0.0)
    day_shape: Range = (0.0, 0.0)
    weekend_likeness: Range = (1.0, 1.0)
    weekend_level: Range = (1.0, 1.0)
    holidays: float = 0.0
    growth: Range = (0.0, 0.0)
    drift: Range = (0.0, 0.0)
    swell: Range = (0.0, 0.0)
    flutter: Range = (0.0, 0.0)
    grain: Range = (0.0, 0.0)
    thinning: Range = (0.0, 0.0)
    eventful: float = 0.0
    shifts: Range = (0.1, 0.5)
    shift: Range = (1.15, 3.0)
    outages: Range = (0.05, 0.5)
    outage: Range = (2 * MINUTE, 48 * HOUR)
    crowds: Range = (0.1, 2.0)
    crowd: Range = (1.5, 40.0)
    spikes: Range = (0.3, 20.0)
    spike: Range = (1.3, 12.0)
    bursts: Range = (0.5, 20.0)
    burst: Range = (1.3, 4.0)
    jobs: float = 2.0
    job: Range = (0.03, 1.5)

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn from."""
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = value if isinstance(value, tuple) else (value, value)
            if not np.all(np.isfinite(value)) or low > high:
                raise ValueError(f"{field.name} must be finite with low <= high, is {value}")
            if low < 0 and field.name != "growth":
                raise ValueError(f"{field.name} must be at least 0, is {value}")
        for name in ("night", "weekend_likeness"):
            if getattr(self, name)[1] > 1:
                raise ValueError(f"{name} must be at most 1, is {getattr(self, name)}")
        for name in ("holidays", "eventful"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} must be at most 1, is {getattr(self, name)}")
        for name in ("night", "weekend_level", "shift", "outage", "crowd", "spike", "burst", "job"):
            if getattr(self, name)[0] == 0:
                raise ValueError(f"{name} must be above 0, is {getattr(self, name)}")


SMOOTH = Kind(
    share=0.4,
    night=(0.03, 0.5),
    sharpness=(0.5, 5.0),
    day_level=(0.01, 0.1),
    day_phase=(0.0, 15.0),
    day_shape=(0.0, 0.06),
    weekend_likeness=(0.88, 1.0),
    weekend_level=(0.6, 1.25),
    holidays=0.01,
    growth=(-0.06, 0.08),
    drift=(0.0, 0.05),
    swell=(0.0, 0.05),
    flutter=(0.0, 0.025),
    grain=(0.008, 0.05),
    thinning=(0.0, 0.5),
    eventful=0.12,
    crowds=(0.1, 1.0),
    crowd=(1.2, 6.0),
    spikes=(0.2, 5.0),
    spike=(1.1, 3.0),
    bursts=(0.3, 3.0),
    burst=(1.1, 2.0),
    job=(0.02, 0.3),
)
BURSTY = Kind(
    share=0.3,
    night=(0.01, 0.8),
    sharpness=(0.4, 3.0),
    day_level=(0.03, 0.25),
    day_phase=(0.0, 25.0),
    day_shape=(0.0, 0.4),
    weekend_likeness=(0.2, 1.0),
    weekend_level=(0.2, 1.4),
    holidays=0.02,
    growth=(-0.15, 0.3),
    drift=(0.02, 0.25),
    swell=(0.02, 0.2),
    flutter=(0.01, 0.15),
    grain=(0.03, 0.3),
    thinning=(0.0, 0.5),
    eventful=0.35,
    spikes=(1.0, 60.0),
)
SPARSE = Kind(
    share=0.3,
    night=(0.02, 0.9),
    sharpness=(0.4, 2.5),
    day_level=(0.05, 0.3),
    day_phase=(0.0, 30.0),
    day_shape=(0.0, 0.4),
    weekend_likeness=(0.2, 1.0),
    weekend_level=(0.2, 1.4),
    holidays=0.02,
    growth=(-0.15, 0.2),
    drift=(0.05, 0.35),
    swell=(0.05, 0.3),
    flutter=(0.03, 0.35),
    grain=(0.15, 1.2),
    eventful=0.4,
    spikes=(2.0, 150.0),
    spike=(1.5, 20.0),
)


@dataclass(frozen=True)
class SyntheticLoad:
    """The kinds of services that there are.

    Raises
    ------
    ValueError
        There is no kind, or no kind has a share.
    """

    kinds: tuple[Kind, ...] = (SMOOTH, BURSTY, SPARSE)

    def __post_init__(self) -> None:
        """Refuse what has nothing to draw from."""
        if not sum(kind.share for kind in self.kinds) > 0:
            raise ValueError("kinds must have a share above 0 in all, have none")


DEFAULT = SyntheticLoad()


def generate(
    rng: np.random.Generator,
    services: int,
    steps: int,
    step: float = MINUTE,
    parameters: SyntheticLoad = DEFAULT,
) -> Floats:
    """Intensities of N services over T steps.

    The same generator state gives the same bits.

    Parameters
    ----------
    rng
        Where the randomness comes from.
    services, steps
        N and T.
    step
        Length of a step [s].
    parameters
        The generator's numbers.

    Returns
    -------
    numpy.ndarray
        Load over its mean, shape (N, T), at least 0, of mean 1 over each path.

    Raises
    ------
    ValueError
        No services, no steps, or a step that is not above 0.
    """
    for name, value in (("services", services), ("steps", steps)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, is {value}")
    if not step > 0:
        raise ValueError(f"step must be above 0 s, is {step}")
    draw = _Draw(rng, services, parameters.kinds)
    load = waves(rng, _seasons(draw), steps, step)
    load *= np.exp(_movement(draw, steps, step))
    _happen(draw, load, step)
    load *= _graininess(draw, load, step)
    mean = load.mean(axis=1, keepdims=True)
    # An outage over all of a short path: nothing came, and no scale makes something of it.
    normal: Floats = np.divide(load, mean, out=np.ones_like(load), where=mean > 0)
    return normal


def count(rng: np.random.Generator, requests: Floats, dispersion: Floats | float = 0.0) -> Ints:
    """Draw whole requests that arrive in each step.

    Parameters
    ----------
    rng
        Where the randomness comes from.
    requests
        Expected number in each step, shape (N, T).
    dispersion
        Variance beyond Poisson's over the squared mean, shape (N,), or one for all; 0: Poisson,
        otherwise negative binomial: var = mean + dispersion * mean^2.

    Returns
    -------
    numpy.ndarray
        Whole requests, shape (N, T).

    Raises
    ------
    ValueError
        A dispersion below 0.
    """
    excess = np.broadcast_to(np.asarray(dispersion, np.float64), requests.shape[:1])
    if not excess.min(initial=0.0) >= 0:
        raise ValueError(f"dispersion must be at least 0, is {excess.min()}")
    mean = requests
    if excess.max(initial=0.0) > 0:
        mean = requests * grain(rng, np.sqrt(excess), requests.shape[1])
    return rng.poisson(np.maximum(mean, 0.0))


class _Draw:
    """Draws one number per service from the ranges of its kind."""

    def __init__(self, rng: np.random.Generator, services: int, kinds: tuple[Kind, ...]) -> None:
        shares = np.array([kind.share for kind in kinds])
        self.rng = rng
        self._kinds = kinds
        self._kind = rng.choice(len(kinds), services, p=shares / shares.sum())

    def bounds(self, name: str) -> tuple[Floats, Floats]:
        """Lowest and highest value, each of shape (N,)."""
        values = np.array([getattr(kind, name) for kind in self._kinds])[self._kind]
        return values[:, 0], values[:, 1]

    def uniform(self, name: str) -> Floats:
        """Draw uniformly, shape (N,)."""
        return self.rng.uniform(*self.bounds(name))

    def log_uniform(self, name: str) -> Floats:
        """Draw uniformly in the logarithm, shape (N,)."""
        low, high = self.bounds(name)
        return np.exp(self.rng.uniform(np.log(low), np.log(high)))

    def number(self, name: str) -> Floats:
        """Take a parameter that is no range, shape (N,)."""
        return np.array([getattr(kind, name) for kind in self._kinds])[self._kind]

    def frequency(self, name: str) -> Floats:
        """Draw the number of events per week, 0 for services that have none, shape (N,)."""
        happens = self.rng.random(self._kind.size) < self.number("eventful")
        return np.where(happens, self.log_uniform(name), 0.0)


def _seasons(draw: _Draw) -> Seasons:
    return Seasons(
        night=draw.log_uniform("night"),
        sharpness=draw.uniform("sharpness"),
        day_level=draw.uniform("day_level"),
        day_phase=draw.uniform("day_phase") * MINUTE,
        day_shape=draw.uniform("day_shape"),
        weekend_likeness=draw.uniform("weekend_likeness"),
        weekend_level=draw.log_uniform("weekend_level"),
        holidays=draw.number("holidays"),
    )


def _movement(draw: _Draw, steps: int, step: float) -> Floats:
    """Logarithm of what moves the load about its seasons, shape (N, T)."""
    deviations = [draw.uniform(name) for name in ("drift", "swell", "flutter")]
    services = deviations[0].size
    times = [events.log_uniform(draw.rng, bounds, services) for bounds in _TIMES]
    weeks = np.arange(steps) * (step / events.WEEK)
    growth = draw.uniform("growth")[:, None] * weeks
    return growth + wander(
        draw.rng, np.stack(deviations, axis=1), np.stack(times, axis=1), steps, step
    )


def _graininess(draw: _Draw, load: Floats, step: float) -> Floats:
    """Independent factor of every step, shape (N, T); larger where the load is small."""
    factor = grain(draw.rng, draw.uniform("grain") * np.sqrt(MINUTE / step), load.shape[1])
    level = load / np.maximum(load.mean(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    thinning = draw.uniform("thinning")[:, None]
    lift = np.maximum(level, _THINNEST) ** -thinning if thinning.any() else 1.0
    product: Floats = np.maximum(1 + (factor - 1) * lift, 0.0)
    return product


def _happen(draw: _Draw, load: Floats, step: float) -> None:
    """Let everything happen, in place; outages last, since nothing comes through them."""
    for happen, often, size in (
        (events.shift_levels, "shifts", "shift"),
        (events.gather_crowds, "crowds", "crowd"),
        (events.add_spikes, "spikes", "spike"),
        (events.switch_bursts, "bursts", "burst"),
    ):
        happen(draw.rng, load, draw.frequency(often), draw.bounds(size), step)
    eventful = draw.rng.random(load.shape[0]) < draw.number("eventful")
    jobs = np.where(eventful, draw.number("jobs"), 0.0)
    events.schedule_jobs(draw.rng, load, jobs, draw.bounds("job"), step)
    events.cut_outages(draw.rng, load, draw.frequency("outages"), draw.bounds("outage"), step)
