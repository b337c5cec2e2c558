"""Loops over services and steps, compiled by numba; the readable truth of each is numpy's.

Importing numba takes a second, so the modules that use a kernel import it when they run.

Compiled code is kept beside the sources and looks at its own file's date alone: after a change to
:mod:`headstart_training.kernels.money`, whose functions are compiled into others, delete
``kernels/__pycache__``.
"""
