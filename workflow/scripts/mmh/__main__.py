"""`python -m mmh`: the command."""

import sys

from mmh.command.parser import main

if __name__ == "__main__":
    sys.exit(main())
