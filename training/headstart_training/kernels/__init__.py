"""Loops over services and steps, compiled by numba; the readable truth of each is numpy's.

Importing numba takes a second, so the modules that use a kernel import it when they run.
"""
