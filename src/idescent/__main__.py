"""Entry point of ``python -m idescent``; the command line itself is :mod:`idescent.cli`."""

import sys

from idescent.cli import main

if __name__ == "__main__":
    sys.exit(main())
