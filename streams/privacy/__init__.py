"""Forgetting users, and knowing them only by a keyed pseudonym."""
