"""Everything offline: loads, games, learners and what they are measured against.

It stands on :mod:`headstart_policy` and never on the operator. Only the learner imports torch, so
the games and baselines work without it.
"""
