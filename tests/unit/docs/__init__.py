"""The documentation, where it can be wrong."""
