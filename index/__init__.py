"""What is near: approximate and exact nearest neighbours that are searched while they change."""
