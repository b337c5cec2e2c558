"""An operator under load: many policies, their workloads, their rates, and what it takes.

On the real control plane and Prometheus of ``tests.cluster``; ``headstart bench operator`` runs it.
"""
