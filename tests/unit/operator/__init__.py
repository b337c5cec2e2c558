"""The operator's parts, without a cluster."""
