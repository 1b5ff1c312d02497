"""`python -m nucleate` is the command line."""

from nucleate.cli.main import main

main()
