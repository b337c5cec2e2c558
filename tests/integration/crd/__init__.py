"""The ScalingPolicy CRD, on a real API server."""
