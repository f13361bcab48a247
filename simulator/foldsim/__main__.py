"""``python -m foldsim``."""

from foldsim.cli import main

main()
