"""`python -m workers.cli` is `headrace`."""

from workers.cli.app import main

main()
