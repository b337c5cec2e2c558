"""Faults of the world around the operator, one after another: nothing lost, nothing set wrongly.

``python -m tests.faults`` (``make faults``) runs them on a local control plane with Prometheus and
prints a table; ``python -m tests.faults.soak`` (``make soak``) mixes them for an hour. A short
choice of them runs in the test suite.
"""
