"""Writes what decisions rested on, as JSON lines that replay to the same decisions.

Lines, by ``kind``: ``artifact`` (a policy file, base64), ``history`` (a service's grids as they
are when it begins, its lead time changes, or rates are taken back), ``decision`` (the rates since
the last line, the observation, the guardrails' situation, the scores before it, and the decision).
"""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from headstart_policy import artifact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from headstart_operator.service import Key, Sight
    from headstart_operator.sources.history import Grid, History
    from headstart_policy.artifact import Policy
    from headstart_policy.decision import Decision


class _Begun(NamedTuple):
    """A history as it was written: through which index, whether loaded, and which revision."""

    history: History
    through: int
    loaded: bool
    revision: int


class Recorder:
    """Appends to one file; without a file it does nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("a", encoding="utf-8") if path else None
        self._artifacts: set[str] = set()
        self._begun: dict[Key, _Begun] = {}

    def decision(
        self,
        key: Key,
        spec: Mapping[str, Any],
        history: History,
        sight: Sight,
        decision: Decision,
        demoted: str | None,
    ) -> None:
        """Write one decision, and before it what a replay lacks; ``demoted``: why the policy is."""
        if self._file is None:
            return
        if sight.policy is not None:
            self._artifact(sight.policy)
        grid = history.recent
        begun = self._begun.get(key)
        # The past is back-filled while decisions are already taken: written once they are in.
        late = begun is not None and sight.history_loaded and not begun.loaded
        revised = begun is not None and begun.revision != history.revision
        if begun is None or begun.history is not history or late or revised:
            self._write(
                kind="history",
                policy=_name(key),
                spec=dict(spec),
                recent=_grid(grid),
                coarse=_grid(history.coarse),
            )
            begun = _Begun(history, grid.last, sight.history_loaded, history.revision)
        first = max(begun.through + 1, grid.first)
        self._begun[key] = begun._replace(through=grid.last)
        self._write(
            kind="decision",
            policy=_name(key),
            time=sight.time,
            samples=[
                [index * grid.step, _number(grid.rates[index - grid.first])]
                for index in range(first, grid.last + 1)
            ],
            observation=sight.observation.to_json(),
            situation={**_situation(sight), "demoted": demoted},
            scores=sight.selection.scores.to_json() if sight.selection else None,
            artifact=sight.policy.digest if sight.policy else None,
            decision=decision.to_json(),
        )

    def forget(self, key: Key) -> None:
        """Begin anew should the policy come back."""
        self._begun.pop(key, None)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _artifact(self, policy: Policy) -> None:
        if policy.digest in self._artifacts:
            return
        self._artifacts.add(policy.digest)
        content = artifact.dump(policy.network, policy.envelope, policy.card, policy.prior)
        self._write(
            kind="artifact", digest=policy.digest, content=base64.b64encode(content).decode()
        )

    def _write(self, **line: Any) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line, allow_nan=False) + "\n")
            # A killed operator must leave all that it decided.
            self._file.flush()


def _name(key: Key) -> str:
    return f"{key.namespace}/{key.name}"


def _grid(grid: Grid) -> dict[str, Any]:
    rates = [_number(rate) for rate in grid.rates]
    return {"step": grid.step, "first": grid.first, "asked": grid.asked, "rates": rates}


def _situation(sight: Sight) -> dict[str, Any]:
    return {
        "rate": _number(sight.rate),
        "rateAge": _number(sight.rate_age),
        "watched": _number(sight.watched),
        "historyLoaded": sight.history_loaded,
        "raiseOnly": sight.raise_only,
        "held": sight.held,
        "orders": sight.orders.to_json(),
        "behavior": sight.memory.behavior.to_json(),
    }


def _number(value: float) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return float(value) if math.isfinite(value) else None
