"""Lets `python -m bridge` do what `feedbridge` does."""

import sys

from bridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
