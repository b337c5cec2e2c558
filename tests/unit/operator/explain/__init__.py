"""What people are told, without a cluster."""
