"""What people call the contenders."""

from __future__ import annotations

from headstart_training.backtest import contenders

_LABELS = {
    contenders.HEADSTART: "Headstart",
    contenders.NETWORK: "Headstart, network alone",
    contenders.CLAIRVOYANT: "Best possible",
    contenders.HPA_TUNED: "HPA, tuned",
    contenders.HPA_DEFAULT: "HPA, default",
    contenders.HPA_CURRENT: "Your HPA",
    contenders.ACTUAL: "What really ran",
    "holt_winters": "Holt-Winters and HPA",
    "scheduled": "Same time last season",
    "static": "Fixed replicas",
    "keda": "KEDA",
    "kpa": "Knative KPA",
    "forecast": "Forecast with buffer",
}


def label(name: str) -> str:
    """What to call a contender."""
    return _LABELS.get(name, name.replace("_", " "))
