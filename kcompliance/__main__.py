"""`python -m kcompliance`."""

from kcompliance.cli import main

main()
