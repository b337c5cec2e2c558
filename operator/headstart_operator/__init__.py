"""The operator: watches ScalingPolicies, observes, asks `headstart_policy`, sets replicas.

This package must not decide anything itself: what a number of replicas should be is
`headstart_policy`'s to say. It must not import the training or torch. Only `controller` reads a
clock; everything under it takes ``now`` as an argument.
"""
