"""The operator as a real process, on a real control plane and a real Prometheus."""
