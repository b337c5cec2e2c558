"""The baselines against the programs whose decisions they claim to make."""
