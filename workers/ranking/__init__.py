"""From a user's state to a slate: sources, filters, scorer, selection, and the model behind them."""
