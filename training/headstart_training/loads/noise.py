"""Random movement of a synthetic load about its seasons, on several time scales at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headstart_policy.types import Floats


def wander(
    rng: np.random.Generator, deviations: Floats, times: Floats, steps: int, step: float
) -> Floats:
    """Draw sums of K Ornstein-Uhlenbeck processes for N services.

    A sum of independent Gaussian processes is one with the sum of their spectra, so one pair of
    Fourier transforms draws all time scales. The transform is periodic; the path is a part of a
    longer one, so that its end does not meet its start (circulant embedding, Davies and Harte 1987,
    Tests for Hurst effect, Biometrika 74).

    Parameters
    ----------
    rng
        Where the randomness comes from.
    deviations, times
        Standard deviation, and time after which the correlation has fallen to 1/e [s], of each
        process, shape (N, K).
    steps, step
        T, and its length [s].

    Returns
    -------
    numpy.ndarray
        Values of mean 0, shape (N, T).
    """
    length = 1 << int(np.ceil(np.log2(1.25 * steps + 1)))
    cosine = np.cos(2 * np.pi * np.fft.rfftfreq(length))
    spectrum = np.zeros((deviations.shape[0], cosine.size))
    for deviation, time in zip(deviations.T, times.T, strict=True):
        # What an AR(1) process of coefficient a, the OU process seen every step, has.
        a = np.exp(-step / time)[:, None]
        spectrum += deviation[:, None] ** 2 * (1 - a**2) / (1 - 2 * a * cosine + a**2)
    white = np.fft.rfft(rng.standard_normal((deviations.shape[0], length)))
    return np.fft.irfft(white * np.sqrt(spectrum), length)[:, :steps]


def grain(rng: np.random.Generator, deviation: Floats, steps: int) -> Floats:
    """Draw independent factors of mean 1 and given deviations (N,), shape (N, T).

    Gamma: counts with this factor are negative binomial, as over-dispersed requests are. Tiny
    deviations draw from the normal, which it then is but for a skew of twice the deviation.
    """
    services = deviation.size
    factor = np.empty((services, steps))
    for row, sd in enumerate(deviation):
        if sd < 0.05:  # noqa: PLR2004 - a skew of 0.1 is not seen, and this is three times quicker
            factor[row] = 1 + sd * rng.standard_normal(steps)
        else:
            factor[row] = rng.gamma(1 / sd**2, sd**2, steps)
    return factor
