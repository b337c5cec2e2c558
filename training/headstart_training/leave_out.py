"""The recipe on services that it did not learn from: learn without them, then backtest them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from headstart_policy import artifact
from headstart_training import recipe
from headstart_training.algorithms.hindsight import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from headstart_policy.artifact import Policy
    from headstart_training.algorithms.hindsight import Progress
    from headstart_training.loads.regular import Trace
    from headstart_training.simulator import World


def folds(names: Sequence[str], together: Sequence[frozenset[str]], count: int) -> list[list[str]]:
    """Divide services into ``count`` parts, or as many as there are groups, in the order given.

    Parameters
    ----------
    names
        Of the services.
    together
        Groups whose services are correlated: one must not teach what the other is tested on.
    count
        Parts, at least 2.

    Raises
    ------
    ValueError
        Fewer than two parts, or a group of a service that is not there.
    """
    if unknown := frozenset().union(*together) - set(names):
        raise ValueError(f"together names {sorted(unknown)}, there are {sorted(names)}")
    groups: list[list[str]] = []
    for name in names:
        group = next((group for group in together if name in group), frozenset({name}))
        if not any(name in done for done in groups):
            groups.append(sorted(group))
    parts = min(count, len(groups))
    if parts < 2:  # noqa: PLR2004  # What is left out must leave something to learn from.
        raise ValueError(f"folds = {parts}, must be at least 2")
    return [list(itertools.chain.from_iterable(groups[k::parts])) for k in range(parts)]


def learn_without(
    left_out: Sequence[str],
    recordings: Mapping[str, Trace],
    seed: int,
    show: Callable[[Progress], None] = lambda _: None,
) -> Policy:
    """Follow the recipe as if the services left out had never been recorded."""
    rest = {name: trace for name, trace in recordings.items() if name not in left_out}
    return _learn(recipe.draw_worlds(seed, rest), seed, show)


def learn_by_heart(
    recordings: Mapping[str, Trace],
    seed: int,
    show: Callable[[Progress], None] = lambda _: None,
) -> Policy:
    """Learn from these services and nothing else: what they are judged by then is a bound.

    Of this learner with these features; whoever has not seen them will hardly do better.
    """
    kinds = [kind for kind in recipe.KINDS if kind.startswith("recorded")]
    return _learn(recipe.draw_worlds(seed, recordings, kinds=kinds), seed, show)


def _learn(worlds: Iterable[World], seed: int, show: Callable[[Progress], None]) -> Policy:
    config = Config(seed=seed)
    network, _ = recipe.learn(worlds, config, show)
    return artifact.parse(recipe.to_artifact(network, config))
