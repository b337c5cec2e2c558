"""Train for many services at once, on Ray: on this machine, or on a cluster that exists.

Scheduling, retries and lost machines are Ray's business:
https://docs.ray.io/en/latest/ray-core/fault_tolerance/tasks.html
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import ray
from ray.exceptions import RayError, RayTaskError

from headstart_training.service_training import Job, Trained, train

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A machine that dies or a source that times out is tried again; a bad file stays a bad file.
RETRIES = 3


@ray.remote(max_retries=RETRIES, retry_exceptions=[OSError])  # type: ignore[call-overload,untyped-decorator]  # The types know bool only.
def _train(job: Job) -> Trained:
    return train(job)


class Result(NamedTuple):
    """What came of one job: ``trained``, or else why not."""

    job: Job
    trained: Trained | None
    failure: str


def train_fleet(jobs: Sequence[Job], address: str | None = None) -> Iterator[Result]:
    """Train for all services; results come as they are ready, failed ones too.

    Parameters
    ----------
    jobs
        The services.
    address
        Of an existing Ray cluster, ``auto`` for the one of this machine; its nodes must have
        `headstart[fleet]` installed, and need no file of this machine. ``None``: start Ray here.

    Raises
    ------
    ConnectionError
        There is no Ray cluster at the address.
    """
    with _cluster(address):
        running = {_train.options(name=f"train {job.name}").remote(job): job for job in jobs}
        waiting = list(running)
        while waiting:
            (ready, *_), waiting = ray.wait(waiting, num_returns=1)
            yield _result(running[ready], ready)


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    ray.init(
        address=address or "local",
        # A cluster that exists has its own, and does not let it be chosen.
        include_dashboard=None if address else False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        yield
    finally:
        ray.shutdown()


def _result(job: Job, reference: ray.ObjectRef[Trained]) -> Result:
    try:
        return Result(job, ray.get(reference), "")
    except RayTaskError as error:
        return Result(job, None, str(error.cause))
    except RayError as error:
        # Out of memory, or a machine that died more often than Ray retries.
        return Result(job, None, f"{type(error).__name__}: {error}".splitlines()[0])
