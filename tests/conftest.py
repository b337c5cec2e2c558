"""What every test may use."""

from hypothesis import settings

pytest_plugins = ["tests.cluster.fixtures"]

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("headstart", deadline=None)
settings.load_profile("headstart")
