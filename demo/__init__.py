"""`make demo`: a service on a real control plane, scaled before its load arrives.

Time is compressed: one minute of the load passes in a second, so a lead time of five minutes is
five seconds and a day is 24 minutes. Everything else is the real thing: API server, controllers,
Prometheus, Helm, the chart, the operator and its RBAC. Only the kubelet is simulated.
"""
