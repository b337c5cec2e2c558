"""The whole path on real parts."""
