"""Steps of a kept plan: what decides whether they are stale at once, the rest when asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from buildsys.pipeline.step import Action, Step

Body = tuple[Action, tuple[Path, ...], tuple[Path, ...], tuple[str, ...]]
_LATE = ("action", "inputs", "outputs", "after")


class KeptStep(Step):
    """A step of which most is read when it is first looked at: of most steps, never."""

    __slots__ = ("_read",)

    def __getattr__(self, name: str) -> Any:
        """Read what is not there yet."""
        if name not in _LATE:
            raise AttributeError(name)
        for attribute, value in zip(_LATE, self._read(), strict=True):
            object.__setattr__(self, attribute, value)
        return object.__getattribute__(self, name)


def make_kept_step(
    name: str, module: str, use: str, recipe: bytes, read: Callable[[], Body]
) -> Step:
    """Make a step that reads its action, inputs, outputs and what it comes after when need be."""
    step = KeptStep.__new__(KeptStep)
    put = object.__setattr__
    put(step, "name", name)
    put(step, "module", module)
    put(step, "use", use)
    put(step, "recipe", recipe)
    put(step, "_read", read)
    return step
