"""What happens to a synthetic load now and then: shifts, outages, bursts, crowds, scheduled work.

Every function changes loads of shape (N, T) in place, event by event. Events begin at random steps;
sizes are factors of the load at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.loads.waves import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headstart_policy.types import Floats

Range = tuple[float, float]
# Lowest and highest of N services, each of shape (N,).
Bounds = tuple["Floats", "Floats"]

MINUTE = 60.0
HOUR = 3600.0
WEEK = 7 * DAY
# An event that fades is drawn until this many times its time constant.
_FADED = 6.0


class Event(NamedTuple):
    """Where one event begins, and how big it is."""

    row: int
    start: int
    size: float


def happenings(
    rng: np.random.Generator, per_week: Floats, size: Bounds, steps: int, step: float
) -> Iterator[Event]:
    """Draw the events of N services, with sizes uniform in the logarithm.

    Parameters
    ----------
    rng
        Where the randomness comes from.
    per_week
        Mean number of events in a week, shape (N,).
    size
        Range of sizes of each service.
    steps, step
        T, and its length [s].
    """
    for row, number in enumerate(rng.poisson(per_week * (steps * step / WEEK))):
        starts = rng.integers(0, steps, number)
        sizes = log_uniform(rng, (size[0][row], size[1][row]), number)
        for start, big in zip(starts, sizes, strict=True):
            yield Event(row, int(start), float(big))


def log_uniform(rng: np.random.Generator, bounds: Range, shape: int | tuple[int, ...]) -> Floats:
    """Draw from a range, uniform in the logarithm."""
    return np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]), shape))


def shift_levels(
    rng: np.random.Generator, load: Floats, per_week: Floats, size: Bounds, step: float
) -> None:
    """Change the level for good: half at once, as at a release; half within an hour."""
    for event in happenings(rng, per_week, size, load.shape[1], step):
        factor = event.size if rng.random() < 0.5 else 1 / event.size  # noqa: PLR2004
        ramp = int(rng.choice([0.0, rng.uniform(0.0, HOUR)]) / step)
        rest = load[event.row, event.start :]
        rest *= factor ** np.minimum((np.arange(rest.size) + 1) / (ramp + 1), 1.0)


def cut_outages(
    rng: np.random.Generator, load: Floats, per_week: Floats, duration: Bounds, step: float
) -> None:
    """Take nearly all load away for ``size`` seconds; some return with a rush, some slowly."""
    for event in happenings(rng, per_week, duration, load.shape[1], step):
        end = event.start + max(1, round(event.size / step))
        load[event.row, event.start : end] *= rng.choice([0.0, rng.uniform(0.0, 0.05)])
        after = load[event.row, end:]
        # Clients that waited come at once (1.2x to 2.5x), come as ever, or come back hesitantly.
        rush = rng.choice([rng.uniform(0.2, 1.5), 0.0, rng.uniform(-0.9, -0.3)])
        fade = np.exp(-np.arange(after.size) * step / rng.uniform(5 * MINUTE, HOUR))
        after *= 1 + rush * fade


def gather_crowds(
    rng: np.random.Generator, load: Floats, per_week: Floats, size: Bounds, step: float
) -> None:
    """Let crowds come within 1 to 30 minutes and go slowly: news, a match, a sale.

    Shape of a flash crowd: Ari et al. 2003, Managing flash crowds on the Internet (MASCOTS).
    """
    for event in happenings(rng, per_week, size, load.shape[1], step):
        ramp = log_uniform(rng, (MINUTE, 30 * MINUTE), 1)[0]
        decay = ramp * log_uniform(rng, (1.5, 12.0), 1)[0]
        _hump(load, event, ramp, rng.choice([0.0, ramp]), decay, step)


def add_spikes(
    rng: np.random.Generator, load: Floats, per_week: Floats, size: Bounds, step: float
) -> None:
    """Add isolated spikes that are over within minutes."""
    for event in happenings(rng, per_week, size, load.shape[1], step):
        width = log_uniform(rng, (15.0, 6 * MINUTE), 1)[0]
        _hump(load, event, width / 3, width / 3, width / 2, step)


def switch_bursts(
    rng: np.random.Generator, load: Floats, per_week: Floats, size: Bounds, step: float
) -> None:
    """Switch a plateau on and off at once, for minutes to hours: a client's batch, a crawler."""
    for event in happenings(rng, per_week, size, load.shape[1], step):
        end = event.start + max(1, round(log_uniform(rng, (2 * MINUTE, 3 * HOUR), 1)[0] / step))
        load[event.row, event.start : end] += (event.size - 1) * load[event.row, event.start]


def schedule_jobs(
    rng: np.random.Generator, load: Floats, jobs: Floats, size: Bounds, step: float
) -> None:
    """Add work that recurs by the clock, a few seconds early or late.

    Parameters
    ----------
    rng
        Where the randomness comes from.
    load
        Changed in place, shape (N, T).
    jobs
        Mean number of jobs of each service, shape (N,).
    size
        Height of a job over the service's mean load; its range for each service.
    step
        Length of a step [s].
    """
    steps = load.shape[1]
    for row, number in enumerate(rng.poisson(jobs)):
        mean = load[row].mean()
        for height in log_uniform(rng, (size[0][row], size[1][row]), number):
            period = rng.choice([HOUR / 4, HOUR / 2, HOUR, 6 * HOUR, DAY, DAY, DAY])
            length = period * log_uniform(rng, (0.005, 0.2), 1)[0]
            sharp = rng.random() < 0.5  # noqa: PLR2004 - half end at once, half fade
            for due in np.arange(rng.uniform(0.0, period), steps * step, period):
                start = round((due + rng.uniform(0.0, 20.0)) / step)
                end = start + max(1, round(length * rng.uniform(0.8, 1.2) / step))
                part = load[row, start:end]
                part += (
                    height * mean * (1.0 if sharp else np.linspace(1, 0, end - start)[: part.size])
                )


def _hump(load: Floats, event: Event, ramp: float, hold: float, decay: float, step: float) -> None:
    """Add ``size - 1`` times the load: a linear rise, a plateau, an exponential fall [s]."""
    end = event.start + int((ramp + hold + _FADED * decay) / step) + 1
    part = load[event.row, event.start : end]
    # A step's mean, not its edge: at 300 s a spike of 30 s comes out as a tenth of its height.
    fine = np.linspace(0.0, 1.0, 8, endpoint=False) + 1 / 16
    since = (np.arange(part.size)[:, None] + fine) * step
    fall = np.exp(-np.maximum(since - ramp - hold, 0.0) / decay)
    part += (event.size - 1) * part[:1] * (np.minimum(since / ramp, 1.0) * fall).mean(axis=1)
