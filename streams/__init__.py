"""What happened, and to whom: contracts, settings, user state, and the one loop that every worker runs."""
