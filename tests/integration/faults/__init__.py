"""Hurts state workers, brokers and producers, and holds what is left in the log to a reference fold."""
