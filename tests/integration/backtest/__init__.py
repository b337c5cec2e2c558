"""The backtest against real servers."""
