"""The decision: pure functions on numpy arrays.

This package must not read a clock, do I/O, or import a framework, a client library or torch.
Everything here runs the same in the operator, the simulator and the backtest.
"""
