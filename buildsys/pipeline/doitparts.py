"""The parts of doit that run tasks, without its command line; tasks.py is what uses them.

Importing the package 'doit' loads its commands, plugins and dodo files' helpers, which takes twice
as long as what runs tasks. So its parts are imported below a stand-in for the package, which goes
at once: whoever imports doit afterwards gets the real one, with these very parts. What they name
for Python actions, a debugger and processes of its own is loaded when it is used: half of the time.
"""

import importlib
import importlib.machinery
import sys
import types
from typing import Any

from buildsys.base.standin import standing_in

_PACKAGE = "doit"
_SELDOM = ("getopt", "inspect", "multiprocessing.reduction", "pdb", "traceback")


def _import_parts(*names: str) -> list[Any]:
    if _PACKAGE in sys.modules:  # doit's own command line runs us
        return [importlib.import_module(f"{_PACKAGE}.{name}") for name in names]
    found = importlib.machinery.PathFinder.find_spec(_PACKAGE)
    if found is None or found.submodule_search_locations is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}", name=_PACKAGE)
    package = types.ModuleType(_PACKAGE)
    package.__path__ = list(found.submodule_search_locations)
    sys.modules[_PACKAGE] = package
    try:
        with standing_in(*_SELDOM):
            return [importlib.import_module(f"{_PACKAGE}.{name}") for name in names]
    finally:
        del sys.modules[_PACKAGE]


control, exceptions, globals_, runner, tasking = _import_parts(
    "control", "exceptions", "globals", "runner", "task"
)
