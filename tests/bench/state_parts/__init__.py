"""The parts of `make bench-state`, each of which may be run alone."""
