"""The decision core, tested as pure functions."""
