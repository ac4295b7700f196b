"""What was recommended, joined with what the user did next: examples, rates and trends. Runs on Faust."""
