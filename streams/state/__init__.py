"""Per-user state: a pure fold, and the transform that runs it."""
