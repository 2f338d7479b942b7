"""`python -m vidrt.engine.cli`, for where the command itself is not on the path."""

from vidrt.engine.cli import main

main()
