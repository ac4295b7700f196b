"""What `tests/bench/scale.py` is made of."""
