"""The learned model: an item tower and a user tower whose vectors meet in one space."""
