"""Starts modbuild from a clone: python -S buildsys/launch.py WORDS, as the launcher does.

Not 'python -m buildsys', because finding the package and what is installed beside it would take
half as long again as the answer "nothing to do".
"""

import sys

# The directory of this file is no place to import from, and the one above it is.
sys.path[0] = __file__[: -len("/buildsys/launch.py")] or "."
__import__("buildsys.__main__", fromlist=["run_and_exit"]).run_and_exit()
