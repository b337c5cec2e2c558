"""The backtest as one self-contained HTML page: nothing is loaded, no script runs."""
