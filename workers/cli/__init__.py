"""`headrace`, the command line: one file a group of commands.

Progress goes to standard error, results to standard output. Exit codes: 0 done, 1 failed, 2 a wrong option
or setting, 3 data that cannot be used, 4 a broker that cannot be used, 5 something that may pass (start it
again), 130 Ctrl-C.
"""

from workers.cli.app import main

__all__ = ["main"]
