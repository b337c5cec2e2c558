"""Loops over time, compiled: one service, one setting, one path. Importing them loads numba."""
