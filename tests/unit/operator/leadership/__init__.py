"""One writer among replicas: an elected leader, and a fence."""
