"""What to show: the processes, the ranking pipeline, and the command line."""
