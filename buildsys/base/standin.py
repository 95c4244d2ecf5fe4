"""Stand-ins for modules of Python's library that others import and seldom use.

What loads a debugger with every import takes longer to start than to do its work.
"""

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Seldom(types.ModuleType):
    """Is loaded when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        __import__(self.__name__)
        return getattr(sys.modules[self.__name__], name)


@contextmanager
def standing_in(*names: str) -> Iterator[None]:
    """Have those who import some modules in a block get them when they first use them.

    Everyone else gets the modules themselves, and so does whoever imports them afterwards.
    """
    made = {name: _Seldom(name) for name in names if name not in sys.modules}
    sys.modules.update(made)
    try:
        yield
    finally:
        for name, module in made.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
