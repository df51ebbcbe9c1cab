"""What choices and answers say: the resolution behind them by maximum likelihood, and the n-item law."""
