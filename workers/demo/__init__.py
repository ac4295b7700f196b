"""`headrace demo`: the main job end to end, measured on real data."""
